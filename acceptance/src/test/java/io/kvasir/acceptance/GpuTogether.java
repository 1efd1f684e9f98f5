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
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Sequences that begin alike, decoding on a GPU: what they share read once for all, or by each.
final class GpuTogether {
  private GpuTogether() {}

  /// What is measured.
  ///
  /// @param format of keys and values
  /// @param shared positions of all sequences
  /// @param own positions of each behind them
  record Load(String format, int sequences, int shared, int own, int steps) {

    /// `FORMAT:SEQUENCES:SHARED:OWN:STEPS`.
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

  /// Decoding with and without sharing by turns, of a cache with random bytes.
  static void measure(CudaBackend backend, Model model, Load load) {
    KvLayout layout = model.config().kvLayout(64, KvRecipe.named(load.format()));
    int own = load.own() + 6 * (load.steps() + 8) + 64;
    int blocks =
        (int) (layout.blocksFor(load.shared(), 1) + load.sequences() * layout.blocksFor(own, 1))
            + 16;
    try (KvCache cache =
        new KvCache(
            new KvCacheConfig(layout, blocks), backend.storage(layout.blockBytes(), blocks))) {
      GpuSpeed.fill(cache.storage());
      GpuSpeed.Pass pass =
          new GpuSpeed.Pass(backend, model, cache, new AttentionMetadata(layout, cache.storage()));
      BlockTable first = cache.open();
      extend(cache, first, load.shared());
      List<BlockTable> tables = forks(cache, first, load.sequences());
      for (BlockTable table : tables) {
        extend(cache, table, load.own());
      }
      int[] next = new int[load.sequences()];
      Arrays.fill(next, 7);
      for (int turn = 0; turn < 6; turn++) {
        boolean together = turn % 2 == 1;
        backend.shareBeginnings(together ? CudaBackend.SHARED_READS : Long.MAX_VALUE);
        for (int i = 0; i < 8; i++) {
          pass.decode(tables, next);
        }
        GpuSpeed.Figures figures = GpuSpeed.decode(pass, tables, next, load.steps());
        System.out.printf(
            "%-8s %s: %7.0f tokens/s, %6.2f ms a step, host %.1f us (least %.1f), %d bytes"
                + " allocated, %d kernels, %d of %d replayed%n",
            together ? "together" : "apart",
            load,
            load.sequences() * load.steps() / figures.seconds(),
            1000 * figures.seconds() / load.steps(),
            figures.hostMicros(),
            figures.leastHostMicros(),
            figures.bytes(),
            figures.kernels(),
            figures.replays(),
            load.steps());
      }
      backend.shareBeginnings(CudaBackend.SHARED_READS);
      tables.forEach(cache::release);
    }
  }

  private static void extend(KvCache cache, BlockTable table, int tokens) {
    if (!(cache.reserve(table, tokens) instanceof Reservation.Granted)) {
      throw new IllegalStateException("no room for " + tokens + " rows");
    }
    cache.commit(table, tokens);
  }

  /// The table and others that begin with what it has.
  private static List<BlockTable> forks(KvCache cache, BlockTable first, int count) {
    List<BlockTable> tables = new ArrayList<>(List.of(first));
    while (tables.size() < count) {
      switch (cache.fork(first)) {
        case KvCache.Forked.Table fork -> tables.add(fork.table());
        case KvCache.Forked.NoRoom none -> throw new IllegalStateException("no room: " + none);
      }
    }
    return tables;
  }

  /// The logits of `[steps][sequences]`, and how many steps were replayed.
  @SuppressWarnings("ArrayRecordComponent") // never compared as a record
  record Run(float[][] logits, long replays, long kernels) {}

  /// 16 sequences, 14 of which begin with the same 600 tokens, ten of these with 400 more.
  ///
  /// @param backend closed when this returns
  static Run run(CudaBackend backend, Path path, String recipe, int steps, boolean together) {
    try (backend;
        Model model = Model.open(path, backend, new Transformer.Rows(1024, 16), 0)) {
      backend.shareBeginnings(together ? 1 : Long.MAX_VALUE);
      KvLayout layout = model.config().kvLayout(64, KvRecipe.named(recipe));
      int blocks = 20 * (int) layout.blocksFor(1100 + steps, 1024);
      try (KvCache cache =
          new KvCache(
              new KvCacheConfig(layout, blocks), backend.storage(layout.blockBytes(), blocks))) {
        Steps all =
            new Steps(backend, model, cache, new AttentionMetadata(layout, cache.storage()));
        BlockTable short1 = cache.open();
        all.forward(short1, 600, 1);
        List<BlockTable> tables = new ArrayList<>(forks(cache, short1, 5));
        all.forward(tables.get(4), 400, 2);
        tables.addAll(forks(cache, tables.get(4), 10).subList(1, 10));
        for (int s = 0; s < tables.size(); s++) {
          all.forward(tables.get(s), 3 + 5 * s, 10 + s);
        }
        for (int length : new int[] {500, 40}) {
          BlockTable other = cache.open();
          all.forward(other, length, length);
          tables.add(other);
        }
        List<float[]> logits = new ArrayList<>();
        long launches = backend.launches();
        for (int step = 0; step < steps; step++) {
          all.decode(tables, step, logits);
        }
        long kernels = (backend.launches() - launches) / steps;
        tables.forEach(cache::release);
        return new Run(logits.toArray(float[][]::new), backend.replays(), kernels);
      }
    }
  }

  private record Steps(CudaBackend backend, Model model, KvCache cache, AttentionMetadata batch) {

    void forward(BlockTable table, int tokens, int seed) {
      int vocabulary = model.transformer().vocabularySize();
      int[] ids = new int[tokens];
      for (int i = 0; i < tokens; i++) {
        ids[i] = 5 + (int) ((i * 2654435L + 77L * seed) % (vocabulary - 5));
      }
      batch.clear();
      add(table, tokens);
      model.transformer().forward(batch, ids, null);
      cache.commit(table, tokens);
    }

    private void add(BlockTable table, int rows) {
      if (!(cache.reserve(table, rows) instanceof Reservation.Granted)) {
        throw new IllegalStateException("no room for " + rows + " rows");
      }
      batch.add(table, rows);
    }

    void decode(List<BlockTable> tables, int step, List<float[]> into) {
      int vocabulary = model.transformer().vocabularySize();
      batch.clear();
      int[] ids = new int[tables.size()];
      for (int s = 0; s < ids.length; s++) {
        add(tables.get(s), 1);
        ids[s] = 5 + (31 * step + 7 * s) % (vocabulary - 5);
      }
      Buffer logits = model.transformer().decode(batch, ids);
      for (int s = 0; s < ids.length; s++) {
        float[] row = new float[logits.columns()];
        backend.read(logits, s, row, 0);
        into.add(row);
        cache.commit(tables.get(s), 1);
      }
    }
  }
}
