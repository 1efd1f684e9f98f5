package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// An open GGUF model: metadata and tensors of one file, or of all the parts of a split model
/// (`name-00001-of-00003.gguf`), whichever part was named.
///
/// The files are mapped, not read: opening costs the header, and tensors are paged in when used.
/// The object owns the mapping; close it after the last use of any tensor. Immutable while open;
/// may be used by any number of threads at once.
public final class GgufFile implements TensorSource {
  private static final Pattern SPLIT_NAME = Pattern.compile("(.+)-(\\d{5})-of-(\\d{5})\\.gguf");

  private final Arena arena;
  private final Path path;
  private final GgufMetadata metadata;
  private final TensorIndex index;
  private final List<Tensor> tensors;

  private GgufFile(Arena arena, Path path, GgufMetadata metadata, TensorIndex index) {
    this.arena = arena;
    this.path = path;
    this.metadata = metadata;
    this.index = index;
    this.tensors = index.all();
  }

  /// Opens a GGUF file of version 2 or 3, with its other parts where it is one of several.
  ///
  /// @throws ModelFormatException where a file is missing, of another kind, cut off or damaged
  public static GgufFile open(Path file) {
    Arena arena = Arena.ofShared();
    try {
      return open(file, arena);
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  /// As [#open], of a single file that is already in memory.
  static GgufFile parse(MemorySegment bytes, Path name) {
    GgufReader.Part part = new GgufReader(bytes, name.toString()).read();
    TensorIndex index = new TensorIndex();
    TensorLayout.place(part.entries(), part.data(), index, name.toString());
    return new GgufFile(Arena.ofConfined(), name, part.metadata(), index);
  }

  private static GgufFile open(Path file, Arena arena) {
    GgufReader.Part named = readPart(file, arena);
    long count = named.metadata().longOr("split.count", 1);
    TensorIndex index = new TensorIndex();
    if (count <= 1) {
      TensorLayout.place(named.entries(), named.data(), index, file.toString());
      return new GgufFile(arena, file, named.metadata(), index);
    }
    List<Path> parts = partPaths(file, count);
    GgufMetadata metadata = named.metadata();
    for (int i = 0; i < parts.size(); i++) {
      Path path = parts.get(i);
      GgufReader.Part part = path.equals(file) ? named : readPart(path, arena);
      checkPart(part.metadata(), path, i, count);
      TensorLayout.place(part.entries(), part.data(), index, path.toString());
      if (i == 0) {
        metadata = part.metadata();
      }
    }
    long expected = metadata.longOr("split.tensors.count", index.size());
    if (expected != index.size()) {
      throw new ModelFormatException(
          "%s is damaged: its parts hold %d tensors instead of %d"
              .formatted(file, index.size(), expected));
    }
    return new GgufFile(arena, parts.getFirst(), metadata, index);
  }

  private static GgufReader.Part readPart(Path file, Arena arena) {
    return new GgufReader(MappedFile.map(file, arena), file.toString()).read();
  }

  /// The paths of all parts, checked to exist before any is opened.
  private static List<Path> partPaths(Path file, long count) {
    Matcher name = SPLIT_NAME.matcher(String.valueOf(file.getFileName()));
    if (!name.matches() || Integer.parseInt(name.group(3)) != count) {
      throw new ModelFormatException(
          "%s is one of %d parts: its name must end in -00001-of-%05d.gguf or alike, so that the"
                  .formatted(file, count, count)
              + " others are found");
    }
    List<Path> parts = new ArrayList<>();
    for (int i = 1; i <= count; i++) {
      Path part = file.resolveSibling("%s-%05d-of-%05d.gguf".formatted(name.group(1), i, count));
      if (!Files.exists(part)) {
        throw new ModelFormatException(
            "%s is missing: the model has %d parts, all of which must lie in one folder"
                .formatted(part, count));
      }
      parts.add(part);
    }
    return parts;
  }

  private static void checkPart(GgufMetadata metadata, Path path, int number, long count) {
    long statedCount = metadata.longOr("split.count", 1);
    long statedNumber = metadata.longOr("split.no", number);
    if (statedCount != count || statedNumber != number) {
      throw new ModelFormatException(
          "%s says that it is part %d of %d, not %d of %d: the parts belong to different models"
              .formatted(path, statedNumber + 1, statedCount, number + 1, count));
    }
  }

  /// The file, the first one where there are several.
  public Path path() {
    return path;
  }

  /// The metadata; of a split model, that of the first part.
  public GgufMetadata metadata() {
    return metadata;
  }

  @Override
  public List<Tensor> tensors() {
    return tensors;
  }

  @Override
  public @Nullable Tensor find(String name) {
    return index.find(name);
  }

  @Override
  public Tensor get(String name) {
    return index.get(name, path.toString());
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }

  @Override
  public String toString() {
    return path.toString();
  }
}
