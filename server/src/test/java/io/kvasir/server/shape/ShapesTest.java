package io.kvasir.server.shape;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.engine.TokenConstraint;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.json.Json;
import io.kvasir.model.tokenizer.Tokenizer;
import io.kvasir.server.reply.Part;
import io.kvasir.server.reply.PartReader;
import io.kvasir.server.reply.Speech;
import io.kvasir.server.reply.ToolSyntax;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Random answers within shapes, over the default model's vocabulary.
final class ShapesTest {
  private static final long SEED = 5;
  private static final int LIMIT = 120;
  private static final CallForm HERMES =
      new CallForm("<tool_call>\n", "\n", "\n</tool_call>", "\n", true, true);

  private static Tokenizer tokenizer;
  private static Shapes shapes;

  @BeforeAll
  static void load() throws IOException {
    Path file =
        Path.of(System.getProperty("kvasir.root", ".."))
            .resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");
    try (GgufFile gguf = GgufFile.open(file)) {
      tokenizer = Tokenizer.fromGguf(gguf.metadata().forTokenizer());
    }
    shapes = new Shapes(tokenizer);
  }

  private static Json call(String arguments) {
    return Json.parse(
        "{\"type\":\"object\",\"properties\":{\"name\":{\"const\":\"f\"},\"@\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"],\"additionalProperties\":false}},\"required\":[\"name\",\"@\"],\"additionalProperties\":false}"
            .replace("@", arguments));
  }

  /// Accepts what is given, then random allowed tokens until nothing may follow, or it may end and
  /// chance ends it. @return the text
  private static String walk(Shape shape, String given, SplittableRandom random) {
    TokenConstraint constraint = shape.within(LIMIT).start();
    List<Integer> ids = new ArrayList<>();
    for (int id : given.isEmpty() ? new int[0] : tokenizer.encode(given, true)) {
      assertThat(TokenMask.has(constraint.allowed(), id)).isTrue();
      constraint.accept(id);
      ids.add(id);
    }
    while (ids.size() < LIMIT) {
      int id = pick(constraint.allowed(), random);
      if (id < 0 || constraint.mayEnd() && random.nextInt(4) == 0) {
        assertThat(constraint.mayEnd()).as(text(ids)).isTrue();
        return text(ids);
      }
      constraint.accept(id);
      ids.add(id);
    }
    assertThat(constraint.mayEnd()).as(text(ids)).isTrue();
    return text(ids);
  }

  private static int pick(long[] allowed, SplittableRandom random) {
    int vocabulary = tokenizer.vocabularySize();
    int start = random.nextInt(vocabulary);
    for (int i = 0; i < vocabulary; i++) {
      int id = (start + i) % vocabulary;
      if (TokenMask.has(allowed, id)) {
        return id;
      }
    }
    return -1;
  }

  private static String text(List<Integer> ids) {
    return tokenizer.decode(ids.stream().mapToInt(Integer::intValue).toArray());
  }

  /// The calls in a text; their arguments must be as the schema says.
  private static int calls(ToolSyntax syntax, String text) {
    PartReader reader =
        PartReader.of(
            new Speech(Speech.Thoughts.NONE, new Speech.Tools(syntax, Set.of("f"), () -> "id")));
    List<Part> parts = new ArrayList<>(reader.append(text));
    parts.addAll(reader.finish());
    StringBuilder arguments = new StringBuilder();
    for (Part part : parts) {
      switch (part) {
        case Part.CallBegun begun -> {
          assertThat(begun.name()).isEqualTo("f");
          checkArguments(arguments);
        }
        case Part.CallArguments more -> arguments.append(more.text());
        case Part.Content _, Part.Reasoning _ -> {}
      }
    }
    checkArguments(arguments);
    return reader.calls();
  }

  private static void checkArguments(StringBuilder arguments) {
    if (!arguments.isEmpty()) {
      Json parsed = Json.parse(arguments.toString());
      assertThat(parsed.asMap()).containsOnlyKeys("a");
      assertThat(parsed.get("a")).isInstanceOf(Json.Int.class);
      arguments.setLength(0);
    }
  }

  @Test
  void forcedCalls_ofEachSyntax_areRead() {
    SplittableRandom random = new SplittableRandom(SEED);
    Shape hermes = shapes.calls(HERMES, call("arguments"), null);
    Shape llama = shapes.calls(new CallForm("", "", "", "", true, false), call("parameters"), null);
    Shape mistral =
        shapes.calls(
            new CallForm("[TOOL_CALLS]", "", "", "", true, false),
            Json.parse(
                "{\"type\":\"array\",\"minItems\":1,\"items\":" + call("arguments").toText() + "}"),
            null);
    int several = 0;
    for (int round = 0; round < 60; round++) {
      int found = calls(ToolSyntax.HERMES, walk(hermes, "", random));
      assertThat(found).as("seed %d round %d", SEED, round).isPositive();
      several += found > 1 ? 1 : 0;
      assertThat(calls(ToolSyntax.LLAMA, walk(llama, "", random))).isEqualTo(1);
      assertThat(calls(ToolSyntax.MISTRAL, walk(mistral, "", random))).isPositive();
    }
    assertThat(several).isPositive();
  }

  @Test
  void freeText_untilTheMark_thenACall() {
    SplittableRandom random = new SplittableRandom(SEED);
    Shape shape =
        shapes.calls(
            new CallForm("<tool_call>\n", "\n", "\n</tool_call>", "\n", false, true),
            call("arguments"),
            null);
    TokenConstraint free = shape.within(LIMIT).start();

    assertThat(free.mayEnd()).isTrue();
    for (int round = 0; round < 20; round++) {
      String given = "Let me see. <tool_call>";
      TokenConstraint constraint = shape.within(LIMIT).start();
      StringBuilder text = new StringBuilder(given);
      for (int id : tokenizer.encode(given, true)) {
        constraint.accept(id);
      }
      while (!constraint.mayEnd()) {
        int id = pick(constraint.allowed(), random);
        constraint.accept(id);
        text.append(tokenizer.decode(new int[] {id}));
      }
      assertThat(calls(ToolSyntax.HERMES, text.toString())).isEqualTo(1);
    }
  }

  @Test
  void contentOrCall_isEither() {
    SplittableRandom random = new SplittableRandom(SEED);
    Shape shape =
        shapes.calls(
            new CallForm("<tool_call>\n", "\n", "\n</tool_call>", "\n", false, true),
            call("arguments"),
            shapes.choice(List.of("red", "green")));

    assertThat(walk(shape, "", random)).isIn("red", "green");
    assertThat(walk(shape, "green", random)).isEqualTo("green");
    assertThat(calls(ToolSyntax.HERMES, walk(shape, "<tool_call>", random))).isPositive();
  }

  @Test
  void thoughts_comeBeforeTheShape() {
    SplittableRandom random = new SplittableRandom(SEED);
    Shape shape = shapes.afterThoughts(shapes.choice(List.of("red", "green")), true);
    TokenConstraint constraint = shape.within(LIMIT).start();

    assertThat(constraint.mayEnd()).isFalse();
    assertThat(walk(shape, "Hm, which one?</think>", random)).endsWith("</think>green");
    assertThat(walk(shapes.afterThoughts(shapes.regex("[ab]"), false), "", random)).matches("[ab]");
  }

  @Test
  void thoughts_withoutEnd_areEndedInTime() {
    SplittableRandom random = new SplittableRandom(SEED);
    Shape shape = shapes.afterThoughts(shapes.jsonSchema(call("arguments")), true);
    for (int round = 0; round < 10; round++) {
      String text = walk(shape, "", random);
      String answer = text.substring(text.lastIndexOf("</think>") + 8);
      assertThat(Json.parse(answer).get("name").asString()).isEqualTo("f");
    }
  }

  @Test
  void equalSources_areCompiledOnce() {
    assertThat(shapes.regex("a+b")).isEqualTo(shapes.regex("a+b"));
    assertThat(shapes.regex("a+b")).isNotEqualTo(shapes.regex("a+c"));
  }
}
