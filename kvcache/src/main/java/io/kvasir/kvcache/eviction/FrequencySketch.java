package io.kvasir.kvcache.eviction;

/// Estimates how often each content hash was seen of late: a count-min sketch of four-bit counters
/// that are halved after every ten times as many events as the cache has blocks.
///
/// Source: Cormode and Muthukrishnan, "An Improved Data Stream Summary: The Count-Min Sketch",
/// Journal of Algorithms 55(1), 2005; the halving is from the TinyLFU paper ([WTinyLfuPolicy]).
final class FrequencySketch {
  private static final int ROWS = 4;
  private static final int MOST = 15;
  private static final int EVENTS_PER_BLOCK = 10;
  private static final long ODD_BITS = 0x7777_7777_7777_7777L;
  private static final long[] SEEDS = {
    0xC3A5C85C97CB3127L, 0xB492B66FBE98F273L, 0x9AE16A3B2F90404FL, 0xCBF29CE484222325L
  };

  /// Sixteen counters a word.
  private final long[] words;

  private final int mask;
  private final long period;
  private long events;

  FrequencySketch(int blocks) {
    int counters = Integer.highestOneBit(Math.max(64, Math.min(blocks, 1 << 26))) * 4;
    words = new long[counters / 16];
    mask = counters - 1;
    period = (long) EVENTS_PER_BLOCK * Math.max(64, blocks);
  }

  void increment(long hash) {
    for (int row = 0; row < ROWS; row++) {
      int counter = counter(hash, row);
      int shift = (counter & 15) << 2;
      if (((words[counter >>> 4] >>> shift) & MOST) < MOST) {
        words[counter >>> 4] += 1L << shift;
      }
    }
    if (++events >= period) {
      events = 0;
      for (int i = 0; i < words.length; i++) {
        words[i] = (words[i] >>> 1) & ODD_BITS;
      }
    }
  }

  /// At least the number of increments since the last halvings, up to 15.
  int frequency(long hash) {
    int least = MOST;
    for (int row = 0; row < ROWS; row++) {
      int counter = counter(hash, row);
      least = Math.min(least, (int) (words[counter >>> 4] >>> ((counter & 15) << 2)) & MOST);
    }
    return least;
  }

  private int counter(long hash, int row) {
    long mixed = (hash + SEEDS[row]) * SEEDS[row];
    return (int) (mixed >>> 32) & mask;
  }
}
