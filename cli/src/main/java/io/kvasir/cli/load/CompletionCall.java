package io.kvasir.cli.load;

import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/// Asks for one answer as a stream and notes when its tokens come.
///
/// @param links connections to the server
/// @param form what every request says
record CompletionCall(LinkPool links, Form form) {
  private static final String DATA = "data: ";

  /// What every request says.
  ///
  /// @param chat whether prompts go as one user message of words rather than as token ids
  /// @param timeoutNanos longest time from the sending to the end
  record Form(
      String model, boolean chat, boolean ignoreEos, double temperature, long timeoutNanos) {

    byte[] body(int[] prompt, int outputTokens) {
      StringBuilder body = new StringBuilder(64 + 6 * prompt.length);
      body.append("{\"model\":").append(new Json.Str(model).toText());
      if (chat) {
        String text = Words.of(prompt);
        body.append(",\"messages\":[{\"role\":\"user\",\"content\":\"").append(text).append("\"}]");
      } else {
        body.append(",\"prompt\":[");
        for (int i = 0; i < prompt.length; i++) {
          body.append(i == 0 ? "" : ",").append(prompt[i]);
        }
        body.append(']');
      }
      body.append(",\"max_tokens\":").append(outputTokens);
      body.append(",\"temperature\":").append(temperature);
      body.append(ignoreEos ? ",\"ignore_eos\":true" : "");
      body.append(",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
      return body.toString().getBytes(StandardCharsets.UTF_8);
    }

    String route() {
      return chat ? "/v1/chat/completions" : "/v1/completions";
    }
  }

  /// Sends the request and reads its answer to the end. A failure is noted, not thrown.
  void run(Exchange exchange, int[] prompt, int outputTokens) {
    byte[] request = links.target().request("POST", form.route(), form.body(prompt, outputTokens));
    exchange.sent(System.nanoTime());
    try {
      HttpLink link = links.ask(request, exchange.sentNanos() + form.timeoutNanos());
      try {
        read(link, exchange);
      } finally {
        links.giveBack(link);
      }
    } catch (SocketTimeoutException e) {
      exchange.failed("timeout", System.nanoTime());
    } catch (ConnectException e) {
      exchange.failed("connection refused", System.nanoTime());
    } catch (EOFException e) {
      exchange.failed("connection closed early", System.nanoTime());
    } catch (IOException e) {
      exchange.failed("connection failed: " + e.getMessage(), System.nanoTime());
    } catch (JsonException e) {
      exchange.failed("answer is not JSON", System.nanoTime());
    }
  }

  private static void read(HttpLink link, Exchange exchange) throws IOException {
    int status = link.status();
    if (status != 200) {
      String said = message(link.rest());
      exchange.failed("status " + status + (said.isEmpty() ? "" : ": " + said), System.nanoTime());
      return;
    }
    String error = "";
    boolean done = false;
    for (String line = link.bodyLine(); line != null; line = link.bodyLine()) {
      if (!line.startsWith(DATA)) {
        continue;
      }
      String event = line.substring(DATA.length());
      if (event.equals("[DONE]")) {
        done = true;
        exchange.ended(link.readNanos());
        continue;
      }
      Json chunk = Json.parse(event);
      if (chunk.has("error")) {
        error = "error in the stream: " + chunk.get("error").textOr("message", "");
      } else {
        readChunk(chunk, exchange, link.readNanos());
      }
    }
    if (!error.isEmpty() || !done) {
      exchange.failed(error.isEmpty() ? "stream without [DONE]" : error, System.nanoTime());
    } else if (exchange.events() == 0 && !exchange.hasUsage()) {
      // With usage it is an answer whose first token ended it, which random prompts get at times.
      exchange.failed("answer without a token", System.nanoTime());
    }
  }

  /// A chunk that neither only begins a message nor ends an answer holds a token.
  private static void readChunk(Json chunk, Exchange exchange, long nanos) {
    for (Json choice : chunk.get("choices").asList()) {
      Map<String, Json> delta = choice.get("delta").asMap();
      boolean role =
          delta.containsKey("role") && choice.get("delta").textOr("content", "").isEmpty();
      if (!role && !choice.has("finish_reason")) {
        exchange.token(nanos);
      }
    }
    Json usage = chunk.get("usage");
    if (!usage.isNull()) {
      exchange.usage(
          usage.intOr("prompt_tokens", 0),
          usage.get("prompt_tokens_details").intOr("cached_tokens", 0),
          usage.intOr("completion_tokens", 0));
    }
  }

  /// What an error's body says, without the values that differ from request to request.
  private static String message(String body) {
    try {
      String text = Json.parse(body).get("error").textOr("message", "");
      return text.length() > 120 ? text.substring(0, 120) + "…" : text;
    } catch (JsonException e) {
      return "";
    }
  }
}
