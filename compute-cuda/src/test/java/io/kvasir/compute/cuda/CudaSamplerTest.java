package io.kvasir.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.TokenDraws;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// Draws on the emulated driver against a plain sort.
final class CudaSamplerTest {
  private static final int STRIDE = 9000;

  @Test
  void draw_randomRows_takesTheTokenThatASortWouldTake() {
    long seed = new SplittableRandom().nextLong();
    SplittableRandom random = new SplittableRandom(seed);
    int rows = 24;
    int columns = 8500;
    float[] scores = new float[rows * STRIDE];
    TokenDraws draws = new TokenDraws(rows);
    float[] temperatures = {0, 0.2f, 1, 3, 50};
    int[] topK = {0, 1, 2, 40, 5000};
    float[] topP = {1, 0.95f, 0.5f, 1e-6f};
    float[] minP = {0, 0.05f};
    for (int r = 0; r < rows; r++) {
      float spread = r % 3 == 0 ? 0.01f : 3;
      for (int i = 0; i < columns; i++) {
        scores[r * STRIDE + i] = (float) random.nextGaussian() * spread;
      }
      // What lies behind the columns does not count, nor do numbers that are none.
      scores[r * STRIDE + columns] = 1000;
      scores[r * STRIDE + random.nextInt(columns)] = Float.NaN;
      scores[r * STRIDE + random.nextInt(columns)] = Float.NEGATIVE_INFINITY;
      // Equal scores come in the order of their ids.
      scores[r * STRIDE + random.nextInt(columns)] = 9;
      scores[r * STRIDE + random.nextInt(columns)] = 9;
      draws.set(
          r,
          new TokenDraws.Rule(
              temperatures[random.nextInt(temperatures.length)],
              topK[random.nextInt(topK.length)],
              topP[random.nextInt(topP.length)],
              minP[random.nextInt(minP.length)]),
          random.nextDouble());
    }
    int[] drawn = new int[rows];
    try (Backend backend = EmulatedDriver.open()) {
      Buffer buffer = backend.buffer(rows, STRIDE);
      backend.write(scores, buffer);
      assertThat(backend.draw(buffer, rows, columns, draws, drawn)).isTrue();
    }
    for (int r = 0; r < rows; r++) {
      assertThat(drawn[r])
          .as("row %d, seed %d", r, seed)
          .isEqualTo(expected(scores, r, columns, draws));
    }
  }

  @Test
  void draw_noScoreIsANumber_takesTheFirst() {
    float[] scores = new float[2 * 300];
    Arrays.fill(scores, Float.NaN);
    TokenDraws draws = new TokenDraws(2);
    draws.set(0, new TokenDraws.Rule(1, 0, 1, 0), 0.5);
    draws.set(1, new TokenDraws.Rule(0, 0, 1, 0), 0.5);
    int[] drawn = {-1, -1};
    try (Backend backend = EmulatedDriver.open()) {
      Buffer buffer = backend.buffer(2, 300);
      backend.write(scores, buffer);
      assertThat(backend.draw(buffer, 2, 300, draws, drawn)).isTrue();
    }
    assertThat(drawn).containsExactly(0, 0);
  }

  @Test
  void draw_often_hasTheProbabilitiesOfTheScores() {
    int rows = 1024;
    int columns = 24;
    float[] scores = new float[rows * columns];
    double[] expected = new double[columns];
    TokenDraws draws = new TokenDraws(rows);
    SplittableRandom random = new SplittableRandom(20);
    double sum = 0;
    for (int i = 0; i < columns; i++) {
      // A step of 0.3 at a temperature of 1.5; the 16 best are kept.
      expected[i] = i * 7 % columns < 16 ? Math.exp(-0.2 * (i * 7 % columns)) : 0;
      sum += expected[i];
    }
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < columns; i++) {
        scores[r * columns + i] = 3 - 0.3f * (i * 7 % columns);
      }
      draws.set(r, new TokenDraws.Rule(1.5f, 16, 1, 0), random.nextDouble());
    }
    int[] drawn = new int[rows];
    try (Backend backend = EmulatedDriver.open()) {
      Buffer buffer = backend.buffer(rows, columns);
      backend.write(scores, buffer);
      assertThat(backend.draw(buffer, rows, columns, draws, drawn)).isTrue();
    }
    int[] counts = new int[columns];
    for (int token : drawn) {
      counts[token]++;
    }
    double chiSquare = 0;
    for (int i = 0; i < columns; i++) {
      double wanted = rows * expected[i] / sum;
      if (wanted == 0) {
        assertThat(counts[i]).as("token %d was cut off", i).isZero();
      } else {
        chiSquare += (counts[i] - wanted) * (counts[i] - wanted) / wanted;
      }
    }
    // 15 degrees of freedom exceed 37.7 once in a thousand times; the numbers are always the same.
    assertThat(chiSquare).isLessThan(37.7);
  }

  private static int expected(float[] scores, int row, int columns, TokenDraws draws) {
    float temperature = draws.temperature(row);
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < columns; i++) {
      if (!Float.isNaN(scores[row * STRIDE + i])) {
        order.add(i);
      }
    }
    Comparator<Integer> byScore = Comparator.comparingDouble(i -> -scores[row * STRIDE + i]);
    order.sort(byScore.thenComparing(i -> i));
    if (temperature == 0) {
      return order.get(0);
    }
    float best = scores[row * STRIDE + order.get(0)];
    double[] weights = new double[order.size()];
    int end = order.size();
    for (int i = 0; i < weights.length; i++) {
      float score = scores[row * STRIDE + order.get(i)];
      weights[i] = Math.exp((score - best) / temperature);
      float floor = best - 21f * temperature;
      if (draws.minP(row) > 0) {
        floor = Math.max(floor, best + temperature * (float) Math.log(draws.minP(row)));
      }
      if (score < floor) {
        end = Math.min(end, i);
      }
    }
    end = draws.topK(row) > 0 ? Math.min(end, draws.topK(row)) : end;
    double total = 0;
    for (int i = 0; i < end; i++) {
      total += weights[i];
    }
    double kept = 0;
    int last = 0;
    while (last < end && (kept < total * draws.topP(row) || last == 0)) {
      kept += weights[last++];
    }
    double target = draws.uniform(row) * kept;
    for (int i = 0; i < last; i++) {
      target -= weights[i];
      if (target < 0) {
        return order.get(i);
      }
    }
    return order.get(last - 1);
  }
}
