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

/// A chunk of a prompt behind a long context, without computing that context: the cache is filled
/// with random codes. `DeepPrompt MODEL DEPTH FORMAT ROWS STEPS CODE,CODE`.
///
/// Every round takes a step with each kind of kernels, so that all meet the same noise; the first
/// third of the rounds does not count. Prints the median of a step.
public final class DeepPrompt {
  private static final int BLOCK_TOKENS = 64;
  private static final int THREADS = 2;

  private DeepPrompt() {}

  /// A model whose cache is filled to a depth.
  private static final class Filled implements AutoCloseable {
    private final KernelCode code;
    private final CpuBackend backend;
    private final Model model;
    private final KvCache cache;
    private final AttentionMetadata batch;
    private final int[] tokens;
    private final List<Double> millis = new ArrayList<>();

    Filled(Path file, KernelCode code, String format, int depth, int rows) {
      this.code = code;
      backend = new CpuBackend(THREADS, null, code);
      model = Model.open(file, backend, new Transformer.Rows(rows, 1), 0);
      KvLayout layout = model.config().kvLayout(BLOCK_TOKENS, KvRecipe.named(format));
      int blocks = layout.groups().size() * ((depth + rows) / BLOCK_TOKENS + 2);
      KvStorage storage = backend.storage(layout.blockBytes(), blocks);
      cache = new KvCache(new KvCacheConfig(layout, blocks), storage);
      BlockTable table = cache.open();
      cache.reserve(table, depth + rows);
      BlockFill.random(storage, format);
      cache.commit(table, depth);
      batch = new AttentionMetadata(layout, storage);
      batch.add(table, rows);
      tokens = new int[rows];
      for (int i = 0; i < rows; i++) {
        tokens[i] = 17 + i % 1000;
      }
    }

    /// The same positions again and again.
    void step() {
      long before = System.nanoTime();
      model.transformer().forward(batch, tokens, null);
      millis.add((System.nanoTime() - before) / 1e6);
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
      model.close();
      backend.close();
    }
  }

  public static void main(String[] args) {
    int depth = Integer.parseInt(args[1]);
    int rows = Integer.parseInt(args[3]);
    List<Filled> cases = new ArrayList<>();
    for (String code : args[5].split(",", -1)) {
      cases.add(new Filled(Path.of(args[0]), KernelCode.valueOf(code), args[2], depth, rows));
    }
    for (int i = 0; i < Integer.parseInt(args[4]); i++) {
      cases.forEach(Filled::step);
    }
    for (Filled c : cases) {
      System.out.printf(
          "%s %s @ %d: %d rows in %.1f ms, %.1f tokens/s%n",
          c.code, args[2], depth, rows, c.median(), rows * 1e3 / c.median());
      c.close();
    }
  }
}
