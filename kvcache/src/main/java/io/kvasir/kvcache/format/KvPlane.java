package io.kvasir.kvcache.format;

import java.lang.foreign.MemorySegment;

/// A place for the rows of one block, layer and kv head: `[blockTokens, dim]` starting at `offset`
/// bytes of `memory`.
public record KvPlane(MemorySegment memory, long offset, int blockTokens, int dim, PlaneKind kind) {

  /// Where element `channel` of row `slot` stands among the plane's elements.
  long element(int slot, int channel) {
    return kind.element(slot, channel, dim);
  }
}
