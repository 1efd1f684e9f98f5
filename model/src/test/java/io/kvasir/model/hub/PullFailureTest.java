package io.kvasir.model.hub;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.model.hub.HubException.Kind;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.Assertions;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Cut connections, wrong bytes and refusals.
class PullFailureTest {
  private static final int BYTES = 4 * HubFixture.SEGMENT;

  private HubFixture fixture;
  private FakeHub hub;

  @BeforeEach
  void start(@TempDir Path cache) throws IOException {
    fixture = new HubFixture(cache);
    hub = fixture.hub;
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  static AbstractThrowableAssert<?, HubException> assertFails(ThrowingCallable call) {
    return Assertions.assertThat(Assertions.catchThrowableOfType(HubException.class, call))
        .isNotNull();
  }

  @Test
  void pull_connectionCut_goesOnByRangeWhereItStopped() throws IOException {
    byte[] weights = hub.add("a-Q8_0.gguf", HubFixture.SEGMENT);
    hub.cutAfterBytes = 200_000;
    hub.cuts.set(1);

    assertThat(fixture.pull("owner/repo")).hasBinaryContent(weights);

    List<String> ranges = hub.contentRanges();
    assertThat(ranges).hasSize(2);
    assertThat(ranges.getFirst()).isEqualTo("null");
    assertThat(ranges.get(1)).matches("bytes=[0-9]+-" + (HubFixture.SEGMENT - 1));
    int resumedAt = Integer.parseInt(ranges.get(1).replaceAll("bytes=|-.*", ""));
    assertThat(resumedAt).isBetween(100_000, 200_000);
    assertThat(hub.contentBytes.get()).isEqualTo(200_000 + HubFixture.SEGMENT - resumedAt);
  }

  @Test
  void pull_failedHalfway_nextProcessFetchesTheRestOnly() throws IOException {
    byte[] weights = hub.add("a-Q8_0.gguf", BYTES);
    fixture.config = fixture.config.withTransfer(HubFixture.transfer(2, 1, Duration.ofSeconds(5)));
    hub.cutAfterBytes = 200_000;
    hub.cuts.set(Integer.MAX_VALUE);

    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("what has arrived is kept")
        .extracting(HubException::kind)
        .isEqualTo(Kind.UNREACHABLE);
    String partial = hub.hash("a-Q8_0.gguf") + ".kvasir.incomplete";
    assertThat(fixture.blobs()).contains(partial);
    assertThat(fixture.repo().resolve("refs/main")).doesNotExist();
    assertThat(new HubCache(fixture.cache).find(FakeHub.NAME)).isEmpty();

    long before = hub.contentBytes.get();
    assertThat(before).isPositive();
    hub.cuts.set(0);
    assertThat(fixture.pull("owner/repo")).hasBinaryContent(weights);
    assertThat(hub.contentBytes.get() - before).isLessThan(BYTES - 100_000);
    assertThat(fixture.blobs()).containsExactly(hub.hash("a-Q8_0.gguf"));
  }

  @Test
  void pull_serverStalls_connectionIsCutAndResumed() throws IOException {
    byte[] weights = hub.add("a-Q8_0.gguf", HubFixture.SEGMENT);
    fixture.config = fixture.config.withTransfer(HubFixture.transfer(4, 3, Duration.ofSeconds(1)));
    hub.cutAfterBytes = 131_072;
    hub.cuts.set(1);
    hub.stallInsteadOfCut = true;

    assertThat(fixture.pull("owner/repo")).hasBinaryContent(weights);
    assertThat(hub.contentRanges().get(1)).matches("bytes=(65536|131072)-262143");
  }

  @Test
  void pull_wrongSha256_isRefusedAndRemoved() throws IOException {
    byte[] weights = hub.add("a-Q8_0.gguf", BYTES);
    String promised = "ab".repeat(32);
    hub.wrongHash.put("a-Q8_0.gguf", promised);

    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("wrong checksum (" + FakeHub.sha256(weights))
        .hasMessageContaining(promised)
        .extracting(HubException::kind)
        .isEqualTo(Kind.CORRUPT);
    assertThat(fixture.blobs()).isEmpty();
    assertThat(fixture.repo().resolve("snapshots").resolve(FakeHub.COMMIT)).isEmptyDirectory();

    hub.wrongHash.clear();
    assertThat(fixture.pull("owner/repo")).hasBinaryContent(weights);
  }

  @Test
  void pull_wrongGitHashOfSmallFile_isRefusedAndRemoved() throws IOException {
    hub.add("config.json", "{}");
    hub.add("model.safetensors", 120_000);
    hub.wrongHash.put("config.json", "cd".repeat(20));

    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("config.json of owner/repo has the wrong checksum");
    assertThat(fixture.blobs()).isEmpty();
  }

  @Test
  void pull_otherEtagThanListed_isRefused() {
    hub.add("a-Q8_0.gguf", BYTES);
    hub.linkedEtagOverride = "ef".repeat(32);

    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("another file on the hub now")
        .extracting(HubException::kind)
        .isEqualTo(Kind.CORRUPT);
  }

  @Test
  void pull_401WithoutToken_namesBothReasonsAndTheVariable() {
    hub.apiStatuses.add(401);
    hub.errorHeaders.put("X-Error-Code", "RepoNotFound");

    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("owner/repo does not exist on 127.0.0.1")
        .hasMessageContaining("or is private")
        .hasMessageContaining("HF_TOKEN")
        .extracting(HubException::kind)
        .isEqualTo(Kind.UNAUTHORIZED);
  }

  @Test
  void pull_401BadToken_saysTheTokenIsRefusedAndDoesNotPrintIt() {
    hub.apiStatuses.add(401);
    hub.errorHeaders.put("X-Error-Message", "Invalid credentials in Authorization header");
    fixture.config = fixture.config.withToken("hf_wrong");

    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("refuses the token in HF_TOKEN")
        .hasMessageNotContaining("hf_wrong");
  }

  @Test
  void pull_gated_namesThePageAndTheTokenThenTheAccount() {
    hub.apiStatuses.add(401);
    hub.errorHeaders.put("X-Error-Code", "GatedRepo");
    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("accept its terms at " + hub.endpoint() + "/owner/repo")
        .hasMessageContaining("set HF_TOKEN");

    hub.apiStatuses.add(403);
    fixture.config = fixture.config.withToken("hf_x");
    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("the account of HF_TOKEN has no access")
        .hasMessageContaining(hub.endpoint() + "/owner/repo")
        .extracting(HubException::kind)
        .isEqualTo(Kind.FORBIDDEN);
  }

  @Test
  void pull_gatedOnlyForContent_isExplainedToo() {
    hub.add("a-Q8_0.gguf", 120_000);
    hub.contentStatuses.add(403);
    hub.errorHeaders.put("X-Error-Code", "GatedRepo");

    assertFails(() -> fixture.pull("owner/repo")).hasMessageContaining("owner/repo is gated");
  }

  @Test
  void pull_404_tellsRepositoryRevisionAndFileApart() {
    hub.add("a-Q8_0.gguf", 120_000);
    hub.apiStatuses.add(404);
    hub.errorHeaders.put("X-Error-Code", "RepoNotFound");
    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("has no model owner/repo")
        .extracting(HubException::kind)
        .isEqualTo(Kind.NOT_FOUND);

    assertFails(() -> fixture.pull("owner/repo@v9"))
        .hasMessage("owner/repo has no branch, tag or commit 'v9'");

    assertFails(() -> fixture.pull("owner/repo:b.gguf"))
        .hasMessage("owner/repo has no file 'b.gguf'; it has a-Q8_0.gguf");

    hub.contentStatuses.add(404);
    hub.errorHeaders.put("X-Error-Code", "EntryNotFound");
    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessage("owner/repo has no file 'a-Q8_0.gguf' at revision main");
  }

  @Test
  void pull_unknownQuant_listsWhatThereIs() {
    hub.add("a-Q8_0.gguf", 1000);
    hub.add("a-Q4_K_M.gguf", 1000);

    assertFails(() -> fixture.pull("owner/repo:Q2_K"))
        .hasMessage("owner/repo has no quantization 'Q2_K'; it has Q4_K_M, Q8_0")
        .extracting(HubException::kind)
        .isEqualTo(Kind.NO_MATCH);
  }

  @Test
  void pull_429_waitsAsToldAndGivesUpWhereThatIsTooLong() throws IOException {
    hub.add("a-Q8_0.gguf", 120_000);
    hub.apiStatuses.add(429);
    hub.contentStatuses.add(429);
    hub.errorHeaders.put("Retry-After", "1");
    long start = System.nanoTime();
    assertThat(fixture.pull("owner/repo")).hasSize(120_000);
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThan(Duration.ofSeconds(2));

    hub.apiStatuses.add(429);
    hub.errorHeaders.put("Retry-After", "290");
    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("limits the number of requests (HTTP 429): try again in 290 s")
        .hasMessageContaining("HF_TOKEN")
        .extracting(HubException::kind)
        .isEqualTo(Kind.RATE_LIMITED);
  }

  @Test
  void pull_503_isTriedAgainBoundedly() throws IOException {
    hub.add("a-Q8_0.gguf", 120_000);
    hub.apiStatuses.addAll(List.of(503, 502, 0, 500));
    hub.contentStatuses.addAll(List.of(503, 503));
    assertThat(fixture.pull("owner/repo")).hasSize(120_000);

    hub.seen.clear();
    hub.apiStatuses.addAll(List.of(503, 503, 503, 503, 503, 503));
    assertFails(() -> fixture.pull("owner/repo")).hasMessageContaining("answered HTTP 503");
    assertThat(hub.seen).hasSize(4);
  }

  @Test
  void pull_cancelled_stopsSoonAndKeepsWhatArrived() throws Exception {
    hub.add("a-Q8_0.gguf", 16 * HubFixture.SEGMENT);
    hub.slowness = Duration.ofMillis(100);
    AtomicReference<Throwable> outcome = new AtomicReference<>();
    Thread puller =
        Thread.ofPlatform()
            .start(() -> {
              try {
                fixture.pull("owner/repo");
              } catch (HubException e) {
                outcome.set(e);
              }
            });
    while (hub.contentBytes.get() < 400_000) {
      Thread.sleep(5);
    }

    puller.interrupt();
    puller.join(10_000);

    assertThat(puller.isAlive()).isFalse();
    assertThat(outcome.get())
        .isInstanceOfSatisfying(
            HubException.class, e -> assertThat(e.kind()).isEqualTo(Kind.CANCELLED));
    Path partial =
        fixture.repo().resolve("blobs").resolve(hub.hash("a-Q8_0.gguf") + ".kvasir.incomplete");
    Segments kept =
        Segments.load(
            partial.resolveSibling(hub.hash("a-Q8_0.gguf") + ".kvasir.ranges"),
            partial,
            16L * HubFixture.SEGMENT);
    assertThat(Objects.requireNonNull(kept).arrivedBytes())
        .isBetween(200_000L, hub.contentBytes.get());
  }

  @Test
  void pull_redirectLoopOrStrangeScheme_isRefused() {
    hub.add("a-Q8_0.gguf", 120_000);
    hub.locationOverride = "/owner/repo/resolve/" + FakeHub.COMMIT + "/a-Q8_0.gguf";
    assertFails(() -> fixture.pull("owner/repo")).hasMessageContaining("redirects more than 10");

    hub.locationOverride = "file:///etc/passwd";
    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("redirects to an address that is refused")
        .extracting(HubException::kind)
        .isEqualTo(Kind.UNSAFE);
  }

  @Test
  void pull_noNetwork_saysWhichNameOrPort() throws IOException {
    URI real = fixture.config.endpoint();
    fixture.config = fixture.config.withTransfer(HubFixture.transfer(1, 2, Duration.ofSeconds(1)));
    fixture.config = fixture.config.withEndpoint(URI.create("http://no-such-host.invalid"));
    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("the name no-such-host.invalid cannot be resolved")
        .extracting(HubException::kind)
        .isEqualTo(Kind.UNREACHABLE);

    try (ServerSocket notTls = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      Thread.ofVirtual().start(() -> answerPlainly(notTls));
      fixture.config =
          fixture.config.withEndpoint(URI.create("https://127.0.0.1:" + notTls.getLocalPort()));
      assertFails(() -> fixture.pull("owner/repo"))
          .hasMessageContaining("no trusted TLS connection to 127.0.0.1");
    }

    fixture.close();
    fixture.config = fixture.config.withEndpoint(real);
    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("127.0.0.1 refuses connections");
  }

  /// Answers every connection, since a client may come again, until the server is closed.
  private static void answerPlainly(ServerSocket server) {
    while (!server.isClosed()) {
      try {
        Socket client = server.accept();
        Thread.ofVirtual().start(() -> answerPlainly(client));
      } catch (IOException e) {
        // The test is over.
      }
    }
  }

  private static void answerPlainly(Socket client) {
    try (client) {
      client.getOutputStream().write("HTTP/1.1 400 Bad Request\r\n\r\n".getBytes(UTF_8));
      client.getInputStream().readNBytes(10_000);
    } catch (IOException e) {
      // The client went away, which is the point.
    }
  }

  @Test
  void pull_hostileNames_downloadsNothing() throws IOException {
    for (String path :
        List.of(
            "../evil.gguf",
            "/etc/evil.gguf",
            "a/../../evil.gguf",
            "a//evil.gguf",
            "C:/evil.gguf",
            "a\\\\evil.gguf",
            "nul.gguf",
            "a\\u0000.gguf",
            "evil.gguf/.",
            "x".repeat(300) + ".gguf")) {
      hub.treeOverride =
          "[{\"type\":\"file\",\"oid\":\""
              + FakeHub.COMMIT
              + "\",\"size\":3,\"path\":\""
              + path
              + "\"}]";
      assertFails(() -> fixture.pull("owner/repo"))
          .hasMessageContaining("unsafe file name")
          .extracting(HubException::kind)
          .isEqualTo(Kind.UNSAFE);
    }
    assertThat(Files.exists(fixture.repo())).isFalse();
  }

  @Test
  void pull_hostileSizesAndHashes_downloadsNothing() {
    for (String fields :
        List.of(
            "\"size\":-1,\"oid\":\"" + FakeHub.COMMIT + "\"",
            "\"size\":9000000000000000000,\"oid\":\"" + FakeHub.COMMIT + "\"",
            "\"size\":1,\"oid\":\"../../x\"",
            "\"size\":1,\"oid\":\"" + FakeHub.COMMIT + "\",\"lfs\":{\"oid\":\"..\",\"size\":1}")) {
      hub.treeOverride = "[{\"type\":\"file\",\"path\":\"a-Q8_0.gguf\"," + fields + "}]";
      assertFails(() -> fixture.pull("owner/repo"))
          .hasMessageContaining("impossible")
          .extracting(HubException::kind)
          .isEqualTo(Kind.UNSAFE);
    }
  }

  @Test
  void pull_nonsenseAnswers_areExplained() {
    for (String tree : List.of("<html>", "{\"a\":1}", "[{\"type\":\"file\"}]", "[[]]")) {
      hub.treeOverride = tree;
      assertFails(() -> fixture.pull("owner/repo"))
          .extracting(HubException::kind)
          .isIn(Kind.SERVER, Kind.NO_MATCH);
    }
    hub.infoOverride = "{\"sha\":\"../../../tmp\"}";
    assertFails(() -> fixture.pull("owner/repo"))
        .hasMessageContaining("answers with the commit of owner/repo as '../../../tmp'");
  }
}
