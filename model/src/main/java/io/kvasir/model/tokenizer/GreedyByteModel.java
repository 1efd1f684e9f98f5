package io.kvasir.model.tokenizer;

import java.nio.charset.StandardCharsets;

/// The longest token that the rest of the bytes begins with, again and again, as in the RWKV
/// "world" tokenizer. Keys of the index are bytes, written as Latin-1.
record GreedyByteModel(PrefixIndex index, int unknownId) implements SubwordModel {

  @Override
  public void encode(String piece, IdList out) {
    String bytes = new String(piece.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    PrefixIndex.Walk walk = index.walk();
    for (int at = 0; at < bytes.length(); ) {
      walk.reset();
      int best = -1;
      int bestEnd = at + 1;
      for (int end = at; end < bytes.length() && walk.step(bytes.charAt(end)); ) {
        end++;
        int id = walk.value();
        if (id >= 0) {
          best = id;
          bestEnd = end;
        }
      }
      if (best >= 0) {
        out.add(best);
      } else if (unknownId >= 0) {
        out.add(unknownId);
      }
      at = bestEnd;
    }
  }
}
