package io.kvasir.model.hub;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.model.hub.Progress.Phase;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a pull brings, and where it puts it.
class PullerTest {
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

  @Test
  void pull_safetensorsRepo_laysFilesOutAsTheHubDocuments() throws IOException {
    hub.add("config.json", "{\"model_type\":\"llama\"}");
    hub.add("tokenizer.json", "{}");
    hub.add("chat_template.jinja", "{{ messages }}");
    byte[] weights = hub.add("model.safetensors", 300_000);
    hub.add("pytorch_model.bin", 400_000);
    hub.add("onnx/model.onnx", 400_000);
    hub.add("README.md", "read me");

    Path folder = fixture.pull("owner/repo");

    Path repo = fixture.repo();
    assertThat(folder).isEqualTo(repo.resolve("snapshots").resolve(FakeHub.COMMIT));
    assertThat(Files.readString(repo.resolve("refs/main"))).isEqualTo(FakeHub.COMMIT);
    assertThat(fixture.blobs())
        .containsExactlyInAnyOrder(
            hub.hash("config.json"),
            hub.hash("tokenizer.json"),
            hub.hash("chat_template.jinja"),
            hub.hash("model.safetensors"));
    Path link = folder.resolve("model.safetensors");
    assertThat(Files.readSymbolicLink(link))
        .isEqualTo(Path.of("../../blobs/" + FakeHub.sha256(weights)));
    assertThat(link).hasBinaryContent(weights);
    assertThat(folder.resolve("pytorch_model.bin")).doesNotExist();
    assertThat(folder.resolve("README.md")).doesNotExist();
    assertThat(
            fixture
                .cache
                .resolve(".locks/models--owner--repo")
                .resolve(hub.hash("model.safetensors") + ".lock"))
        .exists();
  }

  @Test
  void pull_fileInSubfolder_linksOneFolderHigher() throws IOException {
    byte[] weights = hub.add("Q8_0/tiny-Q8_0.gguf", 200_000);

    Path file = fixture.pull("owner/repo:q8_0");

    assertThat(file).hasBinaryContent(weights);
    assertThat(Files.readSymbolicLink(file))
        .isEqualTo(Path.of("../../../blobs/" + FakeHub.sha256(weights)));
  }

  @Test
  void pull_splitQuant_bringsAllPartsAndNothingElse() throws IOException {
    hub.add("a-UD-Q4_K_XL-00001-of-00002.gguf", 150_000);
    hub.add("a-UD-Q4_K_XL-00002-of-00002.gguf", 150_001);
    hub.add("a-Q8_0.gguf", 150_002);

    Path file = fixture.pull("owner/repo:ud-q4_k_xl");

    assertThat(file.getFileName()).hasToString("a-UD-Q4_K_XL-00001-of-00002.gguf");
    assertThat(file.resolveSibling("a-UD-Q4_K_XL-00002-of-00002.gguf")).hasSize(150_001);
    assertThat(hub.requests("a-Q8_0.gguf")).isZero();
  }

  @Test
  void pull_again_fetchesNoContent() throws IOException {
    hub.add("a-Q8_0.gguf", 200_000);
    Path first = fixture.pull("owner/repo");
    long before = hub.contentBytes.get();

    Path second = fixture.pull("owner/repo");

    assertThat(second).isEqualTo(first);
    assertThat(hub.contentBytes.get()).isEqualTo(before).isEqualTo(200_000);
    assertThat(fixture.events.getLast().phase()).isEqualTo(Phase.CACHED);
  }

  @Test
  void pull_blobLeftByAnotherTool_isUsed() throws IOException {
    byte[] weights = hub.add("a-Q8_0.gguf", 200_000);
    Path blob = fixture.repo().resolve("blobs").resolve(hub.hash("a-Q8_0.gguf"));
    Files.createDirectories(blob.getParent());
    Files.write(blob, weights);

    Path file = fixture.pull("owner/repo");

    assertThat(file).hasBinaryContent(weights);
    assertThat(hub.contentBytes.get()).isZero();
  }

  @Test
  void pull_bigFile_fetchesDisjointPartsOverSeveralConnections() throws IOException {
    int bytes = 8 * HubFixture.SEGMENT + 12_345;
    byte[] weights = hub.add("a-Q8_0.gguf", bytes);
    hub.slowness = Duration.ofMillis(10);

    Path file = fixture.pull("owner/repo");

    assertThat(file).hasBinaryContent(weights);
    // Four, and perhaps one that the server has not finished closing.
    assertThat(hub.mostConnections.get()).isBetween(2, 5);
    assertThat(hub.contentBytes.get()).isEqualTo(bytes);
    List<String> expected = new ArrayList<>();
    for (int from = 0; from < bytes; from += HubFixture.SEGMENT) {
      expected.add("bytes=" + from + "-" + (Math.min(bytes, from + HubFixture.SEGMENT) - 1));
    }
    assertThat(hub.contentRanges()).containsExactlyInAnyOrderElementsOf(expected);
    assertThat(fixture.blobs()).containsExactly(FakeHub.sha256(weights));
  }

  @Test
  void pull_serverWithoutRanges_fetchesTheWholeInOneGo() throws IOException {
    byte[] weights = hub.add("a-Q8_0.gguf", 5 * HubFixture.SEGMENT);
    hub.ranges = false;

    assertThat(fixture.pull("owner/repo")).hasBinaryContent(weights);
  }

  @Test
  void pull_redirectToAnotherHost_keepsTheTokenAtHome() throws IOException {
    hub.add("a-Q8_0.gguf", 200_000);
    fixture.config = fixture.config.withToken("hf_secret");

    fixture.pull("owner/repo");

    assertThat(hub.seen).anyMatch(FakeHub.Seen::cdn);
    for (FakeHub.Seen request : hub.seen) {
      assertThat(request.authorization()).isEqualTo(request.cdn() ? null : "Bearer hf_secret");
    }
  }

  @Test
  void pull_viaProxy_reachesTheHubThroughItAndOtherHostsDirectly() throws IOException {
    byte[] weights = hub.add("a-Q8_0.gguf", 200_000);
    HubProxy proxy = new HubProxy("127.0.0.1", hub.endpoint().getPort(), List.of(".localhost"));
    fixture.config = fixture.config.withEndpoint(URI.create("http://hub.invalid")).withProxy(proxy);

    assertThat(fixture.pull("owner/repo")).hasBinaryContent(weights);
    assertThat(hub.seen).anyMatch(FakeHub.Seen::cdn);
  }

  @Test
  void proxy_directHosts_areMatchedByNameAndSuffix() {
    HubProxy proxy = new HubProxy("proxy", 3128, List.of("localhost", ".corp.example", " a.b "));
    assertThat(proxy.isDirect("LOCALHOST")).isTrue();
    assertThat(proxy.isDirect("x.corp.example")).isTrue();
    assertThat(proxy.isDirect("corp.example")).isTrue();
    assertThat(proxy.isDirect("a.b")).isTrue();
    assertThat(proxy.isDirect("notcorp.example")).isFalse();
    assertThat(proxy.isDirect("huggingface.co")).isFalse();
    assertThat(new HubProxy("proxy", 1, List.of("*")).isDirect("huggingface.co")).isTrue();
    assertThat(new HubProxy("proxy", 1, List.of("", ".")).isDirect("huggingface.co")).isFalse();
  }

  @Test
  void pull_listingInPages_readsThemAll() throws IOException {
    for (int i = 0; i < 7; i++) {
      hub.add("notes-" + i + ".txt", "note " + i);
    }
    hub.add("a-Q8_0.gguf", 120_000);
    hub.pageSize = 2;

    assertThat(fixture.pull("owner/repo")).hasSize(120_000);
    assertThat(hub.requests("/tree/")).isEqualTo(4);
  }

  @Test
  void pull_emptyFile_isAFile() throws IOException {
    hub.add("config.json", "{}");
    hub.add("merges.txt", "");
    hub.add("model.safetensors", 120_000);

    assertThat(fixture.pull("owner/repo").resolve("merges.txt")).isEmptyFile();
  }

  @Test
  void pull_progress_growsToTheWholeFileThenVerifiesThenEnds() throws IOException {
    hub.add("a-Q8_0.gguf", 6 * HubFixture.SEGMENT);
    hub.slowness = Duration.ofMillis(30);

    fixture.pull("owner/repo");

    List<Phase> phases = fixture.events.stream().map(Progress::phase).distinct().toList();
    assertThat(phases)
        .containsExactly(Phase.LISTING, Phase.DOWNLOADING, Phase.VERIFYING, Phase.DONE);
    List<Progress> downloading =
        fixture.events.stream().filter(e -> e.phase() == Phase.DOWNLOADING).toList();
    assertThat(downloading).hasSizeGreaterThan(2);
    assertThat(downloading.stream().map(Progress::bytes).toList()).isSorted();
    assertThat(downloading.getLast().bytesPerSecond()).isPositive();
    assertThat(fixture.events.getLast().bytes()).isEqualTo(6L * HubFixture.SEGMENT);
  }

  @Test
  void pull_offline_findsWhatWasPulledAndExplainsWhatWasNot() throws IOException {
    hub.add("a-Q8_0.gguf", 120_000);
    Path online = fixture.pull("owner/repo");
    int requests = hub.seen.size();
    fixture.config = fixture.config.withOffline(true);

    assertThat(fixture.pull("owner/repo")).isEqualTo(online);
    assertThat(fixture.pull("owner/repo:Q8_0")).isEqualTo(online);
    PullFailureTest.assertFails(() -> fixture.pull("owner/repo:Q4_K_M"))
        .hasMessageContaining("owner/repo:Q4_K_M is not in")
        .hasMessageContaining("offline")
        .extracting(HubException::kind)
        .isEqualTo(HubException.Kind.NOT_CACHED);
    assertThat(hub.seen).hasSize(requests);
  }
}
