package io.kvasir.model.tokenizer;

import java.util.List;
import java.util.Map;

/// What a tokenizer is made of.
///
/// @param vocabulary all tokens
/// @param recognition how text becomes pieces and recognised tokens
/// @param model how pieces become ids
/// @param frame the ids around a text that stands for itself
/// @param spelling how ids become text
/// @param literalAdded whether added tokens stand for exactly their spelling
/// @param special the tokens with a role
/// @param chatTemplates Jinja sources by name, the default one under `default`
record TokenizerParts(
    Vocabulary vocabulary,
    Recognition recognition,
    SubwordModel model,
    Frame frame,
    TokenSpelling spelling,
    boolean literalAdded,
    SpecialTokens special,
    Map<String, String> chatTemplates) {

  /// From text to pieces.
  ///
  /// @param raw tokens that are looked for in the text as it is
  /// @param normalizer applied between them
  /// @param normalized tokens that are looked for in what the normalizer gives
  /// @param preTokenizer cuts what remains
  record Recognition(
      AddedTokens raw, Normalizer normalizer, AddedTokens normalized, PreTokenizer preTokenizer) {}

  /// The ids before and behind a text.
  record Frame(List<Integer> before, List<Integer> behind) {
    static final Frame NONE = new Frame(List.of(), List.of());
  }
}
