package io.kvasir.model.template;

/// Counts what one rendering has used and throws [TemplateException] at the first limit reached.
/// Every operation that makes a value larger than its inputs asks here before it allocates.
final class Budget {
  private static final int LONG_TEXT = 1 << 16;

  private final Limits limits;
  private long steps;
  private long characters;
  private int depth;

  Budget(Limits limits) {
    this.limits = limits;
  }

  Limits limits() {
    return limits;
  }

  void step() {
    if (++steps > limits.steps()) {
      throw tooManySteps();
    }
  }

  void steps(long count) {
    steps += count;
    if (steps > limits.steps()) {
      throw tooManySteps();
    }
  }

  /// Takes `count` characters of text that is about to be built.
  void characters(long count) {
    characters += count;
    if (characters > limits.characters() || characters < 0) {
      throw new TemplateException(
          "the template builds more than " + limits.characters() + " characters of values");
    }
    steps(count >> 6);
  }

  /// Takes what escaping `length` characters may add: six for one. Short texts are left to the
  /// count of what was built.
  void escapes(int length) {
    if (length > LONG_TEXT) {
      characters(6L * length);
    }
  }

  /// Takes `count` items of a list or dictionary that is about to be built.
  void items(long count) {
    if (count > Integer.MAX_VALUE) {
      throw tooManySteps();
    }
    characters(Limits.CHARACTERS_PER_ITEM * count);
    steps(count >> 2);
  }

  void enter() {
    step();
    if (++depth > limits.depth()) {
      throw new TemplateException(
          "the template nests or recurses deeper than " + limits.depth() + " levels");
    }
  }

  void leave() {
    depth--;
  }

  private TemplateException tooManySteps() {
    return new TemplateException("the template takes more than " + limits.steps() + " steps");
  }
}
