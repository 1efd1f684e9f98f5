package io.kvasir.model.tokenizer;

/// A vocabulary of whole words: a word is one token or unknown.
record WholeWordModel(Vocabulary vocabulary, int unknownId) implements SubwordModel {

  @Override
  public void encode(String piece, IdList out) {
    int id = vocabulary.find(piece);
    if (id >= 0) {
      out.add(id);
    } else if (unknownId >= 0) {
      out.add(unknownId);
    }
  }
}
