package io.kvasir.server.shape;

import io.kvasir.engine.TokenConstraint;
import io.kvasir.model.tokenizer.Tokenizer;
import org.jspecify.annotations.Nullable;

/// Any thoughts up to `</think>`, then a shape.
///
/// @param open whether the prompt has begun the thoughts; else the answer may begin them, where the
///   vocabulary has `<think>` as one token
record ThoughtShape(Shape then, boolean open, Tokenizer tokenizer) implements Shape {

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
    private final Tail tail = new Tail(tokenizer, "</think>");
    private final int begin = tokenizer.idOf("<think>").orElse(-1);
    private int left;
    private boolean first = true;
    private @Nullable TokenConstraint inner;

    Constraint(int maxTokens) {
      left = maxTokens;
      inner = open ? null : then.within(maxTokens).start();
    }

    @Override
    public long[] allowed() {
      TokenConstraint now = inner;
      if (now == null) {
        return mask.fill().bits();
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
      } else if (tail.accept(token) >= 0) {
        inner = then.within(Math.max(0, left)).start();
      }
    }
  }
}
