package io.kvasir.model;

import io.kvasir.compute.RopeTable;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.model.file.AssembledWeights;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.file.GgufWriter;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.file.SafetensorsFile;
import io.kvasir.model.file.TensorContent;
import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Writes a model as a GGUF file with weights of another number format: from a Hugging Face folder
/// ([GgufWeights], [GgufHeader]) or from another GGUF file, whose metadata is kept.
public final class ModelConversion {
  /// `general.file_type` of GGUF by the type of most weights.
  private static final Map<TensorType, Integer> FILE_TYPES =
      Map.ofEntries(
          Map.entry(TensorType.F32, 0),
          Map.entry(TensorType.F16, 1),
          Map.entry(TensorType.Q4_0, 2),
          Map.entry(TensorType.Q4_1, 3),
          Map.entry(TensorType.Q8_0, 7),
          Map.entry(TensorType.Q5_0, 8),
          Map.entry(TensorType.Q5_1, 9),
          Map.entry(TensorType.BF16, 32),
          Map.entry(TensorType.TQ1_0, 36),
          Map.entry(TensorType.TQ2_0, 37),
          Map.entry(TensorType.MXFP4, 38));

  private static final int QUANTIZATION_VERSION = 2;

  private ModelConversion() {}

  /// Hears of each weight before it is written.
  @FunctionalInterface
  public interface Progress {
    Progress SILENT = (name, index, count) -> {};

    /// @param index 0 for the first of `count`
    void weight(String name, int index, int count);
  }

  /// The types that a file can be converted to, in the order of GGUF's file types.
  public static List<TensorType> targets() {
    return FILE_TYPES.entrySet().stream()
        .sorted(Map.Entry.comparingByValue())
        .map(Map.Entry::getKey)
        .toList();
  }

  /// Converts `source`, a Hugging Face folder or a GGUF file, to the GGUF file `target`.
  ///
  /// @return the size of the file in bytes
  /// @throws ModelFormatException where the source is not a model
  /// @throws UnsupportedModelException where it is one that Kvasir does not run
  /// @throws IOException where the file cannot be written
  public static long convert(Path source, Path target, TensorType type, Progress progress)
      throws IOException {
    if (!FILE_TYPES.containsKey(type)) {
      throw new IllegalArgumentException("Kvasir writes no models of type " + type);
    }
    if (Files.isDirectory(source)) {
      return convertFolder(source, target, type, progress);
    }
    try (GgufFile file = GgufFile.open(source)) {
      GgufWriter writer = new GgufWriter();
      file.metadata()
          .values()
          .forEach((key, value) -> {
            if (!key.startsWith("split.")) {
              writer.put(key, value);
            }
          });
      List<PlannedWeight> plan = new ArrayList<>();
      for (Tensor tensor : file.tensors()) {
        plan.add(PlannedWeight.of(tensor.name(), tensor));
      }
      return write(writer, plan, target, type, progress);
    }
  }

  private static long convertFolder(Path folder, Path target, TensorType type, Progress progress)
      throws IOException {
    Json config = ModelSource.readConfig(folder);
    try (AssembledWeights weights = AssembledWeights.of(SafetensorsFile.open(folder))) {
      Family family = Families.named(config.textOr("model_type", ""));
      ModelDraft draft = new ModelDraft(config, family, false, 0);
      ModelConfig model = draft.build();
      boolean tied = config.booleanOr("tie_word_embeddings", false);
      List<PlannedWeight> plan =
          new GgufWeights(weights.weights(), family, model, draft.groupedQkv, tied).plan();
      GgufWriter writer = new GgufWriter();
      new GgufHeader(draft, model, plan, writer).write();
      Path name = folder.toAbsolutePath().normalize().getFileName();
      writer.put("general.name", String.valueOf(name));
      GgufVocabulary.write(folder, embeddingRows(plan), writer);
      try (Arena arena = Arena.ofConfined()) {
        plan.addAll(frequencies(draft, model, arena));
        return write(writer, plan, target, type, progress);
      }
    } catch (JsonException e) {
      throw new ModelFormatException(
          "the configuration of '%s' is not usable: %s".formatted(folder, e.getMessage()), e);
    }
  }

  private static int embeddingRows(List<PlannedWeight> plan) {
    for (PlannedWeight weight : plan) {
      if (weight.name().equals("token_embd.weight")) {
        return Math.toIntExact(weight.shape()[0]);
      }
    }
    throw new ModelFormatException("the model has no weight for 'token_embd'");
  }

  /// Rotation frequencies that GGUF keeps as divisors of the plain ones.
  private static List<PlannedWeight> frequencies(ModelDraft draft, ModelConfig model, Arena arena) {
    Json rules = draft.ropeParameters(false);
    String rule = rules.textOr("rope_type", rules.textOr("type", "default"));
    List<PlannedWeight> tensors = new ArrayList<>();
    switch (rule) {
      case "longrope", "su" -> {
        for (String set : List.of("long", "short")) {
          List<Json> factors = rules.get(set + "_factor").asList();
          float[] values = new float[factors.size()];
          for (int i = 0; i < values.length; i++) {
            values[i] = (float) factors.get(i).asDouble();
          }
          tensors.add(vector("rope_factors_" + set + ".weight", values, arena));
        }
      }
      case "llama3", "proportional" -> {
        double base = rules.doubleOr("rope_theta", draft.ropeBase(false));
        for (LayerConfig layer : model.layers()) {
          RopeConfig rope = layer.attention().rope();
          if (rope != null && layer.attention().window() == 0) {
            float[] divisors = divisors(rope.table(), base);
            return List.of(vector("rope_freqs.weight", divisors, arena));
          }
        }
      }
      default -> {
        // The header says it all.
      }
    }
    return tensors;
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

  private static PlannedWeight vector(String name, float[] values, Arena arena) {
    return PlannedWeight.of(name, TensorOrder.floats(name, values, arena, values.length));
  }

  private static long write(
      GgufWriter writer, List<PlannedWeight> plan, Path target, TensorType type, Progress progress)
      throws IOException {
    writer.put("general.file_type", FILE_TYPES.getOrDefault(type, 0));
    writer.put("general.quantization_version", QUANTIZATION_VERSION);
    for (int i = 0; i < plan.size(); i++) {
      PlannedWeight weight = plan.get(i);
      TensorType stored = weight.typeIn(type);
      TensorContent content = weight.content(stored);
      int index = i;
      writer.add(
          weight.name(),
          stored,
          weight.shape(),
          channel -> {
            progress.weight(weight.name(), index, plan.size());
            content.writeTo(channel);
          });
    }
    return writer.write(target);
  }
}
