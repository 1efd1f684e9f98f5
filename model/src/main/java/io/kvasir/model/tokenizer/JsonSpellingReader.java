package io.kvasir.model.tokenizer;

import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.List;

/// Reads the section `decoder` of a `tokenizer.json`.
final class JsonSpellingReader {
  private final List<TokenSpelling.Step> steps = new ArrayList<>();
  private boolean fused;
  private String stripped = "";
  private int stripLimit;

  private JsonSpellingReader() {}

  static TokenSpelling read(Json decoder) {
    JsonSpellingReader reader = new JsonSpellingReader();
    if (decoder.isNull()) {
      // Without a decoder tokens are words.
      return TokenSpelling.of(List.of(new TokenSpelling.Words("\0", false)));
    }
    reader.add(decoder, 0);
    return new TokenSpelling(List.copyOf(reader.steps), reader.stripped, reader.stripLimit);
  }

  private void add(Json json, int depth) {
    String type = JsonStageReader.type(json, depth);
    switch (type) {
      case "Sequence" -> json.get("decoders").asList().forEach(step -> add(step, depth + 1));
      case "ByteLevel" -> steps.add(new TokenSpelling.Alphabet());
      case "ByteFallback" -> steps.add(new TokenSpelling.Bytes());
      case "Fuse" -> fused = true;
      case "Replace" -> {
        String content = json.get("content").asString();
        String literal = JsonStageReader.literal(json.get("pattern"));
        steps.add(
            literal == null
                ? new TokenSpelling.Replace(JsonStageReader.pattern(json.get("pattern")), content)
                : new TokenSpelling.Substitute(literal, content));
      }
      case "Metaspace" -> {
        boolean dropFirst = JsonStageReader.prepend(json) != PreTokenizer.Prepend.NEVER;
        String replacement = json.stringOr("replacement", "▁");
        steps.add(new TokenSpelling.Spaces(replacement == null ? "▁" : replacement, dropFirst));
      }
      case "WordPiece" -> {
        String prefix = json.stringOr("prefix", "##");
        steps.add(
            new TokenSpelling.Words(
                prefix == null ? "##" : prefix, json.booleanOr("cleanup", true)));
      }
      case "BPEDecoder" -> {
        String suffix = json.stringOr("suffix", "</w>");
        steps.add(new TokenSpelling.WordEnds(suffix == null ? "</w>" : suffix));
      }
      case "Strip" -> addStrip(json);
      default ->
          throw new ModelFormatException("tokenizer decoder \"" + type + "\" is not supported");
    }
  }

  /// Behind `Fuse` there is one text left, so only its start is stripped; else each token.
  private void addStrip(Json json) {
    String content = json.get("content").asString();
    int start = json.intOr("start", 0);
    int end = json.intOr("stop", 0);
    if (content.isEmpty() || start < 0 || end < 0) {
      throw new ModelFormatException("tokenizer decoder Strip is malformed: " + json.toText());
    }
    if (fused) {
      stripped = content;
      stripLimit = start;
    } else {
      steps.add(new TokenSpelling.Strip(content, start, end));
    }
  }
}
