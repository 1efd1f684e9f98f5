package io.kvasir.model.tokenizer;

import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.nio.charset.StandardCharsets;

/// An entry for fuzzers that know Jazzer's convention (`--target_class`): any text is a
/// `tokenizer.json` that encodes and decodes, or is refused.
public final class TokenizerFuzzTarget {
  private static final String TEXT = "Hi, wörld  123\n\uD83D\uDE00<s>\u0001";

  private TokenizerFuzzTarget() {}

  public static void fuzzerTestOneInput(byte[] bytes) {
    read(new String(bytes, StandardCharsets.UTF_8));
  }

  /// Answers whether the text was accepted.
  static boolean read(String text) {
    try {
      Tokenizer tokenizer = Tokenizer.fromJson(Json.parse(text), null);
      // A vocabulary without a token for a character, and without an unknown token, is refused
      // here.
      tokenizer.decode(tokenizer.encode(TEXT, true));
      tokenizer.encodeWithSpecials(TEXT);
      return true;
    } catch (JsonException | ModelFormatException e) {
      return false;
    }
  }
}
