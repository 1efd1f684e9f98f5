package io.kvasir.cli;

import io.kvasir.cli.load.LoadMeter;
import io.kvasir.cli.load.LoadPlan;
import io.kvasir.cli.load.LoadReport;
import io.kvasir.cli.load.Range;
import io.kvasir.cli.load.Slo;
import io.kvasir.cli.load.SyntheticLoad;
import io.kvasir.cli.load.TraceLoad;
import io.kvasir.sim.Trace;
import io.kvasir.sim.TraceReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `kvasir bench serve`: how a server does under load.
@Command(
    name = "serve",
    description = {
      "Measure a server that speaks OpenAI's completions, Kvasir's or another: time to first token",
      "(TTFT), between tokens (ITL), per token (TPOT), to the end (E2E), tokens per second.",
      "Closed loop: --concurrency clients, each sends its next request when the last one ended.",
      "Open loop: --rate requests per second at random (Poisson) times, measured from the time at",
      "which a request should have left."
    })
final class BenchServeCommand implements Callable<Integer> {
  private static final int MOST_AT_ONCE = 100_000;

  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();
  @Mixin TargetOptions target = new TargetOptions();

  @Parameters(paramLabel = "URL", description = "The server, such as http://127.0.0.1:8080.")
  private String url = "";

  @Option(
      names = "--rate",
      paramLabel = "R",
      description = "Open loop of R requests per second; inf for all at once.")
  private @Nullable Double rate;

  @Option(
      names = "--concurrency",
      paramLabel = "N",
      converter = PositiveInt.class,
      description =
          "Closed loop of N clients; with --rate or --trace the most at once. Default: 1.")
  private @Nullable Integer concurrency;

  @Option(
      names = "--requests",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Default: 100, or the whole trace.")
  private @Nullable Integer requests;

  @Option(
      names = "--duration",
      paramLabel = "SECONDS",
      converter = PositiveInt.class,
      description = "Begin no request later than this. Default: no limit.")
  private @Nullable Integer duration;

  @Option(
      names = {"-p", "--prompt-tokens"},
      paramLabel = "N|A-B",
      description = "Tokens of each prompt, random ones. Default: ${DEFAULT-VALUE}.")
  private String promptTokens = "256";

  @Option(
      names = {"-n", "--output-tokens"},
      paramLabel = "N|A-B",
      description = "Most tokens of each answer. Default: ${DEFAULT-VALUE}.")
  private String outputTokens = "64";

  @Option(
      names = "--shared-prefix",
      paramLabel = "TOKENS",
      description = "Tokens in front of every prompt that are the same in all. Default: 0.")
  private int sharedPrefix;

  @Option(
      names = "--prefixes",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Different shared prefixes, in turn. Default: 1.")
  private int prefixes = 1;

  @Option(
      names = "--trace",
      paramLabel = "FILE",
      description = {
        "Replay a trace: Mooncake's JSONL, or what serve --record-trace wrote. Equal blocks become",
        "equal tokens. With --concurrency and no --speed its times are ignored."
      })
  private @Nullable Path trace;

  @Option(
      names = "--scale",
      paramLabel = "X",
      description = {
        "Tokens sent for each token of the trace. Default: 1, or less where the longest request",
        "does not fit into the server's context."
      })
  private @Nullable Double scale;

  @Option(
      names = "--speed",
      paramLabel = "X",
      description = "Seconds of the trace per second. Default: 1.")
  private @Nullable Double speed;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = {
        "Makes the same requests again, which a server with a prefix cache may remember.",
        "Default: another one each time."
      })
  private @Nullable Long seed;

  @Option(names = "--ignore-eos", description = "Let answers go on to their full length.")
  private boolean ignoreEos;

  @Option(
      names = "--temp",
      paramLabel = "T",
      description = "Temperature of answers. Default: ${DEFAULT-VALUE}.")
  private double temperature;

  @Option(names = "--chat", description = "Send words as a chat message instead of token ids.")
  private boolean chat;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      description = "Requests before those that count. Default: ${DEFAULT-VALUE}.")
  private int warmup = 2;

  @Option(
      names = "--timeout",
      paramLabel = "SECONDS",
      converter = PositiveInt.class,
      description = "Longest time for a request. Default: ${DEFAULT-VALUE}.")
  private int timeout = 600;

  @Option(
      names = "--slo",
      paramLabel = "BOUNDS",
      description = {
        "What good answers keep, such as ttft:500ms,itl:50ms; also tpot and e2e. itl bounds all but",
        "one in a hundred of an answer's gaps."
      })
  private @Nullable String slo;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Option(names = "--html", paramLabel = "FILE", description = "Write a page with plots as well.")
  private @Nullable Path html;

  BenchServeCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    LoadMeter.Terms terms = terms();
    long chosenSeed = seed == null ? ThreadLocalRandom.current().nextLong(1L << 31) : seed;
    Trace recorded = trace == null ? null : TraceReader.read(trace);
    LoadReport report;
    try (LoadMeter meter = target.open(url);
        ProgressLine line = new ProgressLine(surroundings)) {
      LoadPlan plan = checked(plan(meter, recorded, chosenSeed), meter);
      line.show("warming up");
      report =
          meter.run(
              plan,
              label(chosenSeed),
              terms,
              (done, all) -> line.show(done + " of " + all + " requests have ended"));
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
    surroundings.out().print(json ? report.json().toText() + "\n" : report.table());
    if (html != null) {
      Files.writeString(html, report.page());
    }
    if (report.ok() == 0) {
      throw new FailureException("no request was answered (" + report.mainFailure() + ")");
    }
    return Main.OK;
  }

  private LoadMeter.Terms terms() {
    if (warmup < 0 || sharedPrefix < 0 || !(temperature >= 0)) {
      throw new UsageException("--warmup, --shared-prefix and --temp must not be negative");
    }
    if (trace == null && (scale != null || speed != null)) {
      throw new UsageException("--scale and --speed belong to --trace");
    }
    if (trace != null && rate != null) {
      throw new UsageException("--trace has times of its own; give --speed instead of --rate");
    }
    if (rate != null && !(rate > 0)) {
      throw new UsageException("--rate must be above 0 requests per second, not " + rate);
    }
    Path folder = html == null ? null : html.toAbsolutePath().getParent();
    if (folder != null && !Files.isDirectory(folder)) {
      throw new FailureException("there is no folder '" + folder + "' for --html");
    }
    boolean open = rate != null || trace != null && !ignoresTimes();
    int atOnce = concurrency == null ? open ? MOST_AT_ONCE : 1 : concurrency;
    return new LoadMeter.Terms(
        atOnce,
        chat,
        ignoreEos,
        temperature,
        timeout,
        duration == null ? Double.POSITIVE_INFINITY : duration,
        warmup,
        slo == null ? null : bounds(slo));
  }

  private static Slo bounds(String text) {
    try {
      return Slo.parse(text);
    } catch (IllegalArgumentException e) {
      throw new UsageException("--slo: " + e.getMessage());
    }
  }

  private boolean ignoresTimes() {
    return concurrency != null && speed == null;
  }

  private LoadPlan plan(LoadMeter meter, @Nullable Trace recorded, long chosenSeed) {
    if (recorded == null) {
      SyntheticLoad.Shape shape =
          new SyntheticLoad.Shape(
              requests == null ? 100 : requests,
              rate == null ? 0 : rate,
              Range.parse(promptTokens),
              Range.parse(outputTokens),
              sharedPrefix,
              prefixes);
      return new SyntheticLoad(shape, meter.facts().pool(), chosenSeed);
    }
    int count = requests == null ? recorded.requestCount() : requests;
    int context = meter.facts().context();
    // Words are about as many tokens, but not exactly.
    int room = chat ? context * 4 / 5 : context;
    if (scale == null) {
      scale = context == 0 ? 1 : TraceLoad.fitting(recorded, count, room);
    }
    double secondsPerSecond = ignoresTimes() ? 0 : speed == null ? 1 : speed;
    TraceLoad.Pace pace = new TraceLoad.Pace(count, scale, secondsPerSecond);
    return new TraceLoad(recorded, meter.facts().pool(), pace, chosenSeed);
  }

  private static LoadPlan checked(LoadPlan plan, LoadMeter meter) {
    int context = meter.facts().context();
    if (context > 0 && plan.longest() > context) {
      throw new UsageException(
          "the longest request has %d tokens with its answer, and the server's context is %d; ask for less"
              .formatted(plan.longest(), context));
    }
    return plan;
  }

  private String label(long chosenSeed) {
    String how =
        rate != null
            ? "open loop, " + rate + " requests/s"
            : trace != null && !ignoresTimes()
                ? "open loop at the trace's times"
                    + (speed == null ? "" : ", " + speed + " times as fast")
                : "closed loop, " + (concurrency == null ? 1 : concurrency) + " clients";
    String what =
        trace != null
            ? "%s, lengths x %.4g".formatted(trace.getFileName(), scale == null ? 1 : scale)
            : "%s+%s prompt and %s output tokens"
                .formatted(sharedPrefix, promptTokens, outputTokens);
    return how + "; " + what + "; seed " + chosenSeed;
  }
}
