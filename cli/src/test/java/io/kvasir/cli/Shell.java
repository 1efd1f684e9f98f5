package io.kvasir.cli;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/// Runs commands inside the test's process and keeps what they print.
final class Shell {
  /// What a command left behind.
  record Outcome(int exitCode, String out, String err) {}

  private Shell() {}

  static Path root() {
    return Path.of(System.getProperty("kvasir.root", ".."));
  }

  static Outcome run(String... args) {
    return runWithInput("", args);
  }

  static Outcome runWithInput(String input, String... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int exitCode = Main.run(surroundings(input, out, err), args);
    return new Outcome(
        exitCode, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  static Surroundings surroundings(
      String input, ByteArrayOutputStream out, ByteArrayOutputStream err) {
    return new Surroundings(
        new PrintStream(out, false, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8),
        new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
        "",
        Map.of(),
        root());
  }
}
