package io.kvasir.engine;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.model.Transformer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Runs a [Batch] through the transformer and chooses the next token of each sequence that it
/// completes. Owned by the engine's thread.
final class ModelRunner {
  private final Transformer transformer;
  private final Backend backend;
  private final AttentionMetadata metadata;
  private final PruneObserver observer;
  private final Sampler sampler = new Sampler();
  private final LogProbabilities probabilities = new LogProbabilities();
  private final AllowedTokens allowed;
  private final Transformer.HiddenStates means = this::gatherMeans;
  private final StepResult result = new StepResult();
  private final float[] scores;
  private final float[] hidden;
  private final int[] rows;
  private final int[] members;
  private final RowChoices choices;
  private int[] tokens = new int[16];
  private Batch batch = new Batch();

  /// @param metadata of the cache
  /// @param observer sees what prunings need
  ModelRunner(
      Transformer transformer,
      Backend backend,
      AttentionMetadata metadata,
      PruneObserver observer) {
    this.observer = observer;
    this.transformer = transformer;
    this.backend = backend;
    this.metadata = metadata;
    this.scores = new float[transformer.vocabularySize()];
    this.hidden = new float[transformer.config().width()];
    this.rows = new int[transformer.maxLogitRows()];
    this.members = new int[transformer.maxLogitRows()];
    this.choices = new RowChoices(backend, scores.length, rows.length);
    this.allowed = new AllowedTokens(transformer.vocabularySize());
  }

  /// @return what was chosen for each sequence of the batch, until the next call
  StepResult run(Batch next) {
    batch = next;
    reserve();
    result.clear(batch.size());
    metadata.clear();
    boolean wantsMeans = false;
    for (int i = 0; i < batch.size(); i++) {
      Sequence sequence = batch.sequence(i);
      int from = sequence.table().length();
      System.arraycopy(sequence.tokens(), from, tokens, metadata.rows(), batch.count(i));
      metadata.add(sequence.table(), batch.count(i), sequence.plan().skips());
      wantsMeans |= sequence.extras().wantsMean();
    }
    boolean watched = observer.watch(batch);
    metadata.observe(watched ? observer : null);
    if (!watched && !wantsMeans && decodesAll()) {
      chooseOfAll(transformer.decode(metadata, tokens));
      return result;
    }
    transformer.forward(metadata, tokens, wantsMeans ? means : null);
    if (watched) {
      observer.computed(metadata);
    }
    scorePrompts();
    chooseAll();
    return result;
  }

  /// Whether all that the step does is to choose the next token of each sequence, after one row.
  private boolean decodesAll() {
    if (batch.size() > rows.length) {
      return false;
    }
    for (int i = 0; i < batch.size(); i++) {
      if (batch.count(i) != 1 || !batch.completes(i) || batch.sequence(i).plan().skips() != null) {
        return false;
      }
    }
    return true;
  }

  private void chooseOfAll(Buffer logits) {
    for (int i = 0; i < batch.size(); i++) {
      members[i] = i;
    }
    choose(logits, batch.size());
  }

  /// Chooses for as many sequences at a time as the transformer scores at once, so that its output
  /// matrix is read once for all of them.
  private void chooseAll() {
    int count = 0;
    for (int i = 0; i < batch.size(); i++) {
      if (batch.completes(i) && !batch.sequence(i).extras().wantsMean()) {
        members[count] = i;
        rows[count++] = metadata.firstRow(i + 1) - 1;
      }
      if (count == rows.length || i == batch.size() - 1 && count > 0) {
        choose(transformer.logits(rows, count), count);
        count = 0;
      }
    }
  }

  /// Chooses for the sequences `members`, whose scores are the first rows of `logits`: on the
  /// backend what can be chosen there, the rest from their scores.
  private void choose(Buffer logits, int count) {
    choices.clear();
    for (int row = 0; row < count; row++) {
      choices.add(batch.sequence(members[row]));
    }
    choices.choose(logits);
    for (int row = 0; row < count; row++) {
      if (choices.has(row)) {
        result.chose(members[row], choices.token(row), null);
      } else {
        chooseHere(members[row], logits, row);
      }
    }
  }

  /// What a constraint does wrong ends its own sequence only.
  ///
  /// @param row of `logits` that holds the sequence's scores
  private void chooseHere(int index, Buffer logits, int row) {
    Sequence sequence = batch.sequence(index);
    Request request = sequence.request();
    try {
      long @Nullable [] mask = allowed.of(sequence);
      int top = request.output().topScores();
      backend.read(logits, row, scores, 0);
      int token =
          sampler.sample(
              scores,
              request.sampling(),
              sequence.tokens(),
              sequence.promptLength(),
              sequence.length(),
              mask);
      result.chose(
          index, token, top < 0 ? null : probabilities.of(scores, scores.length, token, top));
    } catch (RuntimeException e) {
      result.failed(index, e);
    }
  }

  /// Scores of prompt tokens: those after each row of a chunk, but for the last prompt token's row.
  private void scorePrompts() {
    for (int i = 0; i < batch.size(); i++) {
      Sequence sequence = batch.sequence(i);
      if (sequence.extras().wantsScores()) {
        scorePrompt(sequence, metadata.firstRow(i), batch.count(i));
      }
    }
  }

  private void scorePrompt(Sequence sequence, int firstRow, int count) {
    int from = sequence.table().length();
    int end = Math.min(from + count, sequence.promptLength() - 1);
    int at = Math.max(from, sequence.extras().gathered());
    while (at < end) {
      int n = Math.min(rows.length, end - at);
      for (int i = 0; i < n; i++) {
        rows[i] = firstRow + at - from + i;
      }
      Buffer logits = transformer.logits(rows, n);
      for (int i = 0; i < n; i++) {
        backend.read(logits, i, scores, 0);
        int token = sequence.tokens()[at + i + 1];
        int top = sequence.request().output().topScores();
        sequence.stream().emitPrompt(probabilities.of(scores, scores.length, token, top));
        sequence.extras().gather();
      }
      at += n;
    }
  }

  private void gatherMeans(int index, Buffer states, int count) {
    if (index != transformer.config().layers().size()) {
      return;
    }
    for (int i = 0; i < batch.size(); i++) {
      Sequence sequence = batch.sequence(i);
      int from = sequence.table().length();
      int skipped = Math.max(0, sequence.extras().gathered() - from);
      for (int row = skipped; row < batch.count(i) && sequence.extras().wantsMean(); row++) {
        backend.read(states, metadata.firstRow(i) + row, hidden, 0);
        sequence.extras().gather(hidden);
      }
    }
  }

  private void reserve() {
    if (tokens.length < batch.tokens()) {
      tokens = Arrays.copyOf(tokens, Math.max(batch.tokens(), 2 * tokens.length));
    }
  }
}
