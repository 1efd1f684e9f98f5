package io.kvasir.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.kvasir.compute.ReferenceBackend;
import io.kvasir.model.file.ModelFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A configuration with any one setting replaced opens, or is refused in a sentence; memory follows
/// the weights, whatever the configuration says.
class HostileConfigTest {
  private static final Pattern SETTING =
      Pattern.compile("\"(\\w+)\": ([-0-9.e+]+|true|false|\\[[^\\]]*\\]|\\{[^{}]*\\})");
  private static final List<String> VALUES =
      List.of("0", "-1", "7", "2000000000", "9e99", "\"x\"", "[]", "[[1]]", "{}", "true", "null");

  @TempDir Path temporary = Path.of("");

  @Test
  void open_anySettingReplaced_opensOrIsRefused() throws IOException {
    int refused = 0;
    for (String name : List.of("llama4_text", "mpt", "bailing_moe_v2")) {
      refused += mutate(name);
    }
    assertThat(refused).isGreaterThan(300);
  }

  private int mutate(String name) throws IOException {
    Path source =
        Path.of(System.getProperty("kvasir.root", ".."), "acceptance/src/test/cases", name);
    Path folder = Files.createDirectories(temporary.resolve(name));
    Files.copy(source.resolve("model.safetensors"), folder.resolve("model.safetensors"));
    String config = Files.readString(source.resolve("config.json"));
    int refused = 0;
    Matcher setting = SETTING.matcher(config);
    while (setting.find()) {
      for (String value : VALUES) {
        String before = config.substring(0, setting.start(2));
        Files.writeString(
            folder.resolve("config.json"), before + value + config.substring(setting.end(2)));
        refused += isRefused(folder, name + " " + setting.group(1) + "=" + value) ? 1 : 0;
      }
    }
    return refused;
  }

  private static boolean isRefused(Path folder, String what) {
    try (ReferenceBackend backend = new ReferenceBackend()) {
      Model.open(folder, backend, new Transformer.Rows(1, 1), 0).close();
      return false;
    } catch (ModelFormatException | UnsupportedModelException e) {
      assertThat(e.getMessage()).as(what).isNotBlank();
      return true;
    } catch (RuntimeException | OutOfMemoryError e) {
      return fail(what + ": " + e, e);
    }
  }
}
