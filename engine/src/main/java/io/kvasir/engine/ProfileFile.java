package io.kvasir.engine;

import io.kvasir.kvcache.format.KvProfile;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/// A [KvProfile] in a file.
///
/// ```
/// "KVPROF01" | layers | per layer: heads, elements of a key | f32 x heads x elements
///            | SHA-256 of all before
/// ```
///
/// Numbers are big endian. A file is written beside its place and moved there when it is whole.
final class ProfileFile {
  private static final long MAGIC = 0x4B5650524F463031L;
  private static final int HASH_BYTES = 32;

  /// Far more than the largest model has: a million key elements of a thousand layers.
  private static final long MOST_BYTES = 64 << 20;

  private ProfileFile() {}

  /// A profile whose id is a hash of its numbers.
  static KvProfile identified(float[][][] means) {
    return new KvProfile(HexFormat.of().formatHex(hash(body(means)), 0, 8), means);
  }

  /// Writes the means.
  ///
  /// @param shape `{heads, elements}` of each layer
  static void write(Path file, KvProfile profile, int[][] shape) throws IOException {
    float[][][] means = means(profile, shape);
    Path folder = file.toAbsolutePath().getParent();
    Files.createDirectories(folder);
    Path part = Files.createTempFile(folder, file.getFileName() + ".", ".part");
    try {
      byte[] body = body(means);
      ByteArrayOutputStream bytes = new ByteArrayOutputStream(body.length + HASH_BYTES);
      bytes.writeBytes(body);
      bytes.writeBytes(hash(body));
      Files.write(part, bytes.toByteArray());
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(part);
    }
  }

  /// The profile in the file; null where there is none, it is damaged or of another shape.
  ///
  /// @param shape `{heads, elements}` of each layer that it must have
  static @Nullable KvProfile read(Path file, int[][] shape) {
    try {
      if (!Files.isRegularFile(file) || Files.size(file) > MOST_BYTES) {
        return null;
      }
      byte[] bytes = Files.readAllBytes(file);
      if (bytes.length < HASH_BYTES) {
        return null;
      }
      byte[] body = Arrays.copyOf(bytes, bytes.length - HASH_BYTES);
      byte[] hash = Arrays.copyOfRange(bytes, body.length, bytes.length);
      if (!MessageDigest.isEqual(hash(body), hash)) {
        return null;
      }
      float[][][] means = means(body, shape);
      return means == null ? null : identified(means);
    } catch (IOException e) {
      return null;
    }
  }

  private static float[][][] means(KvProfile profile, int[][] shape) {
    float[][][] means = new float[shape.length][][];
    for (int layer = 0; layer < means.length; layer++) {
      means[layer] = new float[shape[layer][0]][];
      for (int head = 0; head < means[layer].length; head++) {
        means[layer][head] = profile.keyMean(layer, head, shape[layer][1]);
      }
    }
    return means;
  }

  private static float @Nullable [][][] means(byte[] body, int[][] shape) throws IOException {
    DataInputStream in = new DataInputStream(new ByteArrayInputStream(body));
    if (in.readLong() != MAGIC || in.readInt() != shape.length) {
      return null;
    }
    float[][][] means = new float[shape.length][][];
    for (int layer = 0; layer < means.length; layer++) {
      int heads = in.readInt();
      int elements = in.readInt();
      if (heads != shape[layer][0] || elements != shape[layer][1]) {
        return null;
      }
      means[layer] = new float[heads][elements];
      for (float[] mean : means[layer]) {
        for (int i = 0; i < elements; i++) {
          mean[i] = in.readFloat();
        }
      }
    }
    return means;
  }

  private static byte[] body(float[][][] means) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeLong(MAGIC);
      out.writeInt(means.length);
      for (float[][] layer : means) {
        out.writeInt(layer.length);
        out.writeInt(layer.length == 0 ? 0 : layer[0].length);
        for (float[] mean : layer) {
          for (float element : mean) {
            out.writeFloat(element);
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  private static byte[] hash(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
