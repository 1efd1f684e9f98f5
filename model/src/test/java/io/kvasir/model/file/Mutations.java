package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/// Seeded damage to files, and the check that a damaged file is either read completely or refused.
final class Mutations {
  private static final long[] EDGES = {
    0,
    1,
    -1,
    7,
    255,
    256,
    65535,
    Integer.MAX_VALUE,
    Integer.MIN_VALUE,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    1L << 32,
    1L << 62,
    (1L << 32) - 1
  };

  private Mutations() {}

  /// One to four changes: a bit, a byte, an edge value as 32 or 64 bits, a cut, a doubled piece.
  static byte[] mutate(byte[] original, SplittableRandom random) {
    byte[] bytes = original.clone();
    int changes = random.nextInt(1, 5);
    for (int i = 0; i < changes && bytes.length > 16; i++) {
      int at = random.nextInt(bytes.length - 8);
      ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      long edge = EDGES[random.nextInt(EDGES.length)];
      switch (random.nextInt(7)) {
        case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> bytes[at] = (byte) random.nextInt(256);
        case 2 -> buffer.putInt(at, (int) edge);
        case 3 -> buffer.putLong(at, edge);
        case 4 -> bytes[at] += (byte) random.nextInt(-2, 3);
        case 5 -> bytes = Arrays.copyOf(bytes, at);
        default -> {
          int length = random.nextInt(1, bytes.length - at);
          byte[] longer = Arrays.copyOf(bytes, bytes.length + length);
          System.arraycopy(bytes, at, longer, at + length, bytes.length - at);
          bytes = longer;
        }
      }
    }
    return bytes;
  }

  static byte[] smallGguf(Path folder) throws IOException {
    Path file = folder.resolve("small.gguf");
    new GgufWriter()
        .put("general.architecture", "llama")
        .put("llama.block_count", 2)
        .put("general.alignment", 32)
        .put("real", 1.5f)
        .put("flag", true)
        .put("tokens", GgufValue.ofStrings(List.of("a", "bc", "", "def")))
        .put("scores", GgufValue.ofFloats(1, 2, 3))
        .put("types", GgufValue.ofInts(1, 2, 3))
        .add(zeros("norm.weight", TensorType.F32, 8))
        .add(zeros("blk.0.weight", TensorType.Q8_0, 2, 32))
        .add(zeros("blk.1.weight", TensorType.Q4_0, 1, 2, 64))
        .write(file);
    return Files.readAllBytes(file);
  }

  static byte[] smallSafetensors(Path folder) throws IOException {
    Path file = folder.resolve("small.safetensors");
    new SafetensorsWriter()
        .metadata("format", "pt")
        .add(zeros("norm.weight", TensorType.F32, 8))
        .add(zeros("blk.0.weight", TensorType.BF16, 2, 32))
        .add(zeros("scales\n", TensorType.U8, 3))
        .write(file);
    return Files.readAllBytes(file);
  }

  private static Tensor zeros(String name, TensorType type, long... shape) {
    byte[] bytes = new byte[(int) Tensor.byteSize(name, type, shape)];
    return new Tensor(name, type, shape, MemorySegment.ofArray(bytes));
  }
}
