package io.kvasir.cli;

import io.kvasir.engine.KeyProfiles;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a command sees of the process around it. Everything else of the program gets values.
///
/// @param out standard output, always UTF-8, buffered until flushed
/// @param err standard error, always UTF-8
/// @param in standard input
/// @param terminals which of standard input (0), output (1) and error (2) are terminals, such as
///   `012`
/// @param environment the environment variables
/// @param home the folder of the installation
record Surroundings(
    PrintStream out,
    PrintStream err,
    InputStream in,
    String terminals,
    Map<String, String> environment,
    Path home) {

  /// The surroundings that the launcher describes.
  static Surroundings ofProcess() {
    PrintStream err = new PrintStream(StandardError.open(), true, StandardCharsets.UTF_8);
    System.setErr(err);
    return new Surroundings(
        new PrintStream(
            new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 14),
            false,
            StandardCharsets.UTF_8),
        err,
        System.in,
        System.getProperty("kvasir.terminals", ""),
        System.getenv(),
        Path.of(System.getProperty("kvasir.home", ".")));
  }

  /// The folder for what can be made again but is worth keeping, as the XDG base directory
  /// specification says; null where the user has none.
  @Nullable Path cacheFolder() {
    String caches = environment.getOrDefault("XDG_CACHE_HOME", "");
    String user = environment.getOrDefault("HOME", "");
    if (caches.isBlank() && user.isBlank()) {
      return null;
    }
    return caches.isBlank() ? Path.of(user, ".cache", "kvasir") : Path.of(caches, "kvasir");
  }

  /// Where engines keep what they have measured of models; a person at a terminal is told when they
  /// measure.
  KeyProfiles keyProfiles() {
    Path caches = cacheFolder();
    return new KeyProfiles(
        caches == null ? null : caches.resolve("profiles"),
        true,
        notice -> {
          if (errorIsTerminal()) {
            err.println("kvasir: " + notice);
          }
        });
  }

  boolean inputIsTerminal() {
    return terminals.contains("0");
  }

  boolean outputIsTerminal() {
    return terminals.contains("1");
  }

  /// Whether progress may be shown.
  boolean errorIsTerminal() {
    return terminals.contains("2");
  }
}
