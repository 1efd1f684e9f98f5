package io.kvasir.model.plan;

import io.kvasir.compute.quant.TensorType;
import io.kvasir.kvcache.format.KvRecipe;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What is to be planned.
///
/// @param contextTokens length of each user's sequence
/// @param memoryBytes memory to fit into; 0 for none given
/// @param users sequences at once; 0 for as many as fit
/// @param formats cache formats to compare, in the order of the table
/// @param blockTokens tokens of a cache block
/// @param weights format of the weights; null for the one they are published in
public record PlanRequest(
    long contextTokens,
    long memoryBytes,
    int users,
    List<KvRecipe> formats,
    int blockTokens,
    @Nullable TensorType weights) {

  /// The formats that are compared where none is asked for.
  public static final List<KvRecipe> DEFAULT_FORMATS =
      List.of(KvRecipe.named("f16"), KvRecipe.named("int8"), KvRecipe.named("int4"));

  public PlanRequest {
    formats = List.copyOf(formats);
    if (contextTokens < 1 || contextTokens > 1L << 32) {
      throw new IllegalArgumentException(
          "the context must be 1 to 4294967296 tokens, not " + contextTokens);
    }
    if (memoryBytes < 0) {
      throw new IllegalArgumentException("the memory must be positive, not " + memoryBytes);
    }
    if (users < 0) {
      throw new IllegalArgumentException("the number of users must be positive, not " + users);
    }
    if (blockTokens < 1 || blockTokens > 4096) {
      throw new IllegalArgumentException("a block has 1 to 4096 tokens, not " + blockTokens);
    }
    if (formats.isEmpty()) {
      throw new IllegalArgumentException("at least one cache format is needed");
    }
  }
}
