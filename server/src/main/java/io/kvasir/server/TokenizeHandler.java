package io.kvasir.server;

import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// `POST /tokenize` and `POST /detokenize`.
final class TokenizeHandler {
  private final ServedModel model;
  private final Dialect dialect;
  private final int maxBodyBytes;

  TokenizeHandler(ServedModel model, Dialect dialect, int maxBodyBytes) {
    this.model = model;
    this.dialect = dialect;
    this.maxBodyBytes = maxBodyBytes;
  }

  /// Ids of a text or of messages, as the generating routes would make them.
  void tokenize(ServerRequest request, ServerResponse response) throws IOException {
    Fields fields = RequestBody.fields(request, response, maxBodyBytes);
    Generation.checkModel(model, fields.text("model"));
    int[] ids = ids(fields);
    ObjectNode body = Wire.object();
    body.put("count", ids.length);
    body.put("max_model_len", model.engine().contextTokens());
    ArrayNode tokens = body.putArray("tokens");
    for (int id : ids) {
      tokens.add(id);
    }
    if (fields.flag("return_token_strs", false)) {
      ArrayNode pieces = body.putArray("token_strs");
      for (int id : ids) {
        pieces.add(model.tokenizer().piece(id));
      }
    } else {
      body.putNull("token_strs");
    }
    Wire.send(response, body);
  }

  private int[] ids(Fields fields) {
    if (fields.has("messages")) {
      return ChatPrompt.of(
              model, dialect, Messages.conversation(fields, ToolFields.chat(fields), dialect))
          .tokens();
    }
    String text = fields.text("prompt");
    text = text == null ? fields.text("content") : text;
    if (text == null) {
      throw ApiException.field("prompt", "'prompt' or 'messages' is missing");
    }
    return fields.flag("add_special_tokens", true)
        ? model.tokenizer().encodeWithSpecials(text)
        : model.tokenizer().encode(text);
  }

  /// The text of ids.
  void detokenize(ServerRequest request, ServerResponse response) throws IOException {
    Fields fields = RequestBody.fields(request, response, maxBodyBytes);
    Generation.checkModel(model, fields.text("model"));
    JsonNode tokens = fields.get("tokens");
    if (tokens == null) {
      throw ApiException.field("tokens", "'tokens' is missing");
    }
    int[] ids = Fields.tokens("tokens", tokens, model.engine().vocabularySize());
    Wire.send(response, Wire.object().put("prompt", model.tokenizer().decode(ids)));
  }
}
