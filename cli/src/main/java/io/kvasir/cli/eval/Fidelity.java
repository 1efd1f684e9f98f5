package io.kvasir.cli.eval;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// How far a cache's distributions over the next token are from those of an f32 cache, over all
/// measured tokens.
final class Fidelity {
  private double[] divergences = new double[1024];
  private int count;
  private int sameTops;
  private double squaredChanges;
  private double referenceLoss;
  private double testedLoss;
  private final List<double[]> documents = new ArrayList<>();
  private double documentChange;
  private int documentTokens;

  void add(ReferenceRows.Difference difference) {
    if (count == divergences.length) {
      divergences = Arrays.copyOf(divergences, 2 * count);
    }
    divergences[count++] = difference.divergence();
    sameTops += difference.sameTop() ? 1 : 0;
    double change = Math.exp(difference.tested()) - Math.exp(difference.reference());
    squaredChanges += change * change;
    referenceLoss -= difference.reference();
    testedLoss -= difference.tested();
    documentChange += difference.reference() - difference.tested();
    documentTokens++;
  }

  /// What is added from here on belongs to the next document.
  void endDocument() {
    if (documentTokens > 0) {
      documents.add(new double[] {documentChange, documentTokens});
    }
    documentChange = 0;
    documentTokens = 0;
  }

  int count() {
    return count;
  }

  double meanDivergence() {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += divergences[i];
    }
    return sum / count;
  }

  /// The smallest divergence that this part of the tokens does not exceed.
  double divergenceAt(double part) {
    double[] sorted = Arrays.copyOf(divergences, count);
    Arrays.sort(sorted);
    int rank = (int) Math.ceil(part * count);
    return sorted[Math.clamp(rank, 1, count) - 1];
  }

  double maxDivergence() {
    return divergenceAt(1);
  }

  /// Part of the tokens at which both find the same token the likeliest.
  double sameTop() {
    return (double) sameTops / count;
  }

  /// Root mean square of the change of the true token's probability.
  double rmsChange() {
    return Math.sqrt(squaredChanges / count);
  }

  double perplexity() {
    return Math.exp(testedLoss / count);
  }

  double referencePerplexity() {
    return Math.exp(referenceLoss / count);
  }

  /// Change of perplexity as a part of the reference's.
  Interval perplexityChange() {
    return Interval.ofRatio(documents).map(Math::expm1);
  }
}
