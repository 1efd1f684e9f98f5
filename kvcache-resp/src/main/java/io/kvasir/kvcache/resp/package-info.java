/// Blocks in a store that several machines share. Decides how a block travels and when a store is
/// left alone; knows nothing of tokens, and nothing of what is done when a block is missing.
package io.kvasir.kvcache.resp;
