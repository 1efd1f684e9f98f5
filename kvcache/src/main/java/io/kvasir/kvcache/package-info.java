/// The paged key-value cache: which blocks exist, who holds them, where their bytes lie.
///
/// Decides block ownership, tables and byte layout. Refuses to know queries, softmax, models,
/// threads or HTTP.
package io.kvasir.kvcache;
