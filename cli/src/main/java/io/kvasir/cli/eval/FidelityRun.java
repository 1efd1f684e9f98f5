package io.kvasir.cli.eval;

import io.kvasir.compute.Buffer;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/// Reads text with a reference and with caches under test in lockstep and compares what each of
/// them expects next.
///
/// Rows are encoded when they are written and every query reads what is stored, its own row too, so
/// that passes of many tokens give what decoding token by token gives. One more f32 cache with
/// other blocks and other passes is compared too: what differs there is no matter of formats.
public final class FidelityRun implements AutoCloseable {
  private static final KvRecipe EXACT = KvRecipe.of(KvFormat.F32);

  private final EvalSubject subject;
  private final TestedCache exact;
  private final List<Lane> lanes = new ArrayList<>();
  private final ReferenceRows reference;
  private final int rows;
  private final int[] wanted;
  private final float[] scores;

  /// One cache under test.
  ///
  /// @param rows tokens of a pass
  private record Lane(String name, TestedCache cache, KvLayout layout, int rows, Fidelity sum) {}

  /// Formats and, before them, the control.
  ///
  /// @param capacity tokens of the longest document
  public FidelityRun(EvalSubject subject, List<KvRecipe> recipes, int capacity) {
    this(subject, recipes, capacity, true);
  }

  /// @param control whether the control is measured
  FidelityRun(EvalSubject subject, List<KvRecipe> recipes, int capacity, boolean control) {
    this.subject = subject;
    int vocabulary = subject.transformer().vocabularySize();
    rows = subject.transformer().maxRows();
    reference = new ReferenceRows(rows, vocabulary);
    wanted = new int[subject.transformer().maxLogitRows()];
    scores = new float[vocabulary];
    exact = subject.cache(EXACT, capacity);
    EvalSubject other = subject.withBlockTokens(subject.blockTokens() == 16 ? 32 : 16);
    if (control) {
      lanes.add(lane("f32, other blocks", other, EXACT, capacity, Math.max(1, rows / 3)));
    }
    for (KvRecipe recipe : recipes) {
      lanes.add(lane(recipe.name(), subject, recipe, capacity, rows));
    }
  }

  private static Lane lane(
      String name, EvalSubject subject, KvRecipe recipe, int capacity, int rows) {
    TestedCache cache = subject.cache(recipe, capacity);
    return new Lane(name, cache, subject.layout(recipe), rows, new Fidelity());
  }

  /// What one cache costs.
  public record Result(String name, FidelityFigures figures, CacheSize size) {}

  /// Measures.
  ///
  /// @param progress is told how far it is
  /// @return the control first, where there is one, then the formats in their order
  public List<Result> measure(List<Document> documents, Consumer<String> progress) {
    CacheSize[] sizes = new CacheSize[lanes.size()];
    int longest = 0;
    int done = 0;
    for (Document document : documents) {
      progress.accept("reading " + document.name() + ", " + done + " tokens done");
      read(document);
      done += document.ids().length;
      if (document.scored() > longest) {
        longest = document.scored();
        for (int i = 0; i < sizes.length; i++) {
          Lane lane = lanes.get(i);
          sizes[i] = CacheSize.of(lane.layout(), lane.cache().heldBytes(), longest);
        }
      }
    }
    List<Result> all = new ArrayList<>();
    for (int i = 0; i < sizes.length; i++) {
      Lane lane = lanes.get(i);
      all.add(new Result(lane.name(), FidelityFigures.of(lane.sum()), sizes[i]));
    }
    return all;
  }

  private void read(Document document) {
    exact.restart();
    lanes.forEach(lane -> lane.cache().restart());
    for (int from = 0; from < document.scored(); from += rows) {
      int to = Math.min(document.scored(), from + rows);
      exact.advance(Arrays.copyOfRange(document.ids(), from, to));
      forEachRow(to - from, row -> reference.set(row, scores));
      for (Lane lane : lanes) {
        compare(lane, document.ids(), from, to);
      }
    }
    lanes.forEach(lane -> lane.sum().endDocument());
  }

  private void compare(Lane lane, int[] ids, int start, int end) {
    for (int from = start; from < end; from += lane.rows()) {
      int to = Math.min(end, from + lane.rows());
      lane.cache().advance(Arrays.copyOfRange(ids, from, to));
      int first = from;
      forEachRow(
          to - from,
          row -> {
            int position = first + row;
            lane.sum().add(reference.compare(position - start, scores, ids[position + 1]));
          });
    }
  }

  private interface RowUse {
    void use(int row);
  }

  /// Puts the scores of each row of the last pass into `scores`.
  private void forEachRow(int count, RowUse use) {
    for (int from = 0; from < count; from += wanted.length) {
      int n = Math.min(wanted.length, count - from);
      for (int i = 0; i < n; i++) {
        wanted[i] = from + i;
      }
      Buffer logits = subject.transformer().logits(wanted, n);
      for (int i = 0; i < n; i++) {
        subject.backend().read(logits, i, scores, 0);
        use.use(from + i);
      }
    }
  }

  @Override
  public void close() {
    lanes.forEach(lane -> lane.cache().close());
    exact.close();
  }
}
