package io.kvasir.model.hub;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The cache as other tools leave it.
class HubCacheTest {
  private static final String OLD = "1".repeat(40);
  private static final String NEW = "2".repeat(40);

  @TempDir private Path folder;

  private Path put(String commit, String path, String content) throws IOException {
    Path repo = folder.resolve("models--o--r");
    String hash = FakeHub.sha256((path + content).getBytes(StandardCharsets.UTF_8));
    Path blob = repo.resolve("blobs").resolve(hash);
    Files.createDirectories(blob.getParent());
    Files.writeString(blob, content);
    Path link = repo.resolve("snapshots").resolve(commit).resolve(path);
    Path parent = Objects.requireNonNull(link.getParent());
    Files.createDirectories(parent);
    Files.createSymbolicLink(link, parent.relativize(blob));
    return link;
  }

  private void ref(String name, String commit) throws IOException {
    Path ref = folder.resolve("models--o--r/refs").resolve(name);
    Files.createDirectories(ref.getParent());
    Files.writeString(ref, commit);
  }

  private Optional<Path> find(String name) {
    return new HubCache(folder).find(ModelName.parse(name));
  }

  @Test
  void find_byRefTagPullRequestAndCommit() throws IOException {
    Path old = put(OLD, "a-Q8_0.gguf", "old");
    Path fresh = put(NEW, "a-Q8_0.gguf", "new");
    ref("main", OLD);
    ref("v2", NEW);
    ref("refs/pr/1", NEW);

    assertThat(find("o/r")).contains(old);
    assertThat(find("o/r:Q8_0@v2")).contains(fresh);
    assertThat(find("o/r@refs/pr/1")).contains(fresh);
    assertThat(find("o/r@" + NEW)).contains(fresh);
    assertThat(find("o/r@v3")).isEmpty();
    assertThat(find("o/other")).isEmpty();
  }

  @Test
  void find_noRef_takesTheNewestSnapshot() throws IOException {
    put(OLD, "a-Q8_0.gguf", "old");
    Path fresh = put(NEW, "a-Q8_0.gguf", "new");
    Files.setLastModifiedTime(
        folder.resolve("models--o--r/snapshots/" + OLD), FileTime.from(Instant.EPOCH));

    assertThat(find("o/r")).contains(fresh);
  }

  @Test
  void find_shardMissing_isNotThere() throws IOException {
    put(NEW, "config.json", "{}");
    put(NEW, "model-00001-of-00002.safetensors", "x");
    put(
        NEW,
        "model.safetensors.index.json",
        "{\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\","
            + "\"b\":\"model-00002-of-00002.safetensors\"}}");
    ref("main", NEW);
    assertThat(find("o/r")).isEmpty();

    put(NEW, "model-00002-of-00002.safetensors", "y");
    assertThat(find("o/r")).contains(folder.resolve("models--o--r/snapshots/" + NEW));
  }

  @Test
  void find_brokenRefOrLink_isAsIfAbsent() throws IOException {
    Path link = put(NEW, "a-Q8_0.gguf", "new");
    ref("main", "../../../../etc");
    assertThat(find("o/r")).contains(link);
    ref("main", NEW);
    assertThat(find("o/r")).isPresent();
    Files.delete(link.toRealPath());
    assertThat(find("o/r")).isEmpty();
  }

  @Test
  void list_namesSizesAndRevisions() throws IOException {
    put(OLD, "a-Q8_0.gguf", "old!");
    put(NEW, "a-Q8_0.gguf", "new");
    put(NEW, "sub/b.txt", "b");
    ref("main", NEW);
    Files.createDirectories(folder.resolve("models--broken"));
    Files.createDirectories(folder.resolve("datasets--o--d/snapshots/" + NEW));

    List<CachedModel> models = new HubCache(folder).list();

    assertThat(models.stream().map(model -> model.name().toString()).toList())
        .containsExactly("o/r", "o/r@" + OLD);
    assertThat(models.getFirst().files()).containsExactly("a-Q8_0.gguf", "sub/b.txt");
    assertThat(models.getFirst().bytes()).isEqualTo(4);
    assertThat(new HubCache(folder.resolve("absent")).list()).isEmpty();
  }

  @Test
  void link_existingOtherContent_isReplaced() throws IOException {
    Path link = put(NEW, "a.txt", "old");
    Path blob = folder.resolve("models--o--r/blobs").resolve("b".repeat(40));
    Files.writeString(blob, "new");

    new HubCache(folder).link(blob, link);

    assertThat(link).hasContent("new");
    assertThat(Files.readSymbolicLink(link)).isEqualTo(Path.of("../../blobs/" + "b".repeat(40)));
  }
}
