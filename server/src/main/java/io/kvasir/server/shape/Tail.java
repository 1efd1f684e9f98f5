package io.kvasir.server.shape;

import io.kvasir.model.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// The last bytes of an answer, to notice a mark as its tokens come.
final class Tail {
  private final Tokenizer tokenizer;
  private final byte[] mark;
  private byte[] last = {};

  Tail(Tokenizer tokenizer, String mark) {
    this.tokenizer = tokenizer;
    this.mark = mark.getBytes(StandardCharsets.UTF_8);
  }

  /// Takes a token. @return how many bytes came behind the mark that it completed, -1 for no mark
  int accept(int token) {
    byte[] more = tokenizer.bytes(token);
    byte[] all = Arrays.copyOf(last, last.length + more.length);
    System.arraycopy(more, 0, all, last.length, more.length);
    for (int from = 0; from + mark.length <= all.length; from++) {
      if (Arrays.equals(all, from, from + mark.length, mark, 0, mark.length)) {
        last = new byte[0];
        return all.length - from - mark.length;
      }
    }
    int keep = Math.min(all.length, mark.length - 1);
    last = Arrays.copyOfRange(all, all.length - keep, all.length);
    return -1;
  }
}
