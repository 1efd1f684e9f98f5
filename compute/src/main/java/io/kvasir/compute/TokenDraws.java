package io.kvasir.compute;

/// How a token of each row of scores is drawn: those at least `minP` times as likely as the best,
/// of them the `topK` best, of them the fewest that together reach `topP` (arXiv 1904.09751), in
/// the order of their scores, then of their ids; then the one at which the sum of their
/// probabilities passes `uniform` times all of it.
public final class TokenDraws {
  private final float[] temperatures;
  private final int[] topK;
  private final float[] topP;
  private final float[] minP;
  private final double[] uniforms;

  /// Room for so many rows.
  public TokenDraws(int rows) {
    temperatures = new float[rows];
    topK = new int[rows];
    topP = new float[rows];
    minP = new float[rows];
    uniforms = new double[rows];
  }

  /// What may be drawn of a row.
  ///
  /// @param temperature divides the scores before; 0 takes the best, the first of equal ones
  /// @param topK 0 for all
  /// @param topP 1 for all
  /// @param minP 0 for all
  public record Rule(float temperature, int topK, float topP, float minP) {
    /// The best, the first of equal ones.
    public static final Rule BEST = new Rule(0, 0, 1, 0);

    /// Whether the best is taken, whatever the random number.
    public boolean takesBest() {
      return temperature == 0 || topK == 1;
    }
  }

  /// Sets how row `row` is drawn.
  ///
  /// @param uniform a random number in [0, 1)
  public void set(int row, Rule rule, double uniform) {
    temperatures[row] = rule.temperature();
    topK[row] = rule.topK();
    topP[row] = rule.topP();
    minP[row] = rule.minP();
    uniforms[row] = uniform;
  }

  public float temperature(int row) {
    return temperatures[row];
  }

  public int topK(int row) {
    return topK[row];
  }

  public float topP(int row) {
    return topP[row];
  }

  public float minP(int row) {
    return minP[row];
  }

  public double uniform(int row) {
    return uniforms[row];
  }
}
