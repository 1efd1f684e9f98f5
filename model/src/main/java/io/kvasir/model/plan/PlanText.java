package io.kvasir.model.plan;

import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.plan.MemoryPlan.CacheRow;
import io.kvasir.model.plan.MemoryPlan.GroupRow;
import io.kvasir.model.plan.MemoryPlan.WeightRow;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// A [MemoryPlan] as text for a terminal.
public final class PlanText {
  private PlanText() {}

  /// Some lines and tables, each line ended by a line feed.
  public static String of(MemoryPlan plan) {
    StringBuilder out = new StringBuilder();
    ModelShape model = plan.model();
    long trained = model.contextLength();
    out.append(model.architecture())
        .append(": ")
        .append(model.kv().layers().size())
        .append(" layers, ")
        .append(parameters(model));
    if (trained > 0) {
      out.append(", made for ").append(Sizes.tokens(trained)).append(" tokens");
    }
    out.append("\n\n");
    weights(plan, out);
    out.append('\n');
    groups(plan, out);
    out.append('\n');
    long context = plan.request().contextTokens();
    out.append("cache of ").append(Sizes.tokens(context)).append(" tokens");
    if (trained > 0 && context > trained) {
      out.append(" (more than the model was made for)");
    }
    out.append('\n');
    cache(plan, out);
    notes(plan, out);
    return out.toString();
  }

  private static String parameters(ModelShape model) {
    String all = count(model.parameters()) + " parameters";
    boolean sparse = model.activeParameters() < model.parameters();
    return sparse ? all + " (" + count(model.activeParameters()) + " for each token)" : all;
  }

  private static String count(long parameters) {
    return parameters >= 1_000_000_000
        ? String.format(Locale.ROOT, "%.1f billion", parameters / 1e9)
        : String.format(Locale.ROOT, "%.1f million", parameters / 1e6);
  }

  private static void weights(MemoryPlan plan, StringBuilder out) {
    List<String> head = new ArrayList<>(List.of("weights"));
    List<String> row = new ArrayList<>(List.of(""));
    for (WeightRow weight : plan.weights()) {
      head.add(weight.format());
      row.add(Sizes.bytes(weight.bytes()));
    }
    TextTable table = new TextTable(head);
    table.add(row);
    table.append(out);
  }

  private static void groups(MemoryPlan plan, StringBuilder out) {
    List<String> head = new ArrayList<>(List.of("layers", "cache", "kv heads", "head", "bound"));
    for (KvRecipe format : plan.request().formats()) {
      head.add(format.name() + "/token");
    }
    TextTable table = new TextTable(head);
    for (GroupRow group : plan.groups()) {
      KvLayer layer = group.layer();
      List<String> row = new ArrayList<>();
      row.add(Integer.toString(group.count()));
      row.add(layer.kind().label());
      boolean latent = layer.kind() == KvLayer.Kind.LATENT;
      row.add(layer.kvHeads() == 0 ? "-" : latent ? "1" : Integer.toString(layer.kvHeads()));
      row.add(dims(layer));
      row.add(bound(group));
      for (double bytes : group.bytesPerToken()) {
        row.add(bytes == 0 ? "-" : Sizes.bytes(bytes));
      }
      table.add(row);
    }
    table.append(out);
  }

  private static String dims(KvLayer layer) {
    if (layer.kind() == KvLayer.Kind.LATENT) {
      return Integer.toString(layer.latentDim());
    }
    if (layer.headDim() == 0) {
      return "-";
    }
    return layer.headDim() == layer.valueDim()
        ? Integer.toString(layer.headDim())
        : layer.headDim() + "+" + layer.valueDim();
  }

  private static String bound(GroupRow group) {
    List<String> bounds = new ArrayList<>();
    if (group.layer().window() > 0) {
      bounds.add(Sizes.tokens(group.layer().window()) + " tokens");
    }
    if (group.layer().stateBytes() > 0) {
      bounds.add(Sizes.bytes(group.count() * group.layer().stateBytes()) + " state");
    }
    return bounds.isEmpty() ? "-" : String.join(", ", bounds);
  }

  private static void cache(MemoryPlan plan, StringBuilder out) {
    long memory = plan.request().memoryBytes();
    int users = plan.request().users();
    List<String> head = new ArrayList<>(List.of("attention", "format", "a token", "a user"));
    if (users > 0) {
      head.add(users + " users");
    }
    if (memory > 0) {
      head.add("users in " + Sizes.bytes(memory));
      head.add("beside weights");
      head.add("largest context");
      head.add("beside weights");
    }
    TextTable table = new TextTable(head);
    for (CacheRow row : plan.own()) {
      table.add(cacheRow(row, row.attention() + " (this model)", memory, users));
    }
    for (CacheRow row : plan.compared()) {
      table.add(cacheRow(row, row.attention(), memory, users));
    }
    table.append(out);
  }

  private static List<String> cacheRow(CacheRow row, String name, long memory, int users) {
    List<String> cells = new ArrayList<>();
    cells.add(name);
    cells.add(row.format().name());
    cells.add(Sizes.bytes(row.bytesPerToken()));
    cells.add(Sizes.bytes(row.bytesPerUser()));
    if (users > 0) {
      cells.add(Sizes.bytes((double) row.bytesPerUser() * users));
    }
    if (memory > 0) {
      cells.add(limit(row.users()));
      cells.add(limit(row.usersBesideWeights()));
      cells.add(limit(row.largestContext()));
      cells.add(limit(row.largestBesideWeights()));
    }
    return cells;
  }

  private static String limit(long value) {
    return value == Long.MAX_VALUE ? "any" : Long.toString(value);
  }

  private static void notes(MemoryPlan plan, StringBuilder out) {
    PlanRequest request = plan.request();
    if (request.memoryBytes() > 0) {
      String format = plan.weights().getFirst().format();
      String weights = format.startsWith("as ") ? "weights " + format : format + " weights";
      out.append("\n\"users in ").append(Sizes.bytes(request.memoryBytes()));
      out.append("\" gives all of it to the cache; \"beside weights\" takes ");
      out.append(Sizes.bytes(plan.weightBytes())).append(" of ").append(weights);
      out.append(
          plan.weightBytes() >= request.memoryBytes() ? ", which do not fit,\n" : " off first;\n");
      out.append("\"largest context\" is for ");
      out.append(request.users() > 1 ? "each of " + request.users() + " users." : "one user.");
      out.append('\n');
    }
  }
}
