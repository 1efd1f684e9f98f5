package io.kvasir.kvcache.format;

import java.util.Arrays;

/// What was measured once of a model's keys so that few bits can describe them: the mean key of
/// each layer and kv head, as it is after position encoding.
///
/// Keys have large constant offsets in some channels (KIVI, arXiv 2402.02750); formats that centre
/// keys subtract the mean before they encode and the attention adds its share to every logit. The
/// profile is part of what blocks mean: caches with different profiles share none.
public final class KvProfile {
  /// No means: all are zero.
  public static final KvProfile NONE = new KvProfile("none", new float[0][][]);

  private final String id;
  private final float[][][] keyMeans;

  /// @param id tells this profile from others, such as a hash of its numbers
  /// @param keyMeans `[cache layer][kv head][keyDim]`; owned by the profile from now on
  public KvProfile(String id, float[][][] keyMeans) {
    this.id = id;
    this.keyMeans = keyMeans;
  }

  public String id() {
    return id;
  }

  /// Layers that it has means for; layers behind have zeros.
  public int layers() {
    return keyMeans.length;
  }

  /// The mean key of a head in a fresh array; zeros where nothing was measured.
  public float[] keyMean(int layer, int head, int keyDim) {
    if (layer >= keyMeans.length) {
      return new float[keyDim];
    }
    if (head >= keyMeans[layer].length || keyMeans[layer][head].length != keyDim) {
      throw new IllegalArgumentException(
          "profile %s has no mean of %d elements for head %d of layer %d"
              .formatted(id, keyDim, head, layer));
    }
    return Arrays.copyOf(keyMeans[layer][head], keyDim);
  }

  @Override
  public String toString() {
    return "KvProfile[" + id + ", " + keyMeans.length + " layers]";
  }
}
