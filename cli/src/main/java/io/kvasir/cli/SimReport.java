package io.kvasir.cli;

import io.kvasir.model.json.Json;
import io.kvasir.sim.ReplayConfig;
import io.kvasir.sim.ReplayResult;
import io.kvasir.sim.SimulatedPolicies;
import io.kvasir.sim.TierSpec;
import io.kvasir.sim.Trace;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/// Shows what replays of a trace gave, as a table and as JSON.
final class SimReport {
  private final Trace trace;
  private final List<ReplayResult> shown;
  private final Map<Integer, ReplayResult> lru = new HashMap<>();

  /// @param results one per policy and size, LRU's among them
  /// @param policies those to show
  SimReport(Trace trace, List<ReplayResult> results, Set<String> policies) {
    this.trace = trace;
    this.shown = results.stream().filter(r -> policies.contains(r.config().policy())).toList();
    for (ReplayResult result : results) {
      if (result.config().policy().equals(SimulatedPolicies.LRU)) {
        lru.put(result.config().blocks(), result);
      }
    }
  }

  /// The results of the policies that were asked for.
  List<ReplayResult> shown() {
    return shown;
  }

  /// What was replayed, on one line.
  String title() {
    return String.format(
        Locale.ROOT,
        "%s: %,d requests, %,d prompt blocks of %d tokens, %,d different",
        trace.name().substring(trace.name().lastIndexOf('/') + 1),
        trace.requestCount(),
        trace.totalPromptBlocks(),
        trace.blockTokens(),
        trace.distinctBlocks());
  }

  /// The hit rate of all tiers over LRU's of the same size; infinite where LRU has none.
  private double ratio(ReplayResult result) {
    ReplayResult base = lru.get(result.config().blocks());
    double rate = base == null ? 0 : base.hitRate();
    return result.hitRate() / rate;
  }

  // ---- Table -----------------------------------------------------------------------------------

  String table() {
    StringBuilder out = new StringBuilder(title()).append('\n');
    ReplayConfig config = shown.getFirst().config();
    boolean overlap = config.mode() == ReplayConfig.Mode.OVERLAPPING;
    out.append(String.format("%-14s %9s %9s %7s", "policy", "blocks", "hit rate", "x LRU"));
    for (TierSpec tier : config.tiers()) {
      out.append(String.format(" %9s", "+" + tier.name()));
    }
    out.append(config.tiers().isEmpty() ? "" : String.format(" %9s", "all"));
    out.append(String.format(" %9s %11s %10s", "saved s", "evictions", "ns/call"));
    out.append(overlap ? String.format(" %8s %8s %8s", "running", "wait s", "refused") : "");
    out.append('\n');
    for (ReplayResult result : shown) {
      appendRow(out, result, overlap);
    }
    if (shown.stream().anyMatch(r -> SimulatedPolicies.isDefault(r.config().policy()))) {
      out.append("* the default policy\n");
    }
    return out.toString();
  }

  private void appendRow(StringBuilder out, ReplayResult result, boolean overlap) {
    ReplayConfig config = result.config();
    String mark = SimulatedPolicies.isDefault(config.policy()) ? " *" : "";
    double ratio = ratio(result);
    out.append(
        String.format(
            Locale.ROOT,
            "%-14s %9d %9.4f %7s",
            config.policy() + mark,
            config.blocks(),
            result.hitRate(),
            Double.isFinite(ratio) ? String.format(Locale.ROOT, "%.3f", ratio) : "-"));
    for (int tier = 0; tier < config.tiers().size(); tier++) {
      out.append(String.format(Locale.ROOT, " %9.4f", result.tierHitRate(tier)));
    }
    if (!config.tiers().isEmpty()) {
      out.append(String.format(Locale.ROOT, " %9.4f", result.totalHitRate()));
    }
    out.append(
        String.format(
            Locale.ROOT,
            " %9.0f %11d %10.0f",
            result.savedSeconds(),
            result.evictions(),
            result.policyNanos()));
    if (overlap) {
      ReplayResult.Load load = result.load();
      out.append(
          String.format(
              Locale.ROOT,
              " %8d %8.0f %8d",
              load.mostRunning(),
              load.waitSeconds(),
              load.refused()));
    }
    out.append('\n');
  }

  // ---- JSON ------------------------------------------------------------------------------------

  Json json() {
    List<Json> rows = new ArrayList<>();
    for (ReplayResult result : shown) {
      rows.add(row(result));
    }
    Map<String, Json> report = new LinkedHashMap<>();
    report.put("trace", new Json.Str(trace.name()));
    report.put("rows", new Json.Arr(rows));
    return new Json.Obj(report);
  }

  private Json row(ReplayResult result) {
    ReplayConfig config = result.config();
    Map<String, Json> row = new LinkedHashMap<>();
    row.put("policy", new Json.Str(config.policy()));
    row.put("blocks", new Json.Int(config.blocks()));
    row.put("hit_rate", new Json.Real(result.hitRate()));
    row.put("default", new Json.Bool(SimulatedPolicies.isDefault(config.policy())));
    row.put("ratio_to_lru", new Json.Real(ratio(result)));
    row.put("hit_blocks", new Json.Int(result.hitBlocks()));
    row.put("prompt_blocks", new Json.Int(result.promptBlocks()));
    row.put("evictions", new Json.Int(result.evictions()));
    row.put("ns_per_op", new Json.Real(result.policyNanos()));
    row.put("saved_seconds", new Json.Real(result.savedSeconds()));
    if (!config.tiers().isEmpty()) {
      Map<String, Json> tiers = new LinkedHashMap<>();
      for (int tier = 0; tier < config.tiers().size(); tier++) {
        tiers.put(config.tiers().get(tier).name(), new Json.Real(result.tierHitRate(tier)));
      }
      row.put("tier_hit_rates", new Json.Obj(tiers));
      row.put("total_hit_rate", new Json.Real(result.totalHitRate()));
    }
    if (config.mode() == ReplayConfig.Mode.OVERLAPPING) {
      row.put("most_running", new Json.Int(result.load().mostRunning()));
      row.put("waited", new Json.Int(result.load().waited()));
      row.put("wait_seconds", new Json.Real(result.load().waitSeconds()));
      row.put("refused", new Json.Int(result.load().refused()));
    }
    return new Json.Obj(row);
  }
}
