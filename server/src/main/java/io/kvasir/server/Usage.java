package io.kvasir.server;

import tools.jackson.databind.node.ObjectNode;

/// Tokens that were used.
///
/// @param cached those of the prompt that were not computed
/// @param reasoning those of the answers that were thoughts
record Usage(int prompt, int completion, int cached, int reasoning) {

  /// As chat and completions tell it.
  ObjectNode json() {
    ObjectNode usage = Wire.object();
    usage.put("prompt_tokens", prompt);
    usage.put("completion_tokens", completion);
    usage.put("total_tokens", prompt + completion);
    usage.putObject("prompt_tokens_details").put("cached_tokens", cached);
    usage
        .putObject("completion_tokens_details")
        .put("reasoning_tokens", reasoning)
        .put("accepted_prediction_tokens", 0)
        .put("rejected_prediction_tokens", 0);
    return usage;
  }
}
