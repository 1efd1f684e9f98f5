package io.kvasir.kvcache;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.HostStorage;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// Random operations against a naive model: every position that a query may still see holds exactly
/// what was written for it, in every group, and the invariants hold after each operation.
final class KvCachePropertyTest {
  private static final int OPERATIONS = 400;
  private static final int SEEDS = 150;

  /// A sequence of the naive model: the content of each position.
  private static final class Shadow {
    final BlockTable table;
    final List<Long> content;

    Shadow(BlockTable table, List<Long> content) {
      this.table = table;
      this.content = content;
    }
  }

  private static final class Run {
    final SplittableRandom random;
    final KvCache cache;
    final HostStorage storage;
    final List<Shadow> sequences = new ArrayList<>();
    long nextContent = 1;

    Run(long seed) {
      random = new SplittableRandom(seed);
      KvLayout layout = layout(random);
      int blocks = 4 + random.nextInt(60);
      storage = new HostStorage(layout.blockBytes(), blocks);
      cache = new KvCache(new KvCacheConfig(layout, blocks), storage);
    }

    void operate() {
      int choice = random.nextInt(100);
      if (choice < 15 || sequences.isEmpty()) {
        sequences.add(new Shadow(cache.open(), new ArrayList<>()));
      } else if (choice < 70) {
        append(pick(), 1 + random.nextInt(choice < 40 ? 2 : 90));
      } else if (choice < 80) {
        fork(pick());
      } else if (choice < 90) {
        truncate(pick());
      } else {
        Shadow shadow = pick();
        cache.release(shadow.table);
        sequences.remove(shadow);
      }
    }

    Shadow pick() {
      return sequences.get(random.nextInt(sequences.size()));
    }

    void append(Shadow shadow, int tokens) {
      int free = cache.freeBlocks();
      Reservation reservation = cache.reserve(shadow.table, tokens);
      if (reservation instanceof Reservation.Insufficient(int wanted, int available)) {
        assertThat(wanted).isGreaterThan(available);
        assertThat(cache.freeBlocks()).isEqualTo(free);
        return;
      }
      int written = random.nextInt(8) == 0 ? random.nextInt(tokens + 1) : tokens;
      for (int i = 0; i < tokens; i++) {
        // Slots that are reserved and not committed hold garbage.
        long value = i < written ? nextContent++ : -1;
        write(shadow.table, shadow.content.size() + i, value);
      }
      for (int i = 0; i < written; i++) {
        shadow.content.add(nextContent - written + i);
      }
      cache.commit(shadow.table, written);
    }

    void fork(Shadow shadow) {
      if (cache.fork(shadow.table) instanceof KvCache.Forked.Table(BlockTable fork)) {
        sequences.add(new Shadow(fork, new ArrayList<>(shadow.content)));
      }
    }

    void truncate(Shadow shadow) {
      int length = random.nextInt(shadow.content.size() + 1);
      int kept = cache.truncate(shadow.table, length);
      assertThat(kept).isIn(0, length);
      shadow.content.subList(kept, shadow.content.size()).clear();
    }

    void write(BlockTable table, int position, long value) {
      for (LayerGroup group : cache.layout().groups()) {
        storage
            .segment(block(table, group, position))
            .set(ValueLayout.JAVA_LONG, offset(table, group, position), value + group.index());
      }
    }

    int block(BlockTable table, LayerGroup group, int position) {
      return table.block(group.index(), position / cache.layout().blockTokens());
    }

    long offset(BlockTable table, LayerGroup group, int position) {
      long slot = position % cache.layout().blockTokens();
      return storage.offset(block(table, group, position)) + 8 * slot;
    }

    void check() {
      cache.verify();
      for (Shadow shadow : sequences) {
        assertThat(shadow.table.length()).isEqualTo(shadow.content.size());
        for (LayerGroup group : cache.layout().groups()) {
          for (int p = group.firstVisible(shadow.content.size()); p < shadow.content.size(); p++) {
            long held =
                storage
                    .segment(block(shadow.table, group, p))
                    .get(ValueLayout.JAVA_LONG, offset(shadow.table, group, p));
            assertThat(held - group.index()).as("position %d", p).isEqualTo(shadow.content.get(p));
          }
        }
      }
    }

    void end() {
      for (Shadow shadow : sequences) {
        cache.release(shadow.table);
      }
      cache.verify();
      assertThat(cache.freeBlocks()).isEqualTo(cache.config().blockCount());
      cache.close();
    }
  }

  private static KvLayout layout(SplittableRandom random) {
    LayerKv full = new LayerKv(1, 8, 8, 0, KvFormat.F32, KvFormat.F32);
    int window = 1 + random.nextInt(100);
    LayerKv sliding = new LayerKv(1, 8, 8, window, KvFormat.F32, KvFormat.F32);
    int blockTokens = 16 * (1 + random.nextInt(8));
    return switch (random.nextInt(3)) {
      case 0 -> KvLayout.of(List.of(full), blockTokens);
      case 1 -> KvLayout.of(List.of(sliding), blockTokens);
      default -> KvLayout.of(List.of(sliding, full, sliding), blockTokens);
    };
  }

  @Test
  void operations_random_keepContentAndInvariants() {
    long fresh = Long.getLong("kvasir.test.seed", System.nanoTime());
    for (int i = 0; i <= SEEDS; i++) {
      long seed = i == SEEDS ? fresh : i;
      Run run = new Run(seed);
      int operation = 0;
      try {
        for (; operation < OPERATIONS; operation++) {
          run.operate();
          run.check();
        }
        run.end();
      } catch (RuntimeException | AssertionError e) {
        throw new AssertionError("seed " + seed + ", operation " + operation, e);
      }
    }
  }
}
