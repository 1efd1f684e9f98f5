package io.kvasir.engine;

import io.kvasir.compute.TokenDraws;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.PrefixMiss;
import io.kvasir.kvcache.Promotion;
import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// One request on its way: its tokens so far, its block table, its clock. Owned by the engine's
/// thread.
///
/// A sequence knows `length` tokens, of which the first `table.length()` are computed. Each step
/// computes some of the rest; once all are, the next token is chosen. Prompt chunks, decoding and
/// recomputation are all this one rule.
final class Sequence {
  private final Request request;
  private final TokenStream stream;
  private final long submittedNanos;
  private final long arrival;
  private final Tenant tenant;
  private final @Nullable TokenConstraint constraint;
  private final Extras extras;
  private final int[] stopTokens;
  private final PrunePlan plan;
  private final TokenDraws.@Nullable Rule rule;
  private BlockTable table;
  private int cachedTokens;
  private PrefixMiss miss = PrefixMiss.NONE;
  private int preemptions;
  private @Nullable Promotion promotion;
  private int[] tokens;
  private int length;
  private long startedNanos;
  private long firstTokenNanos;
  private long lastTokenNanos;
  private @Nullable FinishReason finished;

  /// @param table holds what is known of the prompt
  /// @param plan when it is pruned
  Sequence(Waiting from, Tenant tenant, BlockTable table, PrunePlan plan) {
    this.plan = plan;
    this.request = from.request;
    this.stream = from.stream;
    this.submittedNanos = from.submittedNanos;
    this.arrival = from.arrival;
    this.tenant = tenant;
    TokenConstraint.Factory grammar = request.output().constraint();
    this.constraint = grammar == null ? null : grammar.start();
    this.extras = new Extras(request, from.embedding);
    this.stopTokens = sorted(request.stopTokens());
    boolean plain = constraint == null && request.output().topScores() < 0;
    this.rule = plain ? request.sampling().rule() : null;
    this.table = table;
    this.cachedTokens = table.length();
    this.tokens = Arrays.copyOf(request.prompt(), request.prompt().length + 16);
    this.length = request.prompt().length;
  }

  private static int[] sorted(Set<Integer> ids) {
    int[] sorted = new int[ids.size()];
    int count = 0;
    for (int id : ids) {
      sorted[count++] = id;
    }
    Arrays.sort(sorted);
    return sorted;
  }

  /// Whether the token ends the answer.
  boolean stopsAt(int token) {
    return Arrays.binarySearch(stopTokens, token) >= 0;
  }

  Request request() {
    return request;
  }

  TokenStream stream() {
    return stream;
  }

  long submittedNanos() {
    return submittedNanos;
  }

  long arrival() {
    return arrival;
  }

  Tenant tenant() {
    return tenant;
  }

  @Nullable TokenConstraint constraint() {
    return constraint;
  }

  /// How the next token is chosen, where the model's scores alone decide and nothing else is asked
  /// about them; else null.
  TokenDraws.@Nullable Rule rule() {
    return generated() < request.output().minTokens() ? null : rule;
  }

  /// What is gathered of the prompt while it is computed.
  Extras extras() {
    return extras;
  }

  BlockTable table() {
    return table;
  }

  /// The known tokens; valid up to [#length].
  int[] tokens() {
    return tokens;
  }

  /// Tokens that may still be asked to be cached: the known ones and the most that may follow.
  int mostTokens() {
    return (int) Math.min(Integer.MAX_VALUE, (long) promptLength() + request.maxTokens());
  }

  /// Its table was given up.
  void preempted() {
    preemptions++;
  }

  /// Goes on with another table after its own was given up.
  void resume(BlockTable fresh) {
    table = fresh;
    promotion = null;
  }

  /// The sequence waits for blocks from a lower tier.
  void await(@Nullable Promotion value) {
    promotion = value;
  }

  /// Whether the sequence still waits for blocks; what arrived counts as cached.
  boolean isWaiting() {
    if (promotion != null && promotion.isSettled()) {
      cachedTokens = generated() == 0 ? table.length() : cachedTokens;
      promotion = null;
    }
    return promotion != null;
  }

  int length() {
    return length;
  }

  int promptLength() {
    return request.prompt().length;
  }

  int generated() {
    return length - promptLength();
  }

  /// Known tokens that are not computed yet.
  int pending() {
    return length - table.length();
  }

  /// When the sequence is pruned.
  PrunePlan plan() {
    return plan;
  }

  /// Tokens that can be computed before it is pruned again.
  int untilPruned() {
    return plan.nextPosition() - table.length();
  }

  /// The tokens whose keys and values the table holds.
  int[] computedTokens() {
    return Arrays.copyOf(tokens, table.length());
  }

  boolean hasStarted() {
    return startedNanos != 0;
  }

  /// @param why why the rest of the prompt was not cached
  void started(long nanos, PrefixMiss why) {
    startedNanos = nanos;
    miss = why;
  }

  /// Adds a chosen token.
  void append(int token, long nanos) {
    if (length == tokens.length) {
      tokens = Arrays.copyOf(tokens, 2 * length);
    }
    tokens[length++] = token;
    firstTokenNanos = firstTokenNanos == 0 ? nanos : firstTokenNanos;
    lastTokenNanos = nanos;
  }

  /// Tells the constraint of a chosen token. @return whether nothing may follow it
  boolean isCompleteAfter(int token) {
    if (constraint == null) {
      return false;
    }
    constraint.accept(token);
    if (!constraint.mayEnd()) {
      return false;
    }
    for (long word : constraint.allowed()) {
      if (word != 0) {
        return false;
      }
    }
    return true;
  }

  /// Counts a token that ended the answer without being part of it.
  void stopped(long nanos) {
    firstTokenNanos = firstTokenNanos == 0 ? nanos : firstTokenNanos;
  }

  void finish(FinishReason reason) {
    finished = reason;
  }

  @Nullable FinishReason finished() {
    return finished;
  }

  /// @param rowsPerToken rows that pruning counts for a token
  Outcome outcome(long nowNanos, long blockBytes, long rowsPerToken, @Nullable Throwable error) {
    long started = startedNanos == 0 ? nowNanos : startedNanos;
    long first = firstTokenNanos == 0 ? nowNanos : firstTokenNanos;
    return new Outcome(
        finished == null ? FinishReason.ERROR : finished,
        promptLength(),
        cachedTokens,
        generated(),
        started - submittedNanos,
        first - started,
        Math.max(0, lastTokenNanos - first),
        (table.blockCount() + table.marginBlocks()) * blockBytes,
        miss,
        preemptions,
        (int) (plan.removedRows() / rowsPerToken),
        error);
  }
}
