package io.kvasir.engine;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.model.LayerConfig;
import io.kvasir.model.ModelConfig;
import io.kvasir.model.RopeConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// A short text that stands for everything but tokens and salt that decides the bytes of a cache
/// block: the model's weights, the cache's formats and layout, and the arithmetic.
///
/// Files up to 64 MiB are hashed whole. Of larger ones it takes the size, the first and the last
/// MiB, and 4 KiB at each of 2,048 evenly spaced places: reading gigabytes at every start would
/// cost more than a cache saves. Two large files that agree in all of these are taken for the same.
final class ModelFingerprint {
  private static final long WHOLE_BYTES = 64L << 20;
  private static final int EDGE_BYTES = 1 << 20;
  private static final int SAMPLES = 2048;
  private static final int SAMPLE_BYTES = 4096;

  /// To be raised with every change after which the same model computes other keys or values.
  private static final int ROWS_VERSION = 2;

  private static final Pattern PART = Pattern.compile("(.+)-\\d{5}-of-(\\d{5})\\.gguf");

  private ModelFingerprint() {}

  /// @param model a GGUF file or a Hugging Face folder
  /// @param arithmetic what computes keys and values; other arithmetic may round differently
  /// @param profile what formats that centre keys take from them
  static String of(
      Path model, ModelConfig config, KvLayout layout, KvProfile profile, String arithmetic) {
    StringBuilder cache = new StringBuilder().append(layout.blockTokens());
    for (LayerGroup group : layout.groups()) {
      cache.append(' ').append(group.kvs()).append(group.layers());
    }
    return of(model, config, arithmetic, cache.append(' ').append(profile.id()).toString());
  }

  /// Stands for what decides the keys and values that are computed, whatever stores them.
  static String ofRows(Path model, ModelConfig config, String arithmetic) {
    return of(model, config, arithmetic, "");
  }

  private static String of(Path model, ModelConfig config, String arithmetic, String cache) {
    try {
      MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
      for (Path file : files(model)) {
        digest(file, sha256);
      }
      StringBuilder rest = new StringBuilder("rows of version " + ROWS_VERSION + ' ');
      rest.append(arithmetic).append(' ').append(cache);
      for (LayerConfig layer : config.layers()) {
        rest.append(' ').append(rope(layer));
      }
      sha256.update(rest.toString().getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(sha256.digest(), 0, 16);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + model + ": " + e.getMessage(), e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /// The angles of a layer, which may depend on more than the model's files: those of LongRoPE are
  /// chosen by the length of the context.
  private static int rope(LayerConfig layer) {
    RopeConfig rope = layer.attention().rope();
    int hash = 0;
    for (int pair = 0; rope != null && pair < rope.table().pairs(); pair++) {
      hash = 31 * hash + Float.floatToIntBits(rope.table().inverseFrequency(pair));
    }
    return rope == null ? 0 : 31 * hash + Float.floatToIntBits(rope.table().magnitude());
  }

  private static List<Path> files(Path model) throws IOException {
    if (!Files.isDirectory(model)) {
      return parts(model);
    }
    try (Stream<Path> files = Files.list(model)) {
      return files
          .filter(file -> file.toString().matches(".*\\.(safetensors|json|gguf)"))
          .sorted()
          .toList();
    }
  }

  /// All parts of a model that is split over several GGUF files, else the one file.
  private static List<Path> parts(Path model) {
    Matcher part = PART.matcher(String.valueOf(model.getFileName()));
    if (!part.matches()) {
      return List.of(model);
    }
    List<Path> parts = new ArrayList<>();
    for (int i = 1; i <= Integer.parseInt(part.group(2)); i++) {
      String name = "%s-%05d-of-%s.gguf".formatted(part.group(1), i, part.group(2));
      parts.add(model.resolveSibling(name));
    }
    return parts;
  }

  private static void digest(Path file, MessageDigest sha256) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      long size = channel.size();
      sha256.update(Long.toString(size).getBytes(StandardCharsets.UTF_8));
      if (size <= WHOLE_BYTES) {
        for (long at = 0; at < size; at += EDGE_BYTES) {
          digest(channel, at, EDGE_BYTES, sha256);
        }
        return;
      }
      digest(channel, 0, EDGE_BYTES, sha256);
      for (int i = 0; i < SAMPLES; i++) {
        digest(channel, size / SAMPLES * i, SAMPLE_BYTES, sha256);
      }
      digest(channel, size - EDGE_BYTES, EDGE_BYTES, sha256);
    }
  }

  private static void digest(FileChannel channel, long at, int bytes, MessageDigest sha256)
      throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(bytes, channel.size() - at));
    while (buffer.hasRemaining() && channel.read(buffer, at + buffer.position()) >= 0) {}
    sha256.update(buffer.flip());
  }
}
