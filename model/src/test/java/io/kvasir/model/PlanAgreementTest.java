package io.kvasir.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.plan.FileShape;
import io.kvasir.model.plan.ModelShape;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/// The planner, which knows configurations only, and the cache layout of the loaded model agree.
class PlanAgreementTest {

  @Test
  void bytesPerToken_referenceModels_areThoseOfTheLayout() throws IOException {
    Path cases = root().resolve("../shared/reference/hf").normalize();
    Assumptions.assumeTrue(
        Files.isDirectory(cases), "[no-reference-data] " + cases + " is not there");
    compare(cases);
  }

  @Test
  void bytesPerToken_ownCases_areThoseOfTheLayout() throws IOException {
    compare(root().resolve("acceptance/src/test/cases"));
  }

  private static Path root() {
    return Path.of(System.getProperty("kvasir.root", "..")).toAbsolutePath();
  }

  private static void compare(Path cases) throws IOException {
    List<String> wrong = new ArrayList<>();
    int compared = 0;
    try (DirectoryStream<Path> folders = Files.newDirectoryStream(cases, Files::isDirectory)) {
      for (Path folder : folders) {
        ModelShape planned = FileShape.read(folder);
        try (ModelSource source = ModelSource.open(folder, 0)) {
          long laidOut =
              source.model().kvLayout(16, KvRecipe.of(KvFormat.F16)).payloadBytesPerToken();
          double expected = planned.kv().bytesPerToken(KvRecipe.named("f16"));
          compared++;
          if (laidOut != expected) {
            wrong.add(folder.getFileName() + ": laid out " + laidOut + ", planned " + expected);
          }
        } catch (UnsupportedModelException e) {
          // Recurrent hybrids: the planner knows them, the transformer does not.
        }
      }
    }
    assertThat(compared).isGreaterThanOrEqualTo(40);
    assertThat(wrong).isEmpty();
  }

  @Test
  void bytes_exactRowsBesideCodes_areThoseOfTheBlocks() {
    Path file = root().resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");
    try (ModelSource source = ModelSource.open(file, 0)) {
      for (String name : List.of("f16", "int8", "int4", "k8v4", "int8+t0", "int4+t256")) {
        KvRecipe recipe = KvRecipe.named(name);
        KvLayout layout = source.model().kvLayout(64, recipe);
        for (int tokens : new int[] {64, 500, 4096, 20_000}) {
          double held = (double) layout.blocksFor(tokens, 1) * layout.blockBytes();
          assertThat(held / FileShape.read(file).kv().bytes(tokens, recipe, 64))
              .as("%s, %d tokens", name, tokens)
              // The planner does not count the padding of blocks of exact rows.
              .isBetween(1.0, 1.01 + 0.25 * 512 / Math.max(tokens, 512));
        }
      }
    }
  }

  @Test
  void bytesPerToken_defaultModelAsGguf_isThatOfTheLayout() {
    Path file =
        Path.of(System.getProperty("kvasir.root", ".."))
            .resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");
    try (ModelSource source = ModelSource.open(file, 0)) {
      for (KvFormat format : KvFormat.ALL) {
        KvRecipe recipe = KvRecipe.named(format.name() + "[-1=k8v4;0,2=lm3]");
        assertThat((double) source.model().kvLayout(64, recipe).payloadBytesPerToken())
            .as(recipe.name())
            .isEqualTo(FileShape.read(file).kv().bytesPerToken(recipe));
      }
    }
  }
}
