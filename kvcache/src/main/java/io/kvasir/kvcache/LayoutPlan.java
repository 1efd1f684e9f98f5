package io.kvasir.kvcache;

import io.kvasir.kvcache.LayerGroup.Role;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.PlaneKind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Divides the layers of a model into groups whose rows fill blocks of one size with the least
/// padding.
final class LayoutPlan {
  private static final int MAX_GROUPS = 32;
  private static final int MAX_EXACT_GROUPS = 64;

  /// Length of a sequence in which exact copies are weighed against codes.
  private static final long TYPICAL_TOKENS = 16_384;

  /// What layers of one group have in common.
  private record Kind(LayerKv kv, Role role, int limit) {
    /// Positions that a sequence of typical length holds.
    long heldTokens(int blockTokens) {
      long held = kv.window() > 0 ? (long) kv.window() + blockTokens : limit;
      held = (Math.min(TYPICAL_TOKENS, held) + blockTokens - 1) / blockTokens * blockTokens;
      return role == Role.CODES ? TYPICAL_TOKENS : held;
    }
  }

  private final int blockTokens;
  private final Map<Kind, List<Integer>> kinds = new LinkedHashMap<>();

  LayoutPlan(List<LayerKv> layers, int blockTokens) {
    this.blockTokens = blockTokens;
    for (int layer = 0; layer < layers.size(); layer++) {
      checkTiles(layers.get(layer), layer);
      add(new Kind(layers.get(layer), Role.CODES, LayerGroup.UNLIMITED), layer);
    }
    for (int layer = 0; layer < layers.size(); layer++) {
      LayerKv kv = layers.get(layer);
      if (kv.exact().hasTail()) {
        int window = kv.exact().tail() + ExactRows.GRID;
        window = kv.window() > 0 ? Math.min(window, kv.window()) : window;
        add(new Kind(exact(kv, window), Role.TAIL, LayerGroup.UNLIMITED), layer);
      }
    }
    for (int layer = 0; layer < layers.size(); layer++) {
      LayerKv kv = layers.get(layer);
      if (kv.exact().sinks() > 0) {
        add(new Kind(exact(kv, 0), Role.SINKS, kv.exact().sinks()), layer);
      }
    }
  }

  private void add(Kind kind, int layer) {
    kinds.computeIfAbsent(kind, k -> new ArrayList<>()).add(layer);
  }

  private static LayerKv exact(LayerKv kv, int window) {
    // A tail begins where the layer's rule says.
    ExactRows exact = window > 0 ? kv.exact() : ExactRows.NONE;
    return new LayerKv(
        kv.kvHeads(), kv.keyDim(), kv.valueDim(), window, KvFormat.F16, KvFormat.F16, exact);
  }

  private void checkTiles(LayerKv kv, int layer) {
    checkTile(kv, layer, kv.keyFormat(), kv.keyKind());
    if (kv.valueDim() > 0) {
      checkTile(kv, layer, kv.valueFormat(), PlaneKind.VALUES);
    }
  }

  private void checkTile(LayerKv kv, int layer, KvFormat format, PlaneKind kind) {
    int tile = format.tileTokens(kind);
    if (blockTokens % tile != 0) {
      throw new IllegalArgumentException(
          "cache format %s encodes %d tokens at once and needs blocks of a multiple of that, not %d"
              .formatted(format.name(), tile, blockTokens));
    }
    // Until a tile is whole, every query has to find its rows in the exact tail.
    if (tile > 1 && (!kv.exact().hasTail() || kv.exact().tail() + ExactRows.GRID < tile)) {
      throw new IllegalArgumentException(
          "cache format %s encodes %d tokens at once and needs an exact tail of %d or more, not %d,"
                  .formatted(
                      format.name(), tile, Math.max(0, tile - ExactRows.GRID), kv.exact().tail())
              + " in layer "
              + layer);
    }
  }

  /// The block size for which the groups of all kinds together waste the fewest bytes; of equal
  /// ones the largest, which has the fewest groups.
  long blockBytes() {
    long best = 0;
    double bestTotal = Double.MAX_VALUE;
    for (Map.Entry<Kind, List<Integer>> kind : kinds.entrySet()) {
      for (int n = 1; n <= kind.getValue().size(); n++) {
        long candidate = n * kind.getKey().kv().layerBytes(blockTokens);
        double total = sequenceBytes(candidate);
        if (total < bestTotal || total == bestTotal && candidate > best) {
          best = candidate;
          bestTotal = total;
        }
      }
    }
    return best;
  }

  /// Bytes of a typical sequence in blocks of `blockBytes`, a window of codes counted as if it had
  /// no end; infinite where one layer alone does not fit or there would be too many groups.
  private double sequenceBytes(long blockBytes) {
    double bytes = 0;
    long codes = 0;
    long exact = 0;
    int codeKinds = 0;
    for (Map.Entry<Kind, List<Integer>> entry : kinds.entrySet()) {
      Kind kind = entry.getKey();
      long perBlock = blockBytes / kind.kv().layerBytes(blockTokens);
      if (perBlock == 0) {
        return Double.POSITIVE_INFINITY;
      }
      long groups = (entry.getValue().size() + perBlock - 1) / perBlock;
      codes += kind.role() == Role.CODES ? groups : 0;
      codeKinds += kind.role() == Role.CODES ? 1 : 0;
      exact += kind.role() == Role.CODES ? 0 : groups;
      bytes += (double) groups * blockBytes * kind.heldTokens(blockTokens);
    }
    boolean many =
        codes > Math.max(MAX_GROUPS, codeKinds)
            || exact > Math.max(MAX_EXACT_GROUPS, kinds.size() - codeKinds);
    return many ? Double.POSITIVE_INFINITY : bytes;
  }

  /// The groups in blocks of `blockBytes`, those of codes first.
  List<LayerGroup> groups(long blockBytes) {
    List<LayerGroup> groups = new ArrayList<>();
    for (Map.Entry<Kind, List<Integer>> entry : kinds.entrySet()) {
      Kind kind = entry.getKey();
      List<Integer> members = entry.getValue();
      int perBlock = (int) (blockBytes / kind.kv().layerBytes(blockTokens));
      for (int from = 0; from < members.size(); from += perBlock) {
        List<Integer> part = members.subList(from, Math.min(members.size(), from + perBlock));
        groups.add(new LayerGroup(groups.size(), kind.kv(), part, kind.role(), kind.limit()));
      }
    }
    return groups;
  }
}
