package io.kvasir.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.NullStorage;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class KvCacheTest {
  private static final LayerKv FULL = new LayerKv(2, 16, 16, 0, KvFormat.F16, KvFormat.F16);
  private static final LayerKv WINDOW = new LayerKv(2, 16, 16, 20, KvFormat.F16, KvFormat.F16);

  private final KvCache cache = cache(List.of(FULL, WINDOW), 10);

  private static KvCache cache(List<LayerKv> layers, int blocks) {
    KvLayout layout = KvLayout.of(layers, 16);
    return new KvCache(
        new KvCacheConfig(layout, blocks), new NullStorage(layout.blockBytes(), blocks));
  }

  @AfterEach
  void verify() {
    cache.verify();
  }

  @Test
  void reserve_poolExhausted_returnsInsufficientAndChangesNothing() {
    BlockTable table = cache.open();
    assertThat(cache.reserve(table, 16 * 5)).isInstanceOf(Reservation.Granted.class);
    BlockTable other = cache.open();
    assertThat(cache.reserve(other, 1)).isEqualTo(new Reservation.Insufficient(2, 0));
    assertThat(other.blockCount()).isZero();
    assertThat(other.reserved()).isZero();
  }

  @Test
  void reserve_withinPartlyFilledBlock_takesNoBlock() {
    BlockTable table = cache.open();
    cache.reserve(table, 3);
    cache.commit(table, 3);
    int free = cache.availableBlocks();
    assertThat(cache.reserve(table, 13)).isInstanceOf(Reservation.Granted.class);
    assertThat(cache.availableBlocks()).isEqualTo(free);
  }

  @Test
  void commit_windowPassed_freesOnlyTheWindowGroup() {
    BlockTable table = cache.open();
    cache.reserve(table, 64);
    cache.commit(table, 64);
    // The next query at 64 sees positions 45 to 64 of the window group: blocks 2 and 3.
    assertThat(table.firstBlock(1)).isEqualTo(2);
    assertThat(table.firstBlock(0)).isZero();
    assertThat(cache.availableBlocks()).isEqualTo(10 - 4 - 2);
    assertThatThrownBy(() -> table.block(1, 1)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void commit_moreThanReserved_isRefused() {
    BlockTable table = cache.open();
    cache.reserve(table, 4);
    assertThatThrownBy(() -> cache.commit(table, 5))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("5");
  }

  @Test
  void release_twice_isRefused() {
    BlockTable table = cache.open();
    cache.reserve(table, 4);
    cache.release(table);
    assertThat(cache.availableBlocks()).isEqualTo(10);
    assertThatThrownBy(() -> cache.release(table)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void fork_sharesFullBlocksAndCopiesTheTail() {
    BlockTable table = cache.open();
    cache.reserve(table, 20);
    cache.commit(table, 20);
    int free = cache.availableBlocks();
    assertThat(cache.fork(table)).isInstanceOf(KvCache.Forked.Table.class);
    assertThat(cache.availableBlocks()).isEqualTo(free - 2);
    assertThat(cache.stats().sharedBlocks()).isEqualTo(2);
  }

  @Test
  void truncate_intoSharedBlock_getsItsOwnCopy() {
    BlockTable table = cache.open();
    cache.reserve(table, 16);
    cache.commit(table, 16);
    cache.fork(table);
    assertThat(cache.truncate(table, 10)).isEqualTo(10);
    assertThat(cache.stats().sharedBlocks()).isZero();
  }

  @Test
  void truncate_beyondTheWindow_startsOver() {
    BlockTable table = cache.open();
    cache.reserve(table, 64);
    cache.commit(table, 64);
    assertThat(cache.truncate(table, 30)).isZero();
    assertThat(table.blockCount()).isZero();
  }

  @Test
  void call_fromAnotherThread_isRefused() throws InterruptedException {
    Throwable[] thrown = new Throwable[1];
    Thread other =
        new Thread(
            () -> {
              try {
                cache.open();
              } catch (IllegalStateException e) {
                thrown[0] = e;
              }
            },
            "intruder");
    other.start();
    other.join();
    assertThat(thrown[0]).hasMessageContaining("intruder");
  }

  @Test
  void verify_leakedReference_isFound() {
    BlockTable table = cache.open();
    cache.reserve(table, 4);
    int block = table.removeLast(0);
    assertThatThrownBy(cache::verify).hasMessageContaining("I8");
    table.append(0, block);
    int stolen = table.block(1, 0);
    table.replace(1, 0, block);
    assertThatThrownBy(cache::verify).hasMessageContaining("I3");
    table.replace(1, 0, stolen);
  }

  @Test
  void of_storageOfOtherSize_isRefused() {
    KvCacheConfig config = cache.config();
    assertThatThrownBy(() -> new KvCache(config, new NullStorage(64, 10)))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
