package io.kvasir.engine.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.engine.TokenConstraint;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/// Draws answers with every allowed token equally likely: a sampler at an infinite temperature.
final class RandomWalk {
  private RandomWalk() {}

  /// An answer under `constraint`, or `null` where it did not end within `maxTokens`. Fails where
  /// nothing is allowed and the answer may not end.
  static @Nullable String draw(
      TokenConstraint constraint, TokenTrie trie, int maxTokens, SplittableRandom random) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (int i = 0; i <= maxTokens; i++) {
      long[] mask = constraint.allowed();
      int count = 0;
      for (long word : mask) {
        count += Long.bitCount(word);
      }
      boolean mayEnd = constraint.mayEnd();
      assertThat(count > 0 || mayEnd)
          .as("dead end behind %s", out.toString(StandardCharsets.UTF_8))
          .isTrue();
      int pick = random.nextInt(count + (mayEnd ? 1 : 0));
      if (pick == count) {
        return text(out);
      }
      if (i == maxTokens) {
        return mayEnd ? text(out) : null;
      }
      int token = nth(mask, pick);
      constraint.accept(token);
      out.writeBytes(trie.bytesOf(token));
    }
    return null;
  }

  private static int nth(long[] mask, int n) {
    int left = n;
    for (int w = 0; w < mask.length; w++) {
      int bits = Long.bitCount(mask[w]);
      if (left < bits) {
        long word = mask[w];
        for (; left > 0; left--) {
          word &= word - 1;
        }
        return 64 * w + Long.numberOfTrailingZeros(word);
      }
      left -= bits;
    }
    throw new IllegalStateException("fewer than " + n + " bits");
  }

  private static String text(ByteArrayOutputStream out) {
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(out.toByteArray()))
          .toString();
    } catch (CharacterCodingException e) {
      throw new AssertionError("an answer is no UTF-8: " + out, e);
    }
  }
}
