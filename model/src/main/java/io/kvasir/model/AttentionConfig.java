package io.kvasir.model;

import org.jspecify.annotations.Nullable;

/// Attention of one layer.
///
/// @param heads query heads H
/// @param kvHeads key and value heads G
/// @param headDim elements of a query and key head
/// @param valueDim elements of a value head
/// @param scale factor of `q k^T`
/// @param softcap cap of the scaled logits, 0 for none
/// @param window positions a query sees, itself included; 0 for all
/// @param rope rotary embedding, or null for a layer without positions
/// @param latent sizes of MLA, or null for plain heads
/// @param normalizeValues whether value heads are divided by their root mean square (Gemma 4)
/// @param cacheSource the layer whose cached rows this one reads: itself, or an earlier one that it
///   shares
public record AttentionConfig(
    int heads,
    int kvHeads,
    int headDim,
    int valueDim,
    float scale,
    float softcap,
    int window,
    @Nullable RopeConfig rope,
    @Nullable LatentConfig latent,
    boolean normalizeValues,
    int cacheSource) {

  public AttentionConfig {
    if (heads <= 0 || kvHeads <= 0 || headDim <= 0 || valueDim <= 0 || window < 0) {
      throw new IllegalArgumentException(
          "impossible attention: heads=%d kvHeads=%d headDim=%d valueDim=%d window=%d"
              .formatted(heads, kvHeads, headDim, valueDim, window));
    }
    if (heads % kvHeads != 0) {
      throw new IllegalArgumentException(
          "%d query heads are no multiple of %d key-value heads".formatted(heads, kvHeads));
    }
  }

  /// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): keys and values are rebuilt from
  /// a latent row of `rank` elements that is cached with one rotated key of `ropeDim` for all
  /// heads.
  ///
  /// @param nopeDim elements of a head that carry no position
  public record LatentConfig(int rank, int nopeDim, int ropeDim) {

    /// Elements of a cached row.
    public int rowDim() {
      return rank + ropeDim;
    }
  }
}
