package io.kvasir.cli.load;

import java.util.Arrays;
import java.util.SplittableRandom;

/// Token ids that the server's model surely has, and texts made of them.
public final class TokenPool {
  private static final int[] WHERE_UNKNOWN = range(1_000, 2_000);

  private final int[] ids;

  /// @param ids at least two different ones
  TokenPool(int[] ids) {
    this.ids = Arrays.stream(ids).sorted().distinct().toArray();
    if (this.ids.length < 2) {
      throw new IllegalArgumentException("too few token ids to make different prompts from");
    }
  }

  /// Ids that nearly every vocabulary has as ordinary pieces, for servers that do not tell any.
  static TokenPool guessed() {
    return new TokenPool(WHERE_UNKNOWN);
  }

  private static int[] range(int from, int to) {
    int[] result = new int[to - from];
    Arrays.setAll(result, i -> from + i);
    return result;
  }

  int size() {
    return ids.length;
  }

  /// Fills `[from, to)` with ids that follow from the seed alone.
  void fill(int[] out, int from, int to, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = from; i < to; i++) {
      out[i] = ids[random.nextInt(ids.length)];
    }
  }
}
