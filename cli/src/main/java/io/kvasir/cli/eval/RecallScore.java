package io.kvasir.cli.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/// Which facts were recalled, in the order in which they were asked for.
public final class RecallScore {
  private final List<Answer> answers = new ArrayList<>();
  private int contexts;
  private long tokens;
  private long bytes;

  /// @param context number of the text that told the fact
  /// @param length tokens aimed at of that text
  /// @param text what was answered
  record Answer(int context, int length, Fact fact, String text, boolean right) {
    double depth() {
      return fact.depth();
    }
  }

  void read(RecallContext context, int toldTokens, long heldBytes) {
    contexts++;
    tokens += toldTokens;
    bytes += heldBytes;
  }

  void answered(RecallContext context, Fact fact, String text) {
    answers.add(new Answer(contexts, context.length(), fact, text, fact.isIn(text)));
  }

  /// The answers without the fact.
  List<Answer> missed() {
    return answers.stream().filter(answer -> !answer.right()).toList();
  }

  public int count() {
    return answers.size();
  }

  public int right() {
    int right = 0;
    for (Answer answer : answers) {
      right += answer.right() ? 1 : 0;
    }
    return right;
  }

  /// Part of the facts that were recalled.
  public double share() {
    return (double) right() / count();
  }

  /// Bytes held per token read, over all contexts, once they were read.
  public double bytesPerToken() {
    return (double) bytes / tokens;
  }

  /// How many facts that `full` recalls were not recalled here.
  public int lost(RecallScore full) {
    int lost = 0;
    for (int i = 0; i < count(); i++) {
      lost += full.answers.get(i).right() && !answers.get(i).right() ? 1 : 0;
    }
    return lost;
  }

  /// How many facts were recalled here that `full` does not recall.
  public int gained(RecallScore full) {
    return full.lost(this);
  }

  /// By how much a larger part of the facts was recalled here than by `full`, question by question;
  /// the spread is that between texts, since questions about one text depend on each other.
  Interval change(RecallScore full) {
    Map<Integer, double[]> texts = new TreeMap<>();
    for (int i = 0; i < count(); i++) {
      double[] text = texts.computeIfAbsent(answers.get(i).context(), number -> new double[2]);
      text[0] += answers.get(i).right() ? 1 : 0;
      text[0] -= full.answers.get(i).right() ? 1 : 0;
      text[1]++;
    }
    return Interval.ofRatio(List.copyOf(texts.values()));
  }

  /// How many texts told the facts.
  public int contexts() {
    return contexts;
  }

  /// Lengths of contexts, rising.
  public List<Integer> lengths() {
    TreeSet<Integer> lengths = new TreeSet<>();
    answers.forEach(answer -> lengths.add(answer.length()));
    return List.copyOf(lengths);
  }

  /// Part of the facts that were recalled of those in contexts of this length at depths `from` to
  /// `to`; NaN where there are none.
  public double share(int length, double from, double to) {
    int all = 0;
    int right = 0;
    for (Answer answer : answers) {
      if (answer.length() == length && answer.depth() >= from && answer.depth() < to) {
        all++;
        right += answer.right() ? 1 : 0;
      }
    }
    return all == 0 ? Double.NaN : (double) right / all;
  }
}
