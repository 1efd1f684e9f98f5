package io.kvasir.bench;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.compute.cpu.KernelCode;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.tier.KvStorage;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Decoding steps of a whole model behind a long context, without computing that context: the cache
/// is filled with random codes. `DeepDecode MODEL DEPTH,DEPTH FORMAT,FORMAT STEPS [PROMPT [CODE]]`.
///
/// Every round takes a step with each format, so that all meet the same noise; the first third of
/// the rounds does not count. Prints the median of a step, and the bytes of weights and rows that
/// it reads; with PROMPT also the tokens a second of the faster of two chunks of that many.
public final class DeepDecode {
  private static final int BLOCK_TOKENS = 64;
  private static final int THREADS = 2;

  private DeepDecode() {}

  /// One format's cache behind a model, filled to a depth.
  private static final class Filled implements AutoCloseable {
    private final String format;
    private final Transformer transformer;
    private final KvCache cache;
    private final AttentionMetadata batch;
    private final List<Double> millis = new ArrayList<>();
    private final double bytes;
    private final AttentionMetadata chunk;
    private final int[] token = {17};

    Filled(Model model, CpuBackend backend, String format, int depth, int prompt) {
      this.format = format;
      transformer = model.transformer();
      KvLayout layout = model.config().kvLayout(BLOCK_TOKENS, KvRecipe.named(format));
      int blocks = layout.groups().size() * ((depth + prompt) / BLOCK_TOKENS + 2);
      KvStorage storage = backend.storage(layout.blockBytes(), blocks);
      cache = new KvCache(new KvCacheConfig(layout, blocks), storage);
      BlockTable table = cache.open();
      cache.reserve(table, depth - 1 + prompt);
      BlockFill.random(storage, format);
      cache.commit(table, depth - 1);
      batch = new AttentionMetadata(layout, storage);
      batch.add(table, 1);
      chunk = new AttentionMetadata(layout, storage);
      chunk.add(table, prompt);
      bytes = model.weightBytes() + (double) depth * layout.payloadBytesPerToken();
    }

    /// The last position again and again.
    void step() {
      long before = System.nanoTime();
      transformer.decode(batch, token);
      millis.add((System.nanoTime() - before) / 1e6);
    }

    /// The positions behind the depth, twice.
    double promptMillis() {
      int[] tokens = new int[chunk.rows()];
      Arrays.setAll(tokens, i -> 17 + i % 200);
      double least = Double.POSITIVE_INFINITY;
      for (int i = 0; i < 2; i++) {
        long before = System.nanoTime();
        transformer.forward(chunk, tokens, null);
        least = Math.min(least, (System.nanoTime() - before) / 1e6);
      }
      return least;
    }

    double median() {
      double[] counted =
          millis.stream().skip(millis.size() / 3).mapToDouble(Double::doubleValue).toArray();
      Arrays.sort(counted);
      return counted[counted.length / 2];
    }

    @Override
    public void close() {
      cache.close();
    }
  }

  public static void main(String[] args) {
    int steps = Integer.parseInt(args[3]);
    int prompt = args.length > 4 ? Integer.parseInt(args[4]) : 1;
    KernelCode code = args.length > 5 ? KernelCode.valueOf(args[5]) : KernelCode.MACHINE;
    try (CpuBackend backend = new CpuBackend(THREADS, null, code);
        Model model = Model.open(Path.of(args[0]), backend, new Transformer.Rows(prompt, 1), 0)) {
      for (String depth : args[1].split(",", -1)) {
        List<Filled> cases = new ArrayList<>();
        for (String format : args[2].split(",", -1)) {
          cases.add(new Filled(model, backend, format, Integer.parseInt(depth), prompt));
        }
        for (int i = 0; i < steps; i++) {
          cases.forEach(Filled::step);
        }
        double first = cases.getFirst().median();
        double most = cases.getFirst().bytes;
        for (Filled c : cases) {
          System.out.printf(
              "%s @ %s: %.1f ms a step, %.1f tokens/s, %.1f GB/s, %.2f times as fast as the first,"
                  + " bytes allow %.2f%n",
              c.format,
              depth,
              c.median(),
              1e3 / c.median(),
              c.bytes / c.median() / 1e6,
              first / c.median(),
              most / c.bytes);
          if (prompt > 1) {
            System.out.printf(
                "%s @ %s: %.1f tokens of a prompt of %d a second%n",
                c.format, depth, prompt * 1e3 / c.promptMillis(), prompt);
          }
          c.close();
        }
      }
    }
  }
}
