package io.kvasir.model.tokenizer;

import io.kvasir.model.tokenizer.regex.Regex;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What the name under `tokenizer.ggml.pre` means: a GGUF file does not hold its pre-tokenizer's
/// pattern but a name for it. Names and meanings are those of llama.cpp; where the models' own
/// `tokenizer.json` is more exact than llama.cpp's rewriting of it, the original pattern stands
/// here.
///
/// @param patterns applied one after the other, each isolating its matches
/// @param wholeWordsFirst whether a word that is a token itself is not taken apart
/// @param addsBos whether BOS is added where the file does not say
/// @param byteLevel whether text is spelled in the byte alphabet; else in SentencePiece's way
record GgufPattern(
    List<String> patterns, boolean wholeWordsFirst, boolean addsBos, boolean byteLevel) {

  private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
  private static final String WORD = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
  private static final String SIGNS = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*";
  private static final String SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  private static final String GPT2 = JsonStageReader.GPT2;
  private static final String LLAMA3 = words("\\p{N}{1,3}");
  private static final String QWEN2 = words("\\p{N}");

  private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String GPT4O =
      cased("", CONTRACTIONS + "?") + "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + SPACES;
  private static final String TEKKEN =
      cased("", "") + "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + SPACES;
  private static final String NOT_HAN = "&&[^\\p{Han}]";
  private static final String KIMI =
      "\\p{Han}+|" + cased(NOT_HAN, CONTRACTIONS + "?") + "|\\p{N}{1,3}|" + SIGNS + "|" + SPACES;

  private static final String CJK = "[一-龥\u3040-ゟ゠-ヿ]+";
  private static final String DEEPSEEK3 =
      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
          + "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|"
          + SPACES;

  /// Letters with case, in the Unicode version of the day.
  private static final String DEEPSEEK_LETTERS =
      "\\s?["
          + "\\x{41}-\\x{5A}\\x{61}-\\x{7A}\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}"
          + "\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}\\x{1C4}-\\x{293}\\x{295}-\\x{2AF}"
          + "\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}\\x{37F}\\x{386}"
          + "\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}\\x{3F7}-\\x{481}"
          + "\\x{48A}-\\x{52F}\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}"
          + "\\x{13F8}-\\x{13FD}\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}"
          + "\\x{1D6B}-\\x{1D77}\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}"
          + "\\x{1F20}-\\x{1F45}\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}"
          + "\\x{1F5D}\\x{1F5F}-\\x{1F7D}\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}"
          + "\\x{1FC2}-\\x{1FC4}\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}"
          + "\\x{1FE0}-\\x{1FEC}\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}"
          + "\\x{210A}-\\x{2113}\\x{2115}\\x{2119}-\\x{211D}\\x{2124}\\x{2126}\\x{2128}"
          + "\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}\\x{2139}\\x{213C}-\\x{213F}"
          + "\\x{2145}-\\x{2149}\\x{214E}\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}"
          + "\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}"
          + "\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}\\x{A78B}-\\x{A78E}"
          + "\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}"
          + "\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}"
          + "\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}"
          + "\\x{118A0}-\\x{118DF}\\x{1E900}-\\x{1E943}"
          + "]+";

  private static final String DEEPSEEK_CJK = "[一-龥ࠀ-一가-\ud7ff]+";
  private static final String NOT_LISTED = " ?[^(\\s|.,!?…。，、।۔،)]+";
  private static final String FALCON_SIGNS = "[\\p{P}\\$\\+<=>\\^~\\|`]+";
  private static final String LINES = "[^\\n]+|[\\n]+";

  private static final Map<String, GgufPattern> BY_NAME = new HashMap<>();

  static {
    names("default").of("[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]");
    names("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0")
        .and("lfm2", "jina-v5-nano")
        .whole()
        .bos()
        .of(LLAMA3);
    names("dbrx", "smaug-bpe", "smaug", "glm4", "chatglm-bpe").of(LLAMA3);
    names("jais-2", "jais2")
        .of(
            CONTRACTIONS
                + "|"
                + WORD
                + "|\\p{N}{1,3}|"
                + SIGNS
                + "|\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)"
                + "|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}");
    names("deepseek-llm")
        .of(
            "[\\r\\n]",
            DEEPSEEK_LETTERS,
            "\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+",
            "\\s+$",
            DEEPSEEK_CJK,
            "\\p{N}+");
    names("deepseek-coder").of("[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", DEEPSEEK_CJK, "\\p{N}");
    names("deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4").of("\\p{N}{1,3}", CJK, DEEPSEEK3);
    names("spark2_5")
        .of(
            "\\p{N}{1,3}",
            CJK,
            DEEPSEEK3.replace("[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+", "[\\p{P}\\p{S}]+|[\\r\\n]"),
            "\\p{N}");
    names("youtu")
        .whole()
        .of(
            "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" + CJK,
            cased("", CONTRACTIONS + "?") + "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + SPACES);
    names("falcon").of(FALCON_SIGNS, GPT2, "[0-9][0-9][0-9]");
    names("starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b")
        .and("minerva", "mellum2")
        .of("\\p{N}", GPT2);
    names("gpt-2", "gpt2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de")
        .and("jina-v1-en", "jina-v2-code", "roberta-bpe", "a.x-4.0", "mellum", "modern-bert")
        .and("mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4")
        .of(GPT2);
    names("qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "stablelm2", "hunyuan", "megrez")
        .and("solar-open", "grok-2")
        .of(QWEN2);
    names("qwen35")
        .of(
            CONTRACTIONS
                + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}|"
                + " ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|"
                + SPACES);
    names("laguna").of(LINES, QWEN2);
    names("ufakzeka").of(WORD + "|\\p{N}|" + SIGNS + "|" + SPACES);
    names("minicpm5").whole().of("\\p{N}{1,3}", words("\\p{N}+"));
    names("poro-chat", "poro", "bloom", "gpt3-finnish").of(NOT_LISTED);
    names("viking").of(NOT_LISTED, "\\p{N}");
    names("tekken").whole().bos().of(TEKKEN);
    names("chameleon")
        .bos()
        .of(
            "<sentinel:[0-9]+>",
            "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
            "([\\t\\n]|    |  )",
            "\\p{N}",
            "[\\p{P}!-/:-@\\[-`{-~]",
            GPT2);
    names("gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2").of(GPT4O);
    names("granite-embed-multi-97m").whole().of(GPT4O);
    names("tiny_aya", "cohere2moe").of("\\d{1,3}(?=(?:\\d{3})*\\b)", GPT4O);
    names("kimi-k2").of(KIMI);
    names("superbpe").of("\\p{N}+", "(?=(\\d{3})+(?!\\d))");
    names("bailingmoe", "bailingmoe2", "llada-moe")
        .of(
            "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}|"
                + " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+");
    names("seed-coder")
        .of(CONTRACTIONS + "|" + WORD + "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" + SPACES);
    names("afmoe")
        .of(
            "\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))",
            "[一-鿿㐀-䶿\\uF900-\\uFAFF\u3040-ゟ゠-ヿ･-ﾟ⼀-\u2fdf\u0e00-\u0e7f\u0e80-\u0effក-\u17ff"
                + "က-႟ꩠ-ꩿꧠ-\ua9ff가-\ud7afᄀ-ᇿ]+",
            DEEPSEEK3);
    names("exaone-moe")
        .of(
            CONTRACTIONS
                + "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}|"
                + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+");
    names("gemma4", "granite-embed-multi-311m").bos().sentencePiece().of(LINES);
    names("sarvam-moe").sentencePiece().of(LINES);
  }

  private static String words(String numbers) {
    return CONTRACTIONS + "|" + WORD + "|" + numbers + "|" + SIGNS + "|" + SPACES;
  }

  /// Words in which capital letters come first.
  ///
  /// @param except taken out of the letters, as the rest of a class
  /// @param behind what a word may end with
  private static String cased(String except, String behind) {
    String upper = UPPER.replace("]", except + "]");
    String lower = LOWER.replace("]", except + "]");
    String before = "[^\\r\\n\\p{L}\\p{N}]?";
    return before + upper + "*" + lower + "+" + behind + "|" + before + upper + "+" + lower + "*"
        + behind;
  }

  private static Entry names(String... names) {
    return new Entry().and(names);
  }

  /// The meaning of `name`, or null where it is not known.
  static @Nullable GgufPattern named(String name) {
    return BY_NAME.get(name);
  }

  /// All names.
  static List<String> names() {
    return BY_NAME.keySet().stream().sorted().toList();
  }

  /// The pre-tokenizer.
  PreTokenizer preTokenizer() {
    List<PreTokenizer> stages = new ArrayList<>();
    for (String pattern : patterns) {
      stages.add(JsonStageReader.cut(Regex.compile(pattern), PreTokenizer.Matches.ISOLATED, false));
    }
    if (byteLevel) {
      stages.add(new PreTokenizer.ByteSpelling());
    }
    return new PreTokenizer.Chain(stages);
  }

  /// One line of the table above.
  private static final class Entry {
    private final List<String> names = new ArrayList<>();
    private boolean whole;
    private boolean bos;
    private boolean sentencePiece;

    Entry and(String... more) {
      names.addAll(List.of(more));
      return this;
    }

    Entry whole() {
      whole = true;
      return this;
    }

    Entry bos() {
      bos = true;
      return this;
    }

    Entry sentencePiece() {
      sentencePiece = true;
      return this;
    }

    void of(String... patterns) {
      GgufPattern pattern = new GgufPattern(List.of(patterns), whole, bos, !sentencePiece);
      names.forEach(name -> BY_NAME.put(name, pattern));
    }
  }
}
