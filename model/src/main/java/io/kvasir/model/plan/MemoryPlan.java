package io.kvasir.model.plan;

import io.kvasir.compute.quant.TensorType;
import io.kvasir.kvcache.format.KvRecipe;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/// What a model costs in memory: weights, and cached keys and values of one user and of many, under
/// each cache format and each way to share keys and values.
///
/// Counted are the bytes of keys, values, their scales and exact copies in whole blocks; not the
/// padding of blocks, activations, or what the runtime takes for itself. A sliding window holds its
/// tokens and one block. All bytes.
///
/// @param weights size of the weights in several formats; the first is the one that the plan uses
/// @param groups the layers by what they keep
/// @param own rows of the model as it is, one for each format
/// @param compared rows of the same model with other ways to share keys and values
public record MemoryPlan(
    ModelShape model,
    PlanRequest request,
    List<WeightRow> weights,
    List<GroupRow> groups,
    List<CacheRow> own,
    List<CacheRow> compared) {

  private static final List<TensorType> USUAL_WEIGHTS =
      List.of(TensorType.F32, TensorType.BF16, TensorType.Q8_0, TensorType.Q6_K, TensorType.Q4_K);

  /// Weights in one format.
  public record WeightRow(String format, long bytes) {}

  /// Layers that keep the same.
  ///
  /// @param bytesPerToken bytes that a token takes in all these layers, by format of the request
  public record GroupRow(KvLayer layer, int count, List<Double> bytesPerToken) {
    public GroupRow {
      bytesPerToken = List.copyOf(bytesPerToken);
    }
  }

  /// The cache in one format.
  ///
  /// @param attention how keys and values are shared
  /// @param bytesPerUser one sequence of the request's context
  /// @param users sequences that fit where all memory is for the cache; -1 without a memory size
  /// @param usersBesideWeights sequences that fit beside the weights; -1 without a memory size
  /// @param largestContext longest sequence in all the memory, for each of the request's users;
  ///   [Long#MAX_VALUE] where length costs nothing, -1 without a memory size
  /// @param largestBesideWeights longest sequence beside the weights, likewise
  public record CacheRow(
      String attention,
      KvRecipe format,
      double bytesPerToken,
      long bytesPerUser,
      long users,
      long usersBesideWeights,
      long largestContext,
      long largestBesideWeights) {}

  public MemoryPlan {
    weights = List.copyOf(weights);
    groups = List.copyOf(groups);
    own = List.copyOf(own);
    compared = List.copyOf(compared);
  }

  /// Plans `request` for `model`.
  public static MemoryPlan of(ModelShape model, PlanRequest request) {
    List<WeightRow> weights = weights(model, request);
    List<GroupRow> groups = new ArrayList<>();
    for (Map.Entry<KvLayer, Integer> group : model.kv().groups().entrySet()) {
      List<Double> perToken = new ArrayList<>();
      for (KvRecipe format : request.formats()) {
        perToken.add(model.kv().bytesPerToken(group.getKey(), format));
      }
      groups.add(new GroupRow(group.getKey(), group.getValue(), perToken));
    }
    long weightBytes = weights.getFirst().bytes();
    List<CacheRow> own = rows(model.kv(), request, weightBytes);
    List<CacheRow> compared = new ArrayList<>();
    Set<KvShape> seen = new LinkedHashSet<>();
    seen.add(model.kv());
    for (AttentionKind kind : AttentionKind.values()) {
      KvShape shape = model.kv().with(kind);
      if (seen.add(shape)) {
        compared.addAll(rows(shape, request, weightBytes));
      }
    }
    return new MemoryPlan(model, request, weights, groups, own, compared);
  }

  private static List<WeightRow> weights(ModelShape model, PlanRequest request) {
    List<WeightRow> rows = new ArrayList<>();
    TensorType chosen = request.weights();
    Long stored = model.storedBytes();
    if (chosen == null && stored != null) {
      rows.add(new WeightRow("as stored", stored));
    }
    LinkedHashSet<TensorType> types = new LinkedHashSet<>();
    types.add(chosen == null ? model.weightType() : chosen);
    types.addAll(USUAL_WEIGHTS);
    for (TensorType type : types) {
      rows.add(new WeightRow(formatName(type), model.weightBytes(type)));
    }
    return rows;
  }

  static String formatName(TensorType type) {
    return type.name().toLowerCase(Locale.ROOT);
  }

  private static List<CacheRow> rows(KvShape kv, PlanRequest request, long weightBytes) {
    List<CacheRow> rows = new ArrayList<>();
    for (KvRecipe format : request.formats()) {
      long perUser = kv.bytes(request.contextTokens(), format, request.blockTokens());
      long memory = request.memoryBytes();
      long beside = Math.max(0, memory - weightBytes);
      int sharers = Math.max(1, request.users());
      boolean given = memory > 0;
      int block = request.blockTokens();
      rows.add(
          new CacheRow(
              kv.attentionName(),
              format,
              kv.bytesPerToken(format),
              perUser,
              given ? usersIn(memory, perUser) : -1,
              given ? usersIn(beside, perUser) : -1,
              given ? kv.largestContext(memory / sharers, format, block) : -1,
              given ? kv.largestContext(beside / sharers, format, block) : -1));
    }
    return rows;
  }

  private static long usersIn(long memory, long perUser) {
    return perUser == 0 ? Long.MAX_VALUE : memory / perUser;
  }

  /// Bytes of the weights that the plan uses.
  public long weightBytes() {
    return weights.getFirst().bytes();
  }
}
