package io.kvasir.kvcache;

import io.kvasir.kvcache.LayerGroup.Role;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Where each row of keys and values lies inside a block.
///
/// A block holds `blockTokens` consecutive positions of one sequence for the layers of one
/// [LayerGroup]. All groups use blocks of the same size, so that one pool serves them all and any
/// free block fits any group (the idea of equal pages over hybrid models is vLLM's). Layers that
/// keep the same positions are split into groups such that the padding this costs is least; layers
/// of unlike formats or heads share blocks.
///
/// A layer with exact rows beside its codes is in up to three groups: of its codes, of a window of
/// exact copies ([Role#TAIL]) and of exact copies of the first rows ([Role#SINKS]).
///
/// ```
/// block   | layer 0 | layer 1 | ... | layer n-1 | padding |            blockBytes
/// layer   | head 0 | head 1 | ... | head G-1 |                         its own bytes
/// head    | key plane [S, keyDim] | pad to 64 | value plane [S, valueDim] | pad to 64 |
/// ```
///
/// Every (layer, kv head) is addressable on its own, which is the unit a kernel reads. Immutable.
public final class KvLayout {
  /// Block sizes are multiples of this, and attention sums in tiles of it, so results do not depend
  /// on the block size.
  public static final int TILE_TOKENS = 16;

  private static final int NONE = -1;

  private final int blockTokens;
  private final long blockBytes;
  private final List<LayerGroup> groups;

  private final int codeGroups;

  /// `[role][layer]`: the group that holds the layer's rows of the role, or [#NONE].
  private final int[][] groupOfLayer;

  /// `[role][layer]`: what the layer keeps in that group.
  private final LayerKv[][] kvOfLayer;

  /// `[role][layer]`: where its rows begin in a block of that group.
  private final long[][] offsetOfLayer;

  private KvLayout(int blockTokens, long blockBytes, List<LayerGroup> groups, int layerCount) {
    this.blockTokens = blockTokens;
    this.blockBytes = blockBytes;
    this.groups = List.copyOf(groups);
    this.groupOfLayer = new int[Role.COUNT][layerCount];
    this.kvOfLayer = new LayerKv[Role.COUNT][layerCount];
    this.offsetOfLayer = new long[Role.COUNT][layerCount];
    for (int[] ofRole : groupOfLayer) {
      Arrays.fill(ofRole, NONE);
    }
    int codes = 0;
    for (LayerGroup group : groups) {
      codes += group.role() == Role.CODES ? 1 : 0;
      int role = group.role().place();
      long offset = 0;
      for (int i = 0; i < group.layers().size(); i++) {
        int layer = group.layers().get(i);
        LayerKv kv = group.kvs().get(i);
        groupOfLayer[role][layer] = group.index();
        kvOfLayer[role][layer] = kv;
        offsetOfLayer[role][layer] = offset;
        offset += kv.layerBytes(blockTokens);
      }
    }
    this.codeGroups = codes;
  }

  /// Lays out a model.
  ///
  /// @param layers what each layer keeps, by layer number
  /// @param blockTokens positions in a block: 16 to 128, a multiple of 16 and of the tokens that
  ///   the layers' formats encode at once
  /// @throws IllegalArgumentException naming the value that cannot be
  public static KvLayout of(List<LayerKv> layers, int blockTokens) {
    if (blockTokens < TILE_TOKENS || blockTokens > 128 || blockTokens % TILE_TOKENS != 0) {
      throw new IllegalArgumentException(
          "block size must be a multiple of 16 from 16 to 128 tokens: " + blockTokens);
    }
    if (layers.isEmpty()) {
      throw new IllegalArgumentException("a model without layers has no cache layout");
    }
    LayoutPlan plan = new LayoutPlan(layers, blockTokens);
    long blockBytes = plan.blockBytes();
    return new KvLayout(blockTokens, blockBytes, plan.groups(blockBytes), layers.size());
  }

  /// Checks that single rows of the layers of full groups can be kept apart from the others.
  ///
  /// @throws IllegalArgumentException naming the format that encodes several rows together
  public void checkPrunable() {
    TablePruning.checkPrunable(this);
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

  /// How many of the groups hold codes.
  int groupsOfCodes() {
    return codeGroups;
  }

  public int layerCount() {
    return groupOfLayer[0].length;
  }

  /// The group that holds the layer's codes.
  public LayerGroup groupOf(int layer) {
    return groups.get(groupOfLayer[0][layer]);
  }

  /// What the layer keeps as codes: its heads, formats, window and exact rows.
  public LayerKv kv(int layer) {
    return kvOfLayer[0][layer];
  }

  /// What the layer keeps in `group`, one that holds it in any role.
  public LayerKv kv(LayerGroup group, int layer) {
    return kvOfLayer[group.role().place()][layer];
  }

  /// The group that holds the layer's rows of a role, or null where the layer has none.
  public @Nullable LayerGroup exactGroup(int layer, Role role) {
    int group = groupOfLayer[role.place()][layer];
    return group == NONE ? null : groups.get(group);
  }

  /// Byte offset inside a block of the layer's codes of the key plane of (layer, kv head).
  public long keyOffset(int layer, int head) {
    return keyOffset(groupOf(layer), layer, head);
  }

  /// Byte offset inside a block of `group` of the key plane of (layer, kv head).
  ///
  /// @param group one that holds the layer, of any role
  public long keyOffset(LayerGroup group, int layer, int head) {
    int role = group.role().place();
    return offsetOfLayer[role][layer] + head * kvOfLayer[role][layer].headBytes(blockTokens);
  }

  /// Byte offset inside a block of the layer's codes of the value plane of (layer, kv head); the
  /// key plane's own offset where values are part of the key rows.
  public long valueOffset(int layer, int head) {
    return valueOffset(groupOf(layer), layer, head);
  }

  /// The same inside a block of `group`, which holds the layer in any role.
  public long valueOffset(LayerGroup group, int layer, int head) {
    long key = keyOffset(group, layer, head);
    LayerKv kv = kv(group, layer);
    return kv.valueDim() == 0 ? key : key + kv.keyPlaneBytes(blockTokens);
  }

  /// Block ids that a sequence of `tokens` needs at most at once, over all groups.
  ///
  /// @param chunk most tokens that one step adds; a window group holds its window plus this
  public long blocksFor(long tokens, int chunk) {
    long blocks = 0;
    for (int i = 0; i < groups.size(); i++) {
      blocks += blocksFor(groups.get(i), tokens, chunk);
    }
    return blocks;
  }

  private long blocksFor(LayerGroup group, long tokens, int chunk) {
    long held = Math.min(tokens, group.limit());
    if (group.isWindow()) {
      held = Math.min(tokens, group.mostHeld(chunk, blockTokens));
    }
    return (held + blockTokens - 1) / blockTokens;
  }

  /// Bytes that one token of one full block adds over all groups of codes, padding included: the
  /// marginal cost of a token before any window of the model lets go. What exact copies take does
  /// not grow with the sequence; see [#exactBytes].
  public double bytesPerToken() {
    return (double) codeGroups * blockBytes / blockTokens;
  }

  /// Bytes that a long sequence takes at most for exact copies of its first and newest rows,
  /// padding included.
  ///
  /// @param chunk most tokens that one step adds
  public long exactBytes(int chunk) {
    long blocks = 0;
    for (LayerGroup group : groups) {
      blocks += group.role() == Role.CODES ? 0 : blocksFor(group, Integer.MAX_VALUE, chunk);
    }
    return blocks * blockBytes;
  }

  /// Bytes per token that hold codes of keys and values, without padding, over all layers.
  public long payloadBytesPerToken() {
    long bytes = 0;
    for (LayerGroup group : groups) {
      bytes += group.role() == Role.CODES ? payloadBytesPerBlock(group) : 0;
    }
    return bytes / blockTokens;
  }

  /// Bytes per token that keys and values of the layers of `group` take, without padding.
  public long payloadBytesPerToken(LayerGroup group) {
    return payloadBytesPerBlock(group) / blockTokens;
  }

  private long payloadBytesPerBlock(LayerGroup group) {
    long bytes = 0;
    for (LayerKv kv : group.kvs()) {
      long perHead = kv.keyFormat().planeBytes(blockTokens, kv.keyDim(), kv.keyKind());
      perHead += kv.valueBytes(blockTokens);
      bytes += perHead * kv.kvHeads();
    }
    return bytes;
  }
}
