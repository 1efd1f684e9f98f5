package io.kvasir.engine;

import io.kvasir.compute.PageSkips;
import io.kvasir.kvcache.prune.PruneNeeds;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.kvcache.prune.TokenPruner;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// When a sequence is pruned, and what is seen of its rows until then.
///
/// Events are at positions that the request alone decides: those of the conversation's earlier
/// turns, the end of the prompt, and every so many tokens of the answer. A sequence that loses its
/// blocks goes through them again, so that it is pruned alike however often it was interrupted;
/// steps end at events, and rows that a policy wants to see computed are never taken from a cache.
/// Owned by the engine's thread.
final class PrunePlan {
  static final int NEVER = Integer.MAX_VALUE;

  private final List<PruneEvent> past;
  private final List<PageSkips.Range> ranges = new ArrayList<>();
  private final @Nullable PageSkips skips;
  private final int pastEnd;
  private final PruneOptions options;
  private final int promptLength;
  private final int interval;
  private int done;
  private boolean behindPast;
  private @Nullable QueryRows queries;
  private long removedRows;

  /// @param history of the request's session, where its prompt goes on behind it
  PrunePlan(@Nullable PruneHistory history, PruneOptions options, int promptLength) {
    this.past = history == null ? List.of() : history.events();
    this.options = options;
    this.promptLength = promptLength;
    this.interval = options.drops() ? options.pruner().interval() : 0;
    this.pastEnd = history == null ? 0 : history.end();
    ranges.addAll(history == null ? List.of() : history.skipped());
    if (options.skipsPages()) {
      ranges.add(new PageSkips.Range(promptLength, NEVER, options.ratio()));
    }
    this.skips = ranges.isEmpty() ? null : new PageSkips(ranges);
  }

  /// Where what was dropped or left out before this request ends.
  int pastEnd() {
    return pastEnd;
  }

  /// The table holds what the earlier turns left.
  void goOnBehindPast() {
    done = past.size();
    behindPast = true;
  }

  /// Which rows leave out pages; null for none.
  @Nullable PageSkips skips() {
    return skips;
  }

  /// Where the rows end that are functions of the tokens alone, but for pruned ones.
  int sharedTo() {
    return ranges.isEmpty() ? NEVER : ranges.getFirst().from();
  }

  /// The table is new: everything is done again.
  void startOver() {
    done = 0;
    behindPast = false;
    if (skips != null) {
      skips.forgetBounds();
    }
    queries = null;
    removedRows = 0;
  }

  private @Nullable PruneEvent event(int index) {
    if (index < past.size()) {
      return past.get(index);
    }
    int own = index - past.size();
    if (!options.drops() || own > 0 && interval == 0) {
      return null;
    }
    return new PruneEvent(promptLength + own * interval, options);
  }

  /// The next event, or null.
  @Nullable PruneEvent next() {
    return event(done);
  }

  /// The length of the table at which it is pruned next; [#NEVER] for none.
  int nextPosition() {
    PruneEvent next = next();
    return next == null ? NEVER : next.position();
  }

  /// Where the last pruning was; 0 for none yet.
  int lastPosition() {
    PruneEvent last = done == 0 ? null : event(done - 1);
    return last == null ? 0 : last.position();
  }

  /// The first position that must be computed, and seen, for the next pruning; [#NEVER] for none.
  int observedFrom() {
    PruneEvent next = next();
    if (next == null) {
      return NEVER;
    }
    PruneNeeds needs = needs(next);
    if (needs.given() == PruneNeeds.Given.LINEAR) {
      return lastPosition();
    }
    return needs.queries() == 0
        ? NEVER
        : Math.max(lastPosition(), next.position() - needs.queries());
  }

  /// How much of the sequence may come from a cache of unpruned prefixes: a row is always computed
  /// before a pruning, and one that leaves out pages is nowhere else.
  int reusable() {
    PruneEvent next = next();
    int whole = behindPast ? NEVER : sharedTo();
    return next == null ? whole : Math.min(whole, Math.min(next.position() - 1, observedFrom()));
  }

  private static PruneNeeds needs(PruneEvent event) {
    TokenPruner pruner = event.options().pruner();
    return pruner.needs();
  }

  /// The queries for the next pruning, where any are wanted.
  @Nullable QueryRows queries() {
    PruneEvent next = next();
    if (next == null || needs(next).queries() == 0) {
      return null;
    }
    if (queries == null) {
      queries = new QueryRows(observedFrom(), next.position());
    }
    return queries;
  }

  /// Whether the next pruning wants scores of hidden states.
  boolean wantsScores() {
    PruneEvent next = next();
    return next != null && needs(next).given() == PruneNeeds.Given.LINEAR;
  }

  /// Whether rows were ranked by scores of hidden states, which a later turn may want of those that
  /// stayed.
  boolean wasScored() {
    for (int i = 0; i < done; i++) {
      PruneEvent event = event(i);
      if (event != null && needs(event).given() == PruneNeeds.Given.LINEAR) {
        return true;
      }
    }
    return false;
  }

  /// Whether scores stand in the table's margin.
  boolean isScored() {
    return wantsScores() || wasScored();
  }

  /// The next event has happened.
  ///
  /// @param removed rows over all layers and heads
  void passed(long removed) {
    done++;
    queries = null;
    removedRows += removed;
  }

  /// Rows that were removed, over all layers and kv heads.
  long removedRows() {
    return removedRows;
  }

  /// Whether anything was or will be pruned.
  boolean isEmpty() {
    return past.isEmpty() && ranges.isEmpty() && options.isNone();
  }

  /// What a next turn must know, or null where nothing was pruned or left out.
  ///
  /// @param computed how many of the tokens have rows
  @Nullable PruneHistory history(int[] tokens, int computed) {
    List<PageSkips.Range> skipped = new ArrayList<>();
    for (PageSkips.Range range : ranges) {
      if (range.from() < computed) {
        int to = Math.min(range.to(), computed);
        skipped.add(new PageSkips.Range(range.from(), to, range.ratio()));
      }
    }
    if (done == 0 && skipped.isEmpty()) {
      return null;
    }
    List<PruneEvent> events = new ArrayList<>();
    for (int i = 0; i < done; i++) {
      PruneEvent event = event(i);
      if (event != null) {
        events.add(event);
      }
    }
    int prunedEnd = events.isEmpty() ? 0 : events.getLast().position();
    int end = Math.max(prunedEnd, skipped.isEmpty() ? 0 : skipped.getLast().to());
    return new PruneHistory(Arrays.copyOf(tokens, end), events, skipped);
  }
}
