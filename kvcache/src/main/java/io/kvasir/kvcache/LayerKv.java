package io.kvasir.kvcache;

import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.PlaneKind;

/// What one model layer keeps per token: `kvHeads` key rows of `keyDim` and value rows of
/// `valueDim`.
///
/// @param valueDim elements of a value row; 0 where values are the first elements of the key row
///   (the latent rows of MLA, DeepSeek-V2, arXiv 2405.04434), which are then stored once
/// @param window number of most recent positions a query sees, itself included; 0 for all
/// @param exact positions that are kept and read exactly beside the codes
public record LayerKv(
    int kvHeads,
    int keyDim,
    int valueDim,
    int window,
    KvFormat keyFormat,
    KvFormat valueFormat,
    ExactRows exact) {

  /// A layer that is read from what its formats hold.
  public LayerKv(
      int kvHeads, int keyDim, int valueDim, int window, KvFormat keyFormat, KvFormat valueFormat) {
    this(kvHeads, keyDim, valueDim, window, keyFormat, valueFormat, ExactRows.NONE);
  }

  public LayerKv {
    if (kvHeads <= 0 || keyDim <= 0 || valueDim < 0 || window < 0) {
      throw new IllegalArgumentException(
          "impossible layer: kvHeads=%d keyDim=%d valueDim=%d window=%d"
              .formatted(kvHeads, keyDim, valueDim, window));
    }
  }

  /// Bytes of the key plane of one head in a block, padded to 64.
  long keyPlaneBytes(int blockTokens) {
    return align(keyFormat.planeBytes(blockTokens, keyDim, keyKind()));
  }

  /// Bytes of one head in a block, key and value plane, each padded to 64.
  public long headBytes(int blockTokens) {
    return keyPlaneBytes(blockTokens) + align(valueBytes(blockTokens));
  }

  /// Bytes of a value plane, before padding; 0 where values are part of the keys.
  long valueBytes(int blockTokens) {
    return valueDim == 0 ? 0 : valueFormat.planeBytes(blockTokens, valueDim, PlaneKind.VALUES);
  }

  /// What the rows of the key plane are.
  public PlaneKind keyKind() {
    return valueDim == 0 ? PlaneKind.LATENT : PlaneKind.KEYS;
  }

  long layerBytes(int blockTokens) {
    return kvHeads * headBytes(blockTokens);
  }

  static long align(long bytes) {
    return bytes + 63 & -64L;
  }
}
