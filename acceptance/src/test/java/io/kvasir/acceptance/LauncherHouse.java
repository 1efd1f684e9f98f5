package io.kvasir.acceptance;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/// A small checkout in which the real launcher meets a fake Maven and fake JDKs, so that finding,
/// downloading, building and starting are tested in milliseconds. Its path contains a space.
///
/// The fake `java` prints its arguments, or does what its first program argument says (`exit N`,
/// `wait`). The fake `mvn` appends its arguments to `mvn.calls` and makes the jars.
final class LauncherHouse {
  private static final String JAVA =
      """
      #!/bin/sh
      jdk=$(dirname "$(dirname "$0")")
      case "$*" in
        *AOTCacheOutput*) exit 1 ;;
        *" exit "*) for last in "$@"; do :; done; exit "$last" ;;
        *" wait")
          trap 'echo got INT; exit 42' INT
          trap 'echo got TERM; exit 43' TERM
          echo "pid $$"
          while :; do sleep 0.05; done ;;
      esac
      echo "jdk ${jdk##*/}"
      for argument in "$@"; do echo "<$argument>"; done
      """;

  private static final String MVN =
      """
      #!/bin/sh
      if [ "$1" = -v ]; then echo "Apache Maven MVN_VERSION (x)"; exit 0; fi
      echo "${0##*/} $*" >>"HOUSE/mvn.calls"
      echo "[INFO] Building Kvasir :: cli 1.0 [1/1]"
      if [ -f "HOUSE/mvn.fails" ]; then echo "[ERROR] a planted failure"; exit 1; fi
      mkdir -p "HOUSE/cli/target/quick/lib"
      : >"HOUSE/cli/target/quick/lib/dep.jar"
      : >"HOUSE/cli/target/quick/kvasir-cli-1.0.jar"
      """;

  /// What a finished process left behind.
  record Outcome(int exitCode, String out, String err) {}

  final Path root;
  final Path house;
  final Map<String, String> environment = new TreeMap<>();

  LauncherHouse(Path root) throws IOException {
    this.root = root;
    this.house = Files.createDirectories(root.resolve("my house"));
    Path launcher = Path.of(System.getProperty("kvasir.root", "..")).resolve("kvasir");
    Files.copy(launcher, house.resolve("kvasir"));
    executable(house.resolve("kvasir"), Files.readString(launcher));
    Files.writeString(house.resolve("pom.xml"), "<project/>");
    Files.createDirectories(house.resolve("cli/src/main/java"));
    Files.writeString(house.resolve("cli/pom.xml"), "<project/>");
    Files.writeString(source(), "class A {}");
    Files.createDirectories(root.resolve("home"));
    maven("3.9.9");
    jdk(root.resolve("old"), "17.0.15");
    environment.put("HOME", root.resolve("home").toString());
    environment.put(
        "PATH",
        root.resolve("bin") + ":" + root.resolve("old/bin") + ":/usr/bin:/bin:/usr/local/bin");
    environment.put("KVASIR_JDK_DIRS", root.resolve("jdks").toString());
  }

  Path source() {
    return house.resolve("cli/src/main/java/A.java");
  }

  /// Puts a Maven of the given version first on the path.
  void maven(String version) throws IOException {
    executable(root.resolve("bin/mvn"), mavenScript(version));
  }

  String mavenScript(String version) {
    return MVN.replace("HOUSE", house.toString()).replace("MVN_VERSION", version);
  }

  /// Makes a fake JDK and returns its folder.
  Path jdk(Path folder, String version) throws IOException {
    executable(folder.resolve("bin/java"), JAVA);
    executable(folder.resolve("bin/javac"), "#!/bin/sh\n");
    Files.writeString(
        folder.resolve("release"), "IMPLEMENTOR=\"X\"\nJAVA_VERSION=\"" + version + "\"\n");
    return folder;
  }

  /// Makes a fake JDK where the launcher looks for installed ones.
  Path installedJdk(String name, String version) throws IOException {
    return jdk(root.resolve("jdks").resolve(name), version);
  }

  static void executable(Path file, String text) throws IOException {
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
    if (!file.toFile().setExecutable(true)) {
      throw new IOException("cannot make executable: " + file);
    }
  }

  /// The lines with which Maven was called so far, without the version questions.
  List<String> mavenCalls() throws IOException {
    Path calls = house.resolve("mvn.calls");
    return Files.exists(calls) ? Files.readAllLines(calls) : List.of();
  }

  Process start(String... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of(house.resolve("kvasir").toString()));
    command.addAll(List.of(arguments));
    return start(root, command);
  }

  Process start(Path directory, List<String> command) throws IOException {
    ProcessBuilder builder = new ProcessBuilder(command).directory(directory.toFile());
    builder.environment().clear();
    builder.environment().putAll(environment);
    return builder.start();
  }

  Outcome run(String... arguments) throws IOException, InterruptedException {
    return finish(start(arguments));
  }

  static Outcome finish(Process process) throws IOException, InterruptedException {
    process.getOutputStream().close();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!process.waitFor(60, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new IllegalStateException("the launcher did not end; it printed " + out + err);
    }
    return new Outcome(process.exitValue(), out, err);
  }
}
