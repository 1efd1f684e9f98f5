package io.kvasir.server.shape;

import io.kvasir.engine.TokenConstraint;
import org.jspecify.annotations.Nullable;

/// One answer's way through a [CallShape].
final class CallConstraint implements TokenConstraint {
  private enum State {
    /// Any text, in which the mark may come.
    TEXT,
    /// The first token of content that must have a shape, or of a call.
    START,
    /// Content of a shape.
    CONTENT,
    /// Within the text before a call.
    OPENING,
    /// Within a call.
    CALL,
    /// Within the text behind a call.
    CLOSING,
    /// Behind that.
    AFTER,
    /// Any text to the end.
    REST
  }

  private final CallShape shape;
  private final CallForm form;
  private final TokenMask mask;
  private final int[] closing;
  private final int[] again;
  private int[] opening;
  private Tail tail;
  private State state;
  private int at;
  private int left;
  private @Nullable TokenConstraint inner;

  CallConstraint(CallShape shape, int maxTokens) {
    this.shape = shape;
    this.form = shape.form();
    this.mask = new TokenMask(shape.tokenizer().vocabularySize());
    this.opening = shape.tokens(form.opening());
    this.closing = shape.tokens(form.closing());
    this.again = shape.tokens(form.between() + form.opening());
    this.tail = newTail();
    this.left = maxTokens;
    Shape content = shape.content();
    if (form.forced()) {
      state = State.OPENING;
      beginCallIfOpened();
    } else if (content != null) {
      state = State.START;
      inner = content.within(maxTokens).start();
    } else {
      state = State.TEXT;
    }
  }

  private Tail newTail() {
    return new Tail(shape.tokenizer(), form.mark());
  }

  @Override
  public long[] allowed() {
    return switch (state) {
      case TEXT, REST -> mask.fill().bits();
      case START -> {
        mask.clear().addAll(inner().allowed());
        yield opening.length > 0 ? mask.add(opening[0]).bits() : mask.bits();
      }
      case CONTENT -> inner().allowed();
      case OPENING -> mask.clear().add(opening[at]).bits();
      case CALL -> call();
      case CLOSING -> mask.clear().add(closing[at]).bits();
      case AFTER -> mayGoOn() ? mask.clear().add(again[0]).bits() : mask.clear().bits();
    };
  }

  /// What may come within a call, or behind it where it is complete.
  private long[] call() {
    TokenConstraint now = inner();
    if (now.mayEnd() && mayGoOn() && closing.length > 0) {
      return mask.clear().addAll(now.allowed()).add(closing[0]).bits();
    }
    return now.allowed();
  }

  /// Whether another call is welcome and fits.
  private boolean mayGoOn() {
    return form.several()
        && again.length > 0
        && left > closing.length + again.length + shape.call().enough();
  }

  private TokenConstraint inner() {
    TokenConstraint now = inner;
    if (now == null) {
      throw new IllegalStateException("nothing is within " + state);
    }
    return now;
  }

  @Override
  public boolean mayEnd() {
    return switch (state) {
      case TEXT, AFTER, REST -> true;
      case OPENING, CLOSING -> false;
      case START, CONTENT, CALL -> inner().mayEnd();
    };
  }

  @Override
  public void accept(int token) {
    left--;
    switch (state) {
      case TEXT -> text(token);
      case START -> start(token);
      case CONTENT -> inner().accept(token);
      case OPENING -> {
        at++;
        beginCallIfOpened();
      }
      case CALL -> inCall(token);
      case CLOSING -> closing();
      case AFTER -> {
        opening = again;
        state = State.OPENING;
        at = 1;
        beginCallIfOpened();
      }
      case REST -> {}
    }
  }

  private void text(int token) {
    int behind = tail.accept(token);
    if (behind < 0) {
      return;
    }
    tail = newTail();
    if (behind == 0) {
      opening = shape.tokens(form.gap());
      state = State.OPENING;
      at = 0;
      beginCallIfOpened();
    } else {
      state = State.REST; // The call's first bytes came with the mark, unchecked.
    }
  }

  private void start(int token) {
    boolean calls =
        opening.length > 0 && token == opening[0] && !TokenMask.has(inner().allowed(), token);
    if (!calls) {
      inner().accept(token);
      state = State.CONTENT;
      return;
    }
    state = State.OPENING;
    at = 1;
    beginCallIfOpened();
  }

  private void beginCallIfOpened() {
    if (at == opening.length) {
      state = State.CALL;
      inner = shape.call().within(Math.max(0, left)).start();
    }
  }

  private void inCall(int token) {
    TokenConstraint now = inner();
    if (now.mayEnd()
        && closing.length > 0
        && token == closing[0]
        && !TokenMask.has(now.allowed(), token)) {
      state = State.CLOSING;
      at = 0;
      closing();
    } else {
      now.accept(token);
    }
  }

  private void closing() {
    at++;
    if (at == closing.length) {
      state = form.forced() || shape.content() != null ? State.AFTER : State.TEXT;
    }
  }
}
