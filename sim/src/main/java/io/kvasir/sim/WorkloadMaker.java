package io.kvasir.sim;

import java.util.Comparator;
import java.util.PriorityQueue;

/// Makes the requests of a [Workload].
///
/// Requests come from *scripts*: a script is asked for its next request when its time has come, and
/// says when it wants to be asked again. Scripts begin by a Poisson process whose rate is such that
/// `rate` requests come in a second on average.
final class WorkloadMaker {
  /// The service rates that are assumed for the time an answer takes.
  private static final double DECODE_TOKENS_PER_SECOND = 50;

  private final Workload workload;
  private final WorkloadOptions options;
  private final Chance chance;
  private final int blockTokens;
  private final TraceBuilder builder = new TraceBuilder();
  private final PriorityQueue<Turn> queue =
      new PriorityQueue<>(Comparator.comparingLong(Turn::nanos).thenComparingLong(Turn::order));
  private int made;
  private long order;

  WorkloadMaker(Workload workload, WorkloadOptions options) {
    this.workload = workload;
    this.options = options;
    this.chance = new Chance((long) options.number("seed"));
    this.blockTokens = options.count("block");
  }

  /// A request that will come.
  ///
  /// @param order tells turns of one moment apart
  private record Turn(long nanos, long order, Script script) {}

  /// Something that sends requests, one after the other.
  private interface Script {
    /// Sends the request of this moment.
    ///
    /// @return how long until the next one, in nanoseconds; negative where this was the last
    long send(long nanos);
  }

  Trace make(String name) {
    switch (workload) {
      case PROMPTS -> prompts();
      case CHAT -> chat();
      case RAG -> rag();
      case AGENTS -> agents();
      case LOOP -> loop();
    }
    return builder.byArrival(name, blockTokens);
  }

  // ---- The five shapes -------------------------------------------------------------------------

  private void prompts() {
    double[] weights = Chance.zipf(options.count("prompts"), options.number("zipf"));
    int[] lengths = lengths(weights.length, options.number("system"));
    long contents = chance.fresh();
    run(
        1,
        () ->
            nanos -> {
              int system = chance.pick(weights);
              PromptText prompt = text().add(Mix.mix(contents + system), lengths[system]);
              send(nanos, prompt.add(chance.fresh(), chance.length(options.number("question"))));
              return -1;
            });
  }

  private void chat() {
    long system = chance.fresh();
    double mean = options.number("turns");
    run(
        mean,
        () -> {
          PromptText talk = text().add(system, options.count("system"));
          int[] left = {chance.geometric(mean)};
          return nanos -> {
            talk.add(chance.fresh(), chance.length(options.number("question")));
            long answering = send(nanos, talk);
            return --left[0] == 0 ? -1 : answering + seconds(options.number("think"));
          };
        });
  }

  private void rag() {
    double[] weights = Chance.zipf(options.count("documents"), options.number("zipf"));
    int found = Math.min(options.count("found"), weights.length);
    int[] lengths = lengths(weights.length, options.number("document"));
    long contents = chance.fresh();
    long system = chance.fresh();
    run(
        1,
        () ->
            nanos -> {
              int[] chosen = related(weights, found);
              PromptText prompt = text().add(system, options.count("system"));
              for (int document : chosen) {
                prompt.add(Mix.mix(contents + document), lengths[document]);
              }
              send(nanos, prompt.add(chance.fresh(), chance.length(options.number("question"))));
              return -1;
            });
  }

  /// A document and those that belong to the same topic, its neighbours, in random order.
  private int[] related(double[] weights, int found) {
    int first = chance.pick(weights);
    int[] chosen = new int[found];
    for (int i = 0; i < found; i++) {
      chosen[i] = (first + i) % weights.length;
    }
    chance.shuffle(chosen, found);
    return chosen;
  }

  private void agents() {
    double fanout = options.number("fanout");
    double steps = options.number("steps");
    long tools = chance.fresh();
    int half = Math.max(1, options.count("context") / 2);
    run(
        fanout * steps,
        () -> {
          PromptText task = text().add(tools, half).add(chance.fresh(), chance.length(half));
          return nanos -> {
            for (int agent = chance.geometric(fanout); agent > 0; agent--) {
              later(nanos, agent(task.copy(), chance.geometric(steps)));
            }
            return -1;
          };
        });
  }

  private Script agent(PromptText past, int steps) {
    int[] left = {steps};
    return nanos -> {
      past.add(chance.fresh(), chance.length(options.number("result")));
      long answering = send(nanos, past);
      return --left[0] == 0 ? -1 : answering + seconds(options.number("tool"));
    };
  }

  private void loop() {
    int size = options.count("loop");
    double scan = options.number("scan");
    long[] contents = new long[size];
    for (int i = 0; i < size; i++) {
      contents[i] = chance.fresh();
    }
    int[] at = {0};
    double[] owed = {0};
    run(
        1,
        () ->
            nanos -> {
              boolean once = owed[0] >= 1;
              owed[0] += once ? -1 : scan;
              long content = once ? chance.fresh() : contents[at[0]++ % size];
              send(nanos, text().add(content, options.count("prompt")));
              return -1;
            });
  }

  // ---- What they share -------------------------------------------------------------------------

  private interface ScriptMaker {
    Script make();
  }

  /// Starts scripts and lets them send until there are enough requests.
  private void run(double requestsPerScript, ScriptMaker scripts) {
    double rate = options.number("rate") / requestsPerScript;
    int wanted = options.count("requests");
    long nextStart = 0;
    while (made < wanted) {
      if (queue.isEmpty() || queue.element().nanos > nextStart) {
        later(nextStart, scripts.make());
        nextStart += chance.untilNext(rate);
      } else {
        Turn turn = queue.remove();
        long pause = turn.script.send(turn.nanos);
        if (pause >= 0) {
          later(turn.nanos + pause, turn.script);
        }
      }
    }
  }

  private void later(long nanos, Script script) {
    queue.add(new Turn(nanos, order++, script));
  }

  /// Sends a prompt; its text grows by the answer.
  ///
  /// @return how long the answer takes, in nanoseconds
  private long send(long nanos, PromptText text) {
    int promptTokens = text.tokens();
    int promptBlocks = text.blocks();
    int answer = chance.length(options.number("answer"));
    text.add(chance.fresh(), answer);
    for (int i = 0; i < text.blocks(); i++) {
      builder.block(text.hash(i));
    }
    builder.endRequest(new TraceRequest(nanos, promptTokens, answer, promptBlocks));
    made++;
    return (long) (answer / DECODE_TOKENS_PER_SECOND * 1e9);
  }

  private int[] lengths(int count, double mean) {
    int[] lengths = new int[count];
    for (int i = 0; i < count; i++) {
      lengths[i] = chance.length(mean);
    }
    return lengths;
  }

  private PromptText text() {
    return new PromptText(blockTokens);
  }

  private long seconds(double mean) {
    return (long) (chance.exponential(mean) * 1e9);
  }
}
