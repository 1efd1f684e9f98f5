package io.kvasir.kvcache;

import java.util.Arrays;

/// Where pages of unlike sizes lie in blocks of one size.
///
/// Larger pages go first, each into the first block that has room for it (first fit decreasing), so
/// that pages of one size follow each other and smaller ones fill what larger ones leave.
/// Immutable.
final class PagePlaces {
  private final int blocks;

  /// By page: which of the blocks, and where in it.
  private final int[] block;

  private final int[] offset;

  private PagePlaces(int blocks, int[] block, int[] offset) {
    this.blocks = blocks;
    this.block = block;
    this.offset = offset;
  }

  /// Blocks that the pages take.
  int blocks() {
    return blocks;
  }

  int block(int page) {
    return block[page];
  }

  /// Byte offset of a page in its block.
  int offset(int page) {
    return offset[page];
  }

  /// Gathers runs of pages of equal size.
  static final class Builder {
    private final int blockBytes;
    private int[] runPages = new int[8];
    private int[] runBytes = new int[8];
    private int runs;
    private int count;

    /// @param blockBytes at most 2^31 - 1
    Builder(long blockBytes) {
      this.blockBytes = Math.toIntExact(blockBytes);
    }

    /// Pages added so far: the number of the next one.
    int count() {
      return count;
    }

    /// Adds `pages` of `bytes` each, at most the size of a block.
    void add(int pages, long bytes) {
      if (bytes <= 0 || bytes > blockBytes) {
        throw new IllegalArgumentException(
            "a page of %d bytes does not fit a block of %d".formatted(bytes, blockBytes));
      }
      if (runs == runPages.length) {
        runPages = Arrays.copyOf(runPages, 2 * runs);
        runBytes = Arrays.copyOf(runBytes, 2 * runs);
      }
      runPages[runs] = pages;
      runBytes[runs++] = (int) bytes;
      count = Math.addExact(count, pages);
    }

    PagePlaces build() {
      int[] block = new int[count];
      int[] offset = new int[count];
      int[] used = new int[8];
      int blocks = 0;
      int[] sizes = Arrays.stream(runBytes, 0, runs).distinct().sorted().toArray();
      for (int s = sizes.length - 1; s >= 0; s--) {
        // What has no room for one page of a size has none for the next.
        int at = 0;
        int page = 0;
        for (int run = 0; run < runs; run++) {
          int end = page + runPages[run];
          while (page < end && runBytes[run] == sizes[s]) {
            while (at < blocks && used[at] + sizes[s] > blockBytes) {
              at++;
            }
            if (at == blocks) {
              used = blocks == used.length ? Arrays.copyOf(used, 2 * blocks) : used;
              blocks++;
            }
            block[page] = at;
            offset[page] = used[at];
            used[at] += sizes[s];
            page++;
          }
          page = end;
        }
      }
      return new PagePlaces(blocks, block, offset);
    }
  }
}
