package io.kvasir.acceptance;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.cuda.CudaBackend;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.tier.KvStorage;
import io.kvasir.model.Model;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/// Measures prompts and decoding of a model on a GPU, below the engine: one forward pass a step,
/// greedy choices on the device.
final class GpuSpeed {
  private GpuSpeed() {}

  /// What is measured.
  ///
  /// @param format of keys and values
  /// @param prompt tokens of each sequence
  /// @param chunk tokens of a pass over prompts; 0 takes random bytes for what it would compute
  /// @param steps that are decoded
  record Load(String format, int sequences, int prompt, int chunk, int steps) {

    /// `FORMAT:SEQUENCES:PROMPT:CHUNK:STEPS`.
    static Load of(String text) {
      String[] parts = text.split(":", -1);
      return new Load(
          parts[0],
          Integer.parseInt(parts[1]),
          Integer.parseInt(parts[2]),
          Integer.parseInt(parts[3]),
          Integer.parseInt(parts[4]));
    }
  }

  static void measure(CudaBackend backend, Model model, Load load) {
    KvLayout layout = model.config().kvLayout(64, KvRecipe.named(load.format()));
    int sequences = load.sequences();
    int length = load.prompt() + load.steps() + 16;
    // One prompt is computed at a time, and needs room for the exact rows of a chunk.
    long each = sequences * layout.blocksFor(length, 1);
    int blocks = (int) (each + layout.blocksFor(length, Math.max(1, load.chunk()))) + 16;
    try (KvCache cache =
        new KvCache(
            new KvCacheConfig(layout, blocks), backend.storage(layout.blockBytes(), blocks))) {
      Pass pass = new Pass(backend, model, cache, new AttentionMetadata(layout, cache.storage()));
      List<BlockTable> tables = new ArrayList<>();
      if (load.chunk() == 0) {
        fill(cache.storage());
      }
      int[] ids = new int[load.chunk()];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = 5 + (int) (i * 2654435L % (model.transformer().vocabularySize() - 5));
      }
      long start = System.nanoTime();
      for (int s = 0; s < sequences; s++) {
        tables.add(cache.open());
        if (load.chunk() == 0) {
          cache.reserve(tables.get(s), load.prompt());
          cache.commit(tables.get(s), load.prompt());
        }
        for (int from = 0; load.chunk() > 0 && from < load.prompt(); from += load.chunk()) {
          int rows = Math.min(load.chunk(), load.prompt() - from);
          pass.run(List.of(tables.get(s)), Arrays.copyOf(ids, rows), rows);
        }
      }
      backend.synchronize();
      double prefill = (System.nanoTime() - start) / 1e9;
      int[] next = new int[sequences];
      Arrays.fill(next, 7);
      for (int i = 0; i < 8; i++) {
        pass.decode(tables, next);
      }
      Figures figures = decode(pass, tables, next, load.steps());
      System.out.printf(
          "speed %-30s prompt %7.0f tokens/s, decoding %7.0f tokens/s, %6.2f ms a step, host %.1f us"
              + " (least %.1f), %d bytes allocated, %d kernels, %d of %d replayed; cache %.1f GB%n",
          load,
          sequences * load.prompt() / prefill,
          sequences * load.steps() / figures.seconds(),
          1000 * figures.seconds() / load.steps(),
          figures.hostMicros(),
          figures.leastHostMicros(),
          figures.bytes(),
          figures.kernels(),
          figures.replays(),
          load.steps(),
          layout.blockBytes() * blocks / 1e9);
      for (BlockTable table : tables) {
        cache.release(table);
      }
    }
  }

  /// Moderate numbers in all blocks.
  static void fill(KvStorage storage) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment block = arena.allocate(storage.blockBytes());
      SplittableRandom random = new SplittableRandom(1);
      for (long at = 0; at + 8 <= block.byteSize(); at += 8) {
        block.set(ValueLayout.JAVA_LONG_UNALIGNED, at, random.nextLong() & 0x3f3f3f3f3f3f3f3fL);
      }
      storage.write(0, block);
    }
    for (int i = 1; i < storage.blockCount(); i++) {
      storage.copy(0, i);
    }
  }

  /// What decoding took.
  ///
  /// @param hostMicros median of a step, of all that is not waiting for the device
  /// @param bytes median of what a step allocated
  /// @param kernels of a step
  record Figures(
      double seconds,
      double hostMicros,
      double leastHostMicros,
      long bytes,
      long kernels,
      long replays) {}

  static Figures decode(Pass pass, List<BlockTable> tables, int[] next, int steps) {
    CudaBackend backend = pass.backend;
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long[] host = new long[steps];
    long launches = backend.launches();
    long replays = backend.replays();
    long[] bytes = new long[steps];
    long start = System.nanoTime();
    for (int i = 0; i < steps; i++) {
      long waited = backend.waitedNanos();
      long held = threads.getCurrentThreadAllocatedBytes();
      long begin = System.nanoTime();
      pass.decode(tables, next);
      host[i] = System.nanoTime() - begin - (backend.waitedNanos() - waited);
      bytes[i] = threads.getCurrentThreadAllocatedBytes() - held;
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    Arrays.sort(host);
    Arrays.sort(bytes);
    return new Figures(
        seconds,
        host[steps / 2] / 1e3,
        host[0] / 1e3,
        bytes[steps / 2],
        (backend.launches() - launches) / steps,
        backend.replays() - replays);
  }

  /// Forward passes over one cache.
  static final class Pass {
    private final CudaBackend backend;
    private final Model model;
    private final KvCache cache;
    private final AttentionMetadata batch;

    Pass(CudaBackend backend, Model model, KvCache cache, AttentionMetadata batch) {
      this.backend = backend;
      this.model = model;
      this.cache = cache;
      this.batch = batch;
    }

    /// Computes the next token of each table and replaces it by the one after.
    void decode(List<BlockTable> tables, int[] next) {
      batch.clear();
      for (int s = 0; s < tables.size(); s++) {
        BlockTable table = tables.get(s);
        if (!(cache.reserve(table, 1) instanceof Reservation.Granted)) {
          throw new IllegalStateException("no room for a row");
        }
        batch.add(table, 1);
      }
      Buffer logits = model.transformer().decode(batch, next);
      backend.argmax(logits, tables.size(), model.transformer().vocabularySize(), next);
      for (int s = 0; s < tables.size(); s++) {
        cache.commit(tables.get(s), 1);
      }
    }

    /// Computes `rows` tokens of each table and chooses the next one of each.
    int[] run(List<BlockTable> tables, int[] ids, int rows) {
      batch.clear();
      for (BlockTable table : tables) {
        if (!(cache.reserve(table, rows) instanceof Reservation.Granted)) {
          throw new IllegalStateException("no room for " + rows + " rows");
        }
        batch.add(table, rows);
      }
      model.transformer().forward(batch, ids, null);
      int[] last = new int[tables.size()];
      for (int s = 0; s < last.length; s++) {
        last[s] = batch.firstRow(s + 1) - 1;
      }
      Buffer logits = model.transformer().logits(last, last.length);
      int[] next = new int[last.length];
      backend.argmax(logits, next.length, model.transformer().vocabularySize(), next);
      for (BlockTable table : tables) {
        cache.commit(table, rows);
      }
      return next;
    }
  }

  /// A folder with a model of the shape of Llama 3.1 8B whose matrices are holes in a file.
  static Path writeLlama(Path folder) throws IOException {
    String config =
        """
        {"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":4096,
        "intermediate_size":14336,"num_attention_heads":32,"num_key_value_heads":8,
        "num_hidden_layers":32,"vocab_size":128256,"rms_norm_eps":1e-05,"rope_theta":500000.0,
        "max_position_embeddings":131072,"hidden_act":"silu","tie_word_embeddings":false,
        "bos_token_id":128000,"eos_token_id":128001,"torch_dtype":"bfloat16"}
        """;
    Map<String, int[]> shapes = new LinkedHashMap<>();
    shapes.put("model.embed_tokens.weight", new int[] {128256, 4096});
    for (int layer = 0; layer < 32; layer++) {
      String name = "model.layers." + layer + ".";
      shapes.put(name + "self_attn.q_proj.weight", new int[] {4096, 4096});
      shapes.put(name + "self_attn.k_proj.weight", new int[] {1024, 4096});
      shapes.put(name + "self_attn.v_proj.weight", new int[] {1024, 4096});
      shapes.put(name + "self_attn.o_proj.weight", new int[] {4096, 4096});
      network(shapes, name + "mlp.", 4096, 14336);
      shapes.put(name + "input_layernorm.weight", new int[] {4096});
      shapes.put(name + "post_attention_layernorm.weight", new int[] {4096});
    }
    shapes.put("model.norm.weight", new int[] {4096});
    shapes.put("lm_head.weight", new int[] {128256, 4096});
    return write(folder, config, shapes);
  }

  private static void network(Map<String, int[]> shapes, String name, int width, int inner) {
    shapes.put(name + "gate_proj.weight", new int[] {inner, width});
    shapes.put(name + "up_proj.weight", new int[] {inner, width});
    shapes.put(name + "down_proj.weight", new int[] {width, inner});
  }

  /// A folder with 16 of the 48 layers of the shape of Qwen3 30B-A3B, 8 of 128 experts a row, whose
  /// matrices are holes in a file.
  static Path writeMixture(Path folder) throws IOException {
    String config =
        """
        {"architectures":["Qwen3MoeForCausalLM"],"model_type":"qwen3_moe","hidden_size":2048,
        "intermediate_size":6144,"moe_intermediate_size":768,"num_attention_heads":32,
        "num_key_value_heads":4,"head_dim":128,"num_hidden_layers":16,"vocab_size":151936,
        "num_experts":128,"num_experts_per_tok":8,"norm_topk_prob":true,"decoder_sparse_step":1,
        "mlp_only_layers":[],"rms_norm_eps":1e-06,"rope_theta":1000000.0,
        "max_position_embeddings":40960,"hidden_act":"silu","tie_word_embeddings":false,
        "bos_token_id":151643,"eos_token_id":151645,"torch_dtype":"bfloat16"}
        """;
    Map<String, int[]> shapes = new LinkedHashMap<>();
    shapes.put("model.embed_tokens.weight", new int[] {151936, 2048});
    for (int layer = 0; layer < 16; layer++) {
      String name = "model.layers." + layer + ".";
      shapes.put(name + "self_attn.q_proj.weight", new int[] {4096, 2048});
      shapes.put(name + "self_attn.k_proj.weight", new int[] {512, 2048});
      shapes.put(name + "self_attn.v_proj.weight", new int[] {512, 2048});
      shapes.put(name + "self_attn.o_proj.weight", new int[] {2048, 4096});
      shapes.put(name + "self_attn.q_norm.weight", new int[] {128});
      shapes.put(name + "self_attn.k_norm.weight", new int[] {128});
      shapes.put(name + "mlp.gate.weight", new int[] {128, 2048});
      for (int expert = 0; expert < 128; expert++) {
        network(shapes, name + "mlp.experts." + expert + ".", 2048, 768);
      }
      shapes.put(name + "input_layernorm.weight", new int[] {2048});
      shapes.put(name + "post_attention_layernorm.weight", new int[] {2048});
    }
    shapes.put("model.norm.weight", new int[] {2048});
    shapes.put("lm_head.weight", new int[] {151936, 2048});
    return write(folder, config, shapes);
  }

  /// Vectors are ones, matrices holes.
  private static Path write(Path folder, String config, Map<String, int[]> shapes)
      throws IOException {
    Files.writeString(folder.resolve("config.json"), config);
    StringBuilder header = new StringBuilder("{");
    long at = 0;
    Map<Long, Integer> ones = new LinkedHashMap<>();
    for (Map.Entry<String, int[]> tensor : shapes.entrySet()) {
      int[] shape = tensor.getValue();
      long bytes = 2L * shape[0] * (shape.length > 1 ? shape[1] : 1);
      if (shape.length == 1) {
        ones.put(at, shape[0]);
      }
      header
          .append(header.length() > 1 ? "," : "")
          .append(
              "\"%s\":{\"dtype\":\"BF16\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                  .formatted(tensor.getKey(), Arrays.toString(shape), at, at + bytes));
      at += bytes;
    }
    header.append('}');
    while (header.length() % 8 != 0) {
      header.append(' ');
    }
    byte[] text = header.toString().getBytes(StandardCharsets.UTF_8);
    try (RandomAccessFile file =
        new RandomAccessFile(folder.resolve("model.safetensors").toFile(), "rw")) {
      file.setLength(8 + text.length + at);
      file.write(
          ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, text.length).array());
      file.write(text);
      for (Map.Entry<Long, Integer> place : ones.entrySet()) {
        byte[] vector = new byte[2 * place.getValue()];
        for (int i = 0; i < vector.length; i += 2) {
          vector[i] = (byte) 0x80;
          vector[i + 1] = 0x3f;
        }
        file.seek(8 + text.length + place.getKey());
        file.write(vector);
      }
    }
    return folder;
  }
}
