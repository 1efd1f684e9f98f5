package io.kvasir.cli.eval;

import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Computes the attention of sampled queries in plain scalar code, once with the exact keys and
/// values of a run with an f32 cache and once with what a format gives back of them.
public final class AttentionErrorRun {
  private static final int QUERIES = 16;

  private final EvalSubject subject;
  private final List<AttentionInputs.@Nullable Layer> layers;

  /// @param text is read once, from its beginning
  public AttentionErrorRun(EvalSubject subject, int[] text) {
    this.subject = subject;
    boolean[] sampled = new boolean[text.length];
    for (int i = 1; i <= QUERIES; i++) {
      sampled[Math.max(0, (int) ((long) text.length * i / QUERIES) - 1)] = true;
    }
    AttentionInputs inputs = new AttentionInputs(subject.backend(), sampled);
    int rows = subject.transformer().maxRows();
    try (TestedCache cache = subject.cache(KvRecipe.of(KvFormat.F32), text.length)) {
      cache.batch().observe(inputs);
      for (int from = 0; from < text.length; from += rows) {
        cache.advance(Arrays.copyOfRange(text, from, Math.min(text.length, from + rows)));
      }
    }
    layers = inputs.layers();
  }

  /// Measures the formats.
  public List<AttentionError> measure(List<KvRecipe> recipes, Consumer<String> progress) {
    List<AttentionError> errors = new ArrayList<>();
    for (KvRecipe recipe : recipes) {
      progress.accept("attention of " + recipe.name());
      KvLayout layout = subject.layout(recipe);
      List<AttentionError.Layer> found = new ArrayList<>();
      for (int number = 0; number < layers.size(); number++) {
        AttentionInputs.Layer layer = layers.get(number);
        if (layer != null) {
          found.add(measure(layer, number, layout));
        }
      }
      errors.add(new AttentionError(recipe.name(), found));
    }
    return errors;
  }

  private AttentionError.Layer measure(AttentionInputs.Layer layer, int number, KvLayout layout) {
    LayerKv kv = layout.kv(number);
    AttentionSpec spec = layer.spec();
    KvBasis basis = KvBasis.of(kv, subject.profile(), number);
    Sums sums = new Sums();
    for (int head = 0; head < spec.kvHeads(); head++) {
      Rows exact = new Rows(layer, head, null, null);
      StoredRows keys = StoredRows.keys(kv, basis, head, layer.keys(), layout.blockTokens());
      StoredRows values =
          kv.valueDim() == 0
              ? null
              : StoredRows.values(kv, basis, head, layer.values(), layout.blockTokens());
      Rows stored = new Rows(layer, head, keys, values);
      for (int position = 0; position < layer.queries().size(); position++) {
        float[] queries = layer.queries().get(position);
        int first = layout.groupOf(number).firstVisible(position);
        for (int h = 0; queries != null && h < spec.groupSize(); h++) {
          Query query = query(spec, queries, head * spec.groupSize() + h, first, position);
          double[] wanted = exact.logits(query);
          double[] logits = stored.logits(query);
          sums.addLogits(wanted, logits);
          sums.addOutput(exact.output(query, wanted), stored.output(query, logits));
        }
      }
    }
    return new AttentionError.Layer(number, sums.outputError(), sums.logitNoise());
  }

  /// @param first the first position that it sees
  @SuppressWarnings("ArrayRecordComponent") // read only
  private record Query(
      AttentionSpec spec, float[] q, float sink, float slope, int first, int position) {}

  private Query query(AttentionSpec spec, float[] queries, int head, int first, int position) {
    float[] q = Arrays.copyOfRange(queries, head * spec.keyDim(), (head + 1) * spec.keyDim());
    float sink = element(spec.sinks(), head, Float.NEGATIVE_INFINITY);
    return new Query(spec, q, sink, element(spec.slopes(), head, 0), first, position);
  }

  private float element(@Nullable Buffer vector, int index, float absent) {
    if (vector == null) {
      return absent;
    }
    Backend backend = subject.backend();
    float[] all = new float[vector.columns()];
    backend.read(vector, 0, all, 0);
    return all[index];
  }

  /// One head's keys and values, exact or as stored.
  private record Rows(
      AttentionInputs.Layer layer,
      int head,
      @Nullable StoredRows keys,
      @Nullable StoredRows values) {

    double[] logits(Query query) {
      AttentionSpec spec = query.spec();
      double[] logits = new double[query.position() + 1 - query.first()];
      for (int i = 0; i < logits.length; i++) {
        int row = query.first() + i;
        float[] key = keys == null ? layer.keys().get(row) : keys.read(row, query.position());
        int offset = keys == null ? head * spec.keyDim() : 0;
        double sum = 0;
        for (int c = 0; c < spec.keyDim(); c++) {
          sum += (double) query.q()[c] * key[offset + c];
        }
        double logit = sum * spec.scale();
        if (spec.softcap() > 0) {
          logit = spec.softcap() * Math.tanh(logit / spec.softcap());
        }
        logits[i] = logit - (double) (query.position() - row) * query.slope();
      }
      return logits;
    }

    double[] output(Query query, double[] logits) {
      AttentionSpec spec = query.spec();
      double max = query.sink();
      for (double logit : logits) {
        max = Math.max(max, logit);
      }
      double sum = Math.exp(query.sink() - max);
      double[] output = new double[spec.valueDim()];
      for (int i = 0; i < logits.length; i++) {
        double weight = Math.exp(logits[i] - max);
        sum += weight;
        int row = query.first() + i;
        float[] value = value(row, query.position());
        int offset = keys == null ? head * (layer.values().isEmpty() ? 0 : spec.valueDim()) : 0;
        for (int c = 0; c < output.length; c++) {
          output[c] += weight * value[offset + c];
        }
      }
      for (int c = 0; c < output.length; c++) {
        output[c] /= sum;
      }
      return output;
    }

    private float[] value(int row, int position) {
      if (keys == null) {
        return (layer.values().isEmpty() ? layer.keys() : layer.values()).get(row);
      }
      return (values == null ? keys : values).read(row, position);
    }
  }

  private static final class Sums {
    private double error;
    private double size;
    private double noise;
    private long logits;

    void addLogits(double[] wanted, double[] got) {
      double mean = 0;
      for (int i = 0; i < wanted.length; i++) {
        mean += (got[i] - wanted[i]) / wanted.length;
      }
      for (int i = 0; i < wanted.length; i++) {
        double change = got[i] - wanted[i] - mean;
        noise += change * change;
      }
      logits += wanted.length;
    }

    void addOutput(double[] wanted, double[] got) {
      for (int i = 0; i < wanted.length; i++) {
        error += (got[i] - wanted[i]) * (got[i] - wanted[i]);
        size += wanted[i] * wanted[i];
      }
    }

    double outputError() {
      return size == 0 ? 0 : Math.sqrt(error / size);
    }

    double logitNoise() {
      return Math.sqrt(noise / logits);
    }
  }
}
