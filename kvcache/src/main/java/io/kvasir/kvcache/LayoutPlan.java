package io.kvasir.kvcache;

import io.kvasir.kvcache.LayerGroup.Role;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.PlaneKind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;

/// Divides the layers of a model into groups whose rows fill blocks of one size with the least
/// padding.
///
/// Only layers that keep the same positions can share a block table, and so a group. In its blocks
/// each layer takes the bytes that it needs, so that formats may differ by layer without padding.
final class LayoutPlan {
  private static final int MAX_GROUPS = 32;
  private static final int MAX_EXACT_GROUPS = 64;

  /// Length of a sequence in which exact copies are weighed against codes.
  private static final long TYPICAL_TOKENS = 16_384;

  /// Which positions rows are kept of.
  ///
  /// @param exact of a tail the rule by which it begins, else none
  private record Kind(Role role, int window, int limit, ExactRows exact) {
    /// Positions that a sequence of typical length holds.
    long heldTokens(int blockTokens) {
      long held = window > 0 ? (long) window + blockTokens : limit;
      held = (Math.min(TYPICAL_TOKENS, held) + blockTokens - 1) / blockTokens * blockTokens;
      return role == Role.CODES ? TYPICAL_TOKENS : held;
    }
  }

  /// Rows of one layer.
  private record Member(int layer, LayerKv kv, long bytes) {}

  private final int blockTokens;

  /// The layers of each kind, those with the most bytes first.
  private final Map<Kind, List<Member>> kinds = new LinkedHashMap<>();

  LayoutPlan(List<LayerKv> layers, int blockTokens) {
    this.blockTokens = blockTokens;
    for (int layer = 0; layer < layers.size(); layer++) {
      LayerKv kv = layers.get(layer);
      checkTiles(kv, layer);
      add(new Kind(Role.CODES, kv.window(), LayerGroup.UNLIMITED, ExactRows.NONE), layer, kv);
    }
    for (int layer = 0; layer < layers.size(); layer++) {
      LayerKv kv = layers.get(layer);
      if (kv.exact().hasTail()) {
        int window = kv.exact().tail() + ExactRows.GRID;
        window = kv.window() > 0 ? Math.min(window, kv.window()) : window;
        Kind kind = new Kind(Role.TAIL, window, LayerGroup.UNLIMITED, kv.exact());
        add(kind, layer, exact(kv, window));
      }
    }
    for (int layer = 0; layer < layers.size(); layer++) {
      LayerKv kv = layers.get(layer);
      if (kv.exact().sinks() > 0) {
        Kind kind = new Kind(Role.SINKS, 0, kv.exact().sinks(), ExactRows.NONE);
        add(kind, layer, exact(kv, 0));
      }
    }
    for (List<Member> members : kinds.values()) {
      members.sort(Comparator.comparingLong(Member::bytes).reversed());
    }
  }

  private void add(Kind kind, int layer, LayerKv kv) {
    Member member = new Member(layer, kv, kv.layerBytes(blockTokens));
    kinds.computeIfAbsent(kind, k -> new ArrayList<>()).add(member);
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
    for (long candidate : candidates()) {
      double total = sequenceBytes(candidate);
      if (total <= bestTotal) {
        best = candidate;
        bestTotal = total;
      }
    }
    return best;
  }

  /// Block sizes that some layers fill: some of equal size, or the fullest of so many groups that
  /// all layers of a kind are divided among as evenly as possible.
  private SortedSet<Long> candidates() {
    SortedSet<Long> sizes = new TreeSet<>();
    for (List<Member> members : kinds.values()) {
      for (int n = 1; n <= members.size(); n++) {
        sizes.add(fullest(members, n));
        sizes.add(n * members.getFirst().bytes());
        sizes.add(n * members.getLast().bytes());
      }
    }
    return sizes;
  }

  /// Bytes of the fullest of `groups` groups where each layer joins the emptiest.
  private static long fullest(List<Member> members, int groups) {
    long[] bytes = new long[groups];
    for (Member member : members) {
      int emptiest = 0;
      for (int i = 1; i < groups; i++) {
        emptiest = bytes[i] < bytes[emptiest] ? i : emptiest;
      }
      bytes[emptiest] += member.bytes();
    }
    return Arrays.stream(bytes).max().orElseThrow();
  }

  /// Bytes of a typical sequence in blocks of `blockBytes`, a window of codes counted as if it had
  /// no end; infinite where one layer alone does not fit or there would be too many groups.
  private double sequenceBytes(long blockBytes) {
    double bytes = 0;
    long codes = 0;
    long exact = 0;
    int codeKinds = 0;
    for (Map.Entry<Kind, List<Member>> entry : kinds.entrySet()) {
      Kind kind = entry.getKey();
      if (entry.getValue().getFirst().bytes() > blockBytes) {
        return Double.POSITIVE_INFINITY;
      }
      long groups = divide(entry.getValue(), blockBytes).size();
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

  /// Puts each layer, the largest first, into the first group that has room for it.
  private static List<List<Member>> divide(List<Member> members, long blockBytes) {
    List<List<Member>> groups = new ArrayList<>();
    long[] used = new long[members.size()];
    for (Member member : members) {
      int at = 0;
      while (used[at] + member.bytes() > blockBytes) {
        at++;
      }
      if (at == groups.size()) {
        groups.add(new ArrayList<>());
      }
      used[at] += member.bytes();
      groups.get(at).add(member);
    }
    return groups;
  }

  /// The groups in blocks of `blockBytes`, those of codes first.
  List<LayerGroup> groups(long blockBytes) {
    List<LayerGroup> groups = new ArrayList<>();
    for (Map.Entry<Kind, List<Member>> entry : kinds.entrySet()) {
      Kind kind = entry.getKey();
      for (List<Member> part : divide(entry.getValue(), blockBytes)) {
        part.sort(Comparator.comparingInt(Member::layer));
        List<LayerKv> kvs = new ArrayList<>();
        List<Integer> layers = new ArrayList<>();
        for (Member member : part) {
          kvs.add(member.kv());
          layers.add(member.layer());
        }
        groups.add(new LayerGroup(groups.size(), kvs, layers, kind.role(), kind.limit()));
      }
    }
    return groups;
  }
}
