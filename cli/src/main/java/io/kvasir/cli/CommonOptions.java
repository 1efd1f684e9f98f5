package io.kvasir.cli;

import java.util.Arrays;
import picocli.CommandLine.Option;

/// Options of every command.
final class CommonOptions {
  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  boolean help;

  @Option(
      names = {"-v", "--verbose"},
      description = "Show what happens inside, and stack traces of failures.")
  private boolean verbose;

  boolean verbose() {
    return verbose;
  }

  /// Whether the arguments ask for stack traces, before or although they could not be parsed.
  static boolean verbose(String... args) {
    return Arrays.stream(args)
        .takeWhile(argument -> !argument.equals("--"))
        .anyMatch(argument -> argument.equals("-v") || argument.equals("--verbose"));
  }
}
