package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.NullStorage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// The scheduler's steps without a model: what is computed is a function of the tokens so far, so
/// that an answer tells whether it was disturbed. Time is the number of steps.
///
/// Every step is checked: it stays in its budget, has each sequence once and no more of it than is
/// pending, and leaves out no sequence that only decodes.
final class StepLoop {
  static final int CONTEXT = 4_096;

  private final EngineConfig config;
  private final StepResult result = new StepResult();
  private final Set<Sequence> known = new HashSet<>();
  private final Set<Sequence> members = new HashSet<>();
  private long arrivals;
  final KvCache cache;
  final Scheduler scheduler;
  long now = 1;
  long computed;

  StepLoop(EngineConfig config, int blocks) {
    this.config = config;
    LayerKv layer = new LayerKv(1, 8, 8, 0, KvFormat.F32, KvFormat.F32);
    KvLayout layout = KvLayout.of(List.of(layer), config.blockTokens());
    this.cache =
        new KvCache(
            new KvCacheConfig(layout, blocks), new NullStorage(layout.blockBytes(), blocks));
    this.scheduler = new Scheduler(cache, config, CONTEXT, () -> {});
  }

  static int[] tokens(int length, int seed) {
    int[] tokens = new int[length];
    Arrays.setAll(tokens, i -> (i * 31 + seed * 7919) % 50_000);
    return tokens;
  }

  static Request request(int[] prompt, int answer, String tenant, int priority) {
    return new Request(prompt, answer, SamplingOptions.GREEDY, Set.of())
        .withTerms(new Terms(tenant, "", priority, 0));
  }

  static Request request(int length, int answer, int seed) {
    return request(tokens(length, seed), answer, "", 0);
  }

  TokenStream submit(Request request) {
    TokenStream stream = new TokenStream(s -> scheduler.cancel(s, now));
    scheduler.places().take(request.terms().tenant(), 0);
    scheduler.enqueue(new Waiting(request, stream, now, arrivals++, false));
    return stream;
  }

  /// The token that follows `length` tokens.
  static int next(int[] tokens, int length) {
    int hash = 17;
    for (int i = Math.max(0, length - 8); i < length; i++) {
      hash = hash * 31 + tokens[i];
    }
    return Math.floorMod(hash ^ hash >>> 15, 50_000);
  }

  /// The answer of an undisturbed run.
  static List<Integer> alone(Request request) {
    int[] tokens = Arrays.copyOf(request.prompt(), request.prompt().length + request.maxTokens());
    List<Integer> answer = new ArrayList<>();
    for (int at = request.prompt().length; at < tokens.length; at++) {
      tokens[at] = next(tokens, at);
      answer.add(tokens[at]);
    }
    return answer;
  }

  /// Plans a step; the caller [#finish]es it. Valid until the next.
  Batch begin() {
    now++;
    Batch batch = scheduler.schedule(now);
    check(batch);
    return batch;
  }

  void finish(Batch batch) {
    result.clear(batch.size());
    for (int i = 0; i < batch.size(); i++) {
      Sequence sequence = batch.sequence(i);
      if (batch.completes(i)) {
        result.chose(i, next(sequence.tokens(), sequence.length()), null);
      }
      known.add(sequence);
    }
    computed += batch.tokens();
    now++;
    scheduler.update(batch, result, now);
    known.removeIf(sequence -> sequence.finished() != null);
  }

  /// One step. @return whether there was anything to do
  boolean step() {
    Batch batch = begin();
    if (batch.isEmpty()) {
      return false;
    }
    finish(batch);
    return true;
  }

  void stepUntilIdle(int most) {
    int steps = 0;
    while (step()) {
      demand(++steps <= most, "more than %d steps", most);
    }
  }

  private void check(Batch batch) {
    demand(batch.tokens() <= config.stepTokens(), "a step of %d tokens", batch.tokens());
    int sum = 0;
    members.clear();
    for (int i = 0; i < batch.size(); i++) {
      Sequence sequence = batch.sequence(i);
      demand(members.add(sequence), "the step has sequence %d twice", i);
      int count = batch.count(i);
      demand(count >= 1 && count <= sequence.pending(), "%d tokens of sequence %d", count, i);
      sum += count;
    }
    demand(sum == batch.tokens(), "%d tokens in the step", sum);
    for (Sequence sequence : known) {
      boolean runs = sequence.finished() == null && sequence.stream().place() == null;
      boolean decodes = runs && sequence.pending() == 1;
      demand(!decodes || members.contains(sequence), "a decoding sequence was left out");
    }
    if (batch.isEmpty()) {
      EngineStats stats = scheduler.stats();
      demand(stats.waiting() == 0, "%d wait while nothing runs", stats.waiting());
      demand(stats.running() == 0, "%d run without a step", stats.running());
    }
  }

  private void demand(boolean holds, String message, Object... values) {
    if (!holds) {
      throw new AssertionError("step at " + now + ": " + message.formatted(values));
    }
  }

  /// Everything has ended and nothing is left of it.
  void checkEmpty() {
    assertThat(scheduler.stats().running() + scheduler.stats().waiting()).isZero();
    assertThat(scheduler.places().total()).isZero();
    assertThat(cache.stats().heldBlocks()).isZero();
    assertThat(cache.stats().tables()).isZero();
    assertThat(cache.stats().freeBlocks() + cache.stats().cachedBlocks())
        .isEqualTo(cache.stats().capacityBlocks());
    cache.verify();
  }

  /// The tokens of an answer that has ended.
  static List<Integer> drain(TokenStream stream) {
    List<Integer> tokens = new ArrayList<>();
    stream.outcome();
    try {
      while (stream.advance()) {
        tokens.add(stream.token());
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    return tokens;
  }
}
