package io.kvasir.engine;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.Backend;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KeptTokens;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.prune.HeadView;
import io.kvasir.kvcache.prune.LinearScorer;
import io.kvasir.kvcache.prune.PruneNeeds;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.kvcache.prune.PruneScope;
import io.kvasir.kvcache.prune.Selection;
import io.kvasir.kvcache.prune.TokenPruner;
import io.kvasir.model.Transformer;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Prunes sequences: gathers what a policy wants to see, lets it score, and tells the cache which
/// rows stay.
///
/// Everything that is seen belongs to positions and is read as it is stored, so that what stays is
/// a function of the tokens, the format and the options. Owned by the engine's thread, but for
/// [#check].
final class Pruning {
  private static final float[] NO_ROWS = new float[0];

  private final KvCache cache;
  private final List<PrunedLayer> layers;
  private final TableRows rows;
  private final RepeatPass repeat;
  private final PruneObserver observer;
  private final MarginScores margins;
  private final PruneLimits limits;

  /// @param metadata of the layout, for passes of its own
  /// @param scorer the trained part of kvzap, or null where there is none for the model
  Pruning(
      KvCache cache,
      Transformer transformer,
      Backend backend,
      AttentionMetadata metadata,
      PruneLimits limits,
      @Nullable LinearScorer scorer) {
    this.cache = cache;
    this.limits = limits;
    this.layers = PrunedLayer.of(transformer.config(), cache.layout());
    this.rows = new TableRows(cache.storage(), metadata);
    this.repeat =
        new RepeatPass(cache, transformer, backend, metadata, layers, limits.contextTokens());
    this.margins = new MarginScores(cache);
    this.observer = new PruneObserver(backend, layers, margins, scorer);
  }

  PruneObserver observer() {
    return observer;
  }

  /// Prunes a sequence whose table has reached its next event.
  ///
  /// @return [Reservation.Insufficient] where there is no room, with nothing changed
  Reservation prune(Sequence sequence) {
    PrunePlan plan = sequence.plan();
    PruneEvent event = plan.next();
    if (event == null || event.position() != sequence.table().length()) {
      throw new IllegalStateException("nothing to prune at " + sequence.table());
    }
    PruneScope scope = limits.scope(event, cache.layout());
    if (scope.isEmpty()) {
      plan.passed(0);
      dropUnwanted(sequence);
      return Reservation.Granted.GRANTED;
    }
    RowScores given = null;
    PruneNeeds needs = event.options().pruner().needs();
    switch (needs.given()) {
      case NOTHING -> {}
      case LINEAR -> given = margins.read(sequence.table(), plan);
      case REPEAT -> {
        given = new RowScores(layers.size());
        Reservation lack = repeat.score(sequence.table(), sequence.tokens(), given);
        if (lack != null) {
          return lack;
        }
      }
    }
    return prune(sequence, event, scope, given);
  }

  private Reservation prune(
      Sequence sequence, PruneEvent event, PruneScope scope, @Nullable RowScores given) {
    TokenPruner pruner = event.options().pruner();
    BlockTable table = sequence.table();
    int[][][] positions = new int[layers.size()][][];
    float[][][] scores = new float[layers.size()][][];
    Seen seen = new Seen(table, sequence.plan().queries(), given, scope, event.position());
    for (int layer = 0; layer < layers.size(); layer++) {
      int heads = layers.get(layer).prunable() ? layers.get(layer).kv().kvHeads() : 0;
      positions[layer] = new int[heads][];
      scores[layer] = new float[heads][];
      for (int head = 0; head < heads; head++) {
        HeadView view = view(seen, pruner.needs(), layer, head);
        positions[layer][head] = view.positions();
        scores[layer][head] = new float[view.rows()];
        pruner.score(view, scores[layer][head]);
      }
    }
    int[][][] kept = Selection.select(scope, pruner.budgets(), positions, scores);
    return drop(sequence, new KeptTokens(scope.tokens(), kept), removed(positions, kept, scope));
  }

  private Reservation drop(Sequence sequence, KeptTokens kept, long removed) {
    PrunePlan plan = sequence.plan();
    BlockTable table = sequence.table();
    if (removed > 0) {
      RowScores stored = plan.isScored() ? margins.read(table, plan) : null;
      if (cache.prune(table, kept) instanceof Reservation.Insufficient lack) {
        return lack;
      }
      if (stored != null) {
        margins.replace(table, plan, stored);
      }
    }
    plan.passed(removed);
    dropUnwanted(sequence);
    return Reservation.Granted.GRANTED;
  }

  /// A sequence without a session is asked once: nobody wants its scores afterwards.
  private void dropUnwanted(Sequence sequence) {
    PrunePlan plan = sequence.plan();
    if (plan.isScored() && plan.next() == null && sequence.request().session() == null) {
      cache.dropMargin(sequence.table());
    }
  }

  /// Keeps of an ended sequence's margin what the next turn of its session needs.
  void rest(Sequence sequence) {
    PrunePlan plan = sequence.plan();
    if (plan.wasScored()) {
      margins.cut(sequence.table(), plan, plan.lastPosition());
    } else {
      cache.dropMargin(sequence.table());
    }
  }

  /// Blocks of a sequence's margin that it has not had before are its own now.
  ///
  /// @param had how many it had
  void grown(Sequence sequence, int had) {
    if (sequence.plan().isScored()) {
      margins.clear(sequence.table(), sequence.plan(), had);
    }
  }

  private static long removed(int[][][] positions, int[][][] kept, PruneScope scope) {
    int tokens = scope.tokens();
    long removed = 0;
    for (int layer = 0; layer < kept.length; layer++) {
      for (int head = 0; head < kept[layer].length; head++) {
        int at = Arrays.binarySearch(positions[layer][head], tokens);
        removed += (at < 0 ? -at - 1 : at) - kept[layer][head].length;
      }
    }
    return removed;
  }

  /// What is known of a sequence when it is pruned.
  private record Seen(
      BlockTable table,
      @Nullable QueryRows queries,
      @Nullable RowScores given,
      PruneScope scope,
      int length) {}

  private HeadView view(Seen seen, PruneNeeds needs, int layer, int head) {
    PrunedLayer shape = layers.get(layer);
    int[] positions = rows.positions(seen.table, layer, head, seen.length);
    return new HeadView(
        new HeadView.Shape(
            layer,
            head,
            shape.groupSize(),
            shape.kv().keyDim(),
            shape.kv().valueDim(),
            shape.scale(),
            shape.softcap()),
        positions,
        firstAt(positions, seen.scope.first()),
        firstAt(positions, seen.scope.end()),
        needs.keys() ? read(seen, layer, head, true, positions) : NO_ROWS,
        needs.values() ? read(seen, layer, head, false, positions) : NO_ROWS,
        queries(seen, needs, layer, head),
        given(seen.given, layer, head, positions));
  }

  private static int firstAt(int[] positions, int position) {
    int at = Arrays.binarySearch(positions, position);
    return at < 0 ? -at - 1 : at;
  }

  private float[] read(Seen seen, int layer, int head, boolean keys, int[] positions) {
    int dim = keys ? layers.get(layer).kv().keyDim() : layers.get(layer).kv().valueDim();
    float[] target = new float[Math.multiplyExact(positions.length, dim)];
    rows.read(seen.table, layer, head, keys, positions, target);
    return target;
  }

  private HeadView.Queries queries(Seen seen, PruneNeeds needs, int layer, int head) {
    if (seen.queries == null) {
      return HeadView.Queries.NONE;
    }
    PrunedLayer shape = layers.get(layer);
    HeadView.Queries queries = seen.queries.ofHead(layer, head, shape);
    if (needs.queryForm() == PruneNeeds.QueryForm.EXPECTED && shape.rope() != null) {
      ExpectedQueries.encode(
          shape.rope(),
          queries.rows(),
          shape.groupSize(),
          shape.kv().keyDim(),
          queries.first(),
          seen.length);
    }
    return queries;
  }

  private static float[] given(@Nullable RowScores scores, int layer, int head, int[] positions) {
    if (scores == null) {
      return NO_ROWS;
    }
    float[] given = new float[positions.length];
    for (int i = 0; i < given.length; i++) {
      given[i] = scores.get(layer, head, positions[i]);
    }
    return given;
  }

  /// Rows of one position, over all layers and kv heads that are pruned.
  long rowsPerToken() {
    long count = 0;
    for (PrunedLayer layer : layers) {
      count += layer.prunable() ? layer.kv().kvHeads() : 0;
    }
    return Math.max(1, count);
  }

  /// Refuses what cannot be pruned. For any thread.
  ///
  /// @throws IllegalArgumentException saying why, in one sentence
  void check(PruneOptions options, int promptLength) {
    limits.check(options, layers, cache.layout(), promptLength);
  }
}
