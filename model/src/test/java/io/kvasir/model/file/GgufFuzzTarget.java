package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;

/// An entry for fuzzers that know Jazzer's convention (`--target_class`): any bytes are read
/// completely as GGUF or refused with a [ModelFormatException].
public final class GgufFuzzTarget {
  private GgufFuzzTarget() {}

  public static void fuzzerTestOneInput(byte[] bytes) {
    read(bytes);
  }

  /// Answers whether the file was accepted.
  static boolean read(byte[] bytes) {
    try (GgufFile model = GgufFile.parse(MemorySegment.ofArray(bytes), Path.of("fuzzed"))) {
      readTensors(model);
      for (String key : model.metadata().keys()) {
        readMetadata(model.metadata(), key);
      }
      return true;
    } catch (ModelFormatException e) {
      return false;
    }
  }

  static void readTensors(TensorSource model) {
    for (Tensor tensor : model.tensors()) {
      if (tensor.elements() > 0) {
        tensor.decodeRow(tensor.rows() - 1, new float[(int) tensor.columns()], 0);
      }
    }
  }

  private static void readMetadata(GgufMetadata metadata, String key) {
    List<Runnable> lookups =
        List.of(
            () -> metadata.string(key),
            () -> metadata.intOr(key, 0),
            () -> metadata.doubleOr(key, 0),
            () -> metadata.booleanOr(key, false),
            () -> metadata.strings(key),
            () -> metadata.ints(key),
            () -> metadata.floats(key));
    for (Runnable lookup : lookups) {
      try {
        lookup.run();
      } catch (ModelFormatException e) {
        // Of another kind: refused in one sentence, as it should be.
      }
    }
    metadata.forTokenizer().strings(key);
    metadata.forTokenizer().ints(key);
    metadata.forTokenizer().floats(key);
  }
}
