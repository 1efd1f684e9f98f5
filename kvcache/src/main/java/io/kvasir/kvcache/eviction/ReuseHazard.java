package io.kvasir.kvcache.eviction;

/// Learns, for blocks used once, twice and so on, at which age they are used again, and ranks them.
///
/// Age is counted in block uses since the block's last one, in bins of half a doubling. For each
/// class and bin two sums decay slowly: the reuses seen and the time that blocks spent there
/// unused, cached or not. Their quotient is the hazard: the chance of a reuse per unit of time. It
/// is smoothed over neighbouring bins and drawn towards what all classes together show, which in
/// turn is drawn towards `1 / (2 age)`, under which the ranks are those of LRU.
///
/// The rank of a block is its Gittins index: the most reuses per unit of cache time that keeping it
/// can earn, over all ages at which one might stop. Unlike the hazard itself it sees a peak that is
/// still ahead. A new block can rank below all that are cached; then it is not kept at all.
///
/// Sources: Beckmann, Chen and Cidon, "LHD: Improving Cache Hit Rate by Maximizing Hit Density",
/// NSDI 2018, for hit densities by class and age; Gittins, "Bandit Processes and Dynamic Allocation
/// Indices", Journal of the Royal Statistical Society B 41(2), 1979, for the index.
final class ReuseHazard {
  static final int CLASSES = 6;
  static final int BINS = 52;

  /// All ranks, one for each class and bin.
  static final int CELLS = CLASSES * BINS;

  private static final int[] CLASS_OF_USES = {0, 0, 1, 2, 3, 3, 4, 4, 4, 4};
  private static final int FIRST_DOUBLING = 3;

  /// Uses between two recalculations, and what is kept of the sums at each: a memory of about
  /// 250,000 uses.
  private static final int PERIOD = 5000;

  private static final double DECAY = 0.98;
  private static final int SMOOTHINGS = 2;

  /// Reuses that the prior of a bin weighs: about those of one request.
  private static final double PRIOR_REUSES = 20;

  /// The least age of each bin, and the end of the last.
  private static final long[] START = starts();

  private static final double LEAST_SURVIVAL = 1e-4;

  private final double[] reuses = new double[CELLS];
  private final double[] exposure = new double[CELLS];
  private final double[] rank = new double[CELLS];
  private int events;

  // Scratch of [#learn].
  private final double[] smoothReuses = new double[CELLS];
  private final double[] smoothExposure = new double[CELLS];
  private final double[] scratch = new double[CELLS];
  private final double[] common = new double[BINS];
  private final double[] hazard = new double[BINS];

  /// The chance to be still unused at the end of a bin.
  private final double[] stay = new double[BINS];

  ReuseHazard() {
    learn();
  }

  /// The class of a block that was used so often.
  static int classOf(int uses) {
    return uses < CLASS_OF_USES.length ? CLASS_OF_USES[uses] : CLASSES - 1;
  }

  /// The bin of an age of at least 0.
  static int bin(int age) {
    if (age < 1 << FIRST_DOUBLING) {
      return 0;
    }
    int doubling = 31 - Integer.numberOfLeadingZeros(age);
    int half = (age >>> (doubling - 1)) & 1;
    return Math.min(BINS - 1, (doubling - FIRST_DOUBLING) * 2 + half);
  }

  /// The cell of a block of a class at an age.
  static int cell(int blockClass, int age) {
    return blockClass * BINS + bin(age);
  }

  double rank(int cell) {
    return rank[cell];
  }

  /// A block of the class was used again at the age.
  void reused(int blockClass, int age) {
    reuses[cell(blockClass, age)]++;
  }

  /// A block of the class went unused from one age to another.
  void unused(int blockClass, int fromAge, int toAge) {
    int bin = bin(fromAge);
    int from = fromAge;
    while (from < toAge) {
      int to = bin == BINS - 1 ? toAge : (int) Math.min(toAge, START[bin + 1]);
      exposure[blockClass * BINS + bin] += to - from;
      from = to;
      bin++;
    }
  }

  /// Counts an event; tells whether the ranks have changed.
  boolean tick() {
    if (++events < PERIOD) {
      return false;
    }
    events = 0;
    learn();
    for (int i = 0; i < CELLS; i++) {
      reuses[i] *= DECAY;
      exposure[i] *= DECAY;
    }
    return true;
  }

  private void learn() {
    smooth();
    for (int bin = 0; bin < BINS; bin++) {
      double allReuses = 0;
      double allExposure = 0;
      for (int cell = bin; cell < CELLS; cell += BINS) {
        allReuses += reuses[cell];
        allExposure += exposure[cell];
      }
      double twiceAge = START[bin] + START[bin + 1] + 2.0;
      common[bin] = (allReuses + PRIOR_REUSES) / (allExposure + PRIOR_REUSES * twiceAge);
    }
    for (int blockClass = 0; blockClass < CLASSES; blockClass++) {
      rankClass(blockClass * BINS);
    }
  }

  private void rankClass(int first) {
    double seen = PRIOR_REUSES;
    double expected = PRIOR_REUSES;
    for (int bin = 0; bin < BINS; bin++) {
      seen += smoothReuses[first + bin];
      expected += smoothExposure[first + bin] * common[bin];
    }
    double ratio = seen / expected;
    for (int bin = 0; bin < BINS; bin++) {
      hazard[bin] =
          (smoothReuses[first + bin] + PRIOR_REUSES)
              / (smoothExposure[first + bin] + PRIOR_REUSES / (ratio * common[bin]));
      stay[bin] = Math.exp(-hazard[bin] * width(bin));
    }
    for (int bin = 0; bin < BINS; bin++) {
      rank[first + bin] = index(bin);
    }
  }

  /// The most of (chance of a reuse before the end of a bin) / (expected time until then).
  private double index(int firstBin) {
    double survival = 1;
    double chance = 0;
    double time = 0;
    double best = 0;
    for (int bin = firstBin; bin < BINS && survival > LEAST_SURVIVAL; bin++) {
      double reused = survival * (1 - stay[bin]);
      chance += reused;
      time += reused / hazard[bin];
      survival *= stay[bin];
      best = Math.max(best, chance / time);
    }
    return best;
  }

  /// Averages each bin with its neighbours in log age; exposures are scaled to the bin's width.
  private void smooth() {
    System.arraycopy(reuses, 0, smoothReuses, 0, CELLS);
    System.arraycopy(exposure, 0, smoothExposure, 0, CELLS);
    for (int round = 0; round < SMOOTHINGS; round++) {
      System.arraycopy(smoothReuses, 0, scratch, 0, CELLS);
      average(smoothReuses, false);
      System.arraycopy(smoothExposure, 0, scratch, 0, CELLS);
      average(smoothExposure, true);
    }
  }

  private void average(double[] to, boolean scaled) {
    for (int cell = 0; cell < CELLS; cell++) {
      int bin = cell % BINS;
      int below = bin == 0 ? 0 : -1;
      int above = bin == BINS - 1 ? 0 : 1;
      double belowScale = scaled ? width(bin) / width(bin + below) : 1;
      double aboveScale = scaled ? width(bin) / width(bin + above) : 1;
      to[cell] =
          0.5 * scratch[cell]
              + 0.25 * belowScale * scratch[cell + below]
              + 0.25 * aboveScale * scratch[cell + above];
    }
  }

  private static double width(int bin) {
    return START[bin + 1] - START[bin];
  }

  private static long[] starts() {
    long[] starts = new long[BINS + 1];
    for (int bin = 1; bin <= BINS; bin++) {
      long doubled = 1L << (FIRST_DOUBLING + bin / 2);
      starts[bin] = (bin & 1) == 0 ? doubled : doubled + (doubled >> 1);
    }
    return starts;
  }
}
