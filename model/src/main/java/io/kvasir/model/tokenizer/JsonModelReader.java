package io.kvasir.model.tokenizer;

import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Reads the section `model` of a `tokenizer.json`.
final class JsonModelReader {
  private final Json model;
  private final String type;

  JsonModelReader(Json model) {
    this.model = model;
    this.type = model.get("type") instanceof Json.Str(String name) ? name : inferredType();
  }

  /// Files of the first versions do not name the type.
  private String inferredType() {
    if (model.has("merges")) {
      return "BPE";
    }
    if (model.get("vocab") instanceof Json.Arr) {
      return "Unigram";
    }
    return model.has("max_input_chars_per_word") ? "WordPiece" : "WordLevel";
  }

  Vocabulary vocabulary() {
    Json vocab = model.get("vocab");
    if (vocab instanceof Json.Arr(List<Json> entries)) {
      Vocabulary vocabulary = new Vocabulary(entries.size() + 64);
      for (int id = 0; id < entries.size(); id++) {
        vocabulary.put(id, pair(entries.get(id)).getFirst().asString(), TokenKind.NORMAL);
      }
      return vocabulary;
    }
    Map<String, Json> entries = vocab.asMap();
    Vocabulary vocabulary = new Vocabulary(entries.size() + 64);
    entries.forEach((token, id) -> vocabulary.put(id.asInt(), token, TokenKind.NORMAL));
    return vocabulary;
  }

  /// The model; `vocabulary` knows by now which tokens are control tokens.
  SubwordModel model(Vocabulary vocabulary) {
    return switch (type) {
      case "BPE" -> mergeModel(vocabulary);
      case "Unigram" -> unigramModel(vocabulary);
      case "WordPiece" ->
          new WordPieceModel(
              vocabulary,
              "",
              text("continuing_subword_prefix", "##"),
              unknownToken(vocabulary),
              model.intOr("max_input_chars_per_word", 100));
      case "WordLevel" -> new WholeWordModel(vocabulary, unknownToken(vocabulary));
      default ->
          throw new ModelFormatException(
              "tokenizer model \""
                  + type
                  + "\" is not supported; known are BPE, Unigram, WordPiece and WordLevel");
    };
  }

  private SubwordModel mergeModel(Vocabulary vocabulary) {
    List<Json> merges = model.get("merges").asList();
    List<String> left = new ArrayList<>(merges.size());
    List<String> right = new ArrayList<>(merges.size());
    for (int i = 0; i < merges.size(); i++) {
      if (merges.get(i) instanceof Json.Str(String line)) {
        int space = line.indexOf(' ', 1);
        if (space < 0) {
          throw new ModelFormatException("merge " + i + " is not two tokens: \"" + line + "\"");
        }
        left.add(line.substring(0, space));
        right.add(line.substring(space + 1));
      } else {
        List<Json> pair = pair(merges.get(i));
        left.add(pair.get(0).asString());
        right.add(pair.get(1).asString());
      }
    }
    return new MergeModel(
        vocabulary,
        new MergeModel.Merges(left, right),
        new MergeModel.Options(
            text("continuing_subword_prefix", ""),
            text("end_of_word_suffix", ""),
            model.booleanOr("byte_fallback", false),
            model.booleanOr("fuse_unk", false),
            unknownToken(vocabulary),
            model.booleanOr("ignore_merges", false)),
        false);
  }

  private SubwordModel unigramModel(Vocabulary vocabulary) {
    List<Json> entries = model.get("vocab").asList();
    double[] scores = new double[vocabulary.size()];
    double least = Double.POSITIVE_INFINITY;
    List<String> keys = new ArrayList<>(entries.size());
    IdList ids = new IdList();
    for (int id = 0; id < entries.size(); id++) {
      scores[id] = pair(entries.get(id)).get(1).asDouble();
      least = Math.min(least, scores[id]);
      if (vocabulary.kind(id) != TokenKind.CONTROL && !vocabulary.token(id).isEmpty()) {
        keys.add(vocabulary.token(id));
        ids.add(id);
      }
    }
    int unknownId = model.intOr("unk_id", -1);
    if (unknownId < -1 || unknownId >= entries.size()) {
      throw new ModelFormatException("unk_id " + unknownId + " is no token of " + entries.size());
    }
    UnigramModel.Unknown unknown =
        new UnigramModel.Unknown(
            unknownId, UnigramModel.Unknown.score(least), model.booleanOr("byte_fallback", false));
    return new UnigramModel(
        vocabulary, new PrefixIndex(keys.toArray(String[]::new), ids.toArray()), scores, unknown);
  }

  private int unknownToken(Vocabulary vocabulary) {
    return model.get("unk_token") instanceof Json.Str(String token) ? vocabulary.find(token) : -1;
  }

  private String text(String key, String fallback) {
    return model.get(key) instanceof Json.Str(String value) ? value : fallback;
  }

  private static List<Json> pair(Json value) {
    List<Json> items = value.asList();
    if (items.size() != 2) {
      throw new ModelFormatException("a pair is expected but found " + value.toText());
    }
    return items;
  }
}
