package io.kvasir.cli.eval;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.format.PlaneKind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/// Chooses formats of keys and values by layer for a budget of memory.
///
/// Each candidate is measured alone: one side of one layer in it, all else in f32, and the mean KL
/// divergence that this causes. From int8 everywhere it goes on to whatever costs the least
/// divergence per byte saved until the budget is kept; small errors of different layers add up
/// (KVTuner, arXiv 2502.04420, searches the same choices by attention error).
public final class BitsProbe {
  private static final KvFormat START = KvFormat.INT8;

  /// Cheaper and cheaper. Formats that are read in tiles cannot be pruned, so none is among them.
  private static final List<String> CANDIDATES = List.of("int6", "int5", "int4", "lm3");

  private final EvalSubject subject;
  private final List<LayerKv> layers = new ArrayList<>();
  private final List<Side> sides = new ArrayList<>();

  /// What is chosen for the keys or the values of one layer.
  private static final class Side {
    private final int layer;
    private final boolean keys;
    private final Map<String, Double> losses = new LinkedHashMap<>();
    private String format = START.name();

    Side(int layer, boolean keys) {
      this.layer = layer;
      this.keys = keys;
    }

    double loss() {
      return losses.getOrDefault(format, 0.0);
    }
  }

  /// What a probe found.
  ///
  /// @param bytesPerToken of codes and scales
  /// @param expected the sum of the divergences measured alone, but for those of int8
  public record Choice(KvRecipe recipe, double bytesPerToken, double expected) {}

  /// @param subject its profile must be measured
  public BitsProbe(EvalSubject subject) {
    this.subject = subject;
    KvLayout layout = subject.layout(KvRecipe.of(KvFormat.F32));
    for (int layer = 0; layer < layout.layerCount(); layer++) {
      LayerKv kv = layout.kv(layer);
      layers.add(kv);
      sides.add(new Side(layer, true));
      if (kv.valueDim() > 0) {
        sides.add(new Side(layer, false));
      }
    }
  }

  /// Measures and chooses.
  ///
  /// @throws IllegalArgumentException where the budget cannot be kept
  public Choice choose(BitsBudget budget, List<Document> documents, Consumer<String> progress) {
    double allowed = budget.bytesPerToken(elements());
    double least = 0;
    for (Side side : sides) {
      least += bytes(side, CANDIDATES.getLast());
    }
    if (least > allowed) {
      throw new IllegalArgumentException(
          "a cache of %.0f bytes per token cannot be had; %s alone takes %.0f"
              .formatted(allowed, CANDIDATES.getLast(), least));
    }
    double used = 0;
    for (Side side : sides) {
      used += bytes(side, side.format);
    }
    if (used > allowed) {
      measure(documents, progress);
    }
    while (used > allowed) {
      used -= lower();
    }
    double expected = 0;
    for (Side side : sides) {
      expected += side.loss();
    }
    return new Choice(recipe(), used, expected);
  }

  private long elements() {
    long elements = 0;
    for (LayerKv kv : layers) {
      elements += (long) kv.kvHeads() * (kv.keyDim() + kv.valueDim());
    }
    return elements;
  }

  private void measure(List<Document> documents, Consumer<String> progress) {
    int longest = 0;
    for (Document document : documents) {
      longest = Math.max(longest, document.ids().length);
    }
    for (int layer = 0; layer < layers.size(); layer++) {
      progress.accept("probing layer " + (layer + 1) + " of " + layers.size());
      List<Side> both = new ArrayList<>();
      List<KvRecipe> recipes = new ArrayList<>();
      for (Side side : sides) {
        if (side.layer == layer) {
          both.add(side);
          CANDIDATES.forEach(candidate -> recipes.add(alone(side, candidate)));
        }
      }
      try (FidelityRun run = new FidelityRun(subject, recipes, longest, false)) {
        List<FidelityRun.Result> results = run.measure(documents, text -> {});
        for (int i = 0; i < recipes.size(); i++) {
          double loss = results.get(i).figures().divergence().mean();
          both.get(i / CANDIDATES.size()).losses.put(CANDIDATES.get(i % CANDIDATES.size()), loss);
        }
      }
    }
  }

  /// One side of one layer in a format, all else in f32.
  private KvRecipe alone(Side side, String format) {
    boolean latent = layers.get(side.layer).valueDim() == 0;
    String formats = latent ? format : side.keys ? format + "/f32" : "f32/" + format;
    return KvRecipe.named("f32[" + side.layer + "=" + formats + "]");
  }

  /// Takes the step that costs least per byte and returns the bytes that it saves.
  private double lower() {
    Side best = null;
    String to = "";
    double bestCost = Double.POSITIVE_INFINITY;
    for (Side side : sides) {
      for (String candidate : CANDIDATES) {
        double saved = bytes(side, side.format) - bytes(side, candidate);
        double cost = (side.losses.getOrDefault(candidate, 0.0) - side.loss()) / saved;
        if (saved > 0 && cost < bestCost) {
          best = side;
          to = candidate;
          bestCost = cost;
        }
      }
    }
    if (best == null) {
      throw new IllegalStateException("nothing is left to lower");
    }
    double saved = bytes(best, best.format) - bytes(best, to);
    best.format = to;
    return saved;
  }

  /// Bytes per token of one side.
  private double bytes(Side side, String format) {
    LayerKv kv = layers.get(side.layer);
    int block = subject.blockTokens();
    int dim = side.keys ? kv.keyDim() : kv.valueDim();
    PlaneKind kind = side.keys ? kv.keyKind() : PlaneKind.VALUES;
    return (double) kv.kvHeads() * KvFormat.named(format).planeBytes(block, dim, kind) / block;
  }

  /// The chosen formats, written so that the commonest pair comes first.
  private KvRecipe recipe() {
    Map<Integer, String> byLayer = new LinkedHashMap<>();
    for (Side side : sides) {
      if (side.keys) {
        byLayer.put(side.layer, side.format);
      } else {
        byLayer.merge(side.layer, side.format, (keys, values) -> keys + "/" + values);
      }
    }
    Map<String, List<String>> byFormat = new LinkedHashMap<>();
    byLayer.forEach((layer, format) ->
        byFormat.computeIfAbsent(format, f -> new ArrayList<>()).add(String.valueOf(layer)));
    String base = "";
    for (Map.Entry<String, List<String>> entry : byFormat.entrySet()) {
      boolean more =
          base.isEmpty() || entry.getValue().size() > byFormat.getOrDefault(base, List.of()).size();
      base = more ? entry.getKey() : base;
    }
    List<String> others = new ArrayList<>();
    for (Map.Entry<String, List<String>> entry : byFormat.entrySet()) {
      if (!entry.getKey().equals(base)) {
        others.add(String.join(",", entry.getValue()) + "=" + entry.getKey());
      }
    }
    return KvRecipe.named(others.isEmpty() ? base : base + "[" + String.join(";", others) + "]");
  }
}
