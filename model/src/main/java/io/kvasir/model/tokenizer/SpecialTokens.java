package io.kvasir.model.tokenizer;

import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/// The tokens with a role of their own.
///
/// @param bosId begins a text, or -1
/// @param eosId ends a text, or -1
/// @param unkId stands for the unknown, or -1
/// @param padId fills up, or -1
/// @param endOfGeneration after these generation stops
/// @param byRole the spellings by role (`bos_token`, ...), for chat templates
record SpecialTokens(
    int bosId,
    int eosId,
    int unkId,
    int padId,
    SortedSet<Integer> endOfGeneration,
    Map<String, String> byRole) {

  /// Spellings that end a turn, a message or a text in the models in use.
  private static final Set<String> ENDS =
      Set.of(
          "<|eot_id|>",
          "<|im_end|>",
          "<|end|>",
          "<|return|>",
          "<|call|>",
          "<|flush|>",
          "<|calls|>",
          "<end_of_turn>",
          "<|endoftext|>",
          "<|eom_id|>",
          "<EOT>",
          "_<EOT>",
          "[EOT]",
          "[EOS]",
          "<|end_of_text|>",
          "<|eos|>",
          "<end_of_utterance>",
          "<eos>",
          "<turn|>",
          "<|tool_response>",
          "<｜end▁of▁sentence｜>",
          "[e~[",
          "<|fim_pad|>",
          "<fim_pad>",
          "<fim-pad>",
          "<|repo_name|>",
          "<|fim_repo|>",
          "<fim-repo>",
          "<reponame>",
          "<|file_sep|>");

  /// Spelled like ordinary mark-up, so they count only where the file says that they are control
  /// tokens.
  private static final Set<String> ENDS_IF_CONTROL =
      Set.of("</s>", "<|eot|>", "<|END_OF_TURN_TOKEN|>");

  /// Whether a token with this spelling ends generation.
  static boolean isEnd(String spelling, TokenKind kind) {
    return ENDS.contains(spelling)
        || kind == TokenKind.CONTROL && ENDS_IF_CONTROL.contains(spelling);
  }

  /// The ids in `vocabulary` that end generation by their spelling, and `named`, which the model
  /// names.
  static SortedSet<Integer> ends(Vocabulary vocabulary, Iterable<Integer> named) {
    SortedSet<Integer> ends = new TreeSet<>();
    for (Set<String> spellings : Set.of(ENDS, ENDS_IF_CONTROL)) {
      for (String spelling : spellings) {
        int id = vocabulary.find(spelling);
        if (id >= 0 && isEnd(spelling, vocabulary.kind(id))) {
          ends.add(id);
        }
      }
    }
    // In the formats that have these, <|end|> and </s> end a part and not the answer.
    boolean calls = has(ends, vocabulary, "<|call|>") || has(ends, vocabulary, "<|calls|>");
    if (calls && (has(ends, vocabulary, "<|return|>") || has(ends, vocabulary, "<|flush|>"))) {
      ends.remove(vocabulary.find("<|end|>"));
    }
    if (has(ends, vocabulary, "<|tool_response>")) {
      ends.remove(vocabulary.find("</s>"));
    }
    for (int id : named) {
      if (vocabulary.has(id)) {
        ends.add(id);
      }
    }
    return ends;
  }

  private static boolean has(Set<Integer> ends, Vocabulary vocabulary, String spelling) {
    return ends.contains(vocabulary.find(spelling));
  }
}
