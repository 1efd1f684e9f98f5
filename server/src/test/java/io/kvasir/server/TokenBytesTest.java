package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.ModelSummary;
import io.kvasir.model.plan.FileShape;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What `/metrics` says a token takes is what the planner and `inspect` say.
final class TokenBytesTest {
  private static final Path MODEL =
      Path.of(System.getProperty("kvasir.root", ".."))
          .resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");

  @ParameterizedTest
  @ValueSource(strings = {"f16", "int8", "k8v4", "k4v2", "kivi4", "lm3", "int4[0,-1=int8;1=k8v4]"})
  void of_anyRecipe_isWhatThePlannerSays(String name) throws IOException {
    KvRecipe recipe = KvRecipe.named(name);
    KvLayout layout = ModelSummary.read(MODEL).config().kvLayout(64, recipe);
    Map<String, Double> bytes = TokenBytes.of(layout);

    double all = bytes.values().stream().mapToDouble(Double::doubleValue).sum();
    assertThat(all).isCloseTo(layout.bytesPerToken(), within(1e-6));
    double planned = FileShape.read(MODEL).kv().bytesPerToken(recipe);
    Double padding = bytes.get(",rows=\"padding\"");
    assertThat(padding).isNotNull();
    assertThat(all - (padding == null ? 0 : padding)).isCloseTo(planned, within(1e-6));
  }
}
