package io.kvasir.compute;

import org.jspecify.annotations.Nullable;

/// What attention computes in one layer: `softmax(cap(scale * q k^T)) v` over the positions that
/// the layer's cache group lets a query see.
///
/// Query head `h` reads kv head `h / (heads / kvHeads)`: one kv head per query head is MHA, fewer
/// GQA (arXiv 2305.13245), one MQA (arXiv 1911.02150).
///
/// @param cacheLayer layer number in the cache's layout, whose rows are read
/// @param heads query heads H
/// @param kvHeads key and value heads G
/// @param keyDim elements of a query and key row
/// @param valueDim elements of a value row; where the layout stores no values, the first `valueDim`
///   of the key row
/// @param scale factor of `q k^T`
/// @param softcap `c` of `c * tanh(x / c)` on the scaled logits; 0 for none
/// @param sinks `[1, H]` logits that take part in each head's softmax without a value
///   (StreamingLLM, arXiv 2309.17453, as gpt-oss learns them), or null
/// @param slopes `[1, H]`: a key `d` positions before the query gets `-d * slope` added to its
///   logit (ALiBi, arXiv 2108.12409), or null
public record AttentionSpec(
    int cacheLayer,
    int heads,
    int kvHeads,
    int keyDim,
    int valueDim,
    float scale,
    float softcap,
    @Nullable Buffer sinks,
    @Nullable Buffer slopes) {

  /// Attention that takes no account of distance.
  public AttentionSpec(
      int cacheLayer,
      int heads,
      int kvHeads,
      int keyDim,
      int valueDim,
      float scale,
      float softcap,
      @Nullable Buffer sinks) {
    this(cacheLayer, heads, kvHeads, keyDim, valueDim, scale, softcap, sinks, null);
  }

  public AttentionSpec {
    if (heads <= 0 || kvHeads <= 0 || heads % kvHeads != 0) {
      throw new IllegalArgumentException(
          heads + " query heads cannot be shared by " + kvHeads + " kv heads");
    }
  }

  /// Query heads that read the same kv head.
  public int groupSize() {
    return heads / kvHeads;
  }
}
