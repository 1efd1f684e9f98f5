package io.kvasir.server;

import io.kvasir.engine.TokenScores;
import io.kvasir.server.reply.Part;
import java.util.ArrayList;
import java.util.List;

/// A whole answer, gathered step by step.
final class Reply {
  private final StringBuilder text = new StringBuilder();
  private final StringBuilder content = new StringBuilder();
  private final StringBuilder reasoning = new StringBuilder();
  private final List<Call> calls = new ArrayList<>();
  private final List<Step> steps = new ArrayList<>();

  /// A tool call.
  record Call(String id, String name, StringBuilder arguments) {}

  void add(Step step) {
    text.append(step.text());
    steps.add(step);
    for (Part part : step.parts()) {
      switch (part) {
        case Part.Content(String more) -> content.append(more);
        case Part.Reasoning(String more) -> reasoning.append(more);
        case Part.CallBegun(int _, String id, String name) ->
            calls.add(new Call(id, name, new StringBuilder()));
        case Part.CallArguments(int index, String more) ->
            calls.get(index).arguments().append(more);
      }
    }
  }

  /// All text as the model wrote it.
  String text() {
    return text.toString();
  }

  String content() {
    return content.toString();
  }

  String reasoning() {
    return reasoning.toString();
  }

  List<Call> calls() {
    return calls;
  }

  List<Step> steps() {
    return steps;
  }

  /// Mean of the tokens' log-probabilities, minus infinity where there are none.
  double meanLogProbability() {
    double sum = 0;
    int count = 0;
    for (Step step : steps) {
      TokenScores scores = step.scores();
      sum += scores == null ? 0 : scores.logProbability();
      count += scores == null ? 0 : 1;
    }
    return count == 0 ? Double.NEGATIVE_INFINITY : sum / count;
  }
}
