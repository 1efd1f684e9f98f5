package io.kvasir.model;

import io.kvasir.compute.RopeTable;
import io.kvasir.model.json.Json;
import java.util.List;

/// Rotation frequencies of each published scaling rule, from a Hugging Face `rope_parameters`
/// object.
///
/// Plain frequencies are `base^(-2i / dim)` (arXiv 2104.09864). The rules change them:
///
/// | rule | source |
/// |---|---|
/// | `linear` | divided by `factor` |
/// | `llama3` | long waves divided by `factor`, a ramp between (Llama 3.1) |
/// | `yarn` | a ramp between plain and divided over the rotation count, plus a magnitude (arXiv 2309.00071) |
/// | `longrope` | divided by one factor each, of two sets by context length (arXiv 2402.13753) |
/// | `proportional` | only the first share of pairs rotates (Gemma 4) |
/// | `dynamic` with `alpha` | a base of `base * alpha^(dim / (dim - 2))` (Hunyuan) |
/// | `dynamic` | plain up to the model's own context, beyond which this engine does not go |
final class RopeScaling {
  private final Json rope;
  private final double base;
  private final int contextLength;
  private final int maxPositions;

  /// @param rope the parameters; absent ones have the rule's default
  /// @param contextLength positions that will be used, which picks the longrope set
  /// @param maxPositions the model's own limit
  RopeScaling(Json rope, double base, int contextLength, int maxPositions) {
    this.rope = rope;
    this.base = base;
    this.contextLength = contextLength;
    this.maxPositions = maxPositions;
  }

  /// The table for heads that rotate `dim` elements.
  RopeTable table(int dim) {
    String rule = rope.textOr("rope_type", rope.textOr("type", "default"));
    double[] plain = plain(dim);
    return switch (rule) {
      case "default", "mrope", "none" -> table(plain, 1);
      case "dynamic" -> table(plain(dim, stretchedBase(rope, base, dim)), 1);
      case "linear" -> table(scaled(plain, 1 / rope.get("factor").asDouble()), 1);
      case "llama3" -> table(llama3(plain), 1);
      case "yarn" -> yarn(plain, dim);
      case "longrope", "su" -> longRope(plain);
      case "proportional" -> table(proportional(dim), 1);
      default ->
          throw new UnsupportedModelException(
              "rope scaling '%s' is not supported; known are default, linear, dynamic, llama3, yarn, longrope, proportional"
                  .formatted(rule));
    };
  }

  private double[] plain(int dim) {
    return plain(dim, base);
  }

  private static double[] plain(int dim, double base) {
    double[] frequencies = new double[dim / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = 1 / Math.pow(base, 2.0 * i / dim);
    }
    return frequencies;
  }

  /// The base that a rule by `alpha` computes with; any other's own.
  static double stretchedBase(Json rope, double base, int dim) {
    return rope.has("alpha") && dim > 2
        ? base * Math.pow(rope.get("alpha").asDouble(), dim / (dim - 2.0))
        : base;
  }

  private static double[] scaled(double[] frequencies, double factor) {
    double[] result = frequencies.clone();
    for (int i = 0; i < result.length; i++) {
      result[i] *= factor;
    }
    return result;
  }

  private double[] llama3(double[] plain) {
    double factor = rope.get("factor").asDouble();
    double low = rope.doubleOr("low_freq_factor", 1);
    double high = rope.doubleOr("high_freq_factor", 4);
    double original = rope.doubleOr("original_max_position_embeddings", 8192);
    double[] result = plain.clone();
    for (int i = 0; i < result.length; i++) {
      double wave = 2 * Math.PI / plain[i];
      if (wave > original / low) {
        result[i] = plain[i] / factor;
      } else if (wave >= original / high) {
        double smooth = (original / wave - low) / (high - low);
        result[i] = (1 - smooth) * plain[i] / factor + smooth * plain[i];
      }
    }
    return result;
  }

  private RopeTable yarn(double[] plain, int dim) {
    double original = rope.doubleOr("original_max_position_embeddings", maxPositions);
    double factor = rope.doubleOr("factor", maxPositions / original);
    double low = correction(rope.doubleOr("beta_fast", 32), dim, original);
    double high = correction(rope.doubleOr("beta_slow", 1), dim, original);
    if (rope.booleanOr("truncate", true)) {
      low = Math.floor(low);
      high = Math.ceil(high);
    }
    low = Math.max(low, 0);
    high = Math.min(high, dim - 1);
    high = low == high ? high + 0.001 : high;
    double[] result = new double[plain.length];
    for (int i = 0; i < result.length; i++) {
      double ramp = Math.clamp((i - low) / (high - low), 0.0, 1.0);
      result[i] = plain[i] / factor * ramp + plain[i] * (1 - ramp);
    }
    return table(result, yarnMagnitude(factor));
  }

  /// The (fractional) pair that turns `rotations` times within the original context.
  private double correction(double rotations, int dim, double original) {
    return dim * Math.log(original / (rotations * 2 * Math.PI)) / (2 * Math.log(base));
  }

  private double yarnMagnitude(double factor) {
    if (rope.has("attention_factor")) {
      return rope.get("attention_factor").asDouble();
    }
    double mscale = rope.doubleOr("mscale", 0);
    double mscaleAll = rope.doubleOr("mscale_all_dim", 0);
    return mscale != 0 && mscaleAll != 0
        ? yarnMscale(factor, mscale) / yarnMscale(factor, mscaleAll)
        : yarnMscale(factor, 1);
  }

  /// YaRN's `0.1 m ln(s) + 1`.
  static double yarnMscale(double factor, double mscale) {
    return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
  }

  private RopeTable longRope(double[] plain) {
    double original = rope.doubleOr("original_max_position_embeddings", maxPositions);
    String set = contextLength > original ? "long_factor" : "short_factor";
    List<Json> divisors = rope.get(set).asList();
    if (divisors.size() < plain.length) {
      throw new UnsupportedModelException(
          "%s has %d elements but %d pairs rotate".formatted(set, divisors.size(), plain.length));
    }
    double[] result = plain.clone();
    for (int i = 0; i < result.length; i++) {
      result[i] /= divisors.get(i).asDouble();
    }
    String mscale = contextLength > original ? "long_mscale" : "short_mscale";
    if (rope.has(mscale)) {
      return table(result, rope.get(mscale).asDouble());
    }
    double stretch = rope.doubleOr("factor", maxPositions / original);
    double magnitude = stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(original));
    return table(result, rope.doubleOr("attention_factor", magnitude));
  }

  private double[] proportional(int dim) {
    int rotating = (int) (rope.doubleOr("partial_rotary_factor", 1) * dim / 2);
    double[] result = plain(dim);
    for (int i = rotating; i < result.length; i++) {
      result[i] = 0;
    }
    return scaled(result, 1 / rope.doubleOr("factor", 1));
  }

  private RopeTable table(double[] frequencies, double magnitude) {
    float[] inverse = new float[frequencies.length];
    for (int i = 0; i < inverse.length; i++) {
      inverse[i] = (float) frequencies[i];
    }
    if (rope.has("frequency_divisors")) {
      List<Json> divisors = rope.get("frequency_divisors").asList();
      for (int i = 0; i < Math.min(inverse.length, divisors.size()); i++) {
        inverse[i] = (float) (frequencies[i] / divisors.get(i).asDouble());
      }
    }
    return new RopeTable(inverse, (float) magnitude);
  }
}
