package io.kvasir.cli;

import io.kvasir.sim.HitRatePlot;
import io.kvasir.sim.Replay;
import io.kvasir.sim.ReplayConfig;
import io.kvasir.sim.ReplayResult;
import io.kvasir.sim.ServiceRates;
import io.kvasir.sim.SimulatedPolicies;
import io.kvasir.sim.TierSpec;
import io.kvasir.sim.Trace;
import io.kvasir.sim.TraceFormatException;
import io.kvasir.sim.TraceReader;
import io.kvasir.sim.TraceWriter;
import io.kvasir.sim.Workload;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `kvasir sim`: what the cache would have done with a trace of requests.
@Command(
    name = "sim",
    description = {
      "Replay a trace of requests through the cache and show hit rates by policy and size.",
      "No model is loaded: the cache decides as it does in the engine, over blocks without bytes."
    })
final class SimCommand implements Callable<Integer> {
  private static final int MAX_TIERS = 8;
  private static final int MAX_SIZES = 100;

  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();

  @Parameters(
      paramLabel = "TRACE",
      description = {
        "A trace: Mooncake's JSONL, or what serve --record-trace wrote. Or a workload:",
        "gen:NAME[,key=value...] with NAME one of prompts, chat, rag, agents, loop."
      })
  private String trace = "";

  @Option(
      names = "--policy",
      paramLabel = "NAME",
      split = ",",
      description = "Policies to compare, or all. Default: all.")
  private @Nullable List<String> policies;

  @Option(
      names = "--blocks",
      paramLabel = "N",
      split = ",",
      converter = PositiveInt.class,
      description = "Sizes of the cache in blocks of the trace. Default: 1000,3000,10000,30000.")
  private @Nullable List<Integer> sizes;

  @Option(
      names = "--tiers",
      paramLabel = "NAME=N[@RATE]",
      split = ",",
      description = {
        "Tiers below the cache, the fastest first, with their sizes in blocks and how many tokens",
        "per second they load, such as host=10000@2e6,disk=100000@2e5. Default: none."
      })
  private @Nullable List<String> tiers;

  @Option(
      names = "--concurrent",
      description = {
        "Let requests overlap as their times say: they hold their blocks while they run, and wait",
        "where the cache is full. Default: one after the other."
      })
  private boolean concurrent;

  @Option(
      names = "--prefill-rate",
      paramLabel = "R",
      description = "Prompt tokens per second of one request. Default: 5000.")
  private double prefillRate = 5000;

  @Option(
      names = "--decode-rate",
      paramLabel = "R",
      description = "Answer tokens per second of one request. Default: 50.")
  private double decodeRate = 50;

  @Option(names = "--json", description = "Print JSON: one row per policy and size.")
  private boolean json;

  @Option(
      names = "--plot",
      paramLabel = "FILE.svg",
      description = "Draw hit rate against size into this file.")
  private @Nullable Path plot;

  @Option(
      names = "--write",
      paramLabel = "FILE.jsonl",
      description = "Write the trace in Kvasir's own form and replay nothing.")
  private @Nullable Path write;

  SimCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws IOException {
    checkFiles();
    Set<String> names = names();
    List<ReplayConfig> configs = configs(names);
    Trace requests = trace.startsWith(Workload.PREFIX) ? workload() : read(path(trace));
    if (write != null) {
      TraceWriter.write(requests, write);
      surroundings
          .out()
          .printf("%s: %d requests written to %s%n", trace, requests.requestCount(), write);
      return Main.OK;
    }
    List<ReplayResult> results = replay(requests, configs);
    SimReport report = new SimReport(requests, results, names);
    if (json) {
      surroundings.out().println(report.json().toText());
    } else {
      surroundings.out().print(report.table());
    }
    if (plot != null) {
      Files.writeString(plot, HitRatePlot.draw(report.title(), report.shown()));
    }
    return Main.OK;
  }

  /// Refuses what cannot be written before anything is computed.
  private void checkFiles() {
    if (plot != null && !plot.toString().endsWith(".svg")) {
      throw new UsageException(
          "--plot draws SVG only: '" + plot + "' should be a file that ends with .svg");
    }
    checkFolder("--plot", plot);
    checkFolder("--write", write);
    boolean replays = plot != null || json || policies != null || sizes != null || tiers != null;
    if (write != null && replays) {
      throw new UsageException(
          "--write saves the trace and replays nothing: leave out --policy, --blocks, --tiers, "
              + "--json and --plot, or --write");
    }
  }

  private static void checkFolder(String option, @Nullable Path file) {
    Path folder = file == null ? null : file.toAbsolutePath().getParent();
    if (folder != null && !Files.isDirectory(folder)) {
      throw new FailureException("there is no folder '" + folder + "' for " + option);
    }
  }

  private Set<String> names() {
    Set<String> names = new LinkedHashSet<>();
    for (String name : policies == null ? List.of("all") : policies) {
      if (name.equals("all")) {
        names.addAll(SimulatedPolicies.names());
      } else if (SimulatedPolicies.names().contains(name)) {
        names.add(name);
      } else {
        throw new UsageException(
            "there is no policy '%s'; there are all, %s"
                .formatted(name, String.join(", ", SimulatedPolicies.names())));
      }
    }
    return names;
  }

  /// What to replay, by policy and size; LRU always, because others are compared with it.
  private List<ReplayConfig> configs(Set<String> names) {
    Set<String> replayed = new LinkedHashSet<>(names);
    replayed.add(SimulatedPolicies.LRU);
    Set<Integer> blocks =
        new LinkedHashSet<>(sizes == null ? List.of(1_000, 3_000, 10_000, 30_000) : sizes);
    if (blocks.size() > MAX_SIZES) {
      throw new UsageException(
          "--blocks takes at most " + MAX_SIZES + " sizes, not " + blocks.size());
    }
    ReplayConfig.Mode mode =
        concurrent ? ReplayConfig.Mode.OVERLAPPING : ReplayConfig.Mode.ONE_AT_A_TIME;
    try {
      List<TierSpec> below = tierSpecs();
      ServiceRates rates = new ServiceRates(prefillRate, decodeRate);
      List<ReplayConfig> configs = new ArrayList<>();
      for (String name : replayed) {
        for (int size : blocks) {
          configs.add(new ReplayConfig(name, size, below, mode, rates));
        }
      }
      return configs;
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }

  private List<TierSpec> tierSpecs() {
    List<TierSpec> specs = new ArrayList<>();
    for (String text : tiers == null ? List.<String>of() : tiers) {
      int equals = text.indexOf('=');
      int at = text.indexOf('@');
      try {
        String name = text.substring(0, equals);
        int blocks = Integer.parseInt(text.substring(equals + 1, at < 0 ? text.length() : at));
        double rate =
            at < 0 ? Double.POSITIVE_INFINITY : Double.parseDouble(text.substring(at + 1));
        specs.add(new TierSpec(name, blocks, rate));
      } catch (NumberFormatException | IndexOutOfBoundsException e) {
        throw new UsageException(
            "--tiers wants name=blocks or name=blocks@rate, such as host=10000, not '"
                + text
                + "'");
      }
    }
    if (specs.size() > MAX_TIERS
        || specs.stream().map(TierSpec::name).distinct().count() < specs.size()) {
      throw new UsageException("--tiers takes up to " + MAX_TIERS + " tiers of different names");
    }
    return specs;
  }

  private Trace workload() {
    try {
      return Workload.generate(trace);
    } catch (TraceFormatException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }

  private static Path path(String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new UsageException("'" + text + "' cannot be the name of a file");
    }
  }

  private Trace read(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw new FailureException("'" + trace + "' is a folder; a trace is a JSONL file");
    }
    return TraceReader.read(file);
  }

  private List<ReplayResult> replay(Trace requests, List<ReplayConfig> configs) {
    int[] begun = {0};
    try (ProgressLine progress = new ProgressLine(surroundings)) {
      return Replay.all(
          requests,
          configs,
          config ->
              progress.show(
                  "%s, %d blocks (%d of %d)"
                      .formatted(config.policy(), config.blocks(), ++begun[0], configs.size())));
    }
  }
}
