package io.kvasir.cli;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;

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
        long seen = group.isWindow() ? Math.min(tokens, group.window()) : tokens;
        bytes += (double) layout.payloadBytesPerToken(group) * seen;
      }
    }
    return Math.round(bytes);
  }

  /// Bytes of keys and values that all sequences of `measured` read behind `own` tokens of theirs
  /// after the tokens before; what they share counts once.
  long cacheBytes(BenchCase measured, long own) {
    long all = cacheBytes(measured.depth() + own);
    long once = measured.shared() ? cacheBytes(measured.depth()) : 0;
    return once + measured.batch() * (all - once);
  }

  /// Bytes of a step of all sequences of `measured`, in the middle of what it decodes. Experts that
  /// only other sequences of a batch choose are not counted.
  long stepBytes(BenchCase measured) {
    return weights + cacheBytes(measured, 1 + measured.generate() / 2);
  }
}
