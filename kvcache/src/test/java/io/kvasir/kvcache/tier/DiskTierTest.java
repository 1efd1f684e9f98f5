package io.kvasir.kvcache.tier;

import static io.kvasir.kvcache.contract.TierContract.BLOCK;
import static io.kvasir.kvcache.contract.TierContract.assertLoads;
import static io.kvasir.kvcache.contract.TierContract.block;
import static io.kvasir.kvcache.contract.TierContract.key;
import static io.kvasir.kvcache.contract.TierContract.load;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.kvcache.contract.BlockOracle;
import io.kvasir.kvcache.contract.TierContract;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiskTierTest implements TierContract {
  @TempDir Path folder;

  @Override
  public Tier openTier(int blocks) throws IOException {
    return open(blocks, "model-a");
  }

  private DiskTier open(int blocks, String fingerprint) throws IOException {
    return DiskTier.open(new DiskTierConfig(folder, BLOCK, bytesFor(blocks), fingerprint));
  }

  /// Bytes of one slab with so many blocks.
  static long bytesFor(int blocks) {
    return new SlabLayout(0, 0, BLOCK, blocks).fileBytes() + BLOCK;
  }

  static void storeAll(Tier tier, int from, int to) {
    for (int number = from; number < to; number++) {
      assertThat(tier.store(key(number), block(number))).as("block " + number).isTrue();
    }
  }

  static List<Integer> held(Tier tier, int from, int to) {
    List<Integer> held = new ArrayList<>();
    for (int number = from; number < to; number++) {
      if (tier.contains(key(number))) {
        assertLoads(tier, number);
        held.add(number);
      }
    }
    return held;
  }

  /// Loads each block on its own; those that come are compared.
  static int heldAfterLoading(Tier tier, int to) {
    int loaded = 0;
    for (int number = 0; number < to; number++) {
      loaded += load(tier, List.of(key(number)));
    }
    return loaded;
  }

  private List<Path> slabs() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".slab")).toList();
    }
  }

  @Test
  void open_afterClose_holdsTheSameBlocksInTheSameOrder() throws IOException {
    try (DiskTier tier = open(8, "model-a")) {
      storeAll(tier, 0, 8);
      assertLoads(tier, 1);
      assertLoads(tier, 0);
    }
    try (DiskTier tier = open(8, "model-a")) {
      tier.verify();
      storeAll(tier, 8, 14);
      assertThat(tier.stats().evicted()).isEqualTo(6);
      assertThat(held(tier, 0, 8)).containsExactly(0, 1);
      assertThat(held(tier, 8, 14)).hasSize(6);
      tier.verify();
    }
  }

  @Test
  void open_otherFingerprint_onlyMissesAndTheOldAgesOut() throws IOException {
    try (DiskTier tier = open(8, "model-a")) {
      storeAll(tier, 0, 8);
    }
    try (DiskTier tier = open(8, "model-b")) {
      assertThat(held(tier, 0, 8)).isEmpty();
      assertThat(tier.stats().blocks()).isZero();
      assertThat(slabs()).hasSize(1);
      storeAll(tier, 100, 104);
      assertThat(slabs()).as("the other model's slab went").hasSize(1);
      assertThat(held(tier, 100, 104)).hasSize(4);
      tier.verify();
    }
    try (DiskTier tier = open(8, "model-a")) {
      assertThat(held(tier, 0, 8)).isEmpty();
    }
  }

  @Test
  void open_otherFingerprintAndRoomForBoth_keepsBoth() throws IOException {
    long room = 64L << 20;
    DiskTierConfig a = new DiskTierConfig(folder, BLOCK, room, "model-a");
    DiskTierConfig b = new DiskTierConfig(folder, BLOCK, room, "model-b");
    try (DiskTier tier = DiskTier.open(a)) {
      storeAll(tier, 0, 8);
    }
    try (DiskTier tier = DiskTier.open(b)) {
      assertThat(tier.leading(List.of(key(0)))).isZero();
      storeAll(tier, 4, 12);
    }
    try (DiskTier tier = DiskTier.open(a)) {
      assertThat(held(tier, 0, 20)).containsExactly(0, 1, 2, 3, 4, 5, 6, 7);
    }
  }

  @Test
  void open_otherBlockSize_onlyMisses() throws IOException {
    try (DiskTier tier = open(8, "model-a")) {
      storeAll(tier, 0, 1);
    }
    DiskTierConfig larger = new DiskTierConfig(folder, 2 * BLOCK, 64L << 20, "model-a");
    try (DiskTier tier = DiskTier.open(larger)) {
      assertThat(tier.contains(key(0))).isFalse();
      assertThat(tier.stats().failures()).isZero();
    }
  }

  @Test
  void open_smallerBudget_dropsTheLongestUnusedSlabs() throws IOException {
    long slab = 16L << 20;
    int perSlab = SlabLayout.fitting("", BLOCK, slab).slots();
    try (DiskTier tier = DiskTier.open(new DiskTierConfig(folder, BLOCK, 3 * slab, "m"))) {
      storeAll(tier, 0, 2 * perSlab + 10);
      assertThat(slabs()).hasSize(3);
    }
    List<Path> files = new ArrayList<>(slabs());
    files.sort(Comparator.comparing(Path::toString));
    for (int i = 0; i < 3; i++) {
      Files.setLastModifiedTime(files.get(i), FileTime.fromMillis(1_000_000L * (i + 1)));
    }
    try (DiskTier tier = DiskTier.open(new DiskTierConfig(folder, BLOCK, slab, "m"))) {
      assertThat(slabs()).hasSize(1);
      assertThat(tier.contains(key(0))).isFalse();
      assertLoads(tier, 2 * perSlab + 5);
      tier.verify();
    }
  }

  @Test
  void open_leftoversOfKilledProcesses_areCleaned() throws IOException {
    String dead = "00000000deadbeef-0000000000000001";
    Path owner = Files.createFile(folder.resolve(dead + ".owner"));
    Path temporary = Files.write(folder.resolve(dead + "-3.tmp"), new byte[10]);
    Path torn = Files.write(folder.resolve(dead + "-4.slab"), new byte[5000]);
    Path alien = Files.write(folder.resolve("notes-1.slab"), new byte[10]);
    try (DiskTier tier = open(4, "model-a")) {
      assertThat(owner).doesNotExist();
      assertThat(temporary).doesNotExist();
      assertThat(torn).doesNotExist();
      assertThat(alien).as("not a name of ours").exists();
      assertThat(tier.stats().failures()).isEqualTo(1);
      storeAll(tier, 0, 4);
    }
    assertThat(folder.toFile().list()).hasSize(2);
  }

  @Test
  void open_100kBlocks_isQuick() throws IOException {
    int blocks = 100_000;
    int bytes = 64;
    long room = new SlabLayout(0, 0, bytes, blocks).fileBytes() + (1L << 20);
    DiskTierConfig config = new DiskTierConfig(folder, bytes, room, "m");
    MemorySegment block = BlockOracle.empty(bytes);
    try (DiskTier tier = DiskTier.open(config)) {
      for (int number = 0; number < blocks; number++) {
        tier.store(key(number), block);
      }
    }
    long best = Long.MAX_VALUE;
    for (int attempt = 0; attempt < 3; attempt++) {
      long start = System.nanoTime();
      try (DiskTier tier = DiskTier.open(config)) {
        best = Math.min(best, System.nanoTime() - start);
        assertThat(tier.stats().blocks()).isEqualTo(blocks);
        assertThat(tier.contains(key(blocks - 1))).isTrue();
      }
    }
    assertThat(best).as("nanoseconds for the index of 100K blocks").isLessThan(1_000_000_000L);
  }

  @Test
  void open_folderThatCannotBe_saysSoInOneSentence() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    DiskTierConfig config = new DiskTierConfig(file.resolve("sub"), BLOCK, 1 << 20, "m");
    assertThatThrownBy(() -> DiskTier.open(config))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("cannot keep blocks in " + file.resolve("sub") + ": ");
  }

  @Test
  void open_budgetBelowOneBlock_saysSo() {
    assertThatThrownBy(() -> new DiskTierConfig(folder, BLOCK, 5000, "m"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "5000 bytes of disk do not hold a block of 4096 bytes,"
                + " which takes 12288 with its header");
  }

  @Test
  void readers_anyOutcome_giveTheFirstThatFails() {
    try (Readers readers = new Readers(4, "test")) {
      for (int count = 0; count < 40; count++) {
        for (int first = 0; first <= count; first += 3) {
          int failing = first;
          Set<Integer> done = ConcurrentHashMap.newKeySet();
          int end =
              readers.run(count, i -> done.add(i) && i != failing && (i < failing || i % 2 == 0));
          assertThat(end).isEqualTo(Math.min(failing, count));
          for (int i = 0; i < end; i++) {
            assertThat(done).contains(i);
          }
        }
      }
    }
  }

  @Test
  void store_eightMebibytes_comesBack() throws IOException {
    int bytes = 8 << 20;
    try (DiskTier tier = DiskTier.open(new DiskTierConfig(folder, bytes, 20L << 20, "m"))) {
      for (int number = 0; number < 4; number++) {
        assertThat(tier.store(key(number), BlockOracle.block(key(number), bytes))).isTrue();
      }
      MemorySegment into = BlockOracle.empty(bytes);
      assertThat(tier.load(List.of(key(3)), List.of(into))).isEqualTo(1);
      assertThat(BlockOracle.isBlockOf(key(3), into)).isTrue();
      assertThat(tier.stats().evicted()).isEqualTo(2);
      assertThat(tier.stats().blocks()).isEqualTo(2);
    }
  }
}
