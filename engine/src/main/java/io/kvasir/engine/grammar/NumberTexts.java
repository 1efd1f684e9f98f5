package io.kvasir.engine.grammar;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;

/// The JSON texts of the numbers of a range, as regular expressions over digits. Lengths are
/// bounded, so that no number goes on for ever: [#DIGITS] digits before the point, or as many as
/// the bounds have, and [#FRACTION] behind it.
final class NumberTexts {
  static final int DIGITS = 16;
  static final int FRACTION = 16;
  static final int MAX_DIGITS = 100;

  private static final Regex DIGIT = Regex.chars('0', '9');
  private static final Regex NONZERO = Regex.chars('1', '9');
  private static final Regex MINUS = Regex.literal("-");
  private static final Regex NOTHING = new Regex.Alt(List.of());

  private final int digits;

  private NumberTexts(int digits) {
    this.digits = digits;
  }

  /// Bounds of a number.
  ///
  /// @param low the least value, or `null`
  /// @param lowOpen whether `low` itself is out
  /// @param high the greatest value, or `null`
  /// @param highOpen whether `high` itself is out
  record Range(
      @org.jspecify.annotations.Nullable BigDecimal low,
      boolean lowOpen,
      @org.jspecify.annotations.Nullable BigDecimal high,
      boolean highOpen) {
    static final Range ALL = new Range(null, false, null, false);

    boolean holds(BigDecimal value) {
      int toLow = low == null ? 1 : value.compareTo(low);
      int toHigh = high == null ? -1 : value.compareTo(high);
      return (lowOpen ? toLow > 0 : toLow >= 0) && (highOpen ? toHigh < 0 : toHigh <= 0);
    }

    /// Whether no number is in both.
    boolean misses(Range other) {
      return above(other) || other.above(this);
    }

    private boolean above(Range other) {
      if (low == null || other.high == null) {
        return false;
      }
      int order = low.compareTo(other.high);
      return order > 0 || order == 0 && (lowOpen || other.highOpen);
    }

    int digits() {
      int most = DIGITS;
      for (BigDecimal bound : new @org.jspecify.annotations.Nullable BigDecimal[] {low, high}) {
        if (bound != null) {
          most = Math.max(most, bound.precision() - bound.scale() + 1);
          if (most > MAX_DIGITS || bound.scale() > MAX_DIGITS) {
            throw new GrammarException(
                "a bound of a number has more than " + MAX_DIGITS + " digits");
          }
        }
      }
      return most;
    }
  }

  /// The integers of `range` that are multiples of each of `factors`.
  static CharDfa integers(Range range, List<BigInteger> factors, Budget budget) {
    NumberTexts texts = new NumberTexts(range.digits());
    List<CharDfa> parts = new ArrayList<>();
    parts.add(RegexDfa.whole(texts.allIntegers(), budget));
    if (range.low() != null) {
      BigInteger low = range.low().setScale(0, RoundingMode.CEILING).toBigInteger();
      boolean skip = range.lowOpen() && new BigDecimal(low).compareTo(range.low()) == 0;
      parts.add(RegexDfa.whole(texts.integersFrom(skip ? low.add(BigInteger.ONE) : low), budget));
    }
    if (range.high() != null) {
      BigInteger high = range.high().setScale(0, RoundingMode.FLOOR).toBigInteger();
      boolean skip = range.highOpen() && new BigDecimal(high).compareTo(range.high()) == 0;
      parts.add(
          RegexDfa.whole(texts.integersTo(skip ? high.subtract(BigInteger.ONE) : high), budget));
    }
    for (BigInteger factor : factors) {
      parts.add(multiples(factor, budget));
    }
    return CharDfa.intersection(parts, budget);
  }

  /// The numbers of `range`, with at most `places` digits behind the point; with an exponent only
  /// where nothing bounds them.
  static CharDfa decimals(Range range, int places, Budget budget) {
    NumberTexts texts = new NumberTexts(range.digits());
    boolean free = range.low() == null && range.high() == null && places >= FRACTION;
    Regex fraction = places == 0 ? Regex.EMPTY : texts.fraction(places);
    Regex plain = Regex.seq(Regex.optional(MINUS), texts.natural(), fraction);
    if (free) {
      Regex sign = Regex.optional(new Regex.Chars(CharSet.ofChars("+-")));
      Regex exponent =
          Regex.seq(new Regex.Chars(CharSet.ofChars("eE")), sign, Regex.times(DIGIT, 1, 2));
      plain = Regex.seq(plain, Regex.optional(exponent));
    }
    List<CharDfa> parts = new ArrayList<>();
    parts.add(RegexDfa.whole(plain, budget));
    if (range.low() != null) {
      parts.add(RegexDfa.whole(texts.decimalsFrom(range.low(), range.lowOpen()), budget));
    }
    if (range.high() != null) {
      parts.add(RegexDfa.whole(texts.decimalsTo(range.high(), range.highOpen()), budget));
    }
    return CharDfa.intersection(parts, budget);
  }

  private Regex natural() {
    return Regex.alt(Regex.literal("0"), Regex.seq(NONZERO, Regex.times(DIGIT, 0, digits - 1)));
  }

  private Regex positive() {
    return Regex.seq(NONZERO, Regex.times(DIGIT, 0, digits - 1));
  }

  private Regex allIntegers() {
    return Regex.alt(natural(), Regex.seq(MINUS, positive()));
  }

  private Regex integersFrom(BigInteger low) {
    if (low.signum() >= 0) {
      return naturalsFrom(low);
    }
    return Regex.alt(natural(), Regex.seq(MINUS, positivesTo(low.negate())));
  }

  private Regex integersTo(BigInteger high) {
    if (high.signum() < 0) {
      return Regex.seq(MINUS, naturalsFrom(high.negate()));
    }
    return Regex.alt(Regex.literal("0"), positivesTo(high), Regex.seq(MINUS, positive()));
  }

  /// The naturals of at least `low`, which is not negative.
  private Regex naturalsFrom(BigInteger low) {
    if (low.signum() == 0) {
      return natural();
    }
    String text = low.toString();
    List<Regex> branches = new ArrayList<>();
    branches.add(Regex.literal(text));
    for (int i = 0; i < text.length(); i++) {
      branches.add(
          Regex.seq(
              Regex.literal(text.substring(0, i)),
              Regex.chars(text.charAt(i) + 1, '9'),
              exactly(text.length() - i - 1)));
    }
    if (text.length() < digits) {
      branches.add(Regex.seq(NONZERO, Regex.times(DIGIT, text.length(), digits - 1)));
    }
    return new Regex.Alt(branches);
  }

  /// The positive integers of at most `high`; none where that is 0.
  private Regex positivesTo(BigInteger high) {
    if (high.signum() == 0) {
      return NOTHING;
    }
    String text = high.toString();
    List<Regex> branches = new ArrayList<>();
    branches.add(Regex.literal(text));
    for (int i = 0; i < text.length(); i++) {
      branches.add(
          Regex.seq(
              Regex.literal(text.substring(0, i)),
              Regex.chars(i == 0 ? '1' : '0', text.charAt(i) - 1),
              exactly(text.length() - i - 1)));
    }
    if (text.length() > 1) {
      branches.add(Regex.seq(NONZERO, Regex.times(DIGIT, 0, text.length() - 2)));
    }
    return new Regex.Alt(branches);
  }

  private static Regex exactly(int count) {
    return Regex.times(DIGIT, count, count);
  }

  private Regex fraction(int places) {
    return Regex.optional(Regex.seq(Regex.literal("."), Regex.times(DIGIT, 1, places)));
  }

  private Regex decimalsFrom(BigDecimal low, boolean open) {
    if (low.signum() >= 0) {
      return magnitudesFrom(low, open);
    }
    return Regex.alt(
        magnitudesFrom(BigDecimal.ZERO, false), Regex.seq(MINUS, magnitudesTo(low.negate(), open)));
  }

  private Regex decimalsTo(BigDecimal high, boolean open) {
    if (high.signum() < 0) {
      return Regex.seq(MINUS, magnitudesFrom(high.negate(), open));
    }
    Regex negative = Regex.seq(MINUS, magnitudesFrom(BigDecimal.ZERO, true));
    return high.signum() == 0 && open ? negative : Regex.alt(negative, magnitudesTo(high, open));
  }

  /// The unsigned decimals of at least `low`, more than that where `open`.
  private Regex magnitudesFrom(BigDecimal low, boolean open) {
    BigInteger whole = low.toBigInteger();
    return Regex.alt(
        Regex.seq(naturalsFrom(whole.add(BigInteger.ONE)), fraction(FRACTION)),
        Regex.seq(Regex.literal(whole.toString()), fractionFrom(fractionOf(low), open)));
  }

  /// The unsigned decimals of at most `high`, less than that where `open`. A negative zero may come
  /// out of this, which is no less than zero; the caller asks for it only where zero is in range.
  private Regex magnitudesTo(BigDecimal high, boolean open) {
    BigInteger whole = high.toBigInteger();
    List<Regex> branches = new ArrayList<>();
    if (whole.signum() > 0) {
      branches.add(
          Regex.seq(
              Regex.alt(Regex.literal("0"), positivesTo(whole.subtract(BigInteger.ONE))),
              fraction(FRACTION)));
    }
    branches.add(Regex.seq(Regex.literal(whole.toString()), fractionTo(fractionOf(high), open)));
    return new Regex.Alt(branches);
  }

  /// The digits of the fraction without zeros at the end.
  private static String fractionOf(BigDecimal value) {
    BigDecimal fraction = value.remainder(BigDecimal.ONE).abs().stripTrailingZeros();
    if (fraction.signum() == 0) {
      return "";
    }
    String text = fraction.toPlainString();
    return text.substring(text.indexOf('.') + 1);
  }

  private Regex fractionFrom(String low, boolean open) {
    Regex tail = Regex.times(DIGIT, 0, FRACTION - 1);
    Regex positive = Regex.seq(Regex.times(Regex.literal("0"), 0, FRACTION - 1), NONZERO, tail);
    if (low.isEmpty()) {
      return open ? Regex.seq(Regex.literal("."), positive) : fraction(FRACTION);
    }
    List<Regex> branches = new ArrayList<>();
    for (int i = 0; i < low.length(); i++) {
      branches.add(
          Regex.seq(
              Regex.literal("." + low.substring(0, i)), Regex.chars(low.charAt(i) + 1, '9'), tail));
    }
    branches.add(Regex.seq(Regex.literal("." + low), open ? positive : tail));
    return new Regex.Alt(branches);
  }

  private Regex fractionTo(String high, boolean open) {
    if (high.isEmpty()) {
      return open ? NOTHING : Regex.EMPTY;
    }
    Regex tail = Regex.times(DIGIT, 0, FRACTION - 1);
    List<Regex> branches = new ArrayList<>();
    branches.add(Regex.EMPTY);
    for (int i = 0; i < high.length(); i++) {
      String before = "." + high.substring(0, i);
      if (i > 0) {
        branches.add(Regex.literal(before));
      }
      branches.add(Regex.seq(Regex.literal(before), Regex.chars('0', high.charAt(i) - 1), tail));
    }
    if (!open) {
      branches.add(Regex.literal("." + high));
    }
    return new Regex.Alt(branches);
  }

  /// The multiples of `factor` without leading zeros: a state for each remainder.
  private static CharDfa multiples(BigInteger factor, Budget budget) {
    if (factor.bitLength() > 14) {
      throw new GrammarException("a multipleOf of " + factor + " is more than 16383");
    }
    int m = factor.intValueExact();
    // States: 0 start, 1 behind the sign, 2 zero, 3 + r a number of remainder r.
    CharDfa.Builder builder = new CharDfa.Builder(budget);
    builder.state(CharDfa.NO_LABEL);
    builder.edge('-', '-', 1);
    builder.edge('0', '0', 2);
    for (int d = 1; d <= 9; d++) {
      builder.edge('0' + d, '0' + d, 3 + d % m);
    }
    builder.state(CharDfa.NO_LABEL);
    for (int d = 1; d <= 9; d++) {
      builder.edge('0' + d, '0' + d, 3 + d % m);
    }
    builder.state(0);
    for (int r = 0; r < m; r++) {
      budget.states(1);
      builder.state(r == 0 ? 0 : CharDfa.NO_LABEL);
      for (int d = 0; d <= 9; d++) {
        builder.edge('0' + d, '0' + d, 3 + (10 * r + d) % m);
      }
    }
    return builder.build();
  }
}
