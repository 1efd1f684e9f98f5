package io.kvasir.model.tokenizer;

import io.kvasir.model.file.ModelFormatException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Turns the keys `tokenizer.*` of a GGUF file into the stages of a [Tokenizer], with llama.cpp's
/// meaning of each key and of its absence.
final class GgufTokenizerReader {
  private static final String SPACE = "▁";
  private static final TokenizerParts.Recognition NO_RECOGNITION =
      new TokenizerParts.Recognition(
          new AddedTokens(List.of(), List.of()),
          Normalizer.Chain.NONE,
          new AddedTokens(List.of(), List.of()),
          new PreTokenizer.Chain(List.of()));

  private final TokenizerMetadata metadata;
  private final Vocabulary vocabulary;

  GgufTokenizerReader(TokenizerMetadata metadata) {
    this.metadata = metadata;
    this.vocabulary = readVocabulary();
  }

  /// How one kind of tokenizer works, before what all kinds share is added.
  ///
  /// @param defaults the ids of BOS, EOS, unknown and padding where the file names none
  private record Kind(
      Normalizer normalizer,
      PreTokenizer preTokenizer,
      SubwordModel model,
      TokenSpelling spelling,
      Defaults defaults) {}

  /// What holds where the file does not say.
  private record Defaults(int bos, int eos, int unknown, boolean addsBos, boolean addsEos) {}

  Tokenizer read() {
    String model = metadata.string("tokenizer.ggml.model");
    if (model == null) {
      throw new ModelFormatException("the file names no tokenizer (tokenizer.ggml.model)");
    }
    Kind kind =
        switch (model) {
          case "gpt2" -> bytePairs(pattern(metadata.string("tokenizer.ggml.pre")));
          case "gemma4" -> bytePairs(pattern("gemma4"));
          case "llama" -> sentencePiece();
          case "t5" -> unigram();
          case "bert" -> wordPiece();
          case "rwkv" -> greedyBytes();
          default ->
              throw new ModelFormatException(
                  "tokenizer.ggml.model \""
                      + model
                      + "\" is not supported; known are gpt2, gemma4, llama, t5, bert and rwkv");
        };
    SpecialTokens special = specialTokens(kind.defaults);
    TokenizerParts.Recognition recognition =
        new TokenizerParts.Recognition(
            addedTokens(), kind.normalizer, NO_RECOGNITION.normalized(), kind.preTokenizer);
    return new Tokenizer(
        new TokenizerParts(
            vocabulary,
            recognition,
            kind.model,
            frame(kind.defaults, special, model.equals("bert")),
            kind.spelling,
            true,
            special,
            chatTemplates()));
  }

  private Vocabulary readVocabulary() {
    List<String> tokens = metadata.strings("tokenizer.ggml.tokens");
    if (tokens == null || tokens.isEmpty()) {
      throw new ModelFormatException("the file holds no vocabulary (tokenizer.ggml.tokens)");
    }
    int[] types = metadata.ints("tokenizer.ggml.token_type");
    boolean rwkv = "rwkv".equals(metadata.string("tokenizer.ggml.model"));
    Vocabulary read = new Vocabulary(tokens.size());
    for (int id = 0; id < tokens.size(); id++) {
      TokenKind kind =
          types == null || id >= types.length ? TokenKind.NORMAL : TokenKind.ofGguf(types[id]);
      String token = rwkv ? RwkvEscapes.spelled(tokens.get(id)) : tokens.get(id);
      // Converters mark such tokens wrongly at times; user text must not be able to end the answer.
      boolean ends = kind == TokenKind.USER_DEFINED && SpecialTokens.isEnd(token, kind);
      read.put(id, token, ends ? TokenKind.CONTROL : kind);
    }
    return read;
  }

  private static GgufPattern pattern(@Nullable String name) {
    String wanted = name == null || name.isEmpty() ? "default" : name;
    GgufPattern pattern = GgufPattern.named(wanted);
    if (pattern == null) {
      throw new ModelFormatException(
          "pre-tokenizer \""
              + wanted
              + "\" (tokenizer.ggml.pre) is not known; known are "
              + String.join(", ", GgufPattern.names()));
    }
    return pattern;
  }

  private Kind bytePairs(GgufPattern pattern) {
    boolean bytes = pattern.byteLevel();
    List<TokenSpelling.Step> steps =
        bytes
            ? List.of(new TokenSpelling.Alphabet())
            : List.of(new TokenSpelling.Bytes(), new TokenSpelling.Spaces(SPACE, false));
    return new Kind(
        bytes ? Normalizer.Chain.NONE : escapedSpaces(),
        pattern.preTokenizer(),
        bytePairModel(pattern),
        TokenSpelling.of(steps),
        new Defaults(-1, -1, -1, pattern.addsBos(), false));
  }

  private SubwordModel bytePairModel(GgufPattern pattern) {
    List<String> lines = metadata.strings("tokenizer.ggml.merges");
    if (lines == null) {
      // A vocabulary in the order of its merges, as tiktoken's: the lower id merges first.
      float[] scores = new float[vocabulary.size()];
      for (int id = 0; id < scores.length; id++) {
        scores[id] = -id;
      }
      return new ScoreMergeModel(vocabulary, scores, -1);
    }
    List<String> left = new ArrayList<>(lines.size());
    List<String> right = new ArrayList<>(lines.size());
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i);
      int space = line.indexOf(' ', 1);
      if (space < 0) {
        throw new ModelFormatException("merge " + i + " is not two tokens: \"" + line + "\"");
      }
      left.add(line.substring(0, space));
      right.add(line.substring(space + 1));
    }
    MergeModel.Options options =
        new MergeModel.Options("", "", !pattern.byteLevel(), false, -1, pattern.wholeWordsFirst());
    MergeModel model =
        new MergeModel(vocabulary, new MergeModel.Merges(left, right), options, true);
    return pattern.byteLevel() ? model : new NewlineModel(vocabulary, model);
  }

  private static Normalizer escapedSpaces() {
    return new Normalizer.Substitute(" ", SPACE);
  }

  private Kind sentencePiece() {
    boolean prefix = metadata.bool("tokenizer.ggml.add_space_prefix", true);
    List<Normalizer> normalizers = new ArrayList<>();
    if (prefix) {
      normalizers.add(new Normalizer.Surround(" ", ""));
    }
    normalizers.add(escapedSpaces());
    return new Kind(
        new Normalizer.Chain(normalizers),
        NO_RECOGNITION.preTokenizer(),
        new ScoreMergeModel(vocabulary, scores(), id("unknown", 0)),
        sentencePieceSpelling(prefix),
        new Defaults(1, 2, 0, true, false));
  }

  private static TokenSpelling sentencePieceSpelling(boolean prefix) {
    return new TokenSpelling(
        List.of(new TokenSpelling.Bytes(), new TokenSpelling.Spaces(SPACE, false)),
        prefix ? " " : "",
        1);
  }

  private float[] scores() {
    float[] scores = metadata.floats("tokenizer.ggml.scores");
    if (scores == null || scores.length < vocabulary.size()) {
      throw new ModelFormatException(
          "tokenizer.ggml.scores has "
              + (scores == null ? 0 : scores.length)
              + " entries for "
              + vocabulary.size()
              + " tokens");
    }
    return scores;
  }

  private Kind unigram() {
    float[] given = scores();
    double[] scores = new double[vocabulary.size()];
    double least = Double.POSITIVE_INFINITY;
    List<String> keys = new ArrayList<>();
    IdList ids = new IdList();
    for (int id = 0; id < scores.length; id++) {
      TokenKind kind = vocabulary.kind(id);
      scores[id] = kind == TokenKind.USER_DEFINED ? 0 : given[id];
      least = kind == TokenKind.NORMAL ? Math.min(least, scores[id]) : least;
      boolean text =
          kind == TokenKind.NORMAL || kind == TokenKind.USER_DEFINED || kind == TokenKind.UNUSED;
      if (text && !vocabulary.token(id).isEmpty()) {
        keys.add(vocabulary.token(id));
        ids.add(id);
      }
    }
    byte[] map = metadata.bytes("tokenizer.ggml.precompiled_charsmap");
    boolean prefix = metadata.bool("tokenizer.ggml.add_space_prefix", false);
    Normalizer.Spaces spaces =
        new Normalizer.Spaces(
            SPACE, prefix, false, metadata.bool("tokenizer.ggml.remove_extra_whitespaces", false));
    UnigramModel model =
        new UnigramModel(
            vocabulary,
            new PrefixIndex(keys.toArray(String[]::new), ids.toArray()),
            scores,
            new UnigramModel.Unknown(id("unknown", 2), UnigramModel.Unknown.score(least), false));
    return new Kind(
        new Normalizer.SentencePiece(CharacterMap.read(map == null ? new byte[0] : map), spaces),
        NO_RECOGNITION.preTokenizer(),
        model,
        sentencePieceSpelling(prefix),
        new Defaults(-1, 1, 2, false, true));
  }

  private Kind wordPiece() {
    boolean lowercase = metadata.bool("tokenizer.ggml.normalizer.lowercase", true);
    boolean stripAccents = metadata.bool("tokenizer.ggml.normalizer.strip_accents", lowercase);
    return new Kind(
        new Normalizer.Bert(true, true, stripAccents, lowercase),
        JsonStageReader.bertWords(),
        new WordPieceModel(vocabulary, SPACE, "", id("unknown", 100), Integer.MAX_VALUE),
        sentencePieceSpelling(true),
        new Defaults(101, -1, 100, true, false));
  }

  private Kind greedyBytes() {
    List<String> keys = new ArrayList<>();
    IdList ids = new IdList();
    for (int id = 0; id < vocabulary.size(); id++) {
      byte[] bytes = ByteAlphabet.bytes(vocabulary.token(id));
      if (bytes != null && bytes.length > 0 && vocabulary.kind(id) != TokenKind.CONTROL) {
        keys.add(new String(bytes, StandardCharsets.ISO_8859_1));
        ids.add(id);
      }
    }
    return new Kind(
        Normalizer.Chain.NONE,
        NO_RECOGNITION.preTokenizer(),
        new GreedyByteModel(
            new PrefixIndex(keys.toArray(String[]::new), ids.toArray()), id("unknown", -1)),
        TokenSpelling.of(List.of(new TokenSpelling.Alphabet())),
        new Defaults(-1, -1, -1, false, false));
  }

  private AddedTokens addedTokens() {
    String name = lower("general.name");
    String pre = lower("tokenizer.ggml.pre");
    String architecture = lower("general.architecture");
    boolean maskStrips =
        pre.startsWith("jina-v2-")
            || architecture.equals("nomic-bert-moe")
            || architecture.equals("jina-bert-v3");
    boolean phi3 = !maskStrips && (name.contains("phi-3") || name.contains("phi3"));
    boolean modernBert = !maskStrips && name.contains("modern-bert");
    List<AddedTokens.Token> tokens = new ArrayList<>();
    List<String> spellings = new ArrayList<>();
    for (int id = 0; id < vocabulary.size(); id++) {
      String token = vocabulary.token(id);
      TokenKind kind = vocabulary.kind(id);
      boolean special = kind == TokenKind.CONTROL || kind == TokenKind.UNKNOWN;
      if (token.isEmpty() || !special && kind != TokenKind.USER_DEFINED) {
        continue;
      }
      boolean left = maskStrips && token.equals("<mask>") || modernBert && token.equals("[MASK]");
      boolean right = phi3 && !List.of("<unk>", "<s>", "<|endoftext|>").contains(token);
      tokens.add(new AddedTokens.Token(id, token, special, false, false, left, right));
      spellings.add(token);
    }
    return new AddedTokens(tokens, spellings);
  }

  private String lower(String key) {
    String value = metadata.string(key);
    return value == null ? "" : value.toLowerCase(Locale.ROOT);
  }

  /// The id under `tokenizer.ggml.ROLE_token_id`, or the fallback where that is absent or no token.
  private int id(String role, int fallback) {
    long id = metadata.integer("tokenizer.ggml." + role + "_token_id", fallback);
    return id >= 0 && id < vocabulary.size() ? (int) id : -1;
  }

  private SpecialTokens specialTokens(Defaults defaults) {
    int bos = id("bos", defaults.bos);
    int eos = id("eos", defaults.eos);
    int unknown = id("unknown", defaults.unknown);
    int pad = id("padding", -1);
    Map<String, String> byRole = new LinkedHashMap<>();
    putRole(byRole, "bos_token", bos);
    putRole(byRole, "eos_token", eos);
    putRole(byRole, "unk_token", unknown);
    putRole(byRole, "pad_token", pad);
    putRole(byRole, "sep_token", id("seperator", -1));
    putRole(byRole, "cls_token", id("cls", -1));
    putRole(byRole, "mask_token", id("mask", -1));
    List<Integer> ends = List.of(eos, id("eot", -1), id("eom", -1));
    return new SpecialTokens(bos, eos, unknown, pad, SpecialTokens.ends(vocabulary, ends), byRole);
  }

  private void putRole(Map<String, String> byRole, String role, int id) {
    if (id >= 0) {
      byRole.put(role, vocabulary.token(id));
    }
  }

  private TokenizerParts.Frame frame(Defaults defaults, SpecialTokens special, boolean bert) {
    boolean gemma4 = "gemma4".equals(metadata.string("tokenizer.ggml.model")) && defaults.addsBos;
    boolean addBos =
        gemma4 || bert || metadata.bool("tokenizer.ggml.add_bos_token", defaults.addsBos);
    boolean addEos = metadata.bool("tokenizer.ggml.add_eos_token", defaults.addsEos);
    // The file format spells it so.
    int separator = bert ? id("seperator", 102) : -1;
    int end = bert ? separator : addEos ? special.eosId() : -1;
    int begin = addBos ? special.bosId() : -1;
    return new TokenizerParts.Frame(
        begin < 0 ? List.of() : List.of(begin), end < 0 ? List.of() : List.of(end));
  }

  private Map<String, String> chatTemplates() {
    Map<String, String> templates = new LinkedHashMap<>();
    String plain = metadata.string("tokenizer.chat_template");
    if (plain != null) {
      templates.put("default", plain);
    }
    List<String> names = metadata.strings("tokenizer.chat_templates");
    for (String name : names == null ? List.<String>of() : names) {
      String source = metadata.string("tokenizer.chat_template." + name);
      if (source != null) {
        templates.put(name, source);
      }
    }
    return Map.copyOf(templates);
  }
}
