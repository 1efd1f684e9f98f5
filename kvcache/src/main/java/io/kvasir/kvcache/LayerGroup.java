package io.kvasir.kvcache;

import java.util.List;

/// Layers that share one block table because they keep the same rows for the same positions.
///
/// @param index position of the group in [KvLayout#groups]
/// @param kv what each layer of the group keeps
/// @param layers model layer numbers, ascending; a layer's place in this list is its ordinal in a
///   block
public record LayerGroup(int index, LayerKv kv, List<Integer> layers) {

  public LayerGroup {
    layers = List.copyOf(layers);
    if (layers.isEmpty()) {
      throw new IllegalArgumentException("group " + index + " has no layers");
    }
  }

  /// Whether its layers see only the last positions.
  public boolean isWindow() {
    return kv.window() > 0;
  }

  /// The oldest position that a query at `position` or later still sees.
  public int firstVisible(int position) {
    return !isWindow() ? 0 : Math.max(0, position - kv.window() + 1);
  }
}
