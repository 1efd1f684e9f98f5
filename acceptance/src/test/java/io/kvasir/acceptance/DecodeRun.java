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
import java.util.List;

/// Some sequences of different lengths that decode together, of which one ends on the way: with
/// steps captured and replayed or each kernel queued by itself.
///
/// @param logits `[steps * sequences][vocabulary]`
/// @param replays steps that a graph did
@SuppressWarnings("ArrayRecordComponent") // never compared as a record
record DecodeRun(float[][] logits, long replays) {
  /// Prompts: nine sequences, so that steps have rows of no sequence.
  private static final int[] LENGTHS = {3, 20, 31, 7, 1, 2, 9, 5, 4};

  /// @param backend closed when this returns
  /// @param path the model's file or folder
  /// @param recipe of keys and values
  static DecodeRun of(CudaBackend backend, Path path, String recipe, int steps, boolean captured) {
    try (backend;
        Model model = Model.open(path, backend, new Transformer.Rows(32, 16), 0)) {
      backend.captureSteps(captured);
      KvLayout layout = model.config().kvLayout(64, KvRecipe.named(recipe));
      int blocks = 16 * (int) layout.blocksFor(64 + steps, 32);
      try (KvCache cache =
          new KvCache(
              new KvCacheConfig(layout, blocks), backend.storage(layout.blockBytes(), blocks))) {
        AttentionMetadata batch = new AttentionMetadata(layout, cache.storage());
        Steps run = new Steps(backend, model, cache, batch, new ArrayList<>(), new ArrayList<>());
        for (int length : LENGTHS) {
          run.begin(length);
        }
        for (int step = 0; step < steps; step++) {
          if (step == steps / 2) {
            cache.release(run.tables().removeFirst());
          }
          run.decode(step);
        }
        run.tables().forEach(cache::release);
        return new DecodeRun(run.logits().toArray(float[][]::new), backend.replays());
      }
    }
  }

  private record Steps(
      CudaBackend backend,
      Model model,
      KvCache cache,
      AttentionMetadata batch,
      List<BlockTable> tables,
      List<float[]> logits) {

    void begin(int length) {
      int[] ids = new int[length];
      for (int i = 0; i < length; i++) {
        ids[i] = (7 * i + length) % model.transformer().vocabularySize();
      }
      BlockTable table = cache.open();
      tables.add(table);
      batch.clear();
      add(table, length);
      model.transformer().forward(batch, ids, null);
      cache.commit(table, length);
    }

    private void add(BlockTable table, int rows) {
      if (!(cache.reserve(table, rows) instanceof Reservation.Granted)) {
        throw new IllegalStateException("no room for " + rows + " rows");
      }
      batch.add(table, rows);
    }

    void decode(int step) {
      int[] ids = new int[tables.size()];
      batch.clear();
      for (int s = 0; s < ids.length; s++) {
        ids[s] = (5 * step + 3 * s + 1) % model.transformer().vocabularySize();
        add(tables.get(s), 1);
      }
      Buffer scores = model.transformer().decode(batch, ids);
      for (int s = 0; s < ids.length; s++) {
        float[] row = new float[scores.columns()];
        backend.read(scores, s, row, 0);
        logits.add(row);
        cache.commit(tables.get(s), 1);
      }
    }
  }
}
