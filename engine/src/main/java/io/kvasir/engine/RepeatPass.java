package io.kvasir.engine;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.prune.AttentionStrip;
import io.kvasir.kvcache.prune.HeadView;
import io.kvasir.kvcache.prune.PruneScope;
import io.kvasir.model.Transformer;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Lets the model read a sequence's tokens a second time behind themselves and scores each cached
/// row by the strongest attention it gets (KVzip, arXiv 2505.23416).
///
/// The tokens are repeated in chunks of [#CHUNK], each behind the original alone and led in by the
/// few tokens before it. Of a chunk's queries those rows count that the chunk repeats, the first
/// four, and the repeated rows themselves, all as they are stored. Chunks are the same whatever the
/// size of the engine's steps. Runs at once, between two steps.
final class RepeatPass {
  /// Tokens that are repeated at a time.
  static final int CHUNK = 512;

  /// Fewest tokens of the context that must be left behind a sequence.
  static final int LEAST_ROOM = 64;

  private static final int LEAD_IN = 8;

  private final KvCache cache;
  private final Transformer transformer;
  private final Backend backend;
  private final AttentionMetadata metadata;
  private final List<PrunedLayer> layers;
  private final TableRows rows;
  private final int contextTokens;

  RepeatPass(
      KvCache cache,
      Transformer transformer,
      Backend backend,
      AttentionMetadata metadata,
      List<PrunedLayer> layers,
      int contextTokens) {
    this.cache = cache;
    this.transformer = transformer;
    this.backend = backend;
    this.metadata = metadata;
    this.layers = layers;
    this.rows = new TableRows(cache.storage(), metadata);
    this.contextTokens = contextTokens;
  }

  /// Scores the rows of the table's positions.
  ///
  /// @param tokens of the sequence
  /// @param scores become the strongest attention of each row
  /// @return what is lacking where there is no room, else null
  @Nullable Reservation score(BlockTable table, int[] tokens, RowScores scores) {
    int length = table.length();
    int chunk = Math.max(LEAST_ROOM, Math.min(CHUNK, contextTokens - length)) - LEAD_IN;
    for (int from = 0; from < length; from += chunk) {
      int end = Math.min(length, from + chunk);
      switch (cache.fork(table)) {
        case KvCache.Forked.NoRoom(int wanted, int free) -> {
          return new Reservation.Insufficient(wanted, free);
        }
        case KvCache.Forked.Table(BlockTable fork) -> {
          try {
            Reservation lack = repeat(fork, tokens, from, end, scores);
            if (lack != null) {
              return lack;
            }
          } finally {
            cache.release(fork);
          }
        }
      }
    }
    return null;
  }

  private @Nullable Reservation repeat(
      BlockTable fork, int[] tokens, int from, int end, RowScores scores) {
    int length = fork.length();
    int lead = Math.min(from, LEAD_IN);
    int count = end - from + lead;
    if (cache.reserve(fork, count) instanceof Reservation.Insufficient lack) {
      return lack;
    }
    int[] all = Arrays.copyOf(tokens, length + count);
    System.arraycopy(tokens, from - lead, all, length, count);
    QueryRows queries = new QueryRows(length, length + count);
    metadata.observe((batch, spec, in, q, k, v) -> record(queries, spec, q, k));
    try {
      while (fork.length() < length + count) {
        int n = Math.min(transformer.maxRows(), length + count - fork.length());
        metadata.clear();
        metadata.add(fork, n);
        int[] step = Arrays.copyOfRange(all, fork.length(), fork.length() + n);
        transformer.forward(metadata, step, null);
        cache.commit(fork, all, n);
      }
    } finally {
      metadata.observe(null);
      metadata.clear();
    }
    for (int layer = 0; layer < layers.size(); layer++) {
      for (int head = 0; layers.get(layer).prunable() && head < kvHeads(layer); head++) {
        raise(scores, fork, queries, new Part(layer, head, from, end, length));
      }
    }
    return null;
  }

  private int kvHeads(int layer) {
    return layers.get(layer).kv().kvHeads();
  }

  private void record(QueryRows queries, AttentionSpec spec, Buffer q, @Nullable Buffer k) {
    if (k == null || !layers.get(spec.cacheLayer()).prunable()) {
      return;
    }
    int first = metadata.positions()[0];
    for (int row = 0; row < metadata.rows(); row++) {
      queries.record(backend, spec.cacheLayer(), first + row, q, row);
    }
  }

  /// Positions `from .. end - 1` of one head are repeated from position `length` on.
  private record Part(int layer, int head, int from, int end, int length) {}

  private void raise(RowScores scores, BlockTable fork, QueryRows queries, Part part) {
    PrunedLayer layer = layers.get(part.layer);
    int dim = layer.kv().keyDim();
    int[] positions = among(rows.positions(fork, part.layer, part.head, fork.length()), part);
    float[] keys = new float[positions.length * dim];
    rows.read(fork, part.layer, part.head, true, positions, keys);
    HeadView view =
        new HeadView(
            new HeadView.Shape(
                part.layer, part.head, layer.groupSize(), dim, 0, layer.scale(), layer.softcap()),
            positions,
            0,
            positions.length,
            keys,
            new float[0],
            queries.ofHead(part.layer, part.head, layer),
            new float[0]);
    float[] strongest = new float[positions.length];
    AttentionStrip.strongest(view, strongest);
    for (int i = 0; i < positions.length && positions[i] < part.end; i++) {
      if (positions[i] >= part.from) {
        scores.set(part.layer, part.head, kvHeads(part.layer), positions[i], strongest[i]);
      }
    }
  }

  private static int[] among(int[] positions, Part part) {
    int[] result = new int[positions.length];
    int count = 0;
    for (int position : positions) {
      boolean original = position >= part.from && position < part.end;
      if (original || position < PruneScope.SINKS || position >= part.length) {
        result[count++] = position;
      }
    }
    return Arrays.copyOf(result, count);
  }
}
