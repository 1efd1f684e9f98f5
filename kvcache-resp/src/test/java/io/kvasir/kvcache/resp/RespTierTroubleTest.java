package io.kvasir.kvcache.resp;

import static io.kvasir.kvcache.contract.TierContract.BLOCK;
import static io.kvasir.kvcache.contract.TierContract.assertLoads;
import static io.kvasir.kvcache.contract.TierContract.block;
import static io.kvasir.kvcache.contract.TierContract.key;
import static io.kvasir.kvcache.contract.TierContract.load;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import redis.clients.jedis.Jedis;

/// Servers of their own that are killed, stopped, locked or encrypted.
class RespTierTroubleTest {
  @TempDir Path folder;

  private static RespTier tier(URI uri) throws IOException {
    return tier(uri, null, 300);
  }

  private static RespTier tier(URI uri, @Nullable Path authority, int readMillis)
      throws IOException {
    RespLimits limits = new RespLimits(300, readMillis, 3, 1 << 20, 0);
    return new RespTier(new RespTierConfig(uri, BLOCK, "m", authority, limits));
  }

  /// Until it works again, as long as the breaker's pause may take.
  private static void storesSoon(RespTier tier, int number) throws InterruptedException {
    long until = System.nanoTime() + 20_000_000_000L;
    while (!tier.store(key(number), block(number)) && System.nanoTime() < until) {
      TimeUnit.MILLISECONDS.sleep(50);
    }
    assertLoads(tier, number);
  }

  @Test
  void server_killedAndRestarted_onlyMissesInBetween() throws Exception {
    try (RedisServer server = RedisServer.start(folder);
        RespTier tier = tier(server.uri());
        ExecutorService threads = Executors.newFixedThreadPool(3)) {
      storesSoon(tier, 1);
      AtomicBoolean done = new AtomicBoolean();
      List<Future<?>> running = new ArrayList<>();
      for (int thread = 0; thread < 3; thread++) {
        int first = 10 * thread;
        running.add(
            threads.submit(() -> {
              for (int i = 0; !done.get(); i++) {
                int number = first + i % 20;
                tier.store(key(number), block(number));
                load(tier, List.of(key(number), key(number + 1)));
              }
            }));
      }
      TimeUnit.MILLISECONDS.sleep(200);
      server.kill();
      TimeUnit.MILLISECONDS.sleep(300);
      assertThat(tier.contains(key(1))).as("a dead store has nothing").isFalse();
      assertThat(load(tier, List.of(key(1)))).isZero();
      assertThat(tier.stats().failures()).isGreaterThanOrEqualTo(3);
      server.restart();
      storesSoon(tier, 100);
      done.set(true);
      for (Future<?> each : running) {
        each.get(20, TimeUnit.SECONDS);
      }
    }
  }

  @Test
  void server_stopped_costsABoundedTimeAndComesBack() throws Exception {
    try (RedisServer server = RedisServer.start(folder);
        RespTier tier = tier(server.uri())) {
      storesSoon(tier, 1);
      server.signal("STOP");
      long start = System.nanoTime();
      for (int number = 0; number < 200; number++) {
        assertThat(load(tier, List.of(key(1)))).isZero();
        assertThat(tier.store(key(2), block(2))).isFalse();
        assertThat(tier.leading(List.of(key(1)))).isZero();
      }
      long elapsed = System.nanoTime() - start;
      assertThat(elapsed).as("three timeouts of 300 ms and little more").isLessThan(4_000_000_000L);
      assertThat(tier.stats().failures()).isBetween(3L, 6L);
      server.signal("CONT");
      storesSoon(tier, 3);
      assertLoads(tier, 1);
    }
  }

  @Test
  void password_rightWrongMissing() throws Exception {
    try (RedisServer server = RedisServer.start(folder, "--requirepass", "a:b@c/d e")) {
      String place = "@127.0.0.1:" + server.port();
      try (RespTier right = tier(URI.create("redis://:a:b%40c%2Fd%20e" + place));
          RespTier wrong = tier(URI.create("redis://:no" + place));
          RespTier missing = tier(server.uri())) {
        assertThat(right.store(key(1), block(1))).isTrue();
        assertLoads(right, 1);
        assertThat(wrong.store(key(1), block(1))).isFalse();
        assertThat(load(wrong, List.of(key(1)))).isZero();
        assertThat(missing.leading(List.of(key(1)))).isZero();
        assertThat(load(missing, List.of(key(1)))).isZero();
        assertThat(wrong.stats().failures()).isEqualTo(2);
      }
      try (Jedis direct = server.direct()) {
        direct.auth("a:b@c/d e");
        direct.aclSetUser("kv", "on", ">secret", "~*", "+@all");
      }
      try (RespTier named = tier(URI.create("redis://kv:secret" + place + "/3"))) {
        assertThat(load(named, List.of(key(1)))).as("another database").isZero();
        assertThat(named.store(key(1), block(1))).isTrue();
        assertThat(named.stats().failures()).isZero();
      }
    }
  }

  @Test
  void tls_ownAuthority_isTrustedAndOthersAreNot() throws Exception {
    Path key = folder.resolve("key.pem");
    Path certificate = folder.resolve("certificate.pem");
    makeCertificate(key, certificate, "127.0.0.1");
    String[] options = {
      "--port",
      "0",
      "--tls-port",
      "PORT",
      "--tls-cert-file",
      certificate.toString(),
      "--tls-key-file",
      key.toString(),
      "--tls-ca-cert-file",
      certificate.toString(),
      "--tls-auth-clients",
      "no",
      "--requirepass",
      "secret"
    };
    try (RedisServer server = startTls(options)) {
      URI uri = URI.create("rediss://:secret@127.0.0.1:" + server.port());
      URI plain = URI.create("redis://:secret@127.0.0.1:" + server.port());
      URI otherName = URI.create("rediss://:secret@localhost:" + server.port());
      try (RespTier trusting = tier(uri, certificate, 2_000);
          RespTier distrusting = tier(uri, null, 2_000);
          RespTier unencrypted = tier(plain, null, 2_000);
          RespTier misnamed = tier(otherName, certificate, 2_000)) {
        assertThat(trusting.store(key(1), block(1))).isTrue();
        assertThat(load(trusting, List.of(key(1), key(2)))).isEqualTo(1);
        assertThat(load(distrusting, List.of(key(1)))).isZero();
        assertThat(load(unencrypted, List.of(key(1)))).isZero();
        assertThat(load(misnamed, List.of(key(1)))).as("certificate of 127.0.0.1").isZero();
        assertThat(misnamed.stats().failures()).isEqualTo(1);
      }
    }
  }

  private RedisServer startTls(String... options) throws Exception {
    try {
      return RedisServer.start(folder, options);
    } catch (IOException e) {
      Assumptions.assumeFalse(
          String.valueOf(e.getMessage()).contains("tls-port"),
          "[no-redis-server] it is built without TLS");
      throw e;
    }
  }

  private static void makeCertificate(Path key, Path certificate, String address) throws Exception {
    Process process =
        new ProcessBuilder(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=kvasir-test",
                "-addext",
                "subjectAltName=IP:" + address,
                "-keyout",
                key.toString(),
                "-out",
                certificate.toString())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
  }

  @Test
  void open_authorityThatIsNoCertificate_saysSoInOneSentence() throws Exception {
    Path file = Files.writeString(folder.resolve("ca.pem"), "no certificate");
    assertThatThrownBy(() -> tier(URI.create("rediss://store.example"), file, 300))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith(
            "cannot use " + file + " as the authority of the shared store store.example:6379: ");
  }

  /// A server that speaks something else, endlessly or not at all.
  @Test
  void server_thatIsNoRedis_onlyMisses() throws Exception {
    for (String answer : List.of("HTTP/1.1 400 Bad Request\r\n\r\n", "$-7\r\n", "*9999\r\n", "")) {
      try (ServerSocket listening = new ServerSocket(0);
          RespTier tier = tier(URI.create("redis://127.0.0.1:" + listening.getLocalPort()))) {
        Thread.ofVirtual()
            .start(() -> {
              while (true) {
                try (Socket socket = listening.accept()) {
                  socket.getOutputStream().write(answer.getBytes(StandardCharsets.US_ASCII));
                  socket.getOutputStream().flush();
                  TimeUnit.MILLISECONDS.sleep(100);
                } catch (IOException | InterruptedException e) {
                  return;
                }
              }
            });
        for (int number = 0; number < 5; number++) {
          assertThat(load(tier, List.of(key(1), key(2)))).isZero();
          assertThat(tier.store(key(1), block(1))).isFalse();
        }
        assertThat(tier.stats().failures()).as(answer).isGreaterThanOrEqualTo(3);
      }
    }
  }
}
