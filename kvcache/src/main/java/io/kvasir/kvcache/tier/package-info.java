/// Where block bytes live. A storage knows bytes and block ids, never tokens or sequences.
package io.kvasir.kvcache.tier;
