package io.kvasir.model.json;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.model.file.FuzzCorpus;
import java.io.IOException;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class HostileJsonTest {
  private static final String SEED_TEXT =
      """
      {"a": [1, -2.5e3, true, false, null], "b": {"c": "x\\u00e9\\n\\"", "": []}, "big": \
      123456789012345678901234567890, "deep": [[[[{}]]]]}
      """;

  private static final String ALPHABET = "{}[]\",:\\untfbr0123456789eE+-. \t\u0000\u00e9\ud83d";

  @Test
  void parse_mutatedText_isReadOrRefused() {
    long seed = Long.getLong("kvasir.test.seed", 20261122L);
    SplittableRandom random = new SplittableRandom(seed);
    int accepted = 0;
    for (int round = 0; round < 20_000; round++) {
      StringBuilder text = new StringBuilder(SEED_TEXT);
      for (int i = random.nextInt(4); i >= 0; i--) {
        int at = random.nextInt(text.length());
        char c = ALPHABET.charAt(random.nextInt(ALPHABET.length()));
        switch (random.nextInt(4)) {
          case 0 -> text.setCharAt(at, c);
          case 1 -> text.insert(at, c);
          case 2 -> text.deleteCharAt(at);
          default -> text.insert(at, text.substring(at, random.nextInt(at, text.length())));
        }
      }
      try {
        accepted += JsonFuzzTarget.read(text.toString()) ? 1 : 0;
      } catch (RuntimeException | Error e) {
        throw new AssertionError("seed " + seed + " round " + round + ": " + text, e);
      }
    }
    assertThat(accepted).as("mutations that were still JSON").isBetween(1_000, 15_000);
  }

  @Test
  void parse_fuzzingCorpus_isReadOrRefused() throws IOException {
    FuzzCorpus.forEach("json", JsonFuzzTarget::fuzzerTestOneInput);
  }

  @Test
  void parse_megabytesOfOneCharacter_takesLinearTime() {
    long start = System.nanoTime();
    for (String piece : new String[] {"[", "\"", "\\", "1", " ", "{\"a\":", "-", "e"}) {
      assertThat(JsonFuzzTarget.read(piece.repeat(1_000_000 / piece.length()))).isFalse();
    }
    assertThat(JsonFuzzTarget.read("\"" + "\\n".repeat(500_000) + "\"")).isTrue();
    assertThat(JsonFuzzTarget.read("[" + "0,".repeat(500_000) + "0]")).isTrue();
    assertThat((System.nanoTime() - start) / 1e9).as("seconds").isLessThan(10);
  }
}
