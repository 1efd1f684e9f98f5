package io.kvasir.cli;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;

/// Bytes that one decode step has to read, each once.
///
/// @param weights bytes of weights that the pass of one token reads
/// @param layout of the cache
record StepTraffic(long weights, KvLayout layout) {

  /// Bytes of keys and values that a query reads behind `tokens` positions, over all layers;
  /// windows bound it. Exact copies count as the codes they stand for.
  long cacheBytes(long tokens) {
    double bytes = 0;
    for (LayerGroup group : layout.groups()) {
      if (group.role() == LayerGroup.Role.CODES) {
        LayerKv kv = group.kv();
        long seen = kv.window() == 0 ? tokens : Math.min(tokens, kv.window());
        bytes += (double) layout.payloadBytesPerToken(group) * seen;
      }
    }
    return Math.round(bytes);
  }

  /// Bytes of a step of all sequences of `measured`, in the middle of what it decodes. Experts that
  /// only other sequences of a batch choose are not counted.
  long stepBytes(BenchCase measured) {
    return weights + measured.batch() * cacheBytes(measured.depth() + 1 + measured.generate() / 2);
  }
}
