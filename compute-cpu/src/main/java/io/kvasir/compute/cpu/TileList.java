package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.TileCall;
import io.kvasir.compute.x86.TileCodes;
import io.kvasir.compute.x86.TileProducts;
import io.kvasir.compute.x86.TileRuns;
import io.kvasir.kvcache.KvLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The tiles of keys or values of one partition and kv head, for machine code. Neighbouring runs of
/// a kind take one call. One instance per thread and use.
final class TileList {
  private static final int TILE = KvLayout.TILE_TOKENS;
  private static final int MOST = PartitionKernel.TOKENS / TILE + 1;

  private static final int[] NO_LEVELS = {};

  private final TileRuns runs = new TileRuns(MOST);
  private final @Nullable TileProducts[] products = new TileProducts[MOST];
  private final int[][] levels = new int[MOST][];
  private final boolean[] isSingle = new boolean[MOST];
  private final long[] headBytes = new long[MOST];

  private final Copy[] copies = {new Copy(), new Copy()};
  private int copied;

  /// Rows of a tile that a run reads a copy of.
  private static final class Copy {
    private int run;
    private MemorySegment memory = MemorySegment.NULL;
    private long from;
    private MemorySegment rows = MemorySegment.NULL;
    private long to;
    private int bytes;

    void read() {
      MemorySegment.copy(memory, from, rows, to, bytes);
    }
  }

  void clear() {
    runs.clear();
    copied = 0;
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
      int first = row % TILE;
      int last = whole > 0 ? TILE : Math.min(TILE, to - tile * TILE);
      if (of.codes().isPaired()) {
        int evenFirst = first / 2 * 2;
        runs.rows(evenFirst, evenFirst * bytes, (last + 1) / 2 - first / 2);
        if (first % 2 + last % 2 > 0) {
          copyRows(tiles, of, tile, first, last);
        }
      } else if (whole == 0) {
        runs.rows(first, first * bytes, last - first);
      }
      tile += Math.max(1, whole);
      row = tile * TILE;
    }
  }

  /// Has the last run read a copy of the rows `first .. last - 1` of a tile, with zeros where
  /// others make up a pair with them.
  private void copyRows(KvTiles tiles, TileProducts of, int tile, int first, int last) {
    int bytes = of.codes().rowBytes();
    Copy copy = copies[copied++];
    copy.run = runs.count() - 1;
    copy.memory = tiles.foundMemory();
    copy.from = tiles.foundPlane() + (tiles.foundSlot() + (long) tile * TILE + first) * bytes;
    copy.to = (long) first * bytes;
    copy.bytes = (last - first) * bytes;
    if (copy.rows.byteSize() < (long) TILE * bytes) {
      copy.rows = Arena.ofAuto().allocate((long) TILE * bytes, Long.BYTES * TILE);
    }
    copy.rows.fill((byte) 0);
    copy.read();
    runs.move(copy.run, copy.rows.address() - runs.codes(copy.run));
  }

  /// Adds tiles from `first` on of those that were found.
  private void add(
      KvTiles tiles, TileProducts of, long scores, int first, int steps, boolean single) {
    TileCodes codes = of.codes();
    int run = runs.count();
    products[run] = of;
    levels[run] = codes.isPaired() ? NO_LEVELS : tiles.foundMachine().levels();
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
      if (copied > 0 && isCopy(i)) {
        continue;
      }
      runs.move(i, headBytes[i]);
    }
    for (int i = 0; i < copied; i++) {
      copies[i].from += headBytes[copies[i].run];
      copies[i].read();
    }
  }

  private boolean isCopy(int run) {
    return copies[0].run == run || copied > 1 && copies[1].run == run;
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
