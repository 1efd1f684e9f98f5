package io.kvasir.server;

import io.kvasir.engine.FinishReason;
import io.kvasir.engine.Outcome;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.kvcache.PrefixMiss;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.model.tokenizer.Tokenizer;
import io.kvasir.server.reply.PartReader;
import io.kvasir.server.reply.Speech;
import io.kvasir.server.reply.ToolSyntax;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// How answers with thoughts and calls look in each form, whole and streamed.
final class FormTest {
  private static final String ANSWER =
      "<think>I look it up.</think>Let me see.\n<tool_call>\n{\"name\": \"find\", \"arguments\": {\"what\": \"a \\\"fox\\\"\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"sum\", \"arguments\": {}}\n</tool_call>";
  private static final int[] PROMPT = {1, 2, 3, 4, 5};
  private static final Usage USAGE = new Usage(5, 20, 4, 3);

  private static AnswerForm form(String name) throws IOException {
    Parameters parameters =
        new Parameters(
            64,
            0,
            1,
            1,
            SamplingOptions.GREEDY,
            new Parameters.Stops(List.of(), Set.of(), false),
            new Parameters.Shown(true, true, false, false, false, -1),
            "",
            0,
            null,
            PruneOptions.NONE);
    Tokenizer tokenizer = Stories.tokenizer();
    Logprobs logprobs = new Logprobs(tokenizer);
    return switch (name) {
      case "chat" ->
          new ChatForm(
              new Envelope("chatcmpl-1", 7, "m", true), parameters, PROMPT, false, logprobs);
      case "functions" ->
          new ChatForm(
              new Envelope("chatcmpl-1", 7, "m", false), parameters, PROMPT, true, logprobs);
      case "completion" ->
          new CompletionForm(
              new Envelope("cmpl-1", 7, "m", false),
              parameters,
              List.of(new CompletionForm.Prompt(PROMPT, null)),
              tokenizer);
      case "anthropic" -> new AnthropicForm("msg_1", "m", false);
      case "responses" ->
          new ResponsesForm("resp_1", 7, Wire.object().put("model", "m"), (reply, response) -> {});
      default -> throw new IllegalArgumentException(name);
    };
  }

  /// The answer in pieces of five characters.
  private static List<Step> steps(boolean plain) {
    int[] ids = {0};
    Speech.Tools tools =
        new Speech.Tools(ToolSyntax.HERMES, Set.of("find", "sum"), () -> "call_" + ids[0]++);
    PartReader reader =
        PartReader.of(plain ? Speech.PLAIN : new Speech(Speech.Thoughts.POSSIBLE, tools));
    List<Step> steps = new ArrayList<>();
    for (int from = 0; from < ANSWER.length(); from += 5) {
      String piece = ANSWER.substring(from, Math.min(from + 5, ANSWER.length()));
      steps.add(new Step(piece, reader.append(piece), from));
    }
    steps.add(new Step("", reader.finish(), Step.NO_TOKEN));
    return steps;
  }

  private static Ending ending(Ending.Reason reason) {
    return new Ending(
        reason,
        null,
        new Outcome(FinishReason.STOP, 5, 4, 20, 0, 0, 0, 0, PrefixMiss.NONE, 0, 0, null));
  }

  @ParameterizedTest
  @ValueSource(strings = {"chat", "functions", "completion", "anthropic", "responses"})
  void answerWithCalls_isByteExact(String name) throws Exception {
    List<Step> steps = steps(name.equals("completion"));
    Reply reply = new Reply();
    steps.forEach(reply::add);
    Ending ending = ending(Ending.Reason.TOOLS);
    AnswerForm form = form(name);
    StringBuilder out = new StringBuilder();
    out.append(text(new Event(form.whole(List.of(new AnswerForm.Whole(reply, ending)), USAGE))));
    AnswerForm.Events events = form.events(1, () -> USAGE);
    for (Step step : steps) {
      events.step(0, step).forEach(event -> out.append(text(event)));
    }
    events.end(0, ending).forEach(event -> out.append(text(event)));
    events.close().forEach(event -> out.append(text(event)));
    Golden.check("form-" + name, out.toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"chat", "completion", "anthropic", "responses"})
  void errorInStream_isByteExact(String name) throws Exception {
    StringBuilder out = new StringBuilder();
    AnswerForm.Events events = form(name).events(1, () -> USAGE);
    events.step(0, steps(true).getFirst()).forEach(event -> out.append(text(event)));
    events
        .error(new ApiException(500, "the model could not be run for this request"))
        .forEach(event -> out.append(text(event)));
    Golden.check("form-error-" + name, out.toString());
  }

  private static String text(Event event) {
    return (event.name() == null ? "" : event.name() + " ")
        + new String(Wire.bytes(event.data()), StandardCharsets.UTF_8)
        + "\n";
  }
}
