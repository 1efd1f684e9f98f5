package io.kvasir.engine;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Which tokens a sequence may have next: what its constraint allows, its stop tokens only where it
/// may end. Scratch memory is reused; for one thread.
final class AllowedTokens {
  private final int vocabulary;
  private final long[] mask;

  AllowedTokens(int vocabulary) {
    this.vocabulary = vocabulary;
    this.mask = new long[(vocabulary + 63) / 64];
  }

  /// @return bits of the allowed tokens, or null where all are
  /// @throws IllegalStateException where none is
  long @Nullable [] of(Sequence sequence) {
    Request request = sequence.request();
    TokenConstraint constraint = sequence.constraint();
    boolean tooShort = sequence.generated() < request.output().minTokens();
    if (constraint == null && !tooShort) {
      return null;
    }
    if (constraint == null) {
      Arrays.fill(mask, -1L);
      clearBeyondVocabulary();
    } else {
      long[] allowed = constraint.allowed();
      Arrays.fill(mask, 0);
      System.arraycopy(allowed, 0, mask, 0, Math.min(allowed.length, mask.length));
      clearBeyondVocabulary();
    }
    boolean mayEnd = constraint == null || constraint.mayEnd();
    setStops(request, false);
    if (mayEnd && (!tooShort || isEmpty())) {
      setStops(request, true);
    }
    if (isEmpty()) {
      throw new IllegalStateException(
          "the constraint allows no token after " + sequence.generated() + " tokens of the answer");
    }
    return mask;
  }

  private void clearBeyondVocabulary() {
    int used = vocabulary % 64;
    if (used != 0) {
      mask[mask.length - 1] &= (1L << used) - 1;
    }
  }

  private void setStops(Request request, boolean value) {
    for (int token : request.stopTokens()) {
      if (token >= 0 && token < vocabulary) {
        long bit = 1L << token;
        mask[token / 64] = value ? mask[token / 64] | bit : mask[token / 64] & ~bit;
      }
    }
  }

  private boolean isEmpty() {
    for (long word : mask) {
      if (word != 0) {
        return false;
      }
    }
    return true;
  }
}
