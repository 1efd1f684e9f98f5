package io.kvasir.kvcache.tier;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.contract.BlockOracle;
import io.kvasir.kvcache.contract.TierContract;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Random stores, loads, restarts, damage and visits of another model against a map in order of
/// use: the tier holds exactly the blocks that the map holds, with their own bytes, also after
/// restarts.
class DiskTierPropertyTest {
  private static final int BLOCK = 256;
  private static final long BYTES = 16 << 10;
  private static final int NUMBERS = 60;
  private static final int OPERATIONS = 4_000;

  @TempDir Path folder;
  private final Map<Integer, Boolean> model = new LinkedHashMap<>(16, 0.75f, true);
  private long failures;

  private DiskTier open(String fingerprint) throws IOException {
    DiskTierConfig config = new DiskTierConfig(folder, BLOCK, BYTES, fingerprint);
    failures = 0;
    return DiskTier.open(config);
  }

  @Test
  void randomOperations_withRestartsAndDamage_agreeWithAMapInOrderOfUse() throws IOException {
    long seed = TierContract.seed();
    SplittableRandom random = new SplittableRandom(seed);
    DiskTier tier = open("ours");
    int slots = SlabLayout.fitting("ours", BLOCK, BYTES).slots();
    try {
      for (int i = 0; i < OPERATIONS; i++) {
        String where = "seed " + seed + " operation " + i;
        int number = random.nextInt(NUMBERS);
        int choice = random.nextInt(100);
        if (choice < 45) {
          store(tier, number, slots, where);
        } else if (choice < 85) {
          load(tier, number, where);
        } else if (choice < 96) {
          boolean known = model.containsKey(number);
          assertThat(tier.contains(BlockOracle.key(number))).as(where).isEqualTo(known);
        } else {
          tier.verify();
          tier.close();
          if (choice == 96) {
            visitAsAnotherModel(where);
          }
          tier = open("ours");
        }
        if (choice == 98 && model.containsKey(number)) {
          damage(random, number);
          model.remove(number);
          failures++;
          assertThat(loads(tier, number)).as(where).isFalse();
        }
        assertThat(tier.stats().blocks()).as(where).isEqualTo(model.size());
        assertThat(tier.stats().failures()).as(where).isEqualTo(failures);
      }
    } finally {
      tier.close();
    }
  }

  private void store(DiskTier tier, int number, int slots, String where) {
    BlockKey key = BlockOracle.key(number);
    assertThat(tier.store(key, BlockOracle.block(key, BLOCK))).as(where).isTrue();
    model.put(number, true);
    if (model.size() > slots) {
      model.remove(model.keySet().iterator().next());
    }
  }

  private void load(DiskTier tier, int number, String where) {
    assertThat(loads(tier, number)).as(where).isEqualTo(model.get(number) != null);
  }

  private static boolean loads(DiskTier tier, int number) {
    BlockKey key = BlockOracle.key(number);
    MemorySegment into = BlockOracle.empty(BLOCK);
    if (tier.load(List.of(key), List.of(into)) == 0) {
      return false;
    }
    assertThat(BlockOracle.isBlockOf(key, into)).as("block " + number).isTrue();
    return true;
  }

  private void visitAsAnotherModel(String where) throws IOException {
    try (DiskTier other = open("theirs")) {
      for (int number = 0; number < NUMBERS; number++) {
        assertThat(loads(other, number)).as(where).isFalse();
      }
    }
  }

  /// Flips a bit of the block or of its record, behind the tier's back.
  private void damage(SplittableRandom random, int number) throws IOException {
    Path slab = slab();
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(slab));
    SlabLayout layout = SlabLayout.ofHeader(bytes.duplicate().limit(SlabLayout.HEADER_BYTES));
    for (int slot = 0; slot < layout.slots(); slot++) {
      SlabLayout.Stored stored = layout.record(bytes, (int) layout.recordAt(slot), slot);
      if (stored != null && stored.key().equals(BlockOracle.key(number))) {
        long at =
            random.nextBoolean()
                ? layout.recordAt(slot) + random.nextInt(SlabLayout.RECORD_BYTES)
                : layout.blockAt(slot) + random.nextInt(BLOCK);
        byte flipped = (byte) (bytes.get((int) at) ^ 1 << random.nextInt(8));
        try (FileChannel channel = FileChannel.open(slab, StandardOpenOption.WRITE)) {
          channel.write(ByteBuffer.wrap(new byte[] {flipped}), at);
        }
        return;
      }
    }
    throw new AssertionError("block " + number + " has no record");
  }

  private Path slab() throws IOException {
    List<Path> slabs = new ArrayList<>();
    try (Stream<Path> files = Files.list(folder)) {
      files.filter(file -> file.toString().endsWith(".slab")).forEach(slabs::add);
    }
    assertThat(slabs).hasSize(1);
    return slabs.getFirst();
  }
}
