package io.kvasir.model.tokenizer;

/// Takes a run of newlines for one token where the vocabulary has it, since such merges get lost in
/// some files; leaves all else to another model.
record NewlineModel(Vocabulary vocabulary, SubwordModel rest) implements SubwordModel {

  @Override
  public void encode(String piece, IdList out) {
    int id = piece.startsWith("\n") && piece.isBlank() ? vocabulary.find(piece) : -1;
    if (id >= 0) {
      out.add(id);
    } else {
      rest.encode(piece, out);
    }
  }
}
