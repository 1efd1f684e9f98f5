package io.kvasir.sim;

/// What a trace knows of a request besides its blocks.
///
/// @param arrivalNanos when it came, on the trace's clock
/// @param promptTokens length of its prompt
/// @param outputTokens length of its answer
/// @param promptBlocks how many of its blocks belong to the prompt
public record TraceRequest(
    long arrivalNanos, int promptTokens, int outputTokens, int promptBlocks) {

  public TraceRequest {
    if (arrivalNanos < 0 || promptTokens < 0 || outputTokens < 0 || promptBlocks < 0) {
      throw new TraceFormatException(
          "impossible request: arrival %d ns, prompt %d tokens, answer %d tokens, %d prompt blocks"
              .formatted(arrivalNanos, promptTokens, outputTokens, promptBlocks));
    }
  }
}
