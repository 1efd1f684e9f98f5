package io.kvasir.model.tokenizer;

/// Turns one pre-token into ids.
interface SubwordModel {

  /// Appends the ids of `piece`, which is normalized, well-formed UTF-16.
  void encode(String piece, IdList out);
}
