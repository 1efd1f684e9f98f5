package io.kvasir.model.plan;

import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.json.Json;
import io.kvasir.model.plan.MemoryPlan.CacheRow;
import io.kvasir.model.plan.MemoryPlan.GroupRow;
import io.kvasir.model.plan.MemoryPlan.WeightRow;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// A [MemoryPlan] as JSON: sizes in bytes, lengths in tokens, null for what is unlimited or was not
/// asked.
public final class PlanJson {
  private PlanJson() {}

  public static Json of(MemoryPlan plan) {
    Map<String, Json> fields = new LinkedHashMap<>();
    ModelShape model = plan.model();
    fields.put("architecture", new Json.Str(model.architecture()));
    fields.put("attention", new Json.Str(model.kv().attentionName()));
    fields.put("layers", number(model.kv().layers().size()));
    fields.put("trained_context", number(model.contextLength()));
    fields.put("parameters", number(model.parameters()));
    fields.put("active_parameters", number(model.activeParameters()));
    fields.put("context", number(plan.request().contextTokens()));
    fields.put("memory_bytes", atMost(plan.request().memoryBytes(), 0));
    fields.put("users", atMost(plan.request().users(), 0));
    fields.put("block_tokens", number(plan.request().blockTokens()));
    List<Json> weights = new ArrayList<>();
    for (WeightRow row : plan.weights()) {
      Map<String, Json> weight = new LinkedHashMap<>();
      weight.put("format", new Json.Str(row.format()));
      weight.put("bytes", number(row.bytes()));
      weights.add(new Json.Obj(weight));
    }
    fields.put("weights", new Json.Arr(weights));
    List<Json> groups = new ArrayList<>();
    for (GroupRow row : plan.groups()) {
      groups.add(group(row, plan.request().formats()));
    }
    fields.put("layer_groups", new Json.Arr(groups));
    fields.put("cache", rows(plan.own()));
    fields.put("compared", rows(plan.compared()));
    return new Json.Obj(fields);
  }

  private static Json group(GroupRow row, List<KvRecipe> formats) {
    KvLayer layer = row.layer();
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("kind", new Json.Str(layer.kind().name().toLowerCase(Locale.ROOT)));
    fields.put("layers", number(row.count()));
    fields.put("heads", number(layer.heads()));
    fields.put("kv_heads", number(layer.kvHeads()));
    fields.put("head_dim", number(layer.headDim()));
    fields.put("value_dim", number(layer.valueDim()));
    fields.put("latent_dim", number(layer.latentDim()));
    fields.put("window", number(layer.window()));
    fields.put("state_bytes", number(row.count() * layer.stateBytes()));
    Map<String, Json> perToken = new LinkedHashMap<>();
    for (int i = 0; i < formats.size(); i++) {
      perToken.put(formats.get(i).name(), real(row.bytesPerToken().get(i)));
    }
    fields.put("bytes_per_token", new Json.Obj(perToken));
    return new Json.Obj(fields);
  }

  private static Json rows(List<CacheRow> rows) {
    List<Json> items = new ArrayList<>();
    for (CacheRow row : rows) {
      Map<String, Json> fields = new LinkedHashMap<>();
      fields.put("attention", new Json.Str(row.attention()));
      fields.put("format", new Json.Str(row.format().name()));
      fields.put("bytes_per_token", real(row.bytesPerToken()));
      fields.put("bytes_per_user", number(row.bytesPerUser()));
      fields.put("users", atMost(row.users(), -1));
      fields.put("users_beside_weights", atMost(row.usersBesideWeights(), -1));
      fields.put("largest_context", atMost(row.largestContext(), -1));
      fields.put("largest_context_beside_weights", atMost(row.largestBesideWeights(), -1));
      items.add(new Json.Obj(fields));
    }
    return new Json.Arr(items);
  }

  private static Json number(long value) {
    return new Json.Int(value);
  }

  private static Json atMost(long value, long absent) {
    return value == absent || value == Long.MAX_VALUE ? Json.Null.NULL : new Json.Int(value);
  }

  private static Json real(double value) {
    return value == Math.rint(value) ? new Json.Int((long) value) : new Json.Real(value);
  }
}
