package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Open safetensors weights: one file, or a folder in Hugging Face layout with `model.safetensors`
/// or the shards that `model.safetensors.index.json` names.
///
/// The files are mapped, not read. The object owns the mapping; close it after the last use of any
/// tensor. Immutable while open; may be used by any number of threads at once.
public final class SafetensorsFile implements TensorSource {
  private static final String SINGLE = "model.safetensors";
  private static final String INDEX = "model.safetensors.index.json";

  /// An index names each tensor once; the largest public one has 15 MB.
  private static final long MAX_INDEX_BYTES = 100_000_000;

  private final Arena arena;
  private final Path path;
  private final Map<String, String> metadata;
  private final TensorIndex index;
  private final List<Tensor> tensors;

  private SafetensorsFile(Arena arena, Path path, Map<String, String> metadata, TensorIndex index) {
    this.arena = arena;
    this.path = path;
    this.metadata = Collections.unmodifiableMap(metadata);
    this.index = index;
    this.tensors = index.all();
  }

  /// Opens a `.safetensors` file, an index file, or a folder with either.
  ///
  /// @throws ModelFormatException where a file is missing, of another kind, cut off or damaged
  public static SafetensorsFile open(Path path) {
    Arena arena = Arena.ofShared();
    try {
      return open(path, arena);
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  /// As [#open], of a single file that is already in memory.
  static SafetensorsFile parse(MemorySegment bytes, Path name) {
    TensorIndex tensors = new TensorIndex();
    Map<String, String> metadata = new SafetensorsReader(bytes, name.toString()).readInto(tensors);
    return new SafetensorsFile(Arena.ofConfined(), name, metadata, tensors);
  }

  private static SafetensorsFile open(Path path, Arena arena) {
    TensorIndex tensors = new TensorIndex();
    Map<String, String> metadata = new LinkedHashMap<>();
    for (Path file : files(path, arena)) {
      MemorySegment bytes = MappedFile.map(file, arena);
      metadata.putAll(new SafetensorsReader(bytes, file.toString()).readInto(tensors));
    }
    return new SafetensorsFile(arena, path, metadata, tensors);
  }

  private static Set<Path> files(Path path, Arena arena) {
    if (!Files.isDirectory(path)) {
      return path.toString().endsWith(".json") ? shards(path, arena) : Set.of(path);
    }
    Path single = path.resolve(SINGLE);
    if (Files.exists(single)) {
      return Set.of(single);
    }
    Path indexFile = path.resolve(INDEX);
    if (Files.exists(indexFile)) {
      return shards(indexFile, arena);
    }
    throw new ModelFormatException(
        "%s has neither %s nor %s%s".formatted(path, SINGLE, INDEX, advice(path)));
  }

  private static String advice(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      List<String> names = files.map(file -> String.valueOf(file.getFileName())).sorted().toList();
      for (String name : names) {
        if (name.endsWith(".gguf")) {
          return ": name its GGUF file (" + name + ") instead of the folder";
        }
        if (name.startsWith("pytorch_model") && name.endsWith(".bin")) {
          return ", only PyTorch weights (" + name + "): convert them to safetensors";
        }
      }
      return "";
    } catch (IOException e) {
      return " and cannot be listed: " + e.getMessage();
    }
  }

  /// The files that an index names, each once, in order.
  private static Set<Path> shards(Path indexFile, Arena arena) {
    MemorySegment text = MappedFile.map(indexFile, arena);
    if (text.byteSize() > MAX_INDEX_BYTES) {
      throw new ModelFormatException(
          "%s has %d bytes; an index of tensors has at most %d"
              .formatted(indexFile, text.byteSize(), MAX_INDEX_BYTES));
    }
    Set<Path> shards = new LinkedHashSet<>();
    HeaderJson json = new HeaderJson(text, indexFile.toString());
    for (boolean more = json.beginObject(); more; more = json.nextInObject()) {
      if (json.readKey().equals("weight_map")) {
        readWeightMap(json, indexFile, shards);
      } else {
        json.skipValue();
      }
    }
    json.expectEnd();
    if (shards.isEmpty()) {
      throw new ModelFormatException(indexFile + " is damaged: its weight_map names no file");
    }
    return shards;
  }

  private static void readWeightMap(HeaderJson json, Path indexFile, Set<Path> shards) {
    for (boolean more = json.beginObject(); more; more = json.nextInObject()) {
      json.readKey();
      String name = json.readString();
      // A shard lies beside its index; a path that leads elsewhere is an attack.
      if (!name.endsWith(".safetensors")
          || name.contains("/")
          || name.contains("\\")
          || name.indexOf('\0') >= 0) {
        throw new ModelFormatException(
            "%s is damaged: '%s' is no name of a shard".formatted(indexFile, Excerpt.of(name)));
      }
      Path shard = indexFile.resolveSibling(name);
      if (shards.add(shard) && !Files.exists(shard)) {
        throw new ModelFormatException(
            "%s is missing, though %s names it: fetch the model again"
                .formatted(shard, indexFile.getFileName()));
      }
    }
  }

  public Path path() {
    return path;
  }

  /// The free texts of the headers, such as `format` = `pt`.
  public Map<String, String> metadata() {
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
