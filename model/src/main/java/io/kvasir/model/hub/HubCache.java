package io.kvasir.model.hub;

import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The local cache that all tools of the hub share (documented as "Hub local cache").
///
/// ```
/// models--OWNER--REPO/
///   blobs/HASH                      content, named by its SHA-256 (LFS) or its git SHA-1
///   blobs/HASH.kvasir.incomplete    a download that has not ended, with HASH.kvasir.ranges
///   refs/main                       the commit that the branch pointed to
///   snapshots/COMMIT/PATH           symbolic link ../../blobs/HASH, one "../" more per folder
/// .locks/models--OWNER--REPO/HASH.lock
/// ```
///
/// Where the file system has no symbolic links, the blob itself moves to the snapshot. Partial
/// files have a name of their own: other tools append to theirs, ours have holes.
///
/// Stateless; safe for any number of threads and processes, as blobs and references appear by
/// atomic moves only.
public final class HubCache {
  private static final int MAX_SNAPSHOT_FILES = 20_000;
  private static final int MAX_DEPTH = 8;
  private static final long MAX_SMALL_FILE = 64L << 20;
  private static final String PREFIX = "models--";

  private final Path folder;

  /// @param folder root of the cache; need not exist
  public HubCache(Path folder) {
    this.folder = folder.toAbsolutePath().normalize();
  }

  public Path folder() {
    return folder;
  }

  Path repoFolder(ModelName name) {
    return folder.resolve(PREFIX + name.owner() + "--" + name.repo());
  }

  Path blob(ModelName name, String blobId) {
    return repoFolder(name).resolve("blobs").resolve(blobId);
  }

  Path lock(ModelName name, String blobId) {
    return folder
        .resolve(".locks")
        .resolve(PREFIX + name.owner() + "--" + name.repo())
        .resolve(blobId + ".lock");
  }

  Path snapshot(ModelName name, String commit) {
    return repoFolder(name).resolve("snapshots").resolve(commit);
  }

  /// Finds a pulled model without the network: the snapshot that the name's revision points to, the
  /// newest one where `main` was never recorded.
  ///
  /// @return the GGUF file (of a split model its first part) or the safetensors folder; empty where
  ///   the model is not here or not complete
  public Optional<Path> find(ModelName name) {
    try {
      for (Path snapshot : candidates(name)) {
        Optional<Path> found = findIn(snapshot, name);
        if (found.isPresent()) {
          return found;
        }
      }
      return Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private List<Path> candidates(ModelName name) throws IOException {
    if (FileNames.isHash(name.revision())) {
      return List.of(snapshot(name, name.revision()));
    }
    Optional<String> commit = readRef(name);
    if (commit.isPresent()) {
      return List.of(snapshot(name, commit.get()));
    }
    return name.revision().equals(ModelName.MAIN)
        ? snapshotsNewestFirst(repoFolder(name))
        : List.of();
  }

  private Optional<Path> findIn(Path snapshot, ModelName name) throws IOException {
    List<RemoteFile> files = filesIn(snapshot);
    if (files.isEmpty()) {
      return Optional.empty();
    }
    try {
      FileChoice.Selection selection = FileChoice.select(files, name);
      if (selection.main() != null) {
        return Optional.of(snapshot.resolve(selection.main().path()));
      }
      return hasAllShards(snapshot) ? Optional.of(snapshot) : Optional.empty();
    } catch (HubException e) {
      return Optional.empty();
    }
  }

  /// True where every file that the weights' index names is here.
  private static boolean hasAllShards(Path snapshot) throws IOException {
    Path index = snapshot.resolve("model.safetensors.index.json");
    if (!Files.exists(index)) {
      return true;
    }
    if (Files.size(index) > MAX_SMALL_FILE) {
      return false;
    }
    try {
      Set<String> shards = new HashSet<>();
      for (Json shard : Json.parse(Files.readString(index)).get("weight_map").asMap().values()) {
        shards.add(shard.asString());
      }
      for (String shard : shards) {
        if (!FileNames.isSafe(shard) || !Files.exists(snapshot.resolve(shard))) {
          return false;
        }
      }
      return true;
    } catch (JsonException e) {
      return false;
    }
  }

  /// All snapshots in the cache, by name; what cannot be read is left out.
  public List<CachedModel> list() {
    List<CachedModel> models = new ArrayList<>();
    try (DirectoryStream<Path> repos = Files.newDirectoryStream(folder, PREFIX + "*--*")) {
      for (Path repo : repos) {
        String[] parts = repo.getFileName().toString().substring(PREFIX.length()).split("--", 2);
        for (Path snapshot : snapshotsNewestFirst(repo)) {
          cachedModel(parts[0], parts[1], snapshot).ifPresent(models::add);
        }
      }
    } catch (IOException e) {
      return models;
    }
    models.sort(Comparator.comparing(model -> model.name().toString()));
    return models;
  }

  private Optional<CachedModel> cachedModel(String owner, String repo, Path snapshot) {
    try {
      String commit = snapshot.getFileName().toString();
      ModelName main = new ModelName(owner, repo, null, ModelName.MAIN);
      boolean isMain = readRef(main).filter(commit::equals).isPresent();
      List<RemoteFile> files = filesIn(snapshot);
      if (files.isEmpty()) {
        return Optional.empty();
      }
      long bytes = 0;
      TreeSet<String> paths = new TreeSet<>();
      for (RemoteFile file : files) {
        bytes += file.bytes();
        paths.add(file.path());
      }
      Instant modified = Files.getLastModifiedTime(snapshot).toInstant();
      return Optional.of(
          new CachedModel(
              isMain ? main : new ModelName(owner, repo, null, commit),
              commit,
              snapshot,
              List.copyOf(paths),
              bytes,
              modified));
    } catch (IOException | IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  /// The files of a snapshot whose content is here, each with a stand-in for its checksum.
  private static List<RemoteFile> filesIn(Path snapshot) throws IOException {
    List<RemoteFile> files = new ArrayList<>();
    if (!Files.isDirectory(snapshot)) {
      return files;
    }
    String noHash = "0".repeat(40);
    try (Stream<Path> walk = Files.walk(snapshot, MAX_DEPTH, new FileVisitOption[0])) {
      for (Path path : (Iterable<Path>) walk.limit(MAX_SNAPSHOT_FILES)::iterator) {
        String relative = snapshot.relativize(path).toString().replace('\\', '/');
        if (Files.isRegularFile(path) && FileNames.isSafe(relative)) {
          files.add(new RemoteFile(relative, Files.size(path), noHash));
        }
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    return files;
  }

  private static List<Path> snapshotsNewestFirst(Path repo) throws IOException {
    List<Path> snapshots = new ArrayList<>();
    Path parent = repo.resolve("snapshots");
    if (!Files.isDirectory(parent)) {
      return snapshots;
    }
    try (DirectoryStream<Path> folders = Files.newDirectoryStream(parent)) {
      for (Path snapshot : folders) {
        if (FileNames.isHash(snapshot.getFileName().toString())) {
          snapshots.add(snapshot);
        }
      }
    }
    snapshots.sort(
        Comparator.comparingLong((Path path) -> path.toFile().lastModified()).reversed());
    return snapshots;
  }

  private Optional<String> readRef(ModelName name) throws IOException {
    Path ref = ref(name);
    if (!Files.isRegularFile(ref) || Files.size(ref) > 1024) {
      return Optional.empty();
    }
    return Optional.of(Files.readString(ref).strip()).filter(FileNames::isHash);
  }

  private Path ref(ModelName name) {
    return repoFolder(name).resolve("refs").resolve(name.revision());
  }

  /// Records that the name's revision points to `commit`; nothing where the revision is a commit.
  void writeRef(ModelName name, String commit) throws IOException {
    if (name.revision().equals(commit) || readRef(name).filter(commit::equals).isPresent()) {
      return;
    }
    Path ref = ref(name);
    Files.createDirectories(ref.getParent());
    Path fresh = ref.resolveSibling(ref.getFileName() + "." + UUID.randomUUID() + ".tmp");
    Files.writeString(fresh, commit);
    move(fresh, ref);
  }

  /// True where `file` is in the snapshot with its full length.
  boolean isPresent(Path snapshotFile, RemoteFile file) {
    return hasLength(snapshotFile, file.bytes());
  }

  /// Makes a blob, which must be complete, appear under its name in a snapshot.
  void link(Path blob, Path snapshotFile) throws IOException {
    Path parent = Objects.requireNonNull(snapshotFile.getParent());
    Files.createDirectories(parent);
    Path fresh = snapshotFile.resolveSibling("." + UUID.randomUUID() + ".tmp");
    try {
      Files.createSymbolicLink(fresh, parent.relativize(blob));
    } catch (UnsupportedOperationException | IOException e) {
      move(blob, snapshotFile);
      return;
    }
    try {
      move(fresh, snapshotFile);
    } finally {
      Files.deleteIfExists(fresh);
    }
  }

  /// Moves in one step, replacing the target, and makes the new name durable.
  static void move(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    syncFolder(to.getParent());
  }

  /// Folders can be flushed on Unix; elsewhere the file system does what it does.
  private static void syncFolder(@Nullable Path folder) {
    if (folder == null) {
      return;
    }
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      System.getLogger(HubCache.class.getName())
          .log(System.Logger.Level.DEBUG, "event=folder_not_synced folder={0}", folder);
    }
  }

  static boolean hasLength(Path file, long bytes) {
    try {
      BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
      return attributes.isRegularFile() && attributes.size() == bytes;
    } catch (IOException e) {
      return false;
    }
  }
}
