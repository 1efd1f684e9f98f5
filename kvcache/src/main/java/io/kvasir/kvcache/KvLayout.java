package io.kvasir.kvcache;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Where each row of keys and values lies inside a block.
///
/// A block holds `blockTokens` consecutive positions of one sequence for the layers of one
/// [LayerGroup]. All groups use blocks of the same size, so that one pool serves them all and any
/// free block fits any group (the idea of equal pages over hybrid models is vLLM's). Layers of the
/// same kind are split into groups such that the padding this costs is least; see [#of].
///
/// ```
/// block   | layer 0 | layer 1 | ... | layer n-1 | padding |            blockBytes
/// layer   | head 0 | head 1 | ... | head G-1 |
/// head    | key plane [S, keyDim] | pad to 64 | value plane [S, valueDim] | pad to 64 |
/// ```
///
/// Every (layer, kv head) is addressable on its own, which is the unit a kernel reads. Immutable.
public final class KvLayout {
  /// Block sizes are multiples of this, and attention sums in tiles of it, so results do not depend
  /// on the block size.
  public static final int TILE_TOKENS = 16;

  private static final int MAX_GROUPS = 32;

  private final int blockTokens;
  private final long blockBytes;
  private final List<LayerGroup> groups;
  private final int[] groupOfLayer;
  private final int[] ordinalOfLayer;

  private KvLayout(int blockTokens, long blockBytes, List<LayerGroup> groups, int layerCount) {
    this.blockTokens = blockTokens;
    this.blockBytes = blockBytes;
    this.groups = List.copyOf(groups);
    this.groupOfLayer = new int[layerCount];
    this.ordinalOfLayer = new int[layerCount];
    for (LayerGroup group : groups) {
      for (int ordinal = 0; ordinal < group.layers().size(); ordinal++) {
        groupOfLayer[group.layers().get(ordinal)] = group.index();
        ordinalOfLayer[group.layers().get(ordinal)] = ordinal;
      }
    }
  }

  /// Lays out a model.
  ///
  /// @param layers what each layer keeps, by layer number
  /// @param blockTokens positions in a block: 16 to 128, a multiple of 16
  /// @throws IllegalArgumentException naming the value that cannot be
  public static KvLayout of(List<LayerKv> layers, int blockTokens) {
    if (blockTokens < TILE_TOKENS || blockTokens > 128 || blockTokens % TILE_TOKENS != 0) {
      throw new IllegalArgumentException(
          "block size must be a multiple of 16 from 16 to 128 tokens: " + blockTokens);
    }
    if (layers.isEmpty()) {
      throw new IllegalArgumentException("a model without layers has no cache layout");
    }
    Map<LayerKv, List<Integer>> kinds = new LinkedHashMap<>();
    for (int layer = 0; layer < layers.size(); layer++) {
      kinds.computeIfAbsent(layers.get(layer), k -> new ArrayList<>()).add(layer);
    }
    long blockBytes = leastPadding(kinds, blockTokens);
    List<LayerGroup> groups = new ArrayList<>();
    for (Map.Entry<LayerKv, List<Integer>> kind : kinds.entrySet()) {
      List<Integer> members = kind.getValue();
      int perBlock = (int) (blockBytes / kind.getKey().layerBytes(blockTokens));
      for (int from = 0; from < members.size(); from += perBlock) {
        List<Integer> part = members.subList(from, Math.min(members.size(), from + perBlock));
        groups.add(new LayerGroup(groups.size(), kind.getKey(), part));
      }
    }
    return new KvLayout(blockTokens, blockBytes, groups, layers.size());
  }

  /// The block size for which the groups of all kinds together waste the fewest bytes; of equal
  /// ones the largest, which has the fewest groups.
  private static long leastPadding(Map<LayerKv, List<Integer>> kinds, int blockTokens) {
    long best = 0;
    long bestTotal = Long.MAX_VALUE;
    for (Map.Entry<LayerKv, List<Integer>> kind : kinds.entrySet()) {
      for (int n = 1; n <= kind.getValue().size(); n++) {
        long candidate = n * kind.getKey().layerBytes(blockTokens);
        long blocks = blocksPerSpan(kinds, blockTokens, candidate);
        if (blocks == 0 || blocks > Math.max(MAX_GROUPS, kinds.size())) {
          continue;
        }
        long total = blocks * candidate;
        if (total < bestTotal || total == bestTotal && candidate > best) {
          best = candidate;
          bestTotal = total;
        }
      }
    }
    return best;
  }

  /// Blocks of `blockBytes` that `blockTokens` positions need over all groups, or 0 where one layer
  /// alone does not fit.
  private static long blocksPerSpan(
      Map<LayerKv, List<Integer>> kinds, int blockTokens, long blockBytes) {
    long blocks = 0;
    for (Map.Entry<LayerKv, List<Integer>> kind : kinds.entrySet()) {
      long perBlock = blockBytes / kind.getKey().layerBytes(blockTokens);
      if (perBlock == 0) {
        return 0;
      }
      blocks += (kind.getValue().size() + perBlock - 1) / perBlock;
    }
    return blocks;
  }

  public int blockTokens() {
    return blockTokens;
  }

  /// Bytes of one block of any group, padding included.
  public long blockBytes() {
    return blockBytes;
  }

  public List<LayerGroup> groups() {
    return groups;
  }

  public int layerCount() {
    return groupOfLayer.length;
  }

  /// The group that holds the layer.
  public LayerGroup groupOf(int layer) {
    return groups.get(groupOfLayer[layer]);
  }

  /// Byte offset inside a block of the key plane of (layer, kv head).
  public long keyOffset(int layer, int head) {
    LayerKv kv = groupOf(layer).kv();
    return ordinalOfLayer[layer] * kv.layerBytes(blockTokens) + head * kv.headBytes(blockTokens);
  }

  /// Byte offset inside a block of the value plane of (layer, kv head); the key plane's own offset
  /// where values are part of the key rows.
  public long valueOffset(int layer, int head) {
    LayerKv kv = groupOf(layer).kv();
    return kv.valueDim() == 0
        ? keyOffset(layer, head)
        : keyOffset(layer, head) + kv.keyPlaneBytes(blockTokens);
  }

  /// Block ids that a sequence of `tokens` needs at most at once, over all groups.
  ///
  /// @param chunk most tokens that one step adds; a window group holds its window plus this
  public long blocksFor(long tokens, int chunk) {
    long blocks = 0;
    for (int i = 0; i < groups.size(); i++) {
      LayerGroup group = groups.get(i);
      long held = tokens;
      if (group.isWindow()) {
        // A window may begin and end inside a block.
        held = Math.min(tokens, (long) group.kv().window() + chunk + blockTokens);
      }
      blocks += (held + blockTokens - 1) / blockTokens;
    }
    return blocks;
  }

  /// Bytes that one token of one full block adds over all groups, padding included: the marginal
  /// cost of a token before any window lets go.
  public double bytesPerToken() {
    return (double) groups.size() * blockBytes / blockTokens;
  }

  /// Bytes per token that hold keys and values, without padding, over all layers.
  public long payloadBytesPerToken() {
    long bytes = 0;
    for (LayerGroup group : groups) {
      LayerKv kv = group.kv();
      long perHead = kv.keyFormat().planeBytes(blockTokens, kv.keyDim(), kv.keyKind());
      perHead += kv.valueBytes(blockTokens);
      bytes += perHead * kv.kvHeads() * group.layers().size();
    }
    return bytes / blockTokens;
  }
}
