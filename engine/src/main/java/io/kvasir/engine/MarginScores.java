package io.kvasir.engine;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.PrunedTokens;
import io.kvasir.kvcache.tier.KvStorage;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/// Keeps the scores that a linear scorer gives rows when they are computed, until prunings rank
/// them: in the margin of the sequence's table ([ScorePlaces]), behind the bounds of pages that
/// earlier answers may need. So they are cache memory like the rows. Owned by the engine's thread.
final class MarginScores {
  private static final ValueLayout.OfShort HALF = ValueLayout.JAVA_SHORT_UNALIGNED;

  /// What stands where nothing was computed: rather kept than lost.
  private static final short UNKNOWN = Float.floatToFloat16(Float.POSITIVE_INFINITY);

  private final KvCache cache;
  private final KvStorage storage;
  private final ScorePlaces places;
  private final boolean direct;

  MarginScores(KvCache cache) {
    this.cache = cache;
    this.storage = cache.storage();
    this.places = new ScorePlaces(cache.layout());
    this.direct = storage.blockCount() > 0 && storage.view(0) != null;
  }

  ScorePlaces places() {
    return places;
  }

  /// Blocks of the margin that were not there before hold no scores yet.
  ///
  /// @param had how many blocks the margin had
  void clear(BlockTable table, PrunePlan plan, int had) {
    int base = places.base(plan);
    for (int block = Math.max(base, had); block < table.marginBlocks(); block++) {
      fill(table, base, (long) (block - base) * places.perBlock(), places.perBlock());
    }
  }

  private void fill(BlockTable table, int base, long from, long count) {
    Cursor cursor = new Cursor(table, base);
    for (long i = from; i < from + count; i++) {
      cursor.set(i, UNKNOWN);
    }
    cursor.flush();
  }

  /// Keeps the scores of the next positions after the table's length.
  ///
  /// @param scores `[positions, width]`
  void write(BlockTable table, PrunePlan plan, float[] scores) {
    long place = places.place(table.pruned(), table.length());
    Cursor cursor = new Cursor(table, places.base(plan));
    for (int i = 0; i < scores.length; i++) {
      cursor.set(place + i, Float.floatToFloat16(scores[i]));
    }
    cursor.flush();
  }

  /// The scores of all rows that the table has.
  RowScores read(BlockTable table, PrunePlan plan) {
    int end = table.length();
    RowScores scores = new RowScores(places.layers());
    PrunedTokens pruned = table.pruned();
    Cursor cursor = new Cursor(table, places.base(plan));
    long place = 0;
    for (int layer = 0; pruned != null && layer < places.layers(); layer++) {
      for (int head = 0; head < places.heads(layer); head++) {
        for (int i = 0; i < pruned.count(layer, head); i++) {
          float score = cursor.get(place++);
          scores.set(layer, head, places.heads(layer), pruned.position(layer, head, i), score);
        }
      }
    }
    for (int position = pruned == null ? 0 : pruned.tokens(); position < end; position++) {
      for (int layer = 0; layer < places.layers(); layer++) {
        for (int head = 0; head < places.heads(layer); head++) {
          scores.set(layer, head, places.heads(layer), position, cursor.get(place++));
        }
      }
    }
    return scores;
  }

  /// Keeps the scores of the rows that the table has now, after a pruning.
  ///
  /// @param scores of these rows and those that it had before, from [#read]
  void replace(BlockTable table, PrunePlan plan, RowScores scores) {
    int end = table.length();
    PrunedTokens pruned = table.pruned();
    Cursor cursor = new Cursor(table, places.base(plan));
    long place = 0;
    for (int layer = 0; pruned != null && layer < places.layers(); layer++) {
      for (int head = 0; head < places.heads(layer); head++) {
        for (int i = 0; i < pruned.count(layer, head); i++) {
          float score = scores.get(layer, head, pruned.position(layer, head, i));
          cursor.set(place++, Float.floatToFloat16(score));
        }
      }
    }
    for (int position = pruned == null ? 0 : pruned.tokens(); position < end; position++) {
      for (int layer = 0; layer < places.layers(); layer++) {
        for (int head = 0; head < places.heads(layer); head++) {
          cursor.set(place++, Float.floatToFloat16(scores.get(layer, head, position)));
        }
      }
    }
    cursor.flush();
    cut(table, plan, end);
  }

  /// Forgets the scores of the positions from `end` on, and lets go of their blocks.
  void cut(BlockTable table, PrunePlan plan, int end) {
    int base = places.base(plan);
    int blocks = base + places.blocks(table.pruned(), end);
    if (blocks > table.marginBlocks()) {
      return;
    }
    cache.dropMargin(table, blocks);
    long place = places.place(table.pruned(), end);
    fill(table, base, place, (long) (blocks - base) * places.perBlock() - place);
  }

  /// Walks through scores, a block at a time.
  private final class Cursor {
    private final BlockTable table;
    private final int base;
    private long block = -1;
    private boolean changed;
    private MemorySegment memory = MemorySegment.NULL;
    private @Nullable MemorySegment copy;

    Cursor(BlockTable table, int base) {
      this.table = table;
      this.base = base;
    }

    float get(long place) {
      return Float.float16ToFloat(memory(place).get(HALF, offset(place)));
    }

    void set(long place, short score) {
      memory(place).set(HALF, offset(place), score);
      changed = true;
    }

    private long offset(long place) {
      return place % places.perBlock() * ScorePlaces.BYTES;
    }

    private MemorySegment memory(long place) {
      long at = place / places.perBlock();
      if (at != block) {
        flush();
        block = at;
        memory = open(table.marginBlock(Math.toIntExact(base + at)));
      }
      return memory;
    }

    private MemorySegment open(int id) {
      MemorySegment view = storage.view(id);
      if (view != null) {
        return view;
      }
      if (copy == null) {
        long[] words = new long[Math.toIntExact(storage.blockBytes() / Long.BYTES + 1)];
        copy = MemorySegment.ofArray(words).asSlice(0, storage.blockBytes());
      }
      storage.read(id, copy);
      return copy;
    }

    /// Writes back what was changed in memory that is not the block's own.
    void flush() {
      if (changed && !direct) {
        storage.write(table.marginBlock(Math.toIntExact(base + block)), memory);
      }
      changed = false;
    }
  }
}
