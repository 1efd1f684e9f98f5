package io.kvasir.compute;

import java.util.Arrays;
import java.util.List;

/// Which rows of a sequence read only a part of what is before them: of the pages that lie between
/// the first and the newest ones, those whose keys can score highest with the row's queries (Quest,
/// Tang et al., ICML 2024, arXiv 2406.10774). Nothing is dropped: each row chooses anew.
///
/// A page is [#PAGE] positions at a multiple of that, whatever the block size. A row at position
/// `p` always reads page 0, its own and the one before; of the `m = p / 16 - 2` between it leaves
/// out `floor(ratio * m)`, see [PageChoice]. What a page's keys can score is bounded by the least
/// and the greatest element of each channel, taken from the keys as they are stored. So what a row
/// reads depends on its position, its query and the stored rows, and on nothing else: not on steps,
/// neighbours, or whether prefixes were found.
///
/// All of this holds for layers that keep all positions; those with a window read all of it.
///
/// Made for one sequence; changed by the engine's thread between steps, read by kernels, which keep
/// the bounds of whole pages in the margin of the sequence's table ([PageBounds]) and tell here how
/// many they know. Whoever adds rows to a batch reserves [#marginPages].
public final class PageSkips {
  /// Positions of a page.
  public static final int PAGE = 16;

  /// Pages that are always read: the first, a row's own, and the one before.
  static final int ALWAYS = 3;

  /// The rows at positions `from .. to - 1` leave out a share of pages.
  public record Range(int from, int to, double ratio) {
    public Range {
      if (from < 0 || to < from || !(ratio > 0 && ratio < 1)) {
        throw new IllegalArgumentException(
            "rows %d to %d cannot leave out %s of their pages".formatted(from, to, ratio));
      }
    }
  }

  private final List<Range> ranges;

  /// By layer: pages whose bounds stand in the margin.
  private int[] known = {};

  /// @param ranges in order of position
  public PageSkips(List<Range> ranges) {
    this.ranges = List.copyOf(ranges);
  }

  /// How many pages a row leaves out in a layer that keeps all positions; 0 where it reads all.
  public int skipped(int position) {
    for (int i = ranges.size() - 1; i >= 0; i--) {
      Range range = ranges.get(i);
      if (position >= range.from() && position < range.to()) {
        return (int) (range.ratio() * Math.max(0, pages(position) - ALWAYS));
      }
    }
    return 0;
  }

  /// Pages whose bounds have to have room before rows up to position `end - 1` are computed. Rows
  /// behind the last range ask for no more than it does.
  public int marginPages(int end) {
    boolean any = !ranges.isEmpty() && ranges.getFirst().from() < end;
    int last = any ? Math.min(end, ranges.getLast().to()) : 0;
    return any ? Math.max(0, pages(last - 1) - 2) : 0;
  }

  /// Pages up to that of a position, its own included.
  public static int pages(int position) {
    return position / PAGE + 1;
  }

  /// How far the last row of a page is before a position.
  public static int distance(int position, int page) {
    return position - (page * PAGE + PAGE - 1);
  }

  /// Pages of a layer whose bounds are known.
  public int known(int layer) {
    return layer < known.length ? known[layer] : 0;
  }

  /// The bounds of the first `pages` pages of a layer are known, or will be before they are read.
  public void know(int layer, int pages) {
    if (layer >= known.length) {
      known = Arrays.copyOf(known, layer + 8);
    }
    known[layer] = pages;
  }

  /// The sequence begins anew with other blocks.
  public void forgetBounds() {
    Arrays.fill(known, 0);
  }
}
