package io.kvasir.cli;

/// One thing to measure.
///
/// @param prompt tokens computed at once in each sequence; 0 to measure decoding
/// @param generate tokens decoded in each sequence; 0 to measure a prompt
/// @param depth tokens that each sequence's cache holds before
/// @param batch sequences at once
/// @param shared whether the tokens before are the same in all sequences and stand in the cache
///   once
record BenchCase(int prompt, int generate, int depth, int batch, boolean shared) {

  /// The name in tables, such as `pp512 @ d4096`.
  String name() {
    String what = prompt > 0 ? "pp" + prompt : "tg" + generate;
    return depth == 0 ? what : what + " @ d" + depth + (shared ? " shared" : "");
  }

  /// The same behind `tokens` tokens.
  BenchCase behind(int tokens) {
    return new BenchCase(prompt, generate, tokens, batch, shared);
  }

  /// Tokens that are counted, over all sequences.
  int tokens() {
    return batch * (prompt + generate);
  }

  /// Most positions of a sequence: decoding starts from one token, and a prompt ends with one.
  int positions() {
    return depth + Math.max(prompt, 1) + generate + 2;
  }
}
