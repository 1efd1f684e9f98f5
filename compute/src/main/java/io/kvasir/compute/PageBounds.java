package io.kvasir.compute;

import java.util.Arrays;

/// The least and the greatest element of each channel of the keys of each page, of one layer of one
/// sequence, in the basis of the layer's rows.
///
/// ```
/// head    | chunk 0 | chunk 1 | ...            a chunk has 16 pages
/// chunk   | channel 0 | channel 1 | ...
/// channel | least of page 0 .. 15 | greatest of page 0 .. 15 |
/// ```
///
/// So a kernel bounds the scores of 16 pages at once, and reads of each channel only the half that
/// the sign of the query's element asks for. `8 D` bytes for a page and head: an eighth of its rows
/// in f16 where keys and values are of one size.
public final class PageBounds {
  /// Pages whose bounds stand beside each other.
  public static final int CHUNK = 16;

  private final int keyDim;
  private final float[][] heads;
  private int pages;

  PageBounds(int kvHeads, int keyDim) {
    this.keyDim = keyDim;
    this.heads = new float[kvHeads][];
    Arrays.fill(heads, new float[0]);
  }

  /// Pages whose bounds are known.
  public int pages() {
    return pages;
  }

  /// Makes room for the bounds of the first `count` pages; those from [#pages] on are to be written
  /// before the next step.
  public void grow(int count) {
    int size = (count + CHUNK - 1) / CHUNK * 2 * CHUNK * keyDim;
    for (int head = 0; head < heads.length; head++) {
      if (heads[head].length < size) {
        heads[head] = Arrays.copyOf(heads[head], size + size / 2);
      }
    }
    pages = count;
  }

  /// The bounds of a head; not to be kept over [#grow].
  public float[] ofHead(int head) {
    return heads[head];
  }

  /// Where the least element of a channel of a page stands; the greatest is [#CHUNK] behind.
  public int at(int page, int channel) {
    return (page / CHUNK * keyDim + channel) * 2 * CHUNK + page % CHUNK;
  }
}
