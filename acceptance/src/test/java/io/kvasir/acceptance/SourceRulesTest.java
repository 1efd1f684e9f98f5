package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// The rules of the house that only the source text can tell.
class SourceRulesTest {
  private static final int MAX_LINES = 600;
  private static final int MAX_KERNEL_LINES = 800;
  private static final Pattern CATCH_ALL = Pattern.compile("catch \\((final )?Throwable\\b");
  private static final Map<Path, String> SOURCES = new TreeMap<>();

  /// Sources of the GPU's kernels.
  private static final Map<Path, String> KERNELS = new TreeMap<>();

  @BeforeAll
  static void read() throws IOException {
    Path root = Path.of(System.getProperty("kvasir.root", "..")).toRealPath();
    try (Stream<Path> modules = Files.list(root)) {
      for (Path module : modules.filter(path -> Files.isDirectory(path.resolve("src"))).toList()) {
        try (Stream<Path> files = Files.walk(module.resolve("src"))) {
          for (Path file : files.filter(Files::isRegularFile).toList()) {
            String name = file.toString();
            if (name.endsWith(".java")) {
              SOURCES.put(root.relativize(file), Files.readString(file));
            } else if (name.contains("src/main/cuda/")) {
              KERNELS.put(root.relativize(file), Files.readString(file));
            }
          }
        }
      }
    }
    assertThat(SOURCES).hasSizeGreaterThan(20);
  }

  @Test
  void files_fitTheEye() {
    assertThat(KERNELS).hasSizeGreaterThan(5);
    assertThat(longerThan(MAX_LINES, SOURCES)).isEmpty();
    assertThat(longerThan(MAX_KERNEL_LINES, KERNELS)).isEmpty();
  }

  private static List<String> longerThan(int most, Map<Path, String> files) {
    List<String> offenders = new ArrayList<>();
    files.forEach((file, text) -> {
      long lines = text.lines().count();
      if (lines > most) {
        offenders.add(file + " has " + lines + " lines");
      }
    });
    return offenders;
  }

  @Test
  void everything_isCaughtInNamedPlacesOnly() {
    List<Path> catching = new ArrayList<>();
    SOURCES.forEach((file, text) -> {
      if (file.toString().contains("src/main/") && CATCH_ALL.matcher(text).find()) {
        catching.add(file.getFileName());
      }
    });

    assertThat(catching.stream().map(Path::toString))
        .isSubsetOf("Main.java", "Engine.java", "EngineLoop.java", "ChatCompletionsHandler.java");
  }

  @Test
  void tests_areNeverSwitchedOff() {
    List<Path> offenders = new ArrayList<>();
    SOURCES.forEach((file, text) -> {
      if (text.contains("@" + "Disabled") || text.contains("@" + "Ignore")) {
        offenders.add(file);
      }
    });

    assertThat(offenders).isEmpty();
  }

  @Test
  void suppressions_haveAReason() {
    List<String> offenders = new ArrayList<>();
    SOURCES.forEach((file, text) -> {
      List<String> lines = text.lines().toList();
      for (int i = 0; i < lines.size(); i++) {
        boolean reason =
            lines.get(i).contains("//") || i > 0 && lines.get(i - 1).strip().startsWith("//");
        if (lines.get(i).contains("@Suppress" + "Warnings") && !reason) {
          offenders.add(file + ":" + (i + 1));
        }
      }
    });

    assertThat(offenders).as("suppressed warnings without a comment beside or above").isEmpty();
  }
}
