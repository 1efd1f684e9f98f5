package io.kvasir.bench;

import io.kvasir.compute.quant.TensorType;
import io.kvasir.model.file.GgufValue;
import io.kvasir.model.file.GgufWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/// Writes a GGUF with random weights of a real model's shape, to measure speed without a download:
/// time per token does not depend on what the weights are. Shapes whose names end in a number of
/// layers are mixtures of experts cut to these, with a small vocabulary.
///
/// ```
/// ./kvasir java bench/src/main/java/io/kvasir/bench/RandomModel.java llama-3.2-1b Q8_0 out.gguf
/// ```
///
/// The type `Q4_K_M` is a mix like the usual one of that name: Q4_K, and Q6_K for the embedding and
/// half of the value and down projections. `MXFP4` is for the experts of a mixture, whose other
/// matrices are Q8_0 then.
public final class RandomModel {
  private RandomModel() {}

  /// Which number format a matrix has.
  private record Types(TensorType most, TensorType few, TensorType experts) {
    static Types named(String name) {
      if (name.equalsIgnoreCase("q4_k_m")) {
        return new Types(TensorType.Q4_K, TensorType.Q6_K, TensorType.Q4_K);
      }
      TensorType type = TensorType.valueOf(name.toUpperCase(Locale.ROOT));
      TensorType other = type == TensorType.MXFP4 ? TensorType.Q8_0 : type;
      return new Types(other, other, type);
    }

    TensorType ofLayer(int layer) {
      return layer % 2 == 0 ? few : most;
    }
  }

  /// Sizes of a model.
  private record Shape(
      String architecture,
      int layers,
      int width,
      int heads,
      int kvHeads,
      int headDim,
      int inner,
      int vocabulary,
      boolean headNorms,
      int experts,
      int expertsPerToken) {

    /// Without experts.
    Shape(
        String architecture,
        int layers,
        int width,
        int heads,
        int kvHeads,
        int headDim,
        int inner,
        int vocabulary,
        boolean headNorms) {
      this(
          architecture, layers, width, heads, kvHeads, headDim, inner, vocabulary, headNorms, 0, 0);
    }

    /// Whether matrices have biases and softmax has sinks.
    boolean isGptOss() {
      return architecture.equals("gpt-oss");
    }
  }

  private static Shape shape(String name) {
    return switch (name) {
      case "llama-3.2-1b" -> new Shape("llama", 16, 2048, 32, 8, 64, 8192, 128_256, false);
      case "qwen3-0.6b" -> new Shape("qwen3", 28, 1024, 16, 8, 128, 3072, 151_936, true);
      case "qwen3-30b-a3b-4" ->
          new Shape("qwen3moe", 4, 2048, 32, 4, 128, 768, 32_000, true, 128, 8);
      case "mixtral-8x7b-2" -> new Shape("llama", 2, 4096, 32, 8, 128, 14_336, 32_000, false, 8, 2);
      case "gpt-oss-20b-4" -> new Shape("gpt-oss", 4, 2880, 64, 8, 64, 2880, 32_000, false, 32, 4);
      case "tiny" -> new Shape("llama", 2, 256, 4, 2, 64, 512, 512, false);
      case "tiny-experts" -> new Shape("qwen3moe", 2, 256, 4, 2, 64, 128, 512, true, 16, 4);
      default ->
          throw new IllegalArgumentException(
              "unknown shape '"
                  + name
                  + "'; known are llama-3.2-1b, qwen3-0.6b, qwen3-30b-a3b-4, mixtral-8x7b-2,"
                  + " gpt-oss-20b-4, tiny, tiny-experts");
    };
  }

  /// @param args shape, weight type, file
  public static void main(String[] args) throws IOException {
    if (args.length != 3) {
      throw new IllegalArgumentException("usage: RandomModel SHAPE TYPE OUT.gguf");
    }
    long bytes = write(shape(args[0]), Types.named(args[1]), Path.of(args[2]));
    System.out.printf(Locale.ROOT, "%s: %.2f GB%n", args[2], bytes / 1e9);
  }

  private static long write(Shape s, Types types, Path file) throws IOException {
    GgufWriter writer = new GgufWriter();
    String a = s.architecture() + ".";
    writer.put("general.architecture", s.architecture());
    writer.put("general.name", "random weights");
    writer.put(a + "block_count", s.layers());
    writer.put(a + "context_length", 131_072);
    writer.put(a + "embedding_length", s.width());
    writer.put(a + "feed_forward_length", s.inner());
    writer.put(a + "attention.head_count", s.heads());
    writer.put(a + "attention.head_count_kv", s.kvHeads());
    writer.put(a + "attention.key_length", s.headDim());
    writer.put(a + "attention.value_length", s.headDim());
    writer.put(a + "rope.dimension_count", s.headDim());
    writer.put(a + "rope.freq_base", 500_000f);
    writer.put(a + "attention.layer_norm_rms_epsilon", 1e-5f);
    writer.put(a + "vocab_size", s.vocabulary());
    if (s.experts() > 0) {
      writer.put(a + "expert_count", s.experts());
      writer.put(a + "expert_used_count", s.expertsPerToken());
      writer.put(a + "expert_feed_forward_length", s.inner());
    }
    if (s.isGptOss()) {
      writer.put(a + "attention.sliding_window", 128);
    }
    vocabulary(writer, s.vocabulary());
    matrix(writer, "token_embd", types.few(), s.vocabulary(), s.width());
    norm(writer, "output_norm", s.width());
    if (s.isGptOss()) {
      // Other engines do not take the embedding for it here.
      matrix(writer, "output", types.few(), s.vocabulary(), s.width());
    }
    for (int i = 0; i < s.layers(); i++) {
      layer(writer, s, types, i);
    }
    return writer.write(file);
  }

  private static void layer(GgufWriter writer, Shape s, Types types, int layer) {
    String block = "blk." + layer + ".";
    TensorType type = types.most();
    norm(writer, block + "attn_norm", s.width());
    matrix(writer, block + "attn_q", type, s.heads() * s.headDim(), s.width());
    matrix(writer, block + "attn_k", type, s.kvHeads() * s.headDim(), s.width());
    matrix(writer, block + "attn_v", types.ofLayer(layer), s.kvHeads() * s.headDim(), s.width());
    matrix(writer, block + "attn_output", type, s.width(), s.heads() * s.headDim());
    if (s.headNorms()) {
      norm(writer, block + "attn_q_norm", s.headDim());
      norm(writer, block + "attn_k_norm", s.headDim());
    }
    norm(writer, block + (s.isGptOss() ? "post_attention_norm" : "ffn_norm"), s.width());
    if (s.isGptOss()) {
      vector(writer, block + "attn_q.bias", 0, s.heads() * s.headDim());
      vector(writer, block + "attn_k.bias", 0, s.kvHeads() * s.headDim());
      vector(writer, block + "attn_v.bias", 0, s.kvHeads() * s.headDim());
      vector(writer, block + "attn_output.bias", 0, s.width());
      vector(writer, block + "attn_sinks.weight", 0, s.heads());
    }
    if (s.experts() > 0) {
      experts(writer, s, types.experts(), block);
      return;
    }
    matrix(writer, block + "ffn_gate", type, s.inner(), s.width());
    matrix(writer, block + "ffn_up", type, s.inner(), s.width());
    matrix(writer, block + "ffn_down", types.ofLayer(layer), s.width(), s.inner());
  }

  private static void experts(GgufWriter writer, Shape s, TensorType type, String block) {
    int count = s.experts();
    matrix(writer, block + "ffn_gate_inp", TensorType.F32, count, s.width());
    matrix(writer, block + "ffn_gate_exps", type, count, s.inner(), s.width());
    matrix(writer, block + "ffn_up_exps", type, count, s.inner(), s.width());
    matrix(writer, block + "ffn_down_exps", type, count, s.width(), s.inner());
    if (s.isGptOss()) {
      vector(writer, block + "ffn_gate_inp.bias", 0, count);
      vector(writer, block + "ffn_gate_exps.bias", 0, count, s.inner());
      vector(writer, block + "ffn_up_exps.bias", 0, count, s.inner());
      vector(writer, block + "ffn_down_exps.bias", 0, count, s.width());
    }
  }

  private static void norm(GgufWriter writer, String name, int width) {
    vector(writer, name + ".weight", 1, width);
  }

  /// A tensor of floats that are all the same.
  private static void vector(GgufWriter writer, String name, float value, long... shape) {
    int size = Math.toIntExact(LongStream.of(shape).reduce(1, Math::multiplyExact));
    writer.add(
        name,
        TensorType.F32,
        shape,
        channel -> {
          ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * size).order(ByteOrder.LITTLE_ENDIAN);
          for (int i = 0; i < size; i++) {
            bytes.putFloat(value);
          }
          channel.write(bytes.flip());
        });
  }

  /// @param shape rows and columns, or how many such matrices before them
  private static void matrix(GgufWriter writer, String name, TensorType type, int... shape) {
    long[] sizes = IntStream.of(shape).asLongStream().toArray();
    int columns = shape[shape.length - 1];
    long rows = LongStream.of(sizes).reduce(1, Math::multiplyExact) / columns;
    writer.add(
        name + ".weight",
        type,
        sizes,
        channel -> {
          SplittableRandom random = new SplittableRandom(name.hashCode());
          int rowBytes = Math.toIntExact(type.bytes(columns));
          byte[] bytes = new byte[rowBytes];
          ByteBuffer row = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
          for (long r = 0; r < rows; r++) {
            random.nextBytes(bytes);
            scale(row, type, random);
            channel.write(row.clear());
          }
        });
  }

  /// Puts small scales over random codes, so that activations stay finite.
  private static void scale(ByteBuffer row, TensorType type, SplittableRandom random) {
    short scale = Float.floatToFloat16(0.0004f);
    int block = type.blockBytes();
    for (int at = 0; at < row.capacity(); at += block) {
      switch (type) {
        case Q8_0, Q4_0 -> row.putShort(at, scale);
        // 2^-12 times E2M1.
        case MXFP4 -> row.put(at, (byte) 115);
        case Q4_K -> row.putShort(at, scale).putShort(at + 2, scale);
        case Q6_K -> row.putShort(at + 208, scale);
        case BF16 -> row.putShort(at, bf16((float) (random.nextGaussian() * 0.02)));
        case F16 -> row.putShort(at, Float.floatToFloat16((float) (random.nextGaussian() * 0.02)));
        case F32 -> row.putFloat(at, (float) (random.nextGaussian() * 0.02));
        default -> throw new IllegalArgumentException("no random weights of type " + type);
      }
    }
  }

  private static short bf16(float value) {
    return (short) (Float.floatToRawIntBits(value) >>> 16);
  }

  /// A byte-level vocabulary padded to the model's size, so that other engines load the file too.
  private static void vocabulary(GgufWriter writer, int size) {
    List<String> tokens = new ArrayList<>();
    for (int i = 0; tokens.size() < 256; i++) {
      // Byte-level BPE's printable alphabet: visible Latin-1 characters, then code points from 256
      // on.
      boolean visible = i >= 33 && i <= 126 || i >= 161 && i <= 255 && i != 173 || i >= 256;
      if (visible) {
        tokens.add(Character.toString(i));
      }
    }
    while (tokens.size() < size) {
      tokens.add("<t" + tokens.size() + ">");
    }
    writer.put("tokenizer.ggml.model", "gpt2");
    writer.put("tokenizer.ggml.pre", "default");
    writer.put("tokenizer.ggml.tokens", GgufValue.ofStrings(tokens));
    writer.put("tokenizer.ggml.merges", GgufValue.ofStrings(List.of("a b")));
    writer.put("tokenizer.ggml.bos_token_id", 0);
    writer.put("tokenizer.ggml.eos_token_id", 1);
  }
}
