package io.kvasir.engine.grammar;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A vocabulary of all bytes and some tokens of several bytes, for tests.
final class ToyVocabulary {
  private static final List<String> LONGER =
      List.of(
          "\":",
          "\",",
          "\",\"",
          "{\"",
          "\"}",
          "}}",
          "]]",
          "[[",
          "[]",
          "{}",
          "true",
          "false",
          "null",
          ", ",
          ": ",
          "\n  ",
          "    ",
          "12",
          "00",
          "ab",
          "abc",
          "é",
          "name",
          "\"name\":",
          "\\u00",
          "\\n",
          "😀",
          "-1",
          ".5",
          "e+",
          "[\"",
          "\"]",
          "foo",
          "yes",
          "no",
          "true}");

  private ToyVocabulary() {}

  /// Tokens 0 to 255 are the bytes; the last one is no text.
  static TokenTrie trie() {
    List<byte @Nullable []> tokens = new ArrayList<>();
    for (int b = 0; b < 256; b++) {
      tokens.add(new byte[] {(byte) b});
    }
    LONGER.forEach(text -> tokens.add(text.getBytes(StandardCharsets.UTF_8)));
    tokens.add(null);
    return TokenTrie.of(tokens);
  }
}
