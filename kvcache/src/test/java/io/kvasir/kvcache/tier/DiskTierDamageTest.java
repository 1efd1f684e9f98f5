package io.kvasir.kvcache.tier;

import static io.kvasir.kvcache.contract.TierContract.BLOCK;
import static io.kvasir.kvcache.contract.TierContract.assertLoads;
import static io.kvasir.kvcache.contract.TierContract.block;
import static io.kvasir.kvcache.contract.TierContract.key;
import static io.kvasir.kvcache.contract.TierContract.load;
import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.contract.TierContract;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Files that were changed, disks that are full, reads that fail.
class DiskTierDamageTest {
  private static final int BLOCKS = 6;

  @TempDir Path folder;

  private DiskTier open() throws IOException {
    return open(folder, BLOCKS);
  }

  private static DiskTier open(Path folder, int blocks) throws IOException {
    return DiskTier.open(new DiskTierConfig(folder, BLOCK, DiskTierTest.bytesFor(blocks), "model"));
  }

  private Path slab() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".slab")).findFirst().orElseThrow();
    }
  }

  private static void flip(Path file, long bit) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      ByteBuffer one = ByteBuffer.allocate(1);
      channel.read(one, bit / 8);
      one.put(0, (byte) (one.get(0) ^ 1 << bit % 8));
      channel.write(one.flip(), bit / 8);
    }
  }

  /// Every bit of one record and its file's header, and bits all over the block.
  @Test
  void load_anyBitFlippedWhileOpen_isAMissAndTheBlockIsForgotten() throws IOException {
    SplittableRandom random = new SplittableRandom(TierContract.seed());
    try (DiskTier tier = open()) {
      DiskTierTest.storeAll(tier, 0, BLOCKS);
      SlabLayout layout = SlabLayout.ofHeader(ByteBuffer.wrap(Files.readAllBytes(slab())));
      long failures = 0;
      for (int i = 0; i < 600; i++) {
        boolean inRecord = i < SlabLayout.RECORD_BYTES * 8;
        int slot = slotOf(layout, 2);
        long bit =
            inRecord
                ? layout.recordAt(slot) * 8 + i
                : (layout.blockAt(slot) * 8) + random.nextInt(BLOCK * 8);
        flip(slab(), bit);
        assertThat(load(tier, List.of(key(2)))).as("bit " + bit).isZero();
        assertThat(tier.stats().failures()).as("bit " + bit).isEqualTo(++failures);
        assertThat(tier.contains(key(2))).isFalse();
        tier.verify();
        assertThat(tier.store(key(2), block(2))).isTrue();
      }
      assertThat(DiskTierTest.held(tier, 0, BLOCKS)).hasSize(BLOCKS);
    }
  }

  private int slotOf(SlabLayout layout, int number) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(slab()));
    for (int slot = 0; slot < layout.slots(); slot++) {
      SlabLayout.Stored stored = layout.record(bytes, (int) layout.recordAt(slot), slot);
      if (stored != null && stored.key().equals(key(number))) {
        return slot;
      }
    }
    throw new AssertionError("block " + number + " has no record");
  }

  @Test
  void open_bitFlippedInARecord_losesThatBlockOnly() throws IOException {
    for (int bit = 0; bit < SlabLayout.RECORD_BYTES * 8; bit += 23) {
      try (DiskTier tier = open()) {
        DiskTierTest.storeAll(tier, 0, BLOCKS);
      }
      SlabLayout layout = SlabLayout.ofHeader(ByteBuffer.wrap(Files.readAllBytes(slab())));
      flip(slab(), layout.recordAt(3) * 8 + bit);
      try (DiskTier tier = open()) {
        assertThat(tier.stats().failures()).as("bit " + bit).isEqualTo(1);
        assertThat(DiskTierTest.held(tier, 0, BLOCKS)).as("bit " + bit).hasSize(BLOCKS - 1);
        tier.verify();
      }
    }
  }

  @Test
  void open_bitFlippedInTheHeader_removesTheFile() throws IOException {
    for (int bit = 0; bit < SlabLayout.HEADER_BYTES * 8; bit += 37) {
      try (DiskTier tier = open()) {
        DiskTierTest.storeAll(tier, 0, BLOCKS);
      }
      Path damaged = slab();
      flip(damaged, bit);
      try (DiskTier tier = open()) {
        assertThat(damaged).doesNotExist();
        assertThat(tier.stats().failures()).as("bit " + bit).isEqualTo(1);
        assertThat(DiskTierTest.held(tier, 0, BLOCKS)).isEmpty();
      }
    }
  }

  @Test
  void open_fileCutAnywhere_givesOnlyWholeBlocks() throws IOException {
    SplittableRandom random = new SplittableRandom(TierContract.seed());
    for (int i = 0; i < 40; i++) {
      try (DiskTier tier = open()) {
        DiskTierTest.storeAll(tier, 0, BLOCKS);
      }
      try (FileChannel channel = FileChannel.open(slab(), StandardOpenOption.WRITE)) {
        channel.truncate(random.nextLong(channel.size()));
      }
      try (DiskTier tier = open()) {
        int whole = DiskTierTest.heldAfterLoading(tier, BLOCKS);
        assertThat(whole).isLessThan(BLOCKS);
        tier.verify();
        DiskTierTest.storeAll(tier, 0, BLOCKS);
        assertThat(DiskTierTest.held(tier, 0, BLOCKS)).hasSize(BLOCKS);
      }
    }
  }

  /// A real full disk: a tmpfs with room for some blocks, then for none.
  @Test
  void store_diskFull_replacesOlderBlocksInPlace() throws Exception {
    Path disk = Files.createDirectory(folder.resolve("disk"));
    mount(disk, "size=64k");
    try (DiskTier tier = open(disk, 100)) {
      for (int number = 0; number < 50; number++) {
        tier.store(key(number), block(number));
      }
      assertThat(tier.stats().failures()).isPositive();
      assertThat(tier.stats().blocks()).isBetween(5L, 16L);
      assertThat(tier.contains(key(49))).isTrue();
      assertThat(DiskTierTest.held(tier, 0, 50)).hasSize((int) tier.stats().blocks());
      tier.verify();
    } finally {
      unmount(disk);
    }
  }

  @Test
  void store_diskFullFromTheStart_isRefusedUntilThereIsRoom() throws Exception {
    Path disk = Files.createDirectory(folder.resolve("disk"));
    mount(disk, "size=64k");
    Path filler = disk.resolve("filler");
    try (DiskTier tier = open(disk, 4)) {
      Files.write(filler, new byte[60 << 10]);
      assertThat(tier.store(key(1), block(1))).isFalse();
      assertThat(tier.store(key(1), block(1))).isFalse();
      assertThat(tier.stats().failures()).isPositive();
      assertThat(tier.stats().blocks()).isZero();
      tier.verify();
      try (Stream<Path> files = Files.list(disk)) {
        assertThat(files.filter(file -> file.toString().endsWith(".tmp"))).isEmpty();
      }
    } finally {
      unmount(disk);
    }
  }

  @Test
  void open_readOnlyFolder_saysSoInOneSentence() throws Exception {
    Path disk = Files.createDirectory(folder.resolve("disk"));
    mount(disk, "size=64k,ro");
    try {
      assertThat(org.assertj.core.api.Assertions.catchThrowable(() -> open(disk, 4)))
          .isInstanceOf(IOException.class)
          .hasMessage(
              "cannot keep blocks in " + disk + ": Read-only file system (FileSystemException)");
    } finally {
      unmount(disk);
    }
  }

  private static void mount(Path disk, String options) throws Exception {
    int status = run("mount", "-t", "tmpfs", "-o", options, "tmpfs", disk.toString());
    Assumptions.assumeTrue(status == 0, "[no-mount] a tmpfs cannot be mounted here");
  }

  private static void unmount(Path disk) throws Exception {
    run("umount", disk.toString());
  }

  private static int run(String... command) throws Exception {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      process.getInputStream().readAllBytes();
      return process.waitFor(20, TimeUnit.SECONDS) ? process.exitValue() : 1;
    } catch (IOException e) {
      return 1;
    }
  }

  @Test
  void load_deviceCannotRead_isAMissAndTheSlotIsLeftAlone() throws IOException {
    AtomicBoolean broken = new AtomicBoolean();
    DiskTierConfig config =
        new DiskTierConfig(folder, BLOCK, DiskTierTest.bytesFor(BLOCKS), "model");
    try (DiskTier tier =
        DiskTier.open(config, path -> new FaultyChannel(DiskSlabs.openChannel(path), broken))) {
      DiskTierTest.storeAll(tier, 0, BLOCKS);
      broken.set(true);
      assertThat(load(tier, List.of(key(0)))).isZero();
      assertThat(tier.stats().failures()).isEqualTo(1);
      assertThat(tier.store(key(9), block(9))).isFalse();
      broken.set(false);
      tier.verify();
      assertThat(tier.contains(key(0))).isFalse();
      assertLoads(tier, BLOCKS - 1);
    }
  }
}
