package io.kvasir.compute;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import java.util.Arrays;

/// Where the least and the greatest element of each channel of the keys of each page stand, in the
/// basis of the layer's rows: in the margin of the sequence's table, so that they are cache memory
/// like the rows that they bound.
///
/// ```
/// margin  | chunk 0 | chunk 1 | ...                 a chunk is 16 pages of all heads
/// chunk   | layer 0, head 0 | head 1 | ... | layer 1, head 0 | ...     a unit each
/// unit    | channel 0 | channel 1 | ... | pad to the longest of all layers
/// channel | least of page 0 .. 15 | greatest of page 0 .. 15 |         bf16, rounded outwards
/// ```
///
/// Units do not cross the end of a block. A kernel bounds the scores of 16 pages at once, and reads
/// of each channel only the half that the sign of the query's element asks for. `4 D` bytes for a
/// page and head: a sixteenth of its rows in f16 where keys and values are of one size. Rounded
/// outwards a bound stays one. Immutable.
public final class PageBounds {
  /// Pages whose bounds stand beside each other.
  public static final int CHUNK = 16;

  /// Bytes from a channel's least elements to the greatest.
  public static final int EDGE_BYTES = 2 * CHUNK;

  /// Bytes of the bounds of a channel.
  public static final int CHANNEL_BYTES = 2 * EDGE_BYTES;

  /// By layer: number of its first head's unit in a chunk, or -1.
  private final int[] firstUnit;

  private final int units;
  private final int unitBytes;
  private final int perBlock;

  /// Bounds for the layers of a layout that keep all positions.
  public PageBounds(KvLayout layout) {
    firstUnit = new int[layout.layerCount()];
    Arrays.fill(firstUnit, -1);
    int count = 0;
    int longest = 1;
    for (LayerGroup group : layout.groups()) {
      for (int i = 0; group.role() == LayerGroup.Role.CODES && i < group.layers().size(); i++) {
        LayerKv kv = group.kvs().get(i);
        if (group.isFull()) {
          firstUnit[group.layers().get(i)] = count;
          count += kv.kvHeads();
          longest = Math.max(longest, kv.keyDim());
        }
      }
    }
    units = count;
    unitBytes = longest * CHANNEL_BYTES;
    perBlock = (int) Math.min(Integer.MAX_VALUE, layout.blockBytes() / unitBytes);
  }

  /// Whether a block has room for the bounds of a head.
  public boolean fit() {
    return perBlock > 0;
  }

  /// Blocks of the margin that the bounds of the first `pages` pages take.
  public int blocks(int pages) {
    long all = (long) (pages + CHUNK - 1) / CHUNK * units;
    return pages <= 0 ? 0 : Math.toIntExact((all + perBlock - 1) / perBlock);
  }

  private int unit(int layer, int head, int chunk) {
    return chunk * units + firstUnit[layer] + head;
  }

  /// The block that holds the bounds of a chunk of pages of a head.
  public int block(BlockTable table, int layer, int head, int chunk) {
    return table.marginBlock(unit(layer, head, chunk) / perBlock);
  }

  /// Where in that block they begin.
  public long offset(int layer, int head, int chunk) {
    return (long) (unit(layer, head, chunk) % perBlock) * unitBytes;
  }

  /// The upper half of the largest bf16 number that is not above `value`.
  public static short below(float value) {
    int bits = Float.floatToRawIntBits(value);
    boolean away = bits < 0 && (bits & 0xffff) != 0 && !Float.isNaN(value);
    return (short) ((away ? bits + 0x10000 : bits) >>> 16);
  }

  /// The upper half of the least bf16 number that is not below `value`.
  public static short above(float value) {
    int bits = Float.floatToRawIntBits(value);
    boolean away = bits >= 0 && (bits & 0xffff) != 0 && !Float.isNaN(value);
    return (short) ((away ? bits + 0x10000 : bits) >>> 16);
  }

  /// The number whose upper half is `bits`.
  public static float number(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }
}
