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
/// @param rules what else happens to projected heads
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
    HeadRules rules,
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

  /// What happens to projected queries, keys and values besides rotation.
  ///
  /// @param clip bound of every element, 0 for none (OLMo, MPT)
  /// @param plainNorm whether query and key heads are divided by their root mean square (Llama 4)
  /// @param normLast whether heads are normalized after the rotation rather than before it
  ///   (Hunyuan)
  /// @param alibi `m` of ALiBi's slopes `2^(-m i / H)`, 0 for none (arXiv 2108.12409)
  /// @param alibiScale factor of the slopes
  public record HeadRules(
      float clip, boolean plainNorm, boolean normLast, float alibi, float alibiScale) {
    public static final HeadRules NONE = new HeadRules(0, false, false, 0, 1);

    HeadRules clip(float value) {
      return new HeadRules(value, plainNorm, normLast, alibi, alibiScale);
    }

    HeadRules plainNorm(boolean value) {
      return new HeadRules(clip, value, normLast, alibi, alibiScale);
    }

    HeadRules normLast(boolean value) {
      return new HeadRules(clip, plainNorm, value, alibi, alibiScale);
    }

    HeadRules alibi(double value, double scale) {
      return new HeadRules(clip, plainNorm, normLast, (float) value, (float) scale);
    }

    /// One slope per head. Of a number of heads that is no power of two, those beyond the last such
    /// power get every other slope of the next one.
    float[] slopes(int heads) {
      float[] slopes = new float[heads];
      int power = Integer.highestOneBit(heads);
      for (int h = 0; h < heads; h++) {
        double exponent = h < power ? (h + 1.0) / power : (2 * (h - power) + 1.0) / (2 * power);
        slopes[h] = (float) (alibiScale * Math.pow(2, -alibi * exponent));
      }
      return slopes;
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
