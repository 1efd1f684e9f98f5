package io.kvasir.server.shape;

import io.kvasir.engine.TokenConstraint;
import io.kvasir.model.tokenizer.Tokenizer;
import org.jspecify.annotations.Nullable;

/// Any thoughts up to `</think>`, then a shape. Thoughts that leave no more room than the shape
/// needs are ended.
///
/// @param open whether the prompt has begun the thoughts; else the answer may begin them, where the
///   vocabulary has `<think>` as one token
record ThoughtShape(Shape then, boolean open, Tokenizer tokenizer) implements Shape {
  private static final String CLOSE = "</think>";

  @Override
  public TokenConstraint.Factory within(int maxTokens) {
    return () -> new Constraint(maxTokens);
  }

  @Override
  public long enough() {
    return 2 + then.enough();
  }

  private final class Constraint implements TokenConstraint {
    private final TokenMask mask = new TokenMask(tokenizer.vocabularySize());
    private final Tail tail = new Tail(tokenizer, CLOSE);
    private final int begin = tokenizer.idOf("<think>").orElse(-1);
    private final int[] end = tokenizer.encode(CLOSE, true);
    private final long reserve;
    private int left;
    private int ending;
    private boolean first = true;
    private @Nullable TokenConstraint inner;

    Constraint(int maxTokens) {
      left = maxTokens;
      reserve = Math.min(end.length + then.enough(), maxTokens / 2);
      inner = open ? null : then.within(maxTokens).start();
    }

    @Override
    public long[] allowed() {
      TokenConstraint now = inner;
      if (now == null) {
        boolean free = ending == 0 && left > reserve;
        return free ? mask.fill().bits() : mask.clear().add(end[ending]).bits();
      }
      if (first && !open && begin >= 0) {
        return mask.clear().addAll(now.allowed()).add(begin).bits();
      }
      return now.allowed();
    }

    @Override
    public boolean mayEnd() {
      TokenConstraint now = inner;
      return now != null && now.mayEnd();
    }

    @Override
    public void accept(int token) {
      left--;
      TokenConstraint now = inner;
      boolean thinks = first && !open && token == begin;
      first = false;
      if (thinks) {
        inner = null;
      } else if (now != null) {
        now.accept(token);
      } else {
        thought(token);
      }
    }

    private void thought(int token) {
      boolean forced = ending > 0 || left < reserve;
      ending = forced ? ending + 1 : 0;
      if (tail.accept(token) >= 0 || ending == end.length) {
        inner = then.within(Math.max(0, left)).start();
      }
    }
  }
}
