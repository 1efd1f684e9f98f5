package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.kvcache.prune.LinearScorer;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
final class ScorerTrainingTest {

  private static List<int[]> texts(int count, int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<int[]> texts = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int[] tokens = new int[120];
      Arrays.setAll(tokens, j -> 3 + random.nextInt(300));
      texts.add(tokens);
    }
    return texts;
  }

  private static LinearScorer train(List<int[]> texts, int rows) throws IOException {
    Path path = ReferenceModels.model("llama-gqa");
    try (Backend backend = new ReferenceBackend();
        Model model = Model.open(path, backend, new Transformer.Rows(rows, 1), 0)) {
      int[] seen = {0};
      LinearScorer scorer =
          ScorerTraining.train(model.transformer(), backend, texts, done -> seen[0] = done);
      assertThat(seen[0]).isEqualTo(texts.size());
      return scorer;
    }
  }

  @Test
  void train_twiceWithOtherSteps_isTheSame() throws IOException {
    LinearScorer scorer = train(texts(4, 1), 64);
    assertThat(scorer.layers()).isEqualTo(4);
    assertThat(scorer.heads()).isEqualTo(2);
    assertThat(scorer.width()).isEqualTo(64);
    LinearScorer again = train(texts(4, 1), 17);
    float[] hidden = new float[64];
    SplittableRandom random = new SplittableRandom(2);
    for (int round = 0; round < 20; round++) {
      for (int i = 0; i < hidden.length; i++) {
        hidden[i] = (float) random.nextGaussian();
      }
      float score = scorer.score(round % 4, round % 2, hidden, 0);
      assertThat(score).isFinite();
      assertThat(again.score(round % 4, round % 2, hidden, 0)).isEqualTo(score);
    }
    // A logarithm of a probability, on average.
    float constant = scorer.score(1, 1, new float[64], 0);
    assertThat(constant).isBetween(-15f, 0f);
  }
}
