package io.kvasir.cli.eval;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// Formats against each other on the model that comes with Kvasir.
class FidelityRunTest {
  private static final Path MODEL =
      Path.of(System.getProperty("kvasir.root", ".."))
          .resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");

  private static final List<KvRecipe> RECIPES =
      List.of(KvRecipe.of(KvFormat.F32), KvRecipe.of(KvFormat.F16), KvRecipe.of(KvFormat.BF16));

  private static List<Document> documents() {
    SplittableRandom random = new SplittableRandom(11);
    int[] ids = random.ints(150, 3, 8192).toArray();
    return Texts.cut("random", ids, 80);
  }

  private static List<FidelityRun.Result> measure(int passRows, int blockTokens) {
    Transformer.Rows rows = new Transformer.Rows(passRows, Math.min(passRows, 32));
    try (Backend backend = new CpuBackend(2);
        Model model = Model.open(MODEL, backend, rows, 0)) {
      EvalSubject subject =
          new EvalSubject(model.transformer(), backend, blockTokens, KvProfile.NONE);
      try (FidelityRun run = new FidelityRun(subject, RECIPES, 80)) {
        return run.measure(documents(), text -> {});
      }
    }
  }

  @Test
  void measure_rawFormats_loseInOrderOfTheirPrecision() {
    List<FidelityRun.Result> results = measure(64, 64);

    FidelityFigures control = results.get(0).figures();
    FidelityFigures same = results.get(1).figures();
    FidelityFigures half = results.get(2).figures();
    FidelityFigures brain = results.get(3).figures();
    assertThat(control.tokens()).isEqualTo(148);
    assertThat(control.divergence().max()).isZero();
    assertThat(same.divergence().max()).isZero();
    assertThat(same.sameTop()).isEqualTo(1);
    assertThat(half.divergence().mean()).isBetween(1e-9, 1e-4);
    assertThat(brain.divergence().mean()).isGreaterThan(8 * half.divergence().mean());
    assertThat(half.perplexity()).isNotEqualTo(same.perplexity());
  }

  @Test
  void measure_countsBytes() {
    List<FidelityRun.Result> results = measure(64, 64);

    CacheSize half = results.get(2).size();
    assertThat(half.perToken()).isEqualTo(4096);
    // 79 tokens were read, in two blocks of 64.
    assertThat(half.tokens()).isEqualTo(79);
    assertThat(half.held()).isEqualTo(2 * 64 * 4096);
  }

  @Test
  void measure_inOnePassOrTokenByToken_isTheSameToTheBit() {
    List<FidelityRun.Result> whole = measure(128, 64);

    assertThat(measure(1, 64).stream().map(FidelityRun.Result::figures))
        .isEqualTo(whole.stream().map(FidelityRun.Result::figures).toList());
  }
}
