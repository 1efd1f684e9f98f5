package io.kvasir.kvcache;

/// Hashes one block of tokens together with the hash of everything before it.
///
/// The hash only finds candidates: a hit is confirmed by comparing the parent and all tokens, so a
/// weak hash costs time and never a wrong block. Tests inject a constant one to prove that.
@FunctionalInterface
public interface BlockHasher {

  /// Multiplies and folds each token into the running hash, then mixes it (the finalizer of
  /// SplittableRandom: Steele, Lea and Flood, OOPSLA 2014).
  BlockHasher DEFAULT = BlockHasher::mixed;

  /// @param parent hash of the tokens before the block
  /// @param tokens ids; the block is `tokens[from .. from + count - 1]`
  long hash(long parent, int[] tokens, int from, int count);

  private static long mixed(long parent, int[] tokens, int from, int count) {
    // Two chains, so that multiplications overlap.
    long even = parent ^ 0x9e3779b97f4a7c15L;
    long odd = parent + 0xd1b54a32d192ed03L;
    int end = from + count;
    int i = from;
    for (; i + 1 < end; i += 2) {
      even = (even ^ tokens[i]) * 0xbf58476d1ce4e5b9L;
      odd = (odd ^ tokens[i + 1]) * 0x94d049bb133111ebL;
      even ^= even >>> 32;
      odd ^= odd >>> 32;
    }
    if (i < end) {
      even = (even ^ tokens[i]) * 0xbf58476d1ce4e5b9L;
    }
    long hash = even + Long.rotateLeft(odd, 29);
    hash = (hash ^ (hash >>> 30)) * 0xbf58476d1ce4e5b9L;
    hash = (hash ^ (hash >>> 27)) * 0x94d049bb133111ebL;
    return hash ^ (hash >>> 31);
  }
}
