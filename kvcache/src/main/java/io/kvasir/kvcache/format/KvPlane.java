package io.kvasir.kvcache.format;

import java.lang.foreign.MemorySegment;

/// A place for the rows of one block, layer and kv head: `[blockTokens, dim]` starting at `offset`
/// bytes of `memory`.
public record KvPlane(MemorySegment memory, long offset, int blockTokens, int dim) {}
