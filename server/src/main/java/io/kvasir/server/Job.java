package io.kvasir.server;

import io.kvasir.server.reply.Speech;
import io.kvasir.server.shape.Shape;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What is to be generated, and how it is to look.
record Job(
    List<int[]> prompts, Parameters parameters, Speech speech, Limits limits, AnswerForm form) {

  /// What else holds for answers.
  ///
  /// @param oneCall whether an answer ends after its first tool call
  /// @param promptScores whether the prompt's tokens get scores
  /// @param shape what answers must look like; null for any text
  record Limits(boolean oneCall, boolean promptScores, @Nullable Shape shape) {}

  Job {
    prompts = List.copyOf(prompts);
  }
}
