package io.kvasir.model.tokenizer;

/// A part of the text on its way through the pre-tokenizers.
///
/// @param text the part, normalized
/// @param first whether it begins where the whole text begins
record Piece(String text, boolean first) {}
