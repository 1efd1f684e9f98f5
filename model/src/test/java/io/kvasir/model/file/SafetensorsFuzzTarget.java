package io.kvasir.model.file;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/// An entry for fuzzers that know Jazzer's convention (`--target_class`): any bytes are read
/// completely as safetensors or refused with a [ModelFormatException].
public final class SafetensorsFuzzTarget {
  private SafetensorsFuzzTarget() {}

  public static void fuzzerTestOneInput(byte[] bytes) {
    read(bytes);
  }

  /// Answers whether the file was accepted.
  static boolean read(byte[] bytes) {
    MemorySegment segment = MemorySegment.ofArray(bytes);
    try (SafetensorsFile model = SafetensorsFile.parse(segment, Path.of("fuzzed"));
        AssembledWeights weights = AssembledWeights.of(model)) {
      GgufFuzzTarget.readTensors(model);
      GgufFuzzTarget.readTensors(weights);
      return true;
    } catch (ModelFormatException e) {
      return false;
    }
  }
}
