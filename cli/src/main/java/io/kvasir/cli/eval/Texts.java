package io.kvasir.cli.eval;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/// The text that formats are measured with where none is given: written for this purpose, so that
/// no model was trained on it.
public final class Texts {
  /// Parts of a file are separated by a line of this.
  private static final String SEPARATOR = "----";

  private Texts() {}

  /// Names of the built-in kinds of text.
  public static final List<String> KINDS = List.of("stories", "prose", "chat", "code");

  /// The parts of a built-in kind.
  static List<String> parts(String kind) {
    return Arrays.stream(read(kind + ".txt").split("(?m)^" + SEPARATOR + "$", -1))
        .map(String::strip)
        .filter(part -> !part.isEmpty())
        .toList();
  }

  /// Built-in documents of all kinds in turn, `total` tokens in all or as many as there are.
  ///
  /// @param encode makes tokens of text
  /// @param window most tokens of a document
  public static List<Document> builtIn(Function<String, int[]> encode, int window, int total) {
    List<List<Document>> kinds = new ArrayList<>();
    for (String kind : KINDS) {
      kinds.add(cut(kind, encode.apply(String.join("\n\n", parts(kind))), window));
    }
    List<Document> turns = new ArrayList<>();
    for (int i = 0; kinds.stream().anyMatch(kind -> !kind.isEmpty()); i++) {
      List<Document> kind = kinds.get(i % kinds.size());
      if (!kind.isEmpty()) {
        turns.add(kind.removeFirst());
      }
    }
    return limited(turns, total);
  }

  /// Pieces of at most `window` tokens; a last one of one token is left out.
  public static List<Document> cut(String name, int[] ids, int window) {
    List<Document> pieces = new ArrayList<>();
    for (int from = 0; ids.length - from >= 2; from += window) {
      int to = Math.min(ids.length, from + window);
      pieces.add(new Document(name, Arrays.copyOfRange(ids, from, to)));
    }
    return pieces;
  }

  /// The first documents up to `total` tokens, the last one cut.
  public static List<Document> limited(List<Document> documents, int total) {
    List<Document> kept = new ArrayList<>();
    int left = total;
    for (Document document : documents) {
      if (left < 2) {
        break;
      }
      int length = Math.min(left, document.ids().length);
      kept.add(new Document(document.name(), Arrays.copyOf(document.ids(), length)));
      left -= length;
    }
    return kept;
  }

  private static String read(String name) {
    try (InputStream in = Texts.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("the text " + name + " is missing in this build");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
