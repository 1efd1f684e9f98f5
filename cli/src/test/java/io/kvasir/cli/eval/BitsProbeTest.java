package io.kvasir.cli.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.engine.Calibration;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// Formats that a probe chooses for the model that comes with Kvasir.
class BitsProbeTest {
  private static final Path MODEL =
      Path.of(System.getProperty("kvasir.root", ".."))
          .resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");

  /// Keys and values of a token: 8 layers of 2 heads of 64.
  private static final int ELEMENTS = 2048;

  private static List<BitsProbe.Choice> choices(String... budgets) {
    int[] text = new SplittableRandom(3).ints(24, 3, 8192).toArray();
    List<Document> documents = List.of(new Document("random", text));
    try (Backend backend = new CpuBackend(2);
        Model model = Model.open(MODEL, backend, new Transformer.Rows(64, 32), 64)) {
      KvProfile profile = Calibration.measure(model.transformer(), backend, text);
      EvalSubject subject = new EvalSubject(model.transformer(), backend, 64, profile);
      return List.of(budgets).stream()
          .map(name -> new BitsProbe(subject).choose(BitsBudget.parse(name), documents, line -> {}))
          .toList();
    }
  }

  @Test
  void choose_keepsTheBudgetAndSpendsIt() {
    BitsProbe.Choice choice = choices("auto:5").getFirst();

    assertThat(choice.bytesPerToken()).isBetween(0.93 * 5 * ELEMENTS / 8, 5.0 * ELEMENTS / 8);
    assertThat(choice.expected()).isPositive();
    assertThat(KvRecipe.named(choice.recipe().name()).name()).isEqualTo(choice.recipe().name());
  }

  @Test
  void choose_enoughMemory_isInt8() {
    assertThat(choices("auto:4000B").getFirst().recipe().name()).isEqualTo("int8");
  }

  @Test
  void choose_tooLittle_isRefusedBeforeAnythingIsMeasured() {
    assertThatThrownBy(() -> choices("auto:2"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("512 bytes");
  }

  @Test
  void budget_isBitsOrBytes() {
    assertThat(BitsBudget.parse("auto").bytesPerToken(ELEMENTS)).isEqualTo(4.5 * 256);
    assertThat(BitsBudget.parse("auto:5.25").bytesPerToken(ELEMENTS)).isCloseTo(1344, within(1e-9));
    assertThat(BitsBudget.parse("auto:1200B").bytesPerToken(ELEMENTS)).isEqualTo(1200);
    for (String wrong : List.of("auto:", "auto:x", "auto:-1", "auto:0", "auto:NaN", "auto:B")) {
      assertThatThrownBy(() -> BitsBudget.parse(wrong)).hasMessageContaining("'" + wrong + "'");
    }
  }
}
