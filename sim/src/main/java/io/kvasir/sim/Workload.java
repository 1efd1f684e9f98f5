package io.kvasir.sim;

import io.kvasir.sim.WorkloadOptions.Range;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Made-up streams of requests, each the shape of something that servers see. The same name,
/// settings and seed give the same trace on every machine.
public enum Workload {
  /// Independent requests behind one of many system prompts, some of them much more wanted than
  /// others.
  PROMPTS,

  /// Conversations: each turn's prompt is all that was said before plus a new question, and comes
  /// after a pause in which the person reads and thinks.
  CHAT,

  /// Questions over documents that a search found: the same documents come together again and
  /// again, in another order each time, so only the first few are ever a common prefix.
  RAG,

  /// Tasks that split into several agents, which share the task's context and then call tools: each
  /// step's prompt is the agent's whole past and comes after the tool's answer.
  AGENTS,

  /// A set of prompts that come round and round in one order, with prompts in between that are
  /// never seen again: where the set is larger than the cache, forgetting the oldest always forgets
  /// what comes next.
  LOOP;

  /// What a name must begin with to mean a workload and not a file.
  public static final String PREFIX = "gen:";

  /// The word for this workload on a command line.
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /// All words.
  public static List<String> words() {
    return Arrays.stream(values()).map(Workload::word).toList();
  }

  /// Makes the trace that `gen:NAME[,key=value...]` describes.
  ///
  /// @throws TraceFormatException where there is no such workload or setting, or a value cannot be
  public static Trace generate(String description) {
    String text =
        description.startsWith(PREFIX) ? description.substring(PREFIX.length()) : description;
    int comma = text.indexOf(',');
    String name = comma < 0 ? text : text.substring(0, comma);
    for (Workload workload : values()) {
      if (workload.word().equals(name)) {
        String settings = comma < 0 ? "" : text.substring(comma + 1);
        WorkloadOptions options = WorkloadOptions.parse(name, settings, workload.ranges());
        return new WorkloadMaker(workload, options).make(description);
      }
    }
    throw new TraceFormatException(
        "there is no workload 'gen:%s'; there are gen:%s"
            .formatted(JsonLine.clip(name), String.join(", gen:", words())));
  }

  private Map<String, Range> ranges() {
    Map<String, Range> all = new LinkedHashMap<>();
    all.put("requests", Range.count(5_000, 1e6));
    all.put("seed", new Range(1, 0, 1e15, true));
    all.put("rate", Range.real(2, 1e-6, 1e6));
    all.put("block", new Range(64, 16, 1e5, true));
    all.put("answer", Range.count(250, 1e5));
    own().entrySet().stream()
        .sorted(Map.Entry.comparingByKey())
        .forEach(entry -> all.put(entry.getKey(), entry.getValue()));
    return all;
  }

  private Map<String, Range> own() {
    return switch (this) {
      case PROMPTS ->
          Map.of(
              "prompts", Range.count(500, 1e6),
              "zipf", Range.real(1, 0, 5),
              "system", Range.count(2_000, 1e5),
              "question", Range.count(300, 1e5));
      case CHAT ->
          Map.of(
              "system", Range.count(800, 1e5),
              "question", Range.count(200, 1e5),
              "turns", Range.real(5, 1, 1e3),
              "think", Range.real(40, 0, 1e6));
      case RAG ->
          Map.of(
              "documents", Range.count(1_000, 1e6),
              "zipf", Range.real(1, 0, 5),
              "found", Range.count(4, 100),
              "document", Range.count(700, 1e5),
              "system", Range.count(400, 1e5),
              "question", Range.count(60, 1e5));
      case AGENTS ->
          Map.of(
              "context", Range.count(4_000, 1e5),
              "fanout", Range.real(4, 1, 100),
              "steps", Range.real(6, 1, 1e3),
              "result", Range.count(500, 1e5),
              "tool", Range.real(8, 0, 1e6));
      case LOOP ->
          Map.of(
              "loop", Range.count(40, 1e6),
              "prompt", Range.count(4_000, 1e5),
              "scan", Range.real(1, 0, 100));
    };
  }
}
