package io.kvasir.engine;

import io.kvasir.compute.PageBounds;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.prune.PruneNeeds;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.kvcache.prune.PruneScope;
import java.util.List;

/// What an engine can prune, and of which positions.
///
/// @param contextTokens most positions of a sequence
/// @param useCache whether anything is kept between steps
/// @param scores whether there are trained weights for kvzap
/// @param skips whether the backend can leave out pages
record PruneLimits(int contextTokens, boolean useCache, boolean scores, boolean skips) {

  /// Positions that an event may remove; what layers keep exactly from the start stays.
  PruneScope scope(PruneEvent event, KvLayout layout) {
    int pinned = event.options().pinnedTokens();
    for (LayerGroup group : layout.groups()) {
      for (LayerKv kv : group.kvs()) {
        pinned = Math.max(pinned, group.isWindow() ? 0 : kv.exact().sinks());
      }
    }
    return PruneScope.of(
        event.position(), layout.blockTokens(), event.options().withPinned(pinned));
  }

  /// @throws IllegalArgumentException saying why not, in one sentence
  void check(PruneOptions options, List<PrunedLayer> layers, KvLayout layout, int promptLength) {
    if (options.isNone()) {
      return;
    }
    if (!useCache) {
      throw new IllegalArgumentException("pruning needs the cache, which is turned off");
    }
    if (layers.stream().noneMatch(PrunedLayer::prunable)) {
      throw new IllegalArgumentException(
          "all layers of this model see a window of the last tokens only; there is nothing to prune");
    }
    if (options.skipsPages()) {
      checkPages(layers, layout);
      return;
    }
    PruneNeeds needs = options.pruner().needs();
    for (PrunedLayer layer : layers) {
      if (layer.prunable()) {
        check(options.policy(), needs, layer);
      }
    }
    layout.checkPrunable();
    if (needs.given() == PruneNeeds.Given.LINEAR && !scores) {
      throw new IllegalArgumentException(
          "kvzap needs weights trained for this model, of which there are none; use kvzip");
    }
    if (needs.given() == PruneNeeds.Given.REPEAT
        && promptLength + RepeatPass.LEAST_ROOM > contextTokens) {
      throw new IllegalArgumentException(
          "kvzip reads the prompt again behind itself: %d tokens leave no room for that in a context of %d"
              .formatted(promptLength, contextTokens));
    }
  }

  private void checkPages(List<PrunedLayer> layers, KvLayout layout) {
    if (!skips) {
      throw new IllegalArgumentException(
          "quest is not there on this device; use the CPU, or another policy");
    }
    if (layers.stream().anyMatch(PrunedLayer::latent)) {
      throw new IllegalArgumentException(
          "quest cannot bound the latent rows of this model; use window, random or keydiff");
    }
    if (!new PageBounds(layout).fit()) {
      throw new IllegalArgumentException(
          "quest needs cache blocks of more than the %d bytes of this cache; use more tokens in a block"
              .formatted(layout.blockBytes()));
    }
  }

  private static void check(String policy, PruneNeeds needs, PrunedLayer layer) {
    boolean sees = needs.queries() > 0 || needs.values();
    sees |= needs.given() != PruneNeeds.Given.NOTHING;
    if (sees && layer.latent()) {
      throw new IllegalArgumentException(
          policy + " cannot prune the latent rows of this model; use window, random or keydiff");
    }
    if (sees && layer.shared()) {
      throw new IllegalArgumentException(
          policy
              + " cannot prune a model whose layers share keys and values; use window, random or keydiff");
    }
  }
}
