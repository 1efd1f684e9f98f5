package io.kvasir.model.tokenizer;

/// What a token is for; the kinds of GGUF's `tokenizer.ggml.token_type`.
enum TokenKind {
  /// Text, found by the subword model.
  NORMAL,
  /// Stands for what the vocabulary cannot spell.
  UNKNOWN,
  /// No text: begins, ends or separates; recognised only where asked for.
  CONTROL,
  /// Text that is recognised as a whole wherever it stands.
  USER_DEFINED,
  /// Not in use.
  UNUSED,
  /// One byte, written `<0xXX>`.
  BYTE;

  /// The kind with GGUF's number `code`; numbers that are not defined mean normal.
  static TokenKind ofGguf(int code) {
    return switch (code) {
      case 2 -> UNKNOWN;
      case 3 -> CONTROL;
      case 4 -> USER_DEFINED;
      case 5 -> UNUSED;
      case 6 -> BYTE;
      default -> NORMAL;
    };
  }
}
