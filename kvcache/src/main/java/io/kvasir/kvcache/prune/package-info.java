/// Which tokens of a live sequence go: policies that score them and the selection that turns scores
/// into the rows that stay. A policy works on plain floats of one kv head; it knows neither models
/// nor blocks, and it never frees anything itself.
package io.kvasir.kvcache.prune;
