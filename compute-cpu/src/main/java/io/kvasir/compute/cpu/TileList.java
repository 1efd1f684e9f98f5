package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.TileCall;
import io.kvasir.compute.x86.TileCodes;
import io.kvasir.compute.x86.TileProducts;
import io.kvasir.compute.x86.TileRuns;
import io.kvasir.kvcache.KvLayout;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The tiles of keys or values of one partition and kv head, for machine code. Neighbouring runs of
/// a kind take one call. One instance per thread and use.
final class TileList {
  private static final int TILE = KvLayout.TILE_TOKENS;
  private static final int MOST = PartitionKernel.TOKENS / TILE + 1;

  private final TileRuns runs = new TileRuns(MOST);
  private final @Nullable TileProducts[] products = new TileProducts[MOST];
  private final int[][] levels = new int[MOST][];
  private final boolean[] isSingle = new boolean[MOST];
  private final long[] headBytes = new long[MOST];

  void clear() {
    runs.clear();
  }

  /// Adds `count` tiles of keys.
  ///
  /// @param scores address of the first query's scores of the first token
  void addKeys(KvTiles tiles, TileProducts of, long scores, int count, int queries) {
    int step = of.tiles(queries);
    int steps = count / step;
    if (steps > 0) {
      add(tiles, of, scores, 0, steps, step == 1);
    }
    if (count > steps * step) {
      add(tiles, of, scores, steps * step, count - steps * step, true);
    }
  }

  /// Adds the rows `from .. to - 1` of tiles of values.
  ///
  /// @param weights address of the first query's weight of the first row
  void addValues(KvTiles tiles, TileProducts of, long weights, int from, int to) {
    int bytes = of.codes().rowBytes();
    int tile = from / TILE;
    int row = from;
    while (row < to) {
      int whole = row % TILE == 0 ? (to - row) / TILE : 0;
      add(tiles, of, weights, tile, Math.max(1, whole), false);
      if (whole == 0) {
        int last = Math.min(to, (tile + 1) * TILE);
        runs.rows(row % TILE, row % TILE * bytes, last - row);
      }
      tile += Math.max(1, whole);
      row = tile * TILE;
    }
  }

  /// Adds tiles from `first` on of those that were found.
  private void add(
      KvTiles tiles, TileProducts of, long scores, int first, int steps, boolean single) {
    TileCodes codes = of.codes();
    int run = runs.count();
    products[run] = of;
    levels[run] = tiles.foundMachine().levels();
    isSingle[run] = single;
    headBytes[run] = tiles.foundHeadBytes();
    long row = tiles.foundSlot() + (long) first * TILE;
    long plane = tiles.foundAddress();
    runs.add(
        plane + row * codes.rowBytes(),
        plane + (long) tiles.blockTokens() * codes.rowBytes() + row * codes.groups() * Short.BYTES,
        scores + (long) first * TILE * Float.BYTES,
        steps);
  }

  /// Turns to the next kv head of the same blocks.
  void nextHead() {
    for (int i = 0; i < runs.count(); i++) {
      runs.move(i, headBytes[i]);
    }
  }

  /// Has the rows of the next kv head brought to the caches.
  void expectNextHead() {
    for (int i = 0; i < runs.count(); i++) {
      runs.next(i, headBytes[i]);
    }
  }

  /// Has other rows brought to the caches.
  void expect(TileList next) {
    int known = next.runs.count();
    for (int i = 0; i < runs.count(); i++) {
      runs.next(i, known == 0 ? 0 : next.runs.codes(Math.min(i, known - 1)) - runs.codes(i));
    }
  }

  void score(TileCall call, int queries) {
    int from = 0;
    while (from < runs.count()) {
      TileProducts of = Objects.requireNonNull(products[from]);
      int end = from + 1;
      while (isLike(from, end) && isSingle[end] == isSingle[from]) {
        end++;
      }
      call.levels(levels[from]);
      of.score(call, queries, runs, from, end - from, isSingle[from]);
      from = end;
    }
  }

  void add(TileCall call, int queries) {
    int from = 0;
    while (from < runs.count()) {
      TileProducts of = Objects.requireNonNull(products[from]);
      int end = from + 1;
      while (isLike(from, end)) {
        end++;
      }
      call.levels(levels[from]);
      of.add(call, queries, runs, from, end - from);
      from = end;
    }
  }

  @SuppressWarnings("ReferenceEquality") // another instance only takes a call more
  private boolean isLike(int run, int other) {
    return other < runs.count() && products[other] == products[run] && levels[other] == levels[run];
  }
}
