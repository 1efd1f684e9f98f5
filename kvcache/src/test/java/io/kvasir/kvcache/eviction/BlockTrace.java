package io.kvasir.kvcache.eviction;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/// Requests as the blocks of their prompts; a number stands for a block with all before it.
record BlockTrace(String name, List<long[]> requests) {

  /// Prefix hits / all blocks under the rules of the reference figures: one request at a time, all
  /// its blocks are cached, then victims go until the capacity holds.
  double hitRate(EvictionPolicy.Factory factory, int capacity) {
    return replay(new ReplayTree(capacity, factory));
  }

  double replay(ReplayTree tree) {
    long hits = 0;
    long blocks = 0;
    for (long[] request : requests) {
      hits += tree.open(request);
      blocks += request.length;
      tree.close(request);
      tree.shrink();
      tree.advance(300_000_000);
    }
    return (double) hits / blocks;
  }

  /// A trace in the Mooncake form: one JSON object a line with `hash_ids`.
  static BlockTrace read(Path file) throws IOException {
    List<long[]> requests = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      int from = line.indexOf('[', line.indexOf("\"hash_ids\""));
      String[] ids = line.substring(from + 1, line.indexOf(']', from)).split(",", -1);
      long[] blocks = new long[ids.length];
      for (int i = 0; i < ids.length; i++) {
        blocks[i] = Long.parseLong(ids[i].strip());
      }
      requests.add(blocks);
    }
    return new BlockTrace(file.getFileName().toString(), requests);
  }

  /// Every request asks for one of a few chains in turn.
  static BlockTrace loop(int requests, int chains, int length) {
    List<long[]> all = new ArrayList<>();
    for (int i = 0; i < requests; i++) {
      all.add(chain(i % chains, length));
    }
    return new BlockTrace("loop", all);
  }

  /// Half of the requests are never asked again, the others are drawn from a working set.
  static BlockTrace scan(int requests, int chains, int length, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<long[]> all = new ArrayList<>();
    for (int i = 0; i < requests; i++) {
      all.add(chain(random.nextBoolean() ? chains + i : random.nextInt(chains), length));
    }
    return new BlockTrace("scan", all);
  }

  /// Chains are asked for again the sooner the more recently they were, which is what LRU assumes.
  static BlockTrace recency(int requests, int window, int length, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<long[]> recent = new ArrayList<>();
    List<long[]> all = new ArrayList<>();
    for (int i = 0; i < requests; i++) {
      boolean isNew = recent.isEmpty() || random.nextInt(4) == 0;
      int back = (int) (-window * Math.log(1 - random.nextDouble()));
      long[] request =
          isNew
              ? chain(i, 1 + random.nextInt(2 * length))
              : recent.remove(Math.max(0, recent.size() - 1 - back));
      recent.add(request);
      all.add(request);
    }
    return new BlockTrace("recency", all);
  }

  /// Conversations that grow by a turn after a while, some of them: most are never seen again.
  static BlockTrace chat(int requests, int pause, int length, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<List<long[]>> due = new ArrayList<>();
    List<long[]> all = new ArrayList<>();
    long conversations = 0;
    for (int i = 0; i < requests; i++) {
      while (due.size() <= i) {
        due.add(new ArrayList<>());
      }
      List<long[]> now = due.get(i);
      now.add(chain(conversations++, 1 + random.nextInt(2 * length)));
      for (long[] request : now) {
        all.add(request);
        if (random.nextInt(10) < (request[0] / 1000 % 10 == 0 ? 9 : 2)) {
          int at = i + 1 + pause / 2 + random.nextInt(pause);
          while (due.size() <= at) {
            due.add(new ArrayList<>());
          }
          due.get(at).add(chain(request[0] / 1000, request.length + 1 + random.nextInt(3)));
        }
      }
    }
    return new BlockTrace("chat", all);
  }

  /// The traces one after the other, as if they had nothing in common.
  static BlockTrace concat(BlockTrace... traces) {
    List<long[]> all = new ArrayList<>();
    long shift = 0;
    for (BlockTrace trace : traces) {
      for (long[] request : trace.requests()) {
        long[] shifted = request.clone();
        for (int i = 0; i < shifted.length; i++) {
          shifted[i] += shift;
        }
        all.add(shifted);
      }
      shift += 1L << 40;
    }
    return new BlockTrace("phases", all);
  }

  private static long[] chain(long number, int length) {
    long[] blocks = new long[length];
    for (int i = 0; i < length; i++) {
      blocks[i] = number * 1000 + i;
    }
    return blocks;
  }
}
