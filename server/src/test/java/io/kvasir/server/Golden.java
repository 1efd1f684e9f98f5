package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// Expected bodies, byte for byte but for ids, times and the last digits of scores. With the system
/// property `kvasir.golden.write` they are written instead of compared.
final class Golden {
  private static final Path FOLDER = Path.of("src/test/resources/io/kvasir/server/golden");
  private static final Pattern ID =
      Pattern.compile("\"(cmpl-|chatcmpl-|msg_|resp_|rs_|fc_|call_|req_)[0-9a-f]{32}\"");
  private static final Pattern TIME = Pattern.compile("\"(created|created_at)\":\\d+");
  private static final Pattern SCORE = Pattern.compile("(-?\\d+\\.\\d)\\d+(E-\\d+)?");

  private Golden() {}

  static void check(String name, String body) throws IOException {
    String masked = ID.matcher(body).replaceAll("\"$1*\"");
    masked = TIME.matcher(masked).replaceAll("\"$1\":0");
    masked = SCORE.matcher(masked).replaceAll("$1");
    Path file = FOLDER.resolve(name + ".txt");
    if (System.getProperty("kvasir.golden.write") != null) {
      Files.createDirectories(FOLDER);
      Files.writeString(file, masked);
    }
    assertThat(masked).isEqualTo(Files.readString(file));
  }
}
