package io.kvasir.cli.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/// Which facts were recalled, in the order in which they were asked for.
public final class RecallScore {
  private final List<Answer> answers = new ArrayList<>();
  private long tokens;
  private long bytes;

  /// @param length tokens aimed at of the context
  /// @param text what was answered
  record Answer(int length, Fact fact, String text, boolean right) {
    double depth() {
      return fact.depth();
    }
  }

  void read(RecallContext context, int toldTokens, long heldBytes) {
    tokens += toldTokens;
    bytes += heldBytes;
  }

  void answered(RecallContext context, Fact fact, String text) {
    answers.add(new Answer(context.length(), fact, text, fact.isIn(text)));
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
