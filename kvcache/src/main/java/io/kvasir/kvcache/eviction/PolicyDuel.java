package io.kvasir.kvcache.eviction;

/// Decides which of two simulated caches the real one follows: LRU or the learned one.
///
/// Both are simulated in full, so after each request it is known what either would have hit. The
/// lead of the learned one is summed up with exponential forgetting and divided by the root of the
/// sum of its squares: how many standard deviations the lead is from chance, if requests were
/// independent. The real cache
///
/// - starts with LRU and follows the learned cache once its lead over a *long* memory is beyond
///   chance and it is not losing of late;
/// - goes back to LRU when the long lead is gone, when the loss over a *short* memory is beyond
///   chance, or when it is losing of late and half of what was won in this episode is lost again (a
///   trailing stop);
/// - asks for more proof after each episode in which it lost against LRU in the end.
///
/// So a trace on which LRU is right costs nothing, and one that changes costs what can be lost
/// before the change shows.
///
/// Following the better of two simulated policies is from Fiat, Karp, Luby, McGeoch, Sleator and
/// Young, "Competitive Paging Algorithms", Journal of Algorithms 12(4), 1991, section 5.
final class PolicyDuel {
  /// The memories, in blocks asked for, as multiples of the capacity.
  private static final double LONG_MEMORY = 8;

  private static final double SHORT_MEMORY = 1;

  /// A cache this small forgets as slowly as one of this size: some dozens of requests.
  private static final int LEAST_CAPACITY = 500;

  /// In standard deviations of the lead.
  private static final double BEYOND_CHANCE = 2;

  private static final double LOSING = -0.5;
  private static final double STOP_SHARE = 0.5;

  private final Lead longLead;
  private final Lead shortLead;
  private long lruHits;
  private long learnedHits;
  private long realHits;
  private int requestLead;
  private int requestBlocks;

  private boolean learned;
  private double lostEpisodes;

  /// How far the real cache was ahead of LRU when the episode began, and at most since.
  private long leadAtStart;

  private long leadAtBest;

  PolicyDuel(int capacity) {
    double scale = Math.max(capacity, LEAST_CAPACITY);
    longLead = new Lead(scale * LONG_MEMORY);
    shortLead = new Lead(scale * SHORT_MEMORY);
  }

  boolean followsLearned() {
    return learned;
  }

  /// Blocks that LRU would have hit so far.
  long lruHits() {
    return lruHits;
  }

  /// Blocks that the learned cache would have hit so far.
  long learnedHits() {
    return learnedHits;
  }

  /// A block was asked for; who had it?
  void count(boolean lruHit, boolean learnedHit, boolean realHit) {
    lruHits += lruHit ? 1 : 0;
    learnedHits += learnedHit ? 1 : 0;
    realHits += realHit ? 1 : 0;
    requestLead += (learnedHit ? 1 : 0) - (lruHit ? 1 : 0);
    requestBlocks++;
  }

  /// The blocks counted since the last call were a request.
  void settle() {
    if (requestBlocks == 0) {
      return;
    }
    longLead.add(requestLead, requestBlocks);
    shortLead.add(requestLead, requestBlocks);
    requestLead = 0;
    requestBlocks = 0;
    long lead = realHits - lruHits;
    leadAtBest = Math.max(leadAtBest, lead);
    if (learned && mustStop(lead)) {
      learned = false;
      lostEpisodes = lead < leadAtStart ? lostEpisodes + 1 : Math.max(0, lostEpisodes - 1);
    } else if (!learned
        && longLead.deviations() > BEYOND_CHANCE + lostEpisodes
        && shortLead.deviations() > 0) {
      learned = true;
      leadAtStart = lead;
      leadAtBest = lead;
    }
  }

  private boolean mustStop(long lead) {
    double ofLate = shortLead.deviations();
    boolean halfLost = lead < leadAtStart + STOP_SHARE * (leadAtBest - leadAtStart);
    return longLead.deviations() <= 0 || ofLate <= -BEYOND_CHANCE || (halfLost && ofLate < LOSING);
  }

  /// A sum that forgets, in units of its own scatter.
  private static final class Lead {
    private final double memory;
    private double sum;
    private double squares;

    Lead(double memory) {
      this.memory = memory;
    }

    void add(double lead, int blocks) {
      double keep = Math.exp(-blocks / memory);
      sum = sum * keep + lead;
      squares = squares * keep * keep + lead * lead;
    }

    double deviations() {
      return sum / Math.sqrt(squares + 1);
    }
  }
}
