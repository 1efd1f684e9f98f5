package io.kvasir.model;

import io.kvasir.compute.RopeTable;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.model.file.AssembledWeights;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.file.GgufPlan;
import io.kvasir.model.file.GgufPlan.Part;
import io.kvasir.model.file.GgufValue;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.file.Quantizer;
import io.kvasir.model.file.SafetensorsFile;
import io.kvasir.model.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Writes a model as a GGUF file with weights of another number format: from a Hugging Face folder
/// ([GgufWeights], [GgufHeader], [GgufVocabulary]) or from another GGUF file, whose metadata is
/// kept.
public final class ModelConversion {
  private ModelConversion() {}

  /// Converts `source`, a Hugging Face folder or a GGUF file, to the GGUF file `target`.
  ///
  /// @throws ModelFormatException where the source is not a model
  /// @throws UnsupportedModelException where it is one that Kvasir does not run
  /// @throws IOException where the file cannot be written
  public static Quantizer.Report convert(Path source, Path target, Quantizer quantizer)
      throws IOException {
    if (!Files.isDirectory(source)) {
      try (GgufFile file = GgufFile.open(source)) {
        return quantizer.write(GgufPlan.of(file), target);
      }
    }
    Json config = ModelSource.readConfig(source);
    try (AssembledWeights weights = AssembledWeights.of(SafetensorsFile.open(source))) {
      return quantizer.write(plan(source, config, weights), target);
    } catch (RuntimeException e) {
      throw ModelSource.told(source, e);
    }
  }

  private static GgufPlan plan(Path folder, Json config, AssembledWeights weights) {
    Family family = Families.named(config.textOr("model_type", ""));
    ModelDraft draft = new ModelDraft(config, family, false, 0);
    ModelConfig model = draft.build();
    boolean tied = config.booleanOr("tie_word_embeddings", false);
    List<Part> parts =
        new GgufWeights(weights.weights(), family, model, draft.groupedQkv, tied).plan();
    Map<String, GgufValue> metadata = new LinkedHashMap<>();
    GgufXielu.move(parts, metadata, draft.layerCount);
    new GgufHeader(draft, model, parts, metadata).write();
    Path name = folder.toAbsolutePath().normalize().getFileName();
    metadata.put("general.name", GgufValue.of(String.valueOf(name)));
    GgufVocabulary.write(folder, embeddingRows(parts), metadata);
    parts.addAll(frequencies(draft, model));
    return GgufPlan.of(metadata, parts);
  }

  private static int embeddingRows(List<Part> parts) {
    for (Part part : parts) {
      if (part.name().equals("token_embd.weight")) {
        return Math.toIntExact(part.shape()[0]);
      }
    }
    throw new ModelFormatException("the model has no weight for 'token_embd'");
  }

  /// Rotation frequencies that GGUF keeps as divisors of the plain ones.
  private static List<Part> frequencies(ModelDraft draft, ModelConfig model) {
    Json rules = draft.ropeParameters(false);
    String rule = rules.textOr("rope_type", rules.textOr("type", "default"));
    List<Part> parts = new ArrayList<>();
    switch (rule) {
      case "longrope", "su" -> {
        for (String set : List.of("long", "short")) {
          List<Json> factors = rules.get(set + "_factor").asList();
          float[] values = new float[factors.size()];
          for (int i = 0; i < values.length; i++) {
            values[i] = (float) factors.get(i).asDouble();
          }
          parts.add(vector("rope_factors_" + set + ".weight", values));
        }
      }
      case "llama3", "proportional" -> {
        double base = rules.doubleOr("rope_theta", draft.ropeBase(false));
        for (LayerConfig layer : model.layers()) {
          RopeConfig rope = layer.attention().rope();
          if (rope != null && layer.attention().window() == 0) {
            return List.of(vector("rope_freqs.weight", divisors(rope.table(), base)));
          }
        }
      }
      default -> {
        // The header says it all.
      }
    }
    return parts;
  }

  private static float[] divisors(RopeTable table, double base) {
    float[] divisors = new float[table.pairs()];
    for (int i = 0; i < divisors.length; i++) {
      double plain = 1 / Math.pow(base, (double) i / divisors.length);
      float frequency = table.inverseFrequency(i);
      // What does not rotate is divided by more than any context is long.
      divisors[i] = frequency == 0 ? 1e30f : (float) (plain / frequency);
    }
    return divisors;
  }

  private static Part vector(String name, float[] values) {
    long[] shape = {values.length};
    return new Part(
        name,
        TensorType.F32,
        shape,
        4L * values.length,
        List.of(arena -> TensorOrder.floats(name, values, arena, shape)));
  }
}
