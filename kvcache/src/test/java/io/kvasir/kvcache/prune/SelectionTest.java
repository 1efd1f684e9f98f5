package io.kvasir.kvcache.prune;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

final class SelectionTest {
  private static final long SEED = 7;

  private record Row(int layer, int head, int position, float score) {}

  /// What stays, by sorting lists of rows.
  private static List<Set<Integer>> plain(
      PruneScope scope, Budgets budgets, int[][][] positions, float[][][] scores) {
    List<Set<Integer>> kept = new ArrayList<>();
    List<Row> left = new ArrayList<>();
    int heads = 0;
    for (int layer = 0; layer < positions.length; layer++) {
      List<Row> leftHere = new ArrayList<>();
      int layerKept = 0;
      for (int head = 0; head < positions[layer].length; head++) {
        Set<Integer> stays = new TreeSet<>();
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < positions[layer][head].length; i++) {
          int position = positions[layer][head][i];
          if (position < scope.first() || position >= scope.end()) {
            if (position < scope.tokens()) {
              stays.add(position);
            }
          } else {
            float score = scores[layer][head][i];
            if (budgets == Budgets.SHARED) {
              score = 0;
              for (float[] other : scores[layer]) {
                score += other[i] / scores[layer].length;
              }
            }
            rows.add(new Row(layer, head, position, score));
          }
        }
        rows.sort(
            Comparator.comparingDouble(Row::score).thenComparingInt(Row::position).reversed());
        int sure =
            switch (budgets) {
              case HEAD, SHARED -> scope.keep();
              case LAYER -> scope.keep() / 5;
              case MODEL -> 0;
            };
        sure = Math.min(sure, rows.size());
        rows.subList(0, sure).forEach(row -> stays.add(row.position));
        layerKept += sure;
        leftHere.addAll(rows.subList(sure, rows.size()));
        kept.add(stays);
        heads++;
      }
      if (budgets == Budgets.LAYER) {
        addBest(leftHere, positions[layer].length * scope.keep() - layerKept, positions, kept);
      }
      left.addAll(leftHere);
    }
    if (budgets == Budgets.MODEL) {
      addBest(left, heads * scope.keep(), positions, kept);
    }
    return kept;
  }

  private static void addBest(
      List<Row> rows, int count, int[][][] positions, List<Set<Integer>> kept) {
    rows.sort(
        Comparator.comparingDouble(Row::score)
            .thenComparingInt(Row::layer)
            .thenComparingInt(Row::head)
            .thenComparingInt(Row::position)
            .reversed());
    for (Row row : rows.subList(0, Math.min(count, rows.size()))) {
      int at = row.head;
      for (int layer = 0; layer < row.layer; layer++) {
        at += positions[layer].length;
      }
      kept.get(at).add(row.position);
    }
  }

  @Test
  void select_randomScores_keepsWhatSortingKeeps() {
    SplittableRandom random = new SplittableRandom(SEED);
    List<Budgets> kinds = List.of(Budgets.values());
    for (int round = 0; round < 400; round++) {
      Budgets budgets = kinds.get(round % kinds.size());
      int length = 1 + random.nextInt(400);
      double ratio = random.nextInt(10) / 10.0;
      PruneOptions options = new PruneOptions("random", ratio, random.nextInt(30));
      PruneScope scope = PruneScope.of(length, 16, options);
      int[][][] positions = new int[1 + random.nextInt(3)][][];
      float[][][] scores = new float[positions.length][][];
      boolean fewScores = random.nextBoolean();
      for (int layer = 0; layer < positions.length; layer++) {
        int heads = random.nextInt(4);
        positions[layer] = new int[heads][];
        scores[layer] = new float[heads][];
        int[] shared = positions(random, length);
        for (int head = 0; head < heads; head++) {
          int[] own = budgets == Budgets.SHARED ? shared : positions(random, length);
          positions[layer][head] = own;
          scores[layer][head] = new float[own.length];
          for (int i = 0; i < own.length; i++) {
            scores[layer][head][i] = fewScores ? random.nextInt(3) : (float) random.nextGaussian();
          }
        }
      }
      int[][][] kept = Selection.select(scope, budgets, positions, scores);
      List<Set<Integer>> expected = plain(scope, budgets, positions, scores);
      int at = 0;
      for (int layer = 0; layer < positions.length; layer++) {
        for (int head = 0; head < positions[layer].length; head++) {
          assertThat(kept[layer][head])
              .as("round %d, seed %d, %s, %s", round, SEED, budgets, scope)
              .containsExactly(expected.get(at++).stream().mapToInt(Integer::intValue).toArray());
        }
        assertThat(kept[layer].length).isEqualTo(positions[layer].length);
      }
    }
  }

  private static int[] positions(SplittableRandom random, int length) {
    int[] all = new int[length];
    int count = 0;
    for (int position = 0; position < length; position++) {
      if (position < 4 || random.nextInt(5) > 0) {
        all[count++] = position;
      }
    }
    return Arrays.copyOf(all, count);
  }

  @Test
  void select_notANumber_goesFirst() {
    PruneScope scope = new PruneScope(16, 4, 8, 3);
    int[][][] positions = {{{0, 1, 2, 3, 4, 5, 6, 7}}};
    float[][][] scores = {{{0, 0, 0, 0, 1, Float.NaN, Float.NEGATIVE_INFINITY, -1}}};
    int[][][] kept = Selection.select(scope, Budgets.HEAD, positions, scores);
    assertThat(kept[0][0]).containsExactly(0, 1, 2, 3, 4, 6, 7);
  }

  @Test
  void scope_ofLength_pinsSinksRecentAndOpenBlock() {
    PruneOptions half = PruneOptions.parse("random:0.5");
    assertThat(PruneScope.of(1000, 64, half)).isEqualTo(new PruneScope(960, 4, 936, 466));
    assertThat(PruneScope.of(1000, 64, half.withPinned(100)))
        .isEqualTo(new PruneScope(960, 100, 936, 418));
    assertThat(PruneScope.of(68, 16, half).isEmpty()).isTrue();
    assertThat(PruneScope.of(70, 16, half).isEmpty()).isFalse();
    assertThat(PruneScope.of(10, 64, half).isEmpty()).isTrue();
    assertThat(PruneScope.of(78, 16, PruneOptions.parse("random:0.7")).keep()).isEqualTo(3);
  }
}
