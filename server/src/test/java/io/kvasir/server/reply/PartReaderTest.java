package io.kvasir.server.reply;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What parts a text has; every case is read at once, character by character, and cut at random.
final class PartReaderTest {

  private static String read(
      Speech.Thoughts thoughts, @Nullable ToolSyntax syntax, List<String> pieces) {
    AtomicInteger ids = new AtomicInteger();
    Speech.Tools tools =
        syntax == null
            ? null
            : new Speech.Tools(syntax, Set.of("f", "g"), () -> "i" + ids.getAndIncrement());
    PartReader reader = PartReader.of(new Speech(thoughts, tools));
    List<Part> parts = new ArrayList<>();
    for (String piece : pieces) {
      parts.addAll(reader.append(piece));
    }
    parts.addAll(reader.finish());
    return merged(parts) + (reader.calls() > 0 ? "#" + reader.calls() : "");
  }

  /// Content as it is, thoughts in parentheses, calls as `@index.id.name` and `=arguments`.
  private static String merged(List<Part> parts) {
    StringBuilder out = new StringBuilder();
    String kind = "";
    for (Part part : parts) {
      String now =
          switch (part) {
            case Part.Content _ -> "'";
            case Part.Reasoning _ -> "~";
            case Part.CallBegun call -> "@" + call.index() + "." + call.id() + ".";
            case Part.CallArguments call -> "=" + call.index() + ":";
          };
      out.append(now.equals(kind) ? "" : now);
      kind = now;
      out.append(
          switch (part) {
            case Part.Content content -> content.text();
            case Part.Reasoning reasoning -> reasoning.text();
            case Part.CallBegun call -> call.name();
            case Part.CallArguments call -> call.text();
          });
    }
    return out.toString();
  }

  private static void check(
      Speech.Thoughts thoughts, @Nullable ToolSyntax syntax, String text, String expected) {
    assertThat(read(thoughts, syntax, List.of(text))).as("at once").isEqualTo(expected);
    assertThat(read(thoughts, syntax, List.of(text.split("", -1))))
        .as("by character")
        .isEqualTo(expected);
    long seed = 7;
    SplittableRandom random = new SplittableRandom(seed);
    for (int round = 0; round < 50; round++) {
      List<String> pieces = new ArrayList<>();
      int from = 0;
      while (from < text.length()) {
        int to = Math.min(text.length(), from + random.nextInt(9));
        pieces.add(text.substring(from, to));
        from = to;
      }
      assertThat(read(thoughts, syntax, pieces))
          .as("seed %d round %d: %s", seed, round, pieces)
          .isEqualTo(expected);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      ignoreLeadingAndTrailingWhitespace = false,
      value = {
        "NONE|<think>a</think>b|'<think>a</think>b",
        "POSSIBLE|<think>a b</think> c|~a b'c",
        "POSSIBLE|  <think> a </think>  c |~a'c ",
        "POSSIBLE|no <think>a</think>|'no <think>a</think>",
        "POSSIBLE|<thin ice|'<thin ice",
        "POSSIBLE|<think></think>b|'b",
        "POSSIBLE|<think>a</thin|~a</thin",
        "OPEN|a</think>b|~a'b",
        "OPEN| a < b </think> b</think>|~a < b'b</think>",
        "OPEN|never ends |~never ends ",
      })
  void thoughts_areCutOff(Speech.Thoughts thoughts, String text, String expected) {
    check(thoughts, null, text, expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      ignoreLeadingAndTrailingWhitespace = false,
      value = {
        "plain < text |'plain < text ",
        "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":1}}</tool_call>|@0.i0.f=0:{\"a\":1}#1",
        "Sure. <tool_call> {\"name\": \"f\", \"arguments\": {\"a\": \"}\\\"{\"}} </tool_call>|'Sure.@0.i0.f=0:{\"a\": \"}\\\"{\"}#1",
        "<tool_call>{\"arguments\":{\"a\":[1,{}]},\"name\":\"h\"}</tool_call>|@0.i0.h=0:{\"a\":[1,{}]}#1",
        "<tool_call>{\"name\":\"f\"}</tool_call> <tool_call>{\"name\":\"g\",\"arguments\":null}</tool_call> |@0.i0.f=0:{}@1.i1.g=1:{}#2",
        "<tool_call>{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}</tool_call>|@0.i0.f=0:{\"a\":1}#1",
        "<tool_call>{\"name\":\"f\",\"arguments\":7}</tool_call>|@0.i0.f=0:7#1",
        "<tool_call>{\"nam\":\"f\"}</tool_call> x|'<tool_call>{\"nam\"`:\"f\"}</tool_call> x`",
        "<tool_call>hello</tool_call>|'<tool_call>hello</tool_call>",
        "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":1|@0.i0.f=0:{\"a\":1#1",
        "<tool_call>{\"na|'<tool_call>{\"na",
        "<tool_call>{\"name\":\"f\",\"name\":\"g\"}|@0.i0.f':\"g\"}#1",
        "a<tool_|'a<tool_",
      })
  void hermes_callsAreRead(String text, String expected) {
    check(Speech.Thoughts.NONE, ToolSyntax.HERMES, text, expected.replace("`", ""));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      ignoreLeadingAndTrailingWhitespace = false,
      value = {
        "a story|'a story",
        " {\"name\": \"f\", \"parameters\": {\"a\": 1}}|@0.i0.f=0:{\"a\": 1}#1",
        "{\"type\":\"function\",\"name\":\"f\",\"parameters\":{}}; {\"name\":\"g\"}|@0.i0.f=0:{}@1.i1.g=1:{}#2",
        " {\"name\": \"who\", \"age\": 3}|' {\"name\": \"who\", \"age\": 3}",
        "{\"title\":1} x|'{\"title\":1} x",
        "{\"na|'{\"na",
        "; x|'; x",
      })
  void llama_callsAreRead(String text, String expected) {
    check(Speech.Thoughts.NONE, ToolSyntax.LLAMA, text, expected);
  }

  @Test
  void llama_pythonTag_isSkipped() {
    check(
        Speech.Thoughts.NONE,
        ToolSyntax.LLAMA,
        "<|python_tag|>{\"name\":\"f\",\"parameters\":{}}",
        "@0.i0.f=0:{}#1");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      ignoreLeadingAndTrailingWhitespace = false,
      value = {
        "[TOOL] a|'[TOOL] a",
        "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"a\": 1}}, {\"name\":\"g\",\"arguments\":{}}]|@0.i0.f=0:{\"a\": 1}@1.i1.g=1:{}#2",
        "Hm. [TOOL_CALLS]f[ARGS]{\"a\":{}}[TOOL_CALLS]g[CALL_ID]123456789[ARGS]{}|'Hm.@0.i0.f=0:{\"a\":{}}@1.i1.g=1:{}#2",
        "[TOOL_CALLS]f{\"a\":1}|@0.i0.f=0:{\"a\":1}#1",
        "[TOOL_CALLS]f|'[TOOL_CALLS]f",
        "[TOOL_CALLS][{\"x\"|'[TOOL_CALLS]{\"x\"",
      })
  void mistral_callsAreRead(String text, String expected) {
    check(Speech.Thoughts.NONE, ToolSyntax.MISTRAL, text, expected);
  }

  @Test
  void thoughtsThenCall_areBothRead() {
    check(
        Speech.Thoughts.OPEN,
        ToolSyntax.HERMES,
        "Let me <tool_call> see.</think>\n\n<tool_call>\n{\"name\":\"f\",\"arguments\":{}}\n</tool_call>",
        "~Let me <tool_call> see.@0.i0.f=0:{}#1");
  }

  @Test
  void randomText_loop_neverFails() {
    long seed = 11;
    SplittableRandom random = new SplittableRandom(seed);
    String[] words = {
      "<tool_call>",
      "</tool_call>",
      "{",
      "}",
      "\"name\"",
      ":",
      "\"f\"",
      ",",
      "\"arguments\"",
      "[",
      "]",
      " ",
      "[TOOL_CALLS]",
      "[ARGS]",
      "<think>",
      "</think>",
      "\\",
      "\"",
      "x",
      "7",
      "null",
      ";"
    };
    for (int round = 0; round < 20_000; round++) {
      StringBuilder text = new StringBuilder();
      for (int i = random.nextInt(14); i >= 0; i--) {
        text.append(words[random.nextInt(words.length)]);
      }
      ToolSyntax syntax = List.of(ToolSyntax.values()).get(random.nextInt(3));
      Speech.Thoughts thoughts = List.of(Speech.Thoughts.values()).get(random.nextInt(3));
      String whole = read(thoughts, syntax, List.of(text.toString()));
      String cut = read(thoughts, syntax, List.of(text.toString().split("", -1)));
      assertThat(cut).as("seed %d round %d: %s", seed, round, text).isEqualTo(whole);
    }
  }
}
