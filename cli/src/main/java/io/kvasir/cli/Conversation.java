package io.kvasir.cli;

import io.kvasir.engine.Outcome;
import io.kvasir.engine.PromptTooLongException;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.Session;
import io.kvasir.engine.TextStream;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.model.json.Json;
import io.kvasir.model.template.ChatTemplate;
import io.kvasir.model.template.TemplateInput;
import io.kvasir.model.tokenizer.Detokenizer;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A conversation with a model: what was said, and the session that keeps its keys and values.
///
/// A model without a chat template gets the messages as they are. Used by one thread.
final class Conversation implements AutoCloseable {
  /// How answers are made.
  ///
  /// @param maxTokens most tokens of an answer
  /// @param system the first message, or null for none
  /// @param raw whether the prompt is continued as it is, without the chat template
  /// @param ignoreEos whether to go on where the model would end its answer
  /// @param prune which of the conversation's tokens are dropped from the cache
  record Settings(
      int maxTokens,
      SamplingOptions sampling,
      List<String> stops,
      @Nullable String system,
      boolean raw,
      boolean ignoreEos,
      PruneOptions prune) {}

  private final OpenModel model;
  private final Settings settings;
  private final List<Json> messages = new ArrayList<>();
  private Session session;

  Conversation(OpenModel model, Settings settings) {
    this.model = model;
    this.settings = settings;
    this.session = model.engine().openSession();
    start();
  }

  private void start() {
    messages.clear();
    if (settings.system() != null) {
      say("system", settings.system());
    }
  }

  /// Forgets what was said and frees its cache.
  void reset() {
    session.close();
    session = model.engine().openSession();
    start();
  }

  /// Messages so far, the system's included.
  int length() {
    return messages.size();
  }

  /// Asks; read the stream to its end, then tell the answer with [#answered].
  ///
  /// @throws io.kvasir.engine.PromptTooLongException where the conversation fills the context
  TextStream ask(String text) {
    say("user", text);
    ChatTemplate template = settings.raw() ? null : model.template();
    String rendered = template == null ? text : template.render(input());
    int[] prompt =
        template == null
            ? model.tokenizer().encodeWithSpecials(text)
            : model.tokenizer().encode(rendered, true);
    int room = model.engine().contextTokens() - prompt.length;
    int wanted = Math.max(1, Math.min(settings.maxTokens(), room));
    try {
      Request request =
          new Request(
                  prompt,
                  wanted,
                  settings.sampling(),
                  settings.ignoreEos() ? Set.of() : model.stopTokens(),
                  session)
              .withPrune(settings.prune().withPinned(systemTokens(rendered)));
      return new TextStream(
          model.engine().submit(request),
          new Detokenizer(model.tokenizer(), true),
          settings.stops());
    } catch (PromptTooLongException e) {
      messages.removeLast();
      throw e;
    } catch (IllegalArgumentException e) {
      // Options that do not go together for this model, such as a pruning that it cannot do.
      messages.removeLast();
      throw new FailureException(String.valueOf(e.getMessage()), e);
    } catch (RuntimeException e) {
      messages.removeLast();
      throw e;
    }
  }

  /// Tokens up to the end of the system message, which pruning leaves alone.
  private int systemTokens(String rendered) {
    String system = settings.system();
    int at = system == null || settings.prune().isNone() ? -1 : rendered.indexOf(system.strip());
    return at < 0 || system == null
        ? 0
        : model
            .tokenizer()
            .encode(rendered.substring(0, at + system.strip().length()), true)
            .length;
  }

  /// Adds the model's answer to what was said.
  void answered(String text) {
    say("assistant", text);
  }

  private TemplateInput input() {
    return new TemplateInput(
        new Json.Arr(List.copyOf(messages)),
        null,
        true,
        model.tokenizer().specialTokens(),
        Map.of(),
        ZonedDateTime.now(ZoneId.systemDefault()));
  }

  private void say(String role, String content) {
    Map<String, Json> message = new LinkedHashMap<>();
    message.put("role", new Json.Str(role));
    message.put("content", new Json.Str(content));
    messages.add(new Json.Obj(message));
  }

  /// The outcome of an answer that was read to its end.
  ///
  /// @throws FailureException where a step of the engine failed
  static Outcome outcome(TextStream answer) {
    Outcome outcome = answer.outcome();
    Throwable error = outcome.error();
    if (error != null) {
      throw new FailureException("the model could not be run: " + Sentence.of(error), error);
    }
    return outcome;
  }

  @Override
  public void close() {
    session.close();
  }
}
