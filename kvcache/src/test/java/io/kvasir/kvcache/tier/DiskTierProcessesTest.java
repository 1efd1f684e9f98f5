package io.kvasir.kvcache.tier;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.contract.BlockOracle;
import io.kvasir.kvcache.contract.TierContract;
import java.io.File;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Several processes on one folder, and processes that are killed.
class DiskTierProcessesTest {
  private static final int KILLS = 200;

  @TempDir Path folder;

  private DiskTier open() throws IOException {
    return DiskTier.open(CrashChild.config(folder.resolve("blocks")));
  }

  private static boolean store(Tier tier, int number) {
    BlockKey key = BlockOracle.key(number);
    return tier.store(key, BlockOracle.block(key, CrashChild.BLOCK));
  }

  private static boolean loads(Tier tier, int number) {
    BlockKey key = BlockOracle.key(number);
    MemorySegment into = BlockOracle.empty(CrashChild.BLOCK);
    if (tier.load(List.of(key), List.of(into)) == 0) {
      return false;
    }
    assertThat(BlockOracle.isBlockOf(key, into)).as("block " + number).isTrue();
    return true;
  }

  /// Every block that the index holds must be there with its own bytes.
  private static int compareAll(DiskTier tier, String where) {
    tier.verify();
    int held = 0;
    for (int number = 0; number < CrashChild.NUMBERS; number++) {
      if (tier.contains(BlockOracle.key(number))) {
        assertThat(loads(tier, number)).as(where + " block " + number).isTrue();
        held++;
      }
    }
    assertThat(tier.stats().failures()).as(where).isZero();
    return held;
  }

  private Process child(long seed) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx48m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
            "-XX:+AutoCreateSharedArchive",
            "-XX:SharedArchiveFile=" + folder.resolve("classes.jsa"),
            "-cp",
            classPath(),
            CrashChild.class.getName(),
            folder.resolve("blocks").toString(),
            Long.toString(seed))
        .redirectError(folder.resolve("child.log").toFile())
        .start();
  }

  /// Where this class and the main classes are; tests run patched into the module.
  private static String classPath() {
    List<String> paths = new ArrayList<>();
    for (Class<?> each : List.of(CrashChild.class, DiskTier.class, BlockOracle.class)) {
      String resource = "/" + each.getName().replace('.', '/') + ".class";
      String file = Path.of(URI.create(each.getResource(resource).toString())).toString();
      paths.add(file.substring(0, file.length() - resource.length()));
    }
    return String.join(File.pathSeparator, paths);
  }

  private static void go(Process child) throws IOException {
    child.getOutputStream().write('g');
    child.getOutputStream().flush();
  }

  private static void awaitOpen(Process child) throws IOException {
    assertThat(child.getInputStream().read()).as("the child's first byte").isEqualTo('o');
  }

  @Test
  void kill_atRandomMoments_neverGivesAWrongBlock() throws Exception {
    long seed = TierContract.seed();
    SplittableRandom random = new SplittableRandom(seed);
    long held = 0;
    Process next = child(random.nextLong());
    for (int kill = 0; kill < KILLS; kill++) {
      String where = "seed " + seed + " kill " + kill;
      Process child = next;
      next = child(random.nextLong());
      go(child);
      if (kill % 10 != 0) { // Now and then while it starts, opens and takes over.
        awaitOpen(child);
      }
      TimeUnit.MICROSECONDS.sleep(random.nextInt(kill % 10 == 0 ? 100_000 : 30_000));
      child.destroyForcibly().waitFor();
      assertThat(child.exitValue()).as(where).isEqualTo(137);
      try (DiskTier tier = open()) {
        held += compareAll(tier, where);
      }
    }
    next.destroyForcibly().waitFor();
    // However slow the machine: only that kills met a tier in use.
    assertThat(held / KILLS).as("blocks that survive a kill").isGreaterThan(2);
  }

  @Test
  void secondProcess_sameFolder_bothWorkAndOneReadsTheOthersBlocks() throws Exception {
    Process child = child(TierContract.seed());
    try (DiskTier tier = open()) {
      go(child);
      awaitOpen(child);
      long until = System.nanoTime() + 3_000_000_000L;
      int shared = 0;
      while (System.nanoTime() < until && shared < 50) {
        for (int number = 0; number < CrashChild.NUMBERS; number++) {
          tier.leading(List.of(BlockOracle.key(number)));
          shared += tier.contains(BlockOracle.key(number)) && loads(tier, number) ? 1 : 0;
        }
      }
      assertThat(shared).as("blocks of the other process").isGreaterThanOrEqualTo(50);
      assertThat(tier.stats().blocks()).as("its own").isZero();
      assertThat(store(tier, 1_000)).isTrue();
      assertThat(loads(tier, 1_000)).isTrue();
      assertThat(child.isAlive()).isTrue();
      tier.verify();
    } finally {
      child.destroyForcibly().waitFor();
    }
    try (DiskTier tier = open()) {
      compareAll(tier, "afterwards");
    }
  }

  @Test
  void secondTierOfThisProcess_readsAndTakesOver() throws Exception {
    DiskTier first = open();
    try (DiskTier second = open()) {
      for (int number = 0; number < 10; number++) {
        assertThat(store(first, number)).isTrue();
      }
      Thread.sleep(1_050);
      assertThat(second.leading(List.of(BlockOracle.key(3), BlockOracle.key(4)))).isEqualTo(2);
      assertThat(loads(second, 3)).isTrue();
      assertThat(store(second, 3)).as("held already, by the other").isTrue();
      assertThat(second.stats().blocks()).isZero();
      first.close();
      Thread.sleep(1_050);
      assertThat(second.leading(List.of(BlockOracle.key(77)))).isZero();
      assertThat(second.stats().blocks()).as("taken over").isEqualTo(10);
      assertThat(loads(second, 9)).isTrue();
      second.verify();
    }
  }
}
