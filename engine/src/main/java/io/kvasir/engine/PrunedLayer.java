package io.kvasir.engine;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.model.AttentionConfig;
import io.kvasir.model.ModelConfig;
import io.kvasir.model.RopeConfig;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// One layer that keeps keys and values, as pruning sees it.
///
/// @param heads query heads
/// @param prunable whether it keeps all positions; window layers let go by themselves
/// @param latent whether its rows stand for all heads at once
/// @param shared whether other layers read its rows too
record PrunedLayer(
    int heads,
    LayerKv kv,
    float scale,
    float softcap,
    @Nullable RopeConfig rope,
    boolean prunable,
    boolean latent,
    boolean shared) {

  /// The layers of a model by their number in the cache's layout.
  static List<PrunedLayer> of(ModelConfig model, KvLayout layout) {
    List<PrunedLayer> layers = new ArrayList<>();
    for (int i = 0; i < model.layers().size(); i++) {
      AttentionConfig attention = model.layers().get(i).attention();
      if (attention.cacheSource() != i) {
        continue;
      }
      boolean shared = false;
      for (int other = 0; other < model.layers().size(); other++) {
        shared |= other != i && model.layers().get(other).attention().cacheSource() == i;
      }
      LayerGroup group = layout.groupOf(layers.size());
      layers.add(
          new PrunedLayer(
              attention.heads(),
              layout.kv(layers.size()),
              attention.scale(),
              attention.softcap(),
              attention.rope(),
              !group.isWindow(),
              attention.latent() != null,
              shared));
    }
    return layers;
  }

  /// Query heads that read the same kv head.
  int groupSize() {
    return heads / kv.kvHeads();
  }
}
