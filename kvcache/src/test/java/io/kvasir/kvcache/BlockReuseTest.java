package io.kvasir.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.kvcache.eviction.EvictionPolicies;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.NullStorage;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// In which order blocks are used again, and what a lack of them leaves alone. Numbers are those of
/// the table in `docs/behaviours.md`.
final class BlockReuseTest {
  private static final int BLOCK = 16;

  private KvCache cache = cache(10, EvictionPolicies.defaultName());

  private static KvCache cache(int blocks, String policy) {
    LayerKv layer = new LayerKv(1, 8, 8, 0, KvFormat.F32, KvFormat.F32);
    KvLayout layout = KvLayout.of(List.of(layer), BLOCK);
    return new KvCache(
        new KvCacheConfig(layout, blocks).withPolicy(EvictionPolicies.named(policy)),
        new NullStorage(layout.blockBytes(), blocks));
  }

  @AfterEach
  void verify() {
    cache.verify();
  }

  private static int[] tokens(int length, int seed) {
    int[] tokens = new int[length];
    Arrays.setAll(tokens, i -> (i * 31 + seed * 7) % 1_000 + 1);
    return tokens;
  }

  private BlockTable fill(int[] tokens) {
    BlockTable table = cache.lookup("", tokens);
    int missing = tokens.length - table.length();
    assertThat(cache.reserve(table, missing)).isInstanceOf(Reservation.Granted.class);
    cache.commit(table, tokens, missing);
    return table;
  }

  /// Tokens of a prompt that the cache has, in whole blocks; asking changes nothing but recency.
  private int found(int[] tokens) {
    BlockTable table = cache.lookup("", tokens);
    int found = table.length() / BLOCK * BLOCK;
    cache.release(table);
    return found;
  }

  static List<String> policies() {
    return EvictionPolicies.names();
  }

  /// Behaviour 2.
  @ParameterizedTest
  @MethodSource("policies")
  void reserve_underPressure_takesFreeBlocksThenChainsFromTheirTails(String policy) {
    cache = cache(10, policy);
    int[] chain = tokens(6 * BLOCK + 5, 1);
    cache.release(fill(chain));
    assertThat(cache.stats().freeBlocks()).as("the partial tail is free").isEqualTo(4);

    BlockTable other = cache.open();
    cache.reserve(other, 4 * BLOCK);
    assertThat(found(chain)).as("free blocks go first").isEqualTo(6 * BLOCK);
    for (int left = 5; left >= 0; left--) {
      assertThat(cache.reserve(other, (10 - left) * BLOCK)).isInstanceOf(Reservation.Granted.class);
      assertThat(found(chain)).as("%d blocks are left", left).isEqualTo(left * BLOCK);
      assertThat(cache.stats().cachedBlocks()).isEqualTo(left);
    }
  }

  /// Behaviours 2 and 8.
  @Test
  void lookup_ofCachedBlocks_takesThemOutOfWhatCanBeEvicted() {
    int[] chain = tokens(6 * BLOCK + 1, 1);
    cache.release(fill(chain));
    assertThat(cache.availableBlocks()).isEqualTo(10);

    BlockTable hit = cache.lookup("", chain);
    assertThat(hit.length()).isEqualTo(6 * BLOCK);
    assertThat(cache.availableBlocks()).isEqualTo(4);
    BlockTable other = cache.open();
    assertThat(cache.reserve(other, 5 * BLOCK)).isEqualTo(new Reservation.Insufficient(5, 4));
    cache.release(hit);
    assertThat(cache.availableBlocks()).isEqualTo(10);
    assertThat(cache.reserve(other, 5 * BLOCK)).isInstanceOf(Reservation.Granted.class);
  }

  /// Behaviour 4.
  @Test
  void reserve_cannotFitAfterItsHits_changesNothing() {
    int[] own = tokens(4 * BLOCK + 1, 1);
    int[] foreign = tokens(3 * BLOCK + 1, 9);
    cache.release(fill(own));
    cache.release(fill(foreign));
    BlockTable table = cache.lookup("", own);
    KvCacheStats before = cache.stats();
    int[] held = {table.block(0, 0), table.block(0, 1), table.block(0, 2), table.block(0, 3)};

    // Four are its own hits, six could be had, seven are wanted.
    assertThat(cache.reserve(table, 7 * BLOCK)).isEqualTo(new Reservation.Insufficient(7, 6));

    assertThat(cache.stats()).isEqualTo(before);
    assertThat(table.length()).isEqualTo(4 * BLOCK);
    assertThat(table.reserved()).isEqualTo(4 * BLOCK);
    for (int i = 0; i < held.length; i++) {
      assertThat(table.block(0, i)).isEqualTo(held[i]);
    }
    assertThat(found(foreign)).as("nothing was evicted for it").isEqualTo(3 * BLOCK);
    // What does fit evicts the others' blocks and never its own hits.
    assertThat(cache.reserve(table, 6 * BLOCK)).isInstanceOf(Reservation.Granted.class);
    assertThat(table.block(0, 3)).isEqualTo(held[3]);
    assertThat(found(foreign)).isZero();
    assertThat(found(own)).isEqualTo(4 * BLOCK);
  }

  /// Behaviour 4.
  @Test
  void reserve_cannotFitWithoutUnbreakablePins_breaksNoOtherPinEither() {
    BlockTable weak = fill(tokens(3 * BLOCK, 1));
    BlockTable strong = fill(tokens(4 * BLOCK, 5));
    PrefixPin weakPin = cache.pin(weak, Duration.ofDays(1), 10);
    PrefixPin weaker = cache.pin(weak, Duration.ofDays(1), 5);
    PrefixPin strongPin = cache.pin(strong, Duration.ofDays(1), PrefixPin.UNBREAKABLE);
    cache.release(weak);
    cache.release(strong);

    BlockTable table = cache.open();
    assertThat(cache.reserve(table, 7 * BLOCK)).isInstanceOf(Reservation.Insufficient.class);
    assertThat(weakPin.isActive()).isTrue();
    assertThat(weaker.isActive()).isTrue();
    assertThat(cache.stats().pins()).isEqualTo(3);
    cache.verify();

    assertThat(cache.reserve(table, 6 * BLOCK)).isInstanceOf(Reservation.Granted.class);
    assertThat(weakPin.isActive()).isFalse();
    assertThat(weaker.isActive()).isFalse();
    assertThat(strongPin.isActive()).isTrue();
    assertThat(cache.stats().pins()).isEqualTo(1);
  }

  /// Behaviour 9.
  @Test
  void reset_besideALiveSequence_emptiesTheIndexAndLeavesTheSequenceItsBlocks() {
    int[] idle = tokens(3 * BLOCK, 1);
    int[] live = tokens(4 * BLOCK, 5);
    cache.release(fill(idle));
    BlockTable table = fill(live);

    assertThat(cache.reset()).isEqualTo(3);

    assertThat(found(idle)).isZero();
    assertThat(found(live)).isZero();
    assertThat(cache.stats().heldBlocks()).isEqualTo(4);
    assertThat(cache.reserve(table, 1)).isInstanceOf(Reservation.Granted.class);
    cache.release(table);
    assertThat(cache.stats().freeBlocks()).isEqualTo(10);
    assertThat(cache.reset()).isZero();
  }

  /// Behaviour 11.
  @Test
  void use_afterRelease_isRefusedInEveryCall() {
    BlockTable table = fill(tokens(40, 1));
    cache.release(table);
    for (Runnable use :
        List.<Runnable>of(
            () -> cache.reserve(table, 1),
            () -> cache.commit(table, 0),
            () -> cache.fork(table),
            () -> cache.truncate(table, 0),
            () -> cache.pin(table, Duration.ofDays(1), 1),
            () -> cache.release(table))) {
      assertThatThrownBy(use::run)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("released");
    }
    assertThat(cache.stats().heldBlocks()).isZero();
  }
}
