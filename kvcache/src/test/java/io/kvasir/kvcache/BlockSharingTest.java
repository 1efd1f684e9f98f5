package io.kvasir.kvcache;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.HostStorage;
import io.kvasir.kvcache.tier.NullStorage;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// What sequences share, and what they never share. Numbers are those of the table in
/// `docs/behaviours.md`.
final class BlockSharingTest {
  private static final int BLOCK = 16;
  private static final LayerKv LAYER = new LayerKv(1, 8, 8, 0, KvFormat.F32, KvFormat.F32);
  private static final KvLayout LAYOUT = KvLayout.of(List.of(LAYER), BLOCK);

  private static KvCache cache(int blocks, BlockHasher hasher) {
    KvCacheConfig config = new KvCacheConfig(LAYOUT, blocks).withHasher(hasher);
    return new KvCache(config, new NullStorage(LAYOUT.blockBytes(), blocks));
  }

  private static KvCache cache(int blocks) {
    return cache(blocks, BlockHasher.DEFAULT);
  }

  private static int[] tokens(int length, int seed) {
    int[] tokens = new int[length];
    Arrays.setAll(tokens, i -> (i * 31 + seed * 7) % 1_000 + 1);
    return tokens;
  }

  private static void compute(KvCache cache, BlockTable table, int[] tokens) {
    int missing = tokens.length - table.length();
    assertThat(cache.reserve(table, missing)).isInstanceOf(Reservation.Granted.class);
    cache.commit(table, tokens, missing);
  }

  private static BlockTable fill(KvCache cache, int[] tokens) {
    BlockTable table = cache.lookup("", tokens);
    compute(cache, table, tokens);
    return table;
  }

  /// Behaviour 1.
  @Test
  void lookup_whileTheFirstStillRuns_hitsTheCommonFullBlocksAndTheirPartialTail() {
    KvCache cache = cache(40);
    int[] prompt = tokens(100, 1);
    BlockTable first = fill(cache, prompt);
    assertThat(cache.stats().heldBlocks()).as("ceil(100 / 16)").isEqualTo(7);
    assertThat(cache.stats().counters().insertedNodes()).as("full blocks").isEqualTo(6);

    // The four tokens in the last, partly filled block have no key.
    BlockTable longer = cache.lookup("", Arrays.copyOf(prompt, 120));
    assertThat(longer.length()).isEqualTo(96);
    assertThat(cache.stats().heldBlocks()).isEqualTo(7);

    int[] branch = prompt.clone();
    branch[70] = 2_000;
    BlockTable second = cache.lookup("", branch);
    assertThat(second.length()).isEqualTo(70);
    for (int block = 0; block < 4; block++) {
      assertThat(second.block(0, block)).isEqualTo(first.block(0, block));
    }
    assertThat(second.block(0, 4)).as("a copy").isNotEqualTo(first.block(0, 4));
    assertThat(cache.stats().counters().copiedTokens()).isEqualTo(6);
    cache.verify();
  }

  /// Behaviour 3.
  @Test
  void lookup_wholePromptCached_leavesTheLastTokenToCompute() {
    KvCache cache = cache(40);
    for (int length : new int[] {1, 16, 17, 32, 96}) {
      cache.release(fill(cache, tokens(length, length)));
      BlockTable again = cache.lookup("", tokens(length, length));
      assertThat(again.length()).isEqualTo(length == 17 ? 16 : length == 1 ? 0 : length - 1);
      cache.release(again);
    }
  }

  /// Behaviour 5.
  @Test
  void partialHit_consumerWritesOn_leavesTheSiblingsBlockBitIdentical() {
    HostStorage storage = new HostStorage(LAYOUT.blockBytes(), 20);
    KvCache cache = new KvCache(new KvCacheConfig(LAYOUT, 20), storage);
    int[] prompt = tokens(32, 3);
    BlockTable producer = fill(cache, prompt);
    for (int i = 0; i < 2; i++) {
      bytes(storage, producer.block(0, i)).fill((byte) (17 + i));
    }
    byte[] before = bytes(storage, producer.block(0, 1)).toArray(ValueLayout.JAVA_BYTE);

    int[] branch = prompt.clone();
    branch[25] = 9_999;
    BlockTable consumer = cache.lookup("", branch);
    assertThat(consumer.length()).isEqualTo(25);
    int copy = consumer.block(0, 1);
    assertThat(bytes(storage, copy).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(before);
    bytes(storage, copy).fill((byte) 99);
    compute(cache, consumer, branch);

    assertThat(producer.block(0, 1)).isNotEqualTo(copy);
    assertThat(bytes(storage, producer.block(0, 1)).toArray(ValueLayout.JAVA_BYTE))
        .isEqualTo(before);
    cache.verify();
    cache.close();
  }

  private static MemorySegment bytes(HostStorage storage, int block) {
    return storage.segment(block).asSlice(storage.offset(block), LAYOUT.blockBytes());
  }

  /// Behaviour 6.
  @Test
  void equalTokens_otherSalt_shareNothing() {
    KvCache cache = cache(60);
    int[] prompt = tokens(100, 1);
    BlockTable own = cache.lookup("a", prompt);
    compute(cache, own, prompt);
    for (String salt : List.of("", "b", "A", "aa", "a ")) {
      BlockTable other = cache.lookup(salt, prompt);
      assertThat(other.length()).as("salt '%s'", salt).isZero();
      cache.release(other);
    }
    assertThat(cache.lookup("a", prompt).length()).isEqualTo(99 - 99 % BLOCK);
  }

  /// Behaviour 6.
  @Test
  void equalBlocks_atOtherPositions_haveOtherKeys() {
    Set<Long> keys = new HashSet<>();
    BlockHasher recording =
        (parent, tokens, from, count) -> {
          long key = BlockHasher.DEFAULT.hash(parent, tokens, from, count);
          keys.add(key);
          return key;
        };
    KvCache cache = cache(60, recording);
    int[] same = new int[BLOCK * 10];
    Arrays.fill(same, 7);
    BlockTable table = fill(cache, same);

    assertThat(keys).hasSize(10);
    assertThat(cache.stats().counters().insertedNodes()).isEqualTo(10);
    // Tokens that stand behind others are not found where nothing stands before them.
    int[] shifted = tokens(64, 1);
    cache.release(fill(cache, shifted));
    assertThat(cache.lookup("", Arrays.copyOfRange(shifted, BLOCK, 64)).length()).isZero();
    cache.release(table);
    cache.verify();
  }

  /// Behaviour 7.
  @Test
  void twins_computedAtOnce_areMergedAndForgottenOnce() {
    KvCache cache = cache(40);
    int[] prompt = tokens(96, 1);
    BlockTable one = cache.lookup("", prompt);
    BlockTable two = cache.lookup("", prompt);
    cache.reserve(one, 96);
    cache.reserve(two, 96);
    assertThat(cache.stats().heldBlocks()).isEqualTo(12);
    cache.commit(one, prompt, 96);
    cache.commit(two, prompt, 96);

    assertThat(cache.stats().heldBlocks()).isEqualTo(6);
    assertThat(cache.stats().sharedBlocks()).isEqualTo(6);
    assertThat(cache.stats().counters().mergedTwins()).isEqualTo(6);
    assertThat(cache.stats().counters().insertedNodes()).isEqualTo(6);
    cache.verify();
    cache.release(one);
    cache.release(two);
    assertThat(cache.stats().cachedBlocks()).isEqualTo(6);
    assertThat(cache.reset()).isEqualTo(6);
    assertThat(cache.stats().counters().evictedNodes()).isEqualTo(6);
    assertThat(cache.stats().freeBlocks()).isEqualTo(40);
  }

  /// Behaviour 7.
  @Test
  void hasher_thatGivesOneValue_stillFindsOnlyWhatIsEqual() {
    KvCache cache = cache(200, (parent, tokens, from, count) -> 42);
    List<int[]> prompts = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      prompts.add(tokens(96, i));
      cache.release(fill(cache, prompts.get(i)));
    }
    for (int i = 0; i < 20; i++) {
      BlockTable again = cache.lookup("", prompts.get(i));
      assertThat(again.length()).isEqualTo(95);
      int[] stranger = prompts.get(i).clone();
      stranger[0] = 5_000;
      assertThat(cache.lookup("", stranger).length()).isZero();
      assertThat(cache.lookup("other", prompts.get(i)).length()).isZero();
    }
    cache.verify();
  }

  /// Behaviour 8.
  @Test
  void match_branchAtEveryToken_isExactAndCountsSharedTokensOnce() {
    KvCache cache = cache(400);
    int[] trunk = tokens(65, 1);
    BlockTable kept = fill(cache, trunk);
    long unique = 4;
    for (int at = 0; at < 64; at++) {
      int[] branch = trunk.clone();
      branch[at] = 3_000 + at;
      BlockTable table = cache.lookup("", branch);
      assertThat(table.length()).as("branch at %d", at).isEqualTo(at);
      compute(cache, table, branch);
      unique += 4 - at / BLOCK;
      assertThat(cache.stats().counters().insertedNodes()).as("branch at %d", at).isEqualTo(unique);
      cache.release(table);
      cache.verify();
      BlockTable again = cache.lookup("", branch);
      assertThat(again.length()).isEqualTo(64);
      cache.release(again);
    }
    assertThat(kept.length()).isEqualTo(65);
    BlockTable whole = cache.lookup("", trunk);
    assertThat(whole.length()).as("branching split no data").isEqualTo(64);
    for (int block = 0; block < 4; block++) {
      assertThat(whole.block(0, block)).isEqualTo(kept.block(0, block));
    }
  }

  /// Behaviour 10.
  @Test
  void tenThousandSequences_onOneLongPrefix_holdLittleMoreThanWhatIsUnique() {
    int sequences = 10_000;
    int prefix = 10_000;
    int own = 12;
    KvCache cache = cache(12_000);
    int[] prompt = tokens(prefix + own, 1);
    for (int i = 0; i < sequences; i++) {
      prompt[prefix] = 5_000 + i;
      BlockTable table = fill(cache, prompt);
      assertThat(table.length()).isEqualTo(prefix + own);
    }
    KvCacheStats stats = cache.stats();
    long bytesPerToken = LAYOUT.blockBytes() / BLOCK;
    long unique = (prefix + (long) sequences * own) * bytesPerToken;

    assertThat(stats.tables()).isEqualTo(sequences);
    assertThat(stats.tokens()).isEqualTo((long) sequences * (prefix + own));
    assertThat(stats.heldBytes()).isBetween(unique, 2 * unique);
    cache.verify();
  }

  /// Behaviour 10.
  @Test
  void tables_thatShareNothing_areNotHashedAndTheirBlocksComeBackAtOnce() {
    KvCache cache =
        cache(
            10,
            (parent, tokens, from, count) -> {
              throw new AssertionError("hashed");
            });
    for (int i = 0; i < 5; i++) {
      BlockTable table = cache.open();
      cache.reserve(table, 100);
      cache.commit(table, 100);
      cache.release(table);
      assertThat(cache.stats().freeBlocks()).isEqualTo(10);
    }
  }
}
