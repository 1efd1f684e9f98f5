package io.kvasir.sim;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;

/// What LRU and the clairvoyant mean on a trace, in the plainest words: sets of block numbers, no
/// tree. Requests come one at a time; the hit is the number of leading blocks that are cached; then
/// all blocks of the request are cached, the last touched first; then victims go until the capacity
/// holds.
final class ReferenceCaches {
  private ReferenceCaches() {}

  static long lruHits(Trace trace, int capacity) {
    LinkedHashMap<Integer, Boolean> cache = new LinkedHashMap<>(16, 0.75f, true);
    long hits = 0;
    for (int request = 0; request < trace.requestCount(); request++) {
      hits += leading(trace, request, cache.keySet());
      for (int i = trace.blockCount(request) - 1; i >= 0; i--) {
        cache.put(trace.block(request, i), true);
      }
      while (cache.size() > capacity) {
        cache.remove(cache.keySet().iterator().next());
      }
    }
    return hits;
  }

  private record Candidate(int nextUse, int depth, int block) {}

  static long clairvoyantHits(Trace trace, int capacity) {
    Map<Integer, List<Integer>> uses = new HashMap<>();
    for (int request = 0; request < trace.requestCount(); request++) {
      for (int i = 0; i < trace.blockCount(request); i++) {
        uses.computeIfAbsent(trace.block(request, i), b -> new ArrayList<>()).add(request);
      }
    }
    PriorityQueue<Candidate> order =
        new PriorityQueue<>(
            Comparator.comparingInt(Candidate::nextUse)
                .thenComparingInt(Candidate::depth)
                .reversed());
    Map<Integer, Integer> cache = new HashMap<>();
    long hits = 0;
    for (int request = 0; request < trace.requestCount(); request++) {
      hits += leading(trace, request, cache.keySet());
      for (int depth = 0; depth < trace.blockCount(request); depth++) {
        int block = trace.block(request, depth);
        int now = request;
        int next =
            uses.getOrDefault(block, List.of()).stream()
                .filter(use -> use > now)
                .findFirst()
                .orElse(-1);
        if (next < 0) {
          cache.remove(block);
        } else {
          cache.put(block, next);
          order.add(new Candidate(next, depth, block));
        }
      }
      while (cache.size() > capacity) {
        Candidate worst = order.remove();
        if (Integer.valueOf(worst.nextUse).equals(cache.get(worst.block))) {
          cache.remove(worst.block);
        }
      }
    }
    return hits;
  }

  /// Hits of a cache that forgets nothing.
  static long mostHits(Trace trace) {
    Set<Integer> seen = new HashSet<>();
    long hits = 0;
    for (int request = 0; request < trace.requestCount(); request++) {
      hits += leading(trace, request, seen);
      for (int i = 0; i < trace.blockCount(request); i++) {
        seen.add(trace.block(request, i));
      }
    }
    return hits;
  }

  private static int leading(Trace trace, int request, Set<Integer> cache) {
    int count = 0;
    while (count < trace.promptBlocks(request) && cache.contains(trace.block(request, count))) {
      count++;
    }
    return count;
  }
}
