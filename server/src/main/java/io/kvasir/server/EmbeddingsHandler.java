package io.kvasir.server;

import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.kvasir.engine.Terms;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// `POST /v1/embeddings`: unit vectors for texts or token ids.
final class EmbeddingsHandler implements Handler {
  private static final int MOST_INPUTS = 256;

  private final ServedModel model;
  private final Generation generation;

  EmbeddingsHandler(ServedModel model, Generation generation) {
    this.model = model;
    this.generation = generation;
  }

  @Override
  public void handle(ServerRequest request, ServerResponse response) throws Exception {
    generation.guarded(
        request,
        response,
        () -> {
          Fields fields = generation.fields(request, response);
          Wire.send(response, embed(fields, request));
        });
  }

  private ObjectNode embed(Fields fields, ServerRequest request) throws InterruptedException {
    Generation.checkModel(model, fields.text("model"));
    fields.accept("user");
    boolean base64 = base64(fields);
    int wanted = fields.integer("dimensions", 0, 1, Integer.MAX_VALUE);
    int priority = fields.integer("priority", 0, Integer.MIN_VALUE, Integer.MAX_VALUE);
    List<int[]> inputs = inputs(fields);
    generation.unknown(fields);
    List<float[]> vectors =
        vectors(inputs, generation.terms(priority, Generation.tenant(request)), request);
    ObjectNode body = Wire.object().put("object", "list");
    ArrayNode data = body.putArray("data");
    int tokens = 0;
    for (int i = 0; i < vectors.size(); i++) {
      float[] vector = vectors.get(i);
      if (wanted != 0 && wanted != vector.length) {
        throw ApiException.field(
            "dimensions",
            "this model's embeddings have %d dimensions and cannot have %d"
                .formatted(vector.length, wanted));
      }
      tokens += inputs.get(i).length;
      ObjectNode item = data.addObject().put("object", "embedding").put("index", i);
      if (base64) {
        item.put("embedding", base64(vector));
      } else {
        ArrayNode values = item.putArray("embedding");
        for (float value : vector) {
          values.add(value);
        }
      }
    }
    body.put("model", model.name());
    body.putObject("usage").put("prompt_tokens", tokens).put("total_tokens", tokens);
    return body;
  }

  private List<float[]> vectors(List<int[]> inputs, Terms terms, ServerRequest request)
      throws InterruptedException {
    List<CompletableFuture<float[]>> pending = new CopyOnWriteArrayList<>();
    List<float[]> vectors = new ArrayList<>();
    try (ClientWatch.Watch _ = generation.watch(request, () -> cancel(pending))) {
      for (int[] input : inputs) {
        pending.add(model.engine().embed(input, terms));
      }
      for (CompletableFuture<float[]> vector : pending) {
        vectors.add(vector.get());
      }
    } catch (CancellationException e) {
      throw new ApiException(503, "the request was given up before it ended");
    } catch (ExecutionException e) {
      throw e.getCause() instanceof CancellationException
          ? new ApiException(504, "the request waited too long for its start")
          : new ApiException(500, "the model could not be run for this request");
    } catch (RuntimeException e) {
      throw Answers.refusal(e);
    } finally {
      cancel(pending);
    }
    return vectors;
  }

  /// Lets go of what is not wanted any more; what has ended stays so.
  private static void cancel(List<CompletableFuture<float[]>> pending) {
    pending.forEach(vector -> vector.cancel(true));
  }

  private static boolean base64(Fields fields) {
    String format = fields.text("encoding_format");
    if (format != null && !format.equals("float") && !format.equals("base64")) {
      throw ApiException.field("encoding_format", "'encoding_format' must be float or base64");
    }
    return "base64".equals(format);
  }

  /// Little-endian floats.
  private static String base64(float[] vector) {
    ByteBuffer bytes =
        ByteBuffer.allocate(vector.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(vector);
    return Base64.getEncoder().encodeToString(bytes.array());
  }

  private List<int[]> inputs(Fields fields) {
    JsonNode input = fields.get("input");
    if (input == null) {
      throw ApiException.field("input", "'input' is missing");
    }
    List<int[]> result = new ArrayList<>();
    boolean one =
        input.isString() || input.isArray() && !input.isEmpty() && input.get(0).isNumber();
    if (one) {
      result.add(tokens(input));
      return result;
    }
    if (!input.isArray() || input.isEmpty() || input.size() > MOST_INPUTS) {
      throw ApiException.field(
          "input",
          "'input' must be a text, token ids, or a list of 1 to %d of either"
              .formatted(MOST_INPUTS));
    }
    for (JsonNode item : input) {
      result.add(tokens(item));
    }
    return result;
  }

  private int[] tokens(JsonNode input) {
    int[] tokens =
        input.isString()
            ? model.tokenizer().encodeWithSpecials(input.stringValue())
            : Fields.tokens("input", input, model.engine().vocabularySize());
    if (tokens.length == 0) {
      throw ApiException.field("input", "an input is empty; give at least one token");
    }
    return tokens;
  }
}
