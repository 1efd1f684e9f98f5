package io.kvasir.server;

import io.kvasir.server.reply.Speech;
import java.util.List;

/// What is to be generated, and how it is to look.
record Job(
    List<int[]> prompts, Parameters parameters, Speech speech, Limits limits, AnswerForm form) {

  /// What else holds for answers.
  ///
  /// @param oneCall whether an answer ends after its first tool call
  /// @param promptScores whether the prompt's tokens get scores
  record Limits(boolean oneCall, boolean promptScores) {}

  Job {
    prompts = List.copyOf(prompts);
  }
}
