package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.acceptance.LauncherHouse.Outcome;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The launcher finds a JDK, builds once, and then is the program: its arguments, exit code and
/// signals.
class LauncherTest {
  @TempDir Path root;
  LauncherHouse house;

  @BeforeEach
  void build() throws IOException {
    house = new LauncherHouse(root);
  }

  @Test
  void start_oldJavaFirstOnPath_usesTheInstalledNewOne() throws Exception {
    house.installedJdk("jdk-21", "21.0.2");
    house.installedJdk("jdk-26", "26-ea");

    Outcome outcome = house.run("run", "-p", "two words");

    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out()).startsWith("jdk jdk-26\n").endsWith("<run>\n<-p>\n<two words>\n");
    assertThat(outcome.err()).isEmpty();
  }

  @Test
  void start_javaHomeIsNewEnough_winsOverInstalledOnes() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");
    house.environment.put("JAVA_HOME", house.jdk(root.resolve("mine"), "25").toString());

    assertThat(house.run("x").out()).startsWith("jdk mine\n");
  }

  @Test
  void start_macLayout_findsContentsHome() throws Exception {
    house.installedJdk("jdk-25.jdk/Contents/Home", "25.0.3");

    assertThat(house.run("x").out()).startsWith("jdk Home\n");
  }

  @Test
  void start_ownsTheJvmFlags_andAppendsTheUsers() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");
    house.environment.put("KVASIR_JAVA_OPTS", "-Xmx1g -Da=b");

    Outcome outcome = house.run("x");

    String cli = house.house.resolve("target/kvasir/lib/kvasir-cli-1.0.jar").toString();
    assertThat(outcome.out())
        .contains("<--add-modules>\n<jdk.incubator.vector>\n")
        .contains("<--enable-native-access=ALL-UNNAMED>\n")
        .contains("<-Dkvasir.home=" + house.house.toRealPath() + ">\n")
        .contains("<-Xmx1g>\n<-Da=b>\n")
        .containsPattern(
            "<-cp>\n<.*dep\\.jar:.*kvasir-cli-1\\.0\\.jar>\n<io.kvasir.cli.Main>\n<x>\n");
    assertThat(Path.of(cli)).exists();
  }

  @Test
  void java_runsTheJdkWithTheClassPath() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");

    Outcome outcome = house.run("java", "Some.java", "two words");

    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out())
        .contains("<--add-modules>\n<jdk.incubator.vector>\n")
        .containsPattern("<-cp>\n<.*kvasir-cli-1\\.0\\.jar>\n<Some.java>\n<two words>\n");
  }

  @Test
  void start_usersCollector_replacesTheLaunchers() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");
    assertThat(house.run("x").out()).contains("<-XX:+UseSerialGC>");

    house.environment.put("KVASIR_JAVA_OPTS", "-XX:+UseZGC");
    assertThat(house.run("x").out()).contains("<-XX:+UseZGC>").doesNotContain("Serial");
  }

  @Test
  void start_afterATrainedBuild_usesTheStartUpCache() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");
    LauncherHouse.executable(
        root.resolve("jdks/jdk-25/bin/java"),
        """
        #!/bin/sh
        for argument in "$@"; do
          case $argument in -XX:AOTCacheOutput=*) echo trained >"${argument#*=}" ;; esac
          echo "<$argument>"
        done
        """);
    String cache = "<-XX:AOTCache=" + house.house.toRealPath() + "/target/kvasir/start.aot>";

    assertThat(house.run("x").out()).contains(cache);
    house.environment.put("KVASIR_AOT", "off");
    assertThat(house.run("x").out()).doesNotContain("AOTCache");
  }

  @Test
  void start_throughASymbolicLinkFromElsewhere_findsItsHouse() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");
    Path link = Files.createDirectories(root.resolve("elsewhere")).resolve("kv");
    Files.createSymbolicLink(link, Path.of("../my house/kvasir"));

    Outcome outcome =
        LauncherHouse.finish(house.start(link.getParent(), List.of("./kv", "inspect")));

    assertThat(outcome.out())
        .contains("<-Dkvasir.home=" + house.house.toRealPath() + ">")
        .endsWith("<inspect>\n");
  }

  @Test
  void exitCode_ofTheProgram_isTheLaunchers() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");

    assertThat(house.run("exit", "2").exitCode()).isEqualTo(2);
    assertThat(house.run("exit", "1").exitCode()).isEqualTo(1);
  }

  @Test
  void signals_reachTheProgram_becauseItIsTheSameProcess() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");

    assertThat(signal("TERM")).isEqualTo("got TERM 43");
    // A test run in the background starts with SIGINT ignored, and then nobody can trap it.
    String interrupt = signal("INT");
    assertThat(interrupt).isIn("got INT 42", "ignored");
  }

  private String signal(String name) throws IOException, InterruptedException {
    Process process = house.start("wait");
    BufferedReader out = process.inputReader();
    assertThat(out.readLine()).isEqualTo("pid " + process.pid());
    new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
    if (!process.waitFor(10, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      return "ignored";
    }
    return out.readLine() + " " + process.exitValue();
  }

  @Test
  void build_sourcesUnchanged_runsOnce() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");

    house.run("a");
    house.run("b");
    assertThat(house.mavenCalls()).hasSize(1);
    assertThat(house.mavenCalls().getFirst()).contains("-pl cli -am package");

    age(house.house);
    Files.writeString(house.source(), "class A { int changed; }");
    house.run("c");
    assertThat(house.mavenCalls()).hasSize(2);

    age(house.house);
    Files.delete(house.source());
    house.run("d");
    assertThat(house.mavenCalls()).hasSize(3);
    house.run("e");
    assertThat(house.mavenCalls()).hasSize(3);
  }

  /// Makes everything look old, because `find -newer` may compare whole seconds.
  private static void age(Path folder) throws IOException {
    FileTime old = FileTime.from(Instant.now().minusSeconds(60));
    try (var files = Files.walk(folder)) {
      for (Path file : files.toList()) {
        Files.setLastModifiedTime(file, old);
      }
    }
  }

  @Test
  void build_fails_showsTheEndOfTheLogAndTriesAgainNextTime() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");
    Files.createFile(house.house.resolve("mvn.fails"));

    Outcome outcome = house.run("x");

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err())
        .contains("[ERROR] a planted failure")
        .contains("kvasir: the build failed; the whole log is " + house.house.toRealPath());

    Files.delete(house.house.resolve("mvn.fails"));
    assertThat(house.run("x").exitCode()).isZero();
  }

  @Test
  void build_twoAtOnce_buildOnce() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");

    Process first = house.start("a");
    Process second = house.start("b");

    assertThat(LauncherHouse.finish(first).exitCode()).isZero();
    assertThat(LauncherHouse.finish(second).exitCode()).isZero();
    assertThat(house.mavenCalls()).hasSize(1);
  }

  @Test
  void build_lockOfADeadProcess_isBroken() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");
    Process dead = new ProcessBuilder("true").start();
    dead.waitFor();
    Path lock = Files.createDirectories(house.house.resolve("target/kvasir")).resolve("lock");
    Files.createSymbolicLink(lock, Path.of(Long.toString(dead.pid())));

    assertThat(house.run("a").exitCode()).isZero();
    assertThat(Files.isSymbolicLink(lock)).isFalse();
  }

  @Test
  void build_mavenTooOld_usesTheWrapper() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");
    house.maven("3.6.3");
    LauncherHouse.executable(house.house.resolve("mvnw"), house.mavenScript("3.9.16"));

    assertThat(house.run("a").exitCode()).isZero();
    assertThat(house.mavenCalls()).hasSize(1).first().asString().startsWith("mvnw ");
  }

  @Test
  void test_sumsTheReports_andCountsSkipsByReason() throws Exception {
    house.installedJdk("jdk-25", "25.0.3");
    house.run("build");
    LauncherHouse.executable(
        root.resolve("bin/mvn"),
        """
        #!/bin/sh
        if [ "$1" = -v ]; then echo "Apache Maven 3.9.9"; exit 0; fi
        mkdir -p HOUSE/cli/target/surefire-reports HOUSE/model/target/surefire-reports
        cat >HOUSE/cli/target/surefire-reports/TEST-a.xml <<'X'
        <?xml version="1.0"?>
        <testsuite name="a" time="0.1" tests="10" errors="1" skipped="2" failures="3">
          <testcase><skipped message="[no-gpu] no device" type="x"/></testcase>
          <testcase><skipped message="[no-gpu] no device" type="x"/></testcase>
        </testsuite>
        X
        cat >HOUSE/model/target/surefire-reports/TEST-b.xml <<'X'
        <testsuite name="b" time="0.1" tests="5" errors="0" skipped="1" failures="0">
          <testcase><skipped/></testcase>
        </testsuite>
        X
        echo "args $*"
        exit 1
        """
            .replace("HOUSE", "'" + house.house + "'"));
    Path stale = house.house.resolve("kvcache/target/surefire-reports/TEST-old.xml");
    Files.createDirectories(stale.getParent());
    Files.writeString(
        stale, "<testsuite tests=\"99\" errors=\"0\" skipped=\"0\" failures=\"99\"/>");

    Outcome outcome = house.run("test", "-Dtest=Foo");

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.out()).contains(" verify -Dtest=Foo\n");
    assertThat(outcome.out())
        .contains("skipped 2: [no-gpu]\n")
        .contains("skipped 1: [no reason given]\n")
        .endsWith("8 passed, 4 failed, 3 skipped\n");
  }
}
