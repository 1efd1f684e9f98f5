package io.kvasir.compute;

import java.util.Arrays;

/// Cosines and sines of rotary position embedding (Su et al., arXiv 2104.09864), made page by page
/// as positions come into use.
///
/// Angles are `position * inverseFrequency[i]` in f32, as the reference implementations compute
/// them; `magnitude` multiplies both (YaRN's attention factor, arXiv 2309.00071).
///
/// [#ensure] is called by one thread before a pass; reads may then run in parallel.
public final class RopeTable {
  private static final int PAGE_POSITIONS = 256;

  private final float[] inverseFrequencies;
  private final float magnitude;
  private float[][] pages = new float[0][];

  public RopeTable(float[] inverseFrequencies, float magnitude) {
    this.inverseFrequencies = inverseFrequencies.clone();
    this.magnitude = magnitude;
  }

  /// Pairs of elements that are rotated.
  public int pairs() {
    return inverseFrequencies.length;
  }

  /// The angle by which a position more turns pair `pair`, in radians.
  public float inverseFrequency(int pair) {
    return inverseFrequencies[pair];
  }

  /// The factor of all cosines and sines.
  public float magnitude() {
    return magnitude;
  }

  /// Makes positions `0 .. last` available.
  public void ensure(int last) {
    int wanted = last / PAGE_POSITIONS + 1;
    if (wanted <= pages.length) {
      return;
    }
    float[][] grown = Arrays.copyOf(pages, wanted);
    for (int page = pages.length; page < wanted; page++) {
      grown[page] = page(page * PAGE_POSITIONS);
    }
    pages = grown;
  }

  /// The array that holds the position's values; see [#offset].
  public float[] pageOf(int position) {
    return pages[position / PAGE_POSITIONS];
  }

  /// Where the position's [#pairs] cosines start in its page; its sines follow them.
  public int offset(int position) {
    return position % PAGE_POSITIONS * 2 * pairs();
  }

  private float[] page(int firstPosition) {
    int pairs = pairs();
    float[] page = new float[PAGE_POSITIONS * 2 * pairs];
    for (int p = 0; p < PAGE_POSITIONS; p++) {
      for (int i = 0; i < pairs; i++) {
        float angle = (firstPosition + p) * inverseFrequencies[i];
        page[(2 * p) * pairs + i] = (float) Math.cos(angle) * magnitude;
        page[(2 * p + 1) * pairs + i] = (float) Math.sin(angle) * magnitude;
      }
    }
    return page;
  }
}
