package io.kvasir.cli;

import io.kvasir.kvcache.KvCacheStats;
import io.kvasir.model.plan.Sizes;
import io.kvasir.server.Access;
import io.kvasir.server.KvasirServer;
import io.kvasir.server.ServedModel;
import io.kvasir.server.ServerConfig;
import io.kvasir.server.ServerWatch;
import io.kvasir.server.SessionLimits;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `kvasir serve`: the OpenAI API over HTTP until the process is told to end.
@Command(
    name = "serve",
    description = {
      "Serve a model over HTTP in OpenAI's form, until SIGTERM or Ctrl-C.",
      "Requests that run then may end; new ones are refused."
    })
final class ServeCommand implements Callable<Integer> {
  /// Kept, because a level set on a logger that nobody holds is lost.
  private static final Logger WEB = Logger.getLogger("io.helidon");

  private final Surroundings surroundings;

  @Mixin PruneOption prune = new PruneOption();
  @Mixin CommonOptions common = new CommonOptions();
  @Mixin EngineOptions engine = new EngineOptions();
  @Mixin AccessOptions access = new AccessOptions();
  @Mixin ServingOptions serving = new ServingOptions();

  @Mixin ModelArgument model = new ModelArgument();

  @Option(
      names = "--host",
      paramLabel = "HOST",
      description =
          "Where to listen; anything but loopback needs a key. Default: ${DEFAULT-VALUE}.")
  private String host = "127.0.0.1";

  @Option(
      names = "--port",
      paramLabel = "PORT",
      description = "0 for any free one. Default: ${DEFAULT-VALUE}.")
  private int port = 8080;

  @Option(
      names = "--access-log",
      paramLabel = "FILE",
      description = {
        "Append a line for each request: time, id, owner, route, status, tokens, times; - for",
        "standard output. Holds neither prompts nor keys."
      })
  private @Nullable String accessLog;

  @Option(
      names = "--record-trace",
      paramLabel = "FILE",
      description = {
        "Write which blocks requests used, as hashes that tell nothing about texts, for",
        "./kvasir sim and ./kvasir bench serve --trace."
      })
  private @Nullable Path recordTrace;

  @Option(
      names = "--model-name",
      paramLabel = "NAME",
      description = "What clients call the model. Default: the file's or folder's name.")
  private @Nullable String modelName;

  @Option(
      names = "--session-dir",
      paramLabel = "DIR",
      description = "Where clients may save conversations of /kv/sessions. Default: nowhere.")
  private @Nullable Path sessionDir;

  @Option(
      names = "--drain",
      paramLabel = "SECONDS",
      converter = PositiveInt.class,
      description = "How long requests may go on at the end. Default: ${DEFAULT-VALUE}.")
  private int drain = 30;

  ServeCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    ServerConfig config = config();
    prune.options();
    WEB.setLevel(common.verbose() ? Level.INFO : Level.WARNING);
    try (OpenModel open = OpenModel.open(model, engine, surroundings, serving::applied);
        RequestRecords records =
            RequestRecords.open(accessLog, recordTrace, engine.blockTokens(), surroundings)) {
      serving.warmUp(open.engine());
      KvasirServer server = start(served(open), config.withWatch(records));
      surroundings.out().println(line(open, server.port()));
      surroundings.out().flush();
      Runtime.getRuntime()
          .addShutdownHook(new Thread(() -> end(server, records, open), "kvasir-end"));
      new CountDownLatch(1).await();
    }
    return Main.OK;
  }

  private ServerConfig config() throws IOException {
    Access who = access.access();
    try {
      if (who.keys().isEmpty() && !InetAddress.getByName(host).isLoopbackAddress()) {
        throw new UsageException(
            "--host %s lets other machines in; give --api-key-file or --api-key as well"
                .formatted(host));
      }
      return new ServerConfig(
          host,
          port,
          who,
          access.limits(),
          access.tls(),
          Duration.ofSeconds(drain),
          new KvasirCommand.Version().getVersion()[0],
          SessionLimits.DEFAULT.withFolder(sessionDir),
          ServerWatch.NOBODY);
    } catch (UnknownHostException e) {
      throw new UsageException("there is no host '" + host + "'; give a name or an address");
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }

  private ServedModel served(OpenModel open) {
    String name = modelName == null ? open.name().replaceFirst("\\.gguf$", "") : modelName;
    return new ServedModel(
            name, open.engine(), open.tokenizer(), open.template(), open.stopTokens())
        .withPrune(prune.options());
  }

  private KvasirServer start(ServedModel served, ServerConfig config) {
    try {
      return KvasirServer.start(served, config);
    } catch (IOException e) {
      throw new FailureException(
          "cannot listen on %s port %d (%s); choose another with --port"
              .formatted(host, port, e.getMessage()),
          e);
    }
  }

  private String line(OpenModel open, int actualPort) {
    KvCacheStats cache = open.engine().cacheStats();
    String shownHost = host.contains(":") ? "[" + host + "]" : host;
    return "%s://%s:%d/v1 serves %s, context %d, cache %s: %d blocks of %d tokens"
        .formatted(
            access.tls() == null ? "http" : "https",
            shownHost,
            actualPort,
            open.name(),
            open.engine().contextTokens(),
            Sizes.bytes(cache.capacityBlocks() * cache.blockBytes()),
            cache.capacityBlocks(),
            open.engine().layout().blockTokens());
  }

  /// Runs when the process is told to end. The JVM would end with the signal's number plus 128; an
  /// orderly end is a success.
  private void end(KvasirServer server, RequestRecords records, OpenModel open) {
    server.close();
    try {
      records.close();
    } catch (IOException e) {
      surroundings.err().println("kvasir: " + Sentence.of(e));
    }
    open.close();
    surroundings.out().flush();
    surroundings.err().flush();
    Runtime.getRuntime().halt(Main.OK);
  }
}
