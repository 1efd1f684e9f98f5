package io.kvasir.kvcache.format;

/// Which positions a query reads exactly (f16, in the layer's basis) although the layer is coded.
///
/// The choice depends on positions only, never on how a prompt was cut into chunks: a query at `p`
/// reads exactly the first `sinks` positions and those from `exactFrom(p)` on, on a grid of [#GRID]
/// positions. So a cached prefix and a computed one give the same results.
///
/// @param sinks positions from the start; a multiple of [#GRID]
/// @param tail at least so many positions before the query's own grid cell; a multiple of [#GRID].
///   -1 for none, not even those of the own cell
public record ExactRows(int sinks, int tail) {
  /// Boundaries between exact and coded positions are multiples of this.
  public static final int GRID = 64;

  /// Everything is read from codes.
  public static final ExactRows NONE = new ExactRows(0, -1);

  public ExactRows {
    if (sinks < 0 || sinks % GRID != 0) {
      throw new IllegalArgumentException("exact sinks must be a multiple of 64 tokens: " + sinks);
    }
    if (tail != -1 && (tail < 0 || tail % GRID != 0)) {
      throw new IllegalArgumentException("an exact tail must be a multiple of 64 tokens: " + tail);
    }
  }

  public boolean isNone() {
    return sinks == 0 && tail < 0;
  }

  public boolean hasTail() {
    return tail >= 0;
  }

  /// The first position of the exact tail of a query; `position + 1` where there is none.
  public int exactFrom(int position) {
    return tail < 0 ? position + 1 : Math.max(0, position / GRID * GRID - tail);
  }
}
