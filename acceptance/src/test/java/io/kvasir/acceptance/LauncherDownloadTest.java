package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import io.kvasir.acceptance.LauncherHouse.Outcome;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Without any JDK 25 the launcher downloads one, and believes only what its checksum confirms.
class LauncherDownloadTest {
  @TempDir Path root;
  LauncherHouse house;
  HttpServer server;
  final List<String> requests = new CopyOnWriteArrayList<>();
  byte[] archive = {};
  String checksum = "";

  @BeforeEach
  void serve() throws Exception {
    house = new LauncherHouse(root);
    Path packed = house.jdk(root.resolve("pack/jdk-25.0.3+9"), "25.0.3").getParent();
    Path file = root.resolve("jdk.tar.gz");
    int code =
        new ProcessBuilder("tar", "-czf", file.toString(), "-C", packed.toString(), "jdk-25.0.3+9")
            .inheritIO()
            .start()
            .waitFor();
    assertThat(code).isZero();
    archive = Files.readAllBytes(file);
    checksum = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(archive));
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/temurin/",
        exchange -> {
          String path = exchange.getRequestURI().getPath();
          requests.add(path);
          byte[] body =
              path.endsWith(".sha256.txt")
                  ? (checksum + "  jdk.tar.gz\n").getBytes(StandardCharsets.UTF_8)
                  : archive;
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    server.start();
    house.environment.put("KVASIR_JDK_URL", url("/temurin"));
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private String url(String path) {
    return "http://127.0.0.1:" + server.getAddress().getPort() + path;
  }

  @Test
  void download_rightChecksum_installsOnceAndStarts() throws Exception {
    Outcome outcome = house.run("inspect");

    assertThat(outcome.exitCode()).as(outcome.err()).isZero();
    assertThat(outcome.out()).startsWith("jdk jdk-25.0.3+9\n").endsWith("<inspect>\n");
    assertThat(outcome.err()).contains("downloading Temurin 25").contains(url("/temurin/"));
    assertThat(requests).hasSize(2);
    assertThat(requests.getFirst())
        .matches("/temurin/OpenJDK25U-jdk_[a-z0-9]+_[a-z-]+_hotspot_25[0-9._]+\\.tar\\.gz");
    assertThat(entries(root.resolve("home/.cache/kvasir/jdk"))).containsExactly("jdk-25.0.3+9");

    assertThat(house.run("inspect").exitCode()).isZero();
    assertThat(requests).hasSize(2);
  }

  @Test
  void download_cacheFolderOfTheEnvironment_isRespected() throws Exception {
    house.environment.put("XDG_CACHE_HOME", root.resolve("xdg").toString());

    assertThat(house.run("x").exitCode()).isZero();
    assertThat(entries(root.resolve("xdg/kvasir/jdk"))).containsExactly("jdk-25.0.3+9");
  }

  @Test
  void download_wrongChecksum_isRefusedAndRemoved() throws Exception {
    String right = checksum;
    checksum = "0".repeat(64);

    Outcome outcome = house.run("inspect");

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err())
        .contains("has SHA-256 " + right + " but " + checksum)
        .contains("removed");
    assertThat(entries(root.resolve("home/.cache/kvasir/jdk"))).isEmpty();
    assertThat(house.mavenCalls()).isEmpty();
  }

  @Test
  void download_notThere_saysWhatToInstall() throws Exception {
    house.environment.put("KVASIR_JDK_URL", url("/nothing/"));

    Outcome outcome = house.run("inspect");

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.err())
        .contains("could not download " + url("/nothing/OpenJDK25U"))
        .contains("install a JDK 25")
        .contains("JAVA_HOME");
    assertThat(entries(root.resolve("home/.cache/kvasir/jdk"))).isEmpty();
  }

  @Test
  void download_archiveWithoutJdk_isRefused() throws Exception {
    Path file = root.resolve("empty.tar.gz");
    Files.createDirectories(root.resolve("hollow/jdk"));
    new ProcessBuilder(
            "tar", "-czf", file.toString(), "-C", root.resolve("hollow").toString(), "jdk")
        .start()
        .waitFor();
    archive = Files.readAllBytes(file);
    checksum = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(archive));

    Outcome outcome = house.run("inspect");

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.err()).contains("holds no JDK 25 or newer");
    assertThat(entries(root.resolve("home/.cache/kvasir/jdk"))).isEmpty();
  }

  private static List<String> entries(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }
}
