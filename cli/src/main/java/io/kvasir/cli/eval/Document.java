package io.kvasir.cli.eval;

/// A stretch of text that is read from its first token on, with nothing before it.
///
/// @param name where it comes from
/// @param ids its tokens, at least two
@SuppressWarnings("ArrayRecordComponent") // read only
public record Document(String name, int[] ids) {
  public Document {
    if (ids.length < 2) {
      throw new IllegalArgumentException(
          "'" + name + "' has " + ids.length + " tokens; at least 2 are needed");
    }
  }

  /// Tokens whose probability is measured: all but the first.
  public int scored() {
    return ids.length - 1;
  }
}
