package io.kvasir.kvcache.prune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class LinearScorerTest {

  @Test
  void solve_linearTargets_findsTheirWeights() {
    SplittableRandom random = new SplittableRandom(3);
    int features = 17;
    float[][] truth = new float[2][features + 1];
    for (float[] row : truth) {
      for (int i = 0; i < row.length; i++) {
        row[i] = (float) random.nextGaussian();
      }
    }
    RidgeFit fit = new RidgeFit(features, 2);
    float[] x = new float[features + 5];
    for (int sample = 0; sample < 500; sample++) {
      for (int i = 0; i < x.length; i++) {
        x[i] = (float) random.nextGaussian() + 2;
      }
      float[] y = new float[2];
      for (int t = 0; t < 2; t++) {
        y[t] = truth[t][features];
        for (int i = 0; i < features; i++) {
          y[t] += truth[t][i] * x[5 + i];
        }
      }
      fit.add(x, 5, y);
    }
    assertThat(fit.samples()).isEqualTo(500);
    float[][] found = fit.solve(1e-9);
    for (int t = 0; t < 2; t++) {
      for (int i = 0; i <= features; i++) {
        assertThat(found[t][i]).isCloseTo(truth[t][i], within(1e-3f));
      }
    }
    // A strong penalty leaves the constant alone, which becomes the mean of the targets.
    float[][] flat = fit.solve(1e9);
    assertThat(flat[0][0]).isCloseTo(0, within(1e-3f));
    assertThat(flat[0][features]).isNotCloseTo(0, within(0.1f));
  }

  @Test
  void read_whatWasWritten_isTheSame(@TempDir Path folder) throws IOException {
    SplittableRandom random = new SplittableRandom(4);
    float[][][] weights = new float[3][2][6];
    for (float[][] layer : weights) {
      for (float[] head : layer) {
        for (int i = 0; i < head.length; i++) {
          head[i] = (float) random.nextGaussian();
        }
      }
    }
    LinearScorer scorer = new LinearScorer(5, weights);
    Path file = folder.resolve("weights.kvzap");
    scorer.write(file);
    LinearScorer read = LinearScorer.read(file);
    assertThat(read.layers()).isEqualTo(3);
    assertThat(read.heads()).isEqualTo(2);
    assertThat(read.width()).isEqualTo(5);
    float[] hidden = {9, 1, 2, 3, 4, 5};
    float expected = weights[2][1][5];
    for (int i = 0; i < 5; i++) {
      expected += weights[2][1][i] * hidden[1 + i];
    }
    assertThat(read.score(2, 1, hidden, 1)).isEqualTo(scorer.score(2, 1, hidden, 1));
    assertThat(read.score(2, 1, hidden, 1)).isCloseTo(expected, within(1e-4f));
    refuseDamage(file);
  }

  private static void refuseDamage(Path file) throws IOException {
    byte[] good = Files.readAllBytes(file);
    SplittableRandom random = new SplittableRandom(5);
    for (int round = 0; round < 200; round++) {
      byte[] bad = good.clone();
      if (round % 2 == 0) {
        bad = Arrays.copyOf(bad, random.nextInt(bad.length));
      } else {
        bad[random.nextInt(20)] ^= (byte) (1 << random.nextInt(8));
      }
      Files.write(file, bad);
      assertThatThrownBy(() -> LinearScorer.read(file))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("weights.kvzap");
    }
  }
}
