package io.kvasir.model;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.file.GgufPlan.Part;
import io.kvasir.model.file.GgufValue;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// The numbers of a trained activation ([io.kvasir.compute.Xielu]), which GGUF keeps as metadata,
/// an array over the layers each, where Hugging Face has tensors.
final class GgufXielu {
  private static final List<String> NAMES = List.of("alpha_p", "alpha_n", "beta", "eps");

  private GgufXielu() {}

  /// The role of one of the numbers in a layer.
  static String role(int layer, String name) {
    return "blk." + layer + ".xielu_" + name + ".weight";
  }

  /// The numbers as the tensors that they are elsewhere.
  static List<Tensor> tensors(GgufFile file) {
    List<Tensor> tensors = new ArrayList<>();
    for (String name : NAMES) {
      float[] values = file.metadata().floats("xielu." + name);
      for (int layer = 0; values != null && layer < values.length; layer++) {
        MemorySegment data = MemorySegment.ofArray(new float[] {values[layer]});
        tensors.add(new Tensor(role(layer, name), TensorType.F32, new long[] {1}, data));
      }
    }
    return tensors;
  }

  /// Takes the numbers out of `parts` and puts them into `metadata`.
  static void move(List<Part> parts, Map<String, GgufValue> metadata, int layers) {
    Map<String, Part> found = new TreeMap<>();
    for (Iterator<Part> all = parts.iterator(); all.hasNext(); ) {
      Part part = all.next();
      if (part.name().contains(".xielu_")) {
        found.put(part.name(), part);
        all.remove();
      }
    }
    if (found.isEmpty()) {
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      for (String name : NAMES) {
        float[] values = new float[layers];
        for (int layer = 0; layer < layers; layer++) {
          Part part = found.get(role(layer, name));
          if (part == null) {
            throw new UnsupportedModelException(
                "the activation of layer %d has no '%s'".formatted(layer, name));
          }
          values[layer] = part.pieces().getFirst().make(arena).toFloats()[0];
        }
        metadata.put("xielu." + name, GgufValue.ofFloats(values));
      }
    }
  }
}
