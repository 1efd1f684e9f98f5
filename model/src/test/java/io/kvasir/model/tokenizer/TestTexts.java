package io.kvasir.model.tokenizer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Assumptions;

/// Texts and files that several tokenizer tests share.
final class TestTexts {
  static final Path ROOT =
      Path.of(System.getProperty("kvasir.root", "..")).resolve("../shared").normalize();

  static final long SEED = seed();

  /// Parts that random texts are put together from: words, contractions, digits, all kinds of white
  /// space, scripts with and without case, combining marks, emoji sequences, controls.
  private static final List<String> PARTS =
      List.of(
          "a",
          "the",
          " The",
          "once",
          " upon",
          " a",
          " time",
          "I'm",
          "they'LL",
          "don't",
          "'s",
          "'",
          "hello",
          "World",
          "HELLO",
          "camelCase",
          "x1y2",
          "3",
          "12",
          "12345",
          "1234567890",
          "３４",
          "½",
          "Ⅷ",
          "٣",
          " ",
          "  ",
          "   ",
          "      ",
          "\n",
          "\n\n",
          "\r\n",
          "\t",
          "\t\t",
          " \n ",
          "\u00a0",
          "\u3000",
          "\u2028",
          "\u200b",
          "\ufeff",
          "\u0085",
          ".",
          ",",
          "!!",
          "?!",
          "...",
          "(",
          ")",
          "[]",
          "{}",
          "<",
          ">",
          "=",
          "==",
          "+",
          "-",
          "--",
          "_",
          "__",
          "/",
          "//",
          "\\",
          "@",
          "#",
          "$",
          "%",
          "^",
          "&",
          "*",
          "|",
          "~",
          "`",
          "\"",
          "“",
          "”",
          "…",
          "。",
          "，",
          "！",
          "é",
          "e\u0301",
          "ñ",
          "ß",
          "İ",
          "ı",
          "ſ",
          "Σίσυφος",
          "ς",
          "привет",
          " мир",
          "Ёж",
          "שלום",
          "مرحبا",
          "हिन्दी",
          "ไทย",
          "中文",
          "漢字仮名",
          "ひらがな",
          "カタカナ",
          "한국어",
          "\u1112\u1161\u11ab",
          "😀",
          "👩‍👩‍👧",
          "🇩🇪",
          "👍🏽",
          "𝒳",
          "𐐷",
          "\u0300",
          "\u0301\u0323",
          "ﬁ",
          "①",
          "㍿",
          "Å",
          "Ω",
          "\u0000",
          "\u0001",
          "\u007f",
          "\ufffd",
          "▁",
          "Ġ",
          "<0x0A>",
          "</w>",
          "##ing");

  private TestTexts() {}

  private static long seed() {
    String given = System.getProperty("kvasir.test.seed", "");
    return given.isEmpty() ? 20261122L : Long.parseLong(given);
  }

  static Path require(String relative) {
    Path path = ROOT.resolve(relative);
    Assumptions.assumeTrue(Files.exists(path), "[no-reference-data] " + path + " is absent");
    return path;
  }

  /// A text of up to `parts` random parts.
  static String random(SplittableRandom random, int parts) {
    StringBuilder out = new StringBuilder();
    for (int n = random.nextInt(parts + 1); n > 0; n--) {
      if (random.nextInt(20) == 0) {
        int c = random.nextInt(0x20000);
        out.appendCodePoint(c >= 0xD800 && c <= 0xDFFF ? 'x' : c);
      } else {
        out.append(PARTS.get(random.nextInt(PARTS.size())));
      }
    }
    return out.toString();
  }
}
