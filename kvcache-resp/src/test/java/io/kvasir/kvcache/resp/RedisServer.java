package io.kvasir.kvcache.resp;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import redis.clients.jedis.Jedis;

/// A real `valkey-server` or `redis-server` on a free port of this machine, without persistence. A
/// test is skipped where neither is installed.
final class RedisServer implements AutoCloseable {
  private static final long START_NANOS = 20_000_000_000L;

  private final Path folder;
  private final List<String> options;
  private final int port;
  private Process process;

  private RedisServer(Path folder, int port, List<String> options) throws Exception {
    this.folder = folder;
    this.port = port;
    this.options = options;
    this.process = launch();
  }

  /// @param folder for its log
  /// @param options more arguments; `PORT` stands for the port, which is not a plain one then
  static RedisServer start(Path folder, String... options) throws Exception {
    return new RedisServer(folder, freePort(), List.of(options));
  }

  private static String program() {
    for (String folder : System.getenv("PATH").split(":", -1)) {
      for (String name : List.of("valkey-server", "redis-server")) {
        if (Files.isExecutable(Path.of(folder, name))) {
          return Path.of(folder, name).toString();
        }
      }
    }
    Assumptions.abort("[no-redis-server] neither valkey-server nor redis-server is installed");
    throw new AssertionError();
  }

  private Process launch() throws Exception {
    List<String> command = new ArrayList<>(List.of(program()));
    command.addAll(List.of("--bind", "127.0.0.1", "--save", "", "--appendonly", "no"));
    command.addAll(List.of("--dir", folder.toString(), "--daemonize", "no"));
    if (!options.contains("PORT")) {
      command.addAll(List.of("--port", String.valueOf(port)));
    }
    for (String option : options) {
      command.add(option.equals("PORT") ? String.valueOf(port) : option);
    }
    Process started =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("server.log").toFile())
            .start();
    long until = System.nanoTime() + START_NANOS;
    while (!accepts()) {
      if (System.nanoTime() > until || !started.isAlive()) {
        started.destroyForcibly();
        throw new IOException(Files.readString(folder.resolve("server.log")));
      }
      TimeUnit.MILLISECONDS.sleep(10);
    }
    return started;
  }

  private boolean accepts() {
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 200);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  URI uri() {
    return URI.create("redis://127.0.0.1:" + port);
  }

  int port() {
    return port;
  }

  /// A connection past the tier.
  Jedis direct() {
    return new Jedis("127.0.0.1", port);
  }

  void signal(String name) throws Exception {
    new ProcessBuilder("kill", "-" + name, String.valueOf(process.pid())).start().waitFor();
  }

  void kill() {
    process.destroyForcibly().onExit().join();
  }

  void restart() throws Exception {
    process = launch();
  }

  @Override
  public void close() {
    kill();
  }
}
