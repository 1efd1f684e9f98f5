package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.util.Base64;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// HTTPS with a certificate made for the test.
@Timeout(120)
final class TlsTest {
  private static final String PASSWORD = "test-password";

  @TempDir private static Path folder;
  private static TlsFiles files;
  private static KeyStore trusted;

  @BeforeAll
  static void makeCertificate() throws Exception {
    Path store = folder.resolve("store.p12");
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                "server",
                "-keyalg",
                "EC",
                "-groupname",
                "secp256r1",
                "-dname",
                "CN=localhost",
                "-ext",
                "san=dns:localhost,ip:127.0.0.1",
                "-keystore",
                store.toString(),
                "-storetype",
                "PKCS12",
                "-storepass",
                PASSWORD)
            .redirectErrorStream(true)
            .start();
    assertThat(keytool.waitFor(30, TimeUnit.SECONDS)).isTrue();
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(store)) {
      keys.load(in, PASSWORD.toCharArray());
    }
    Certificate certificate = keys.getCertificate("server");
    PrivateKey key = (PrivateKey) keys.getKey("server", PASSWORD.toCharArray());
    files =
        new TlsFiles(
            pem("CERTIFICATE", certificate.getEncoded()), pem("PRIVATE KEY", key.getEncoded()));
    trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry("server", certificate);
  }

  private static Path pem(String kind, byte[] bytes) throws IOException {
    String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(bytes);
    return Files.writeString(
        folder.resolve(kind.charAt(0) + ".pem"),
        "-----BEGIN %s-----\n%s\n-----END %s-----\n".formatted(kind, text, kind));
  }

  private static HttpClient client() throws Exception {
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return HttpClient.newBuilder().sslContext(context).build();
  }

  @Test
  void https_requestAndStream_areAnswered() throws Exception {
    try (Stories stories = Stories.start(ServerConfig.local(0).withTls(files));
        HttpClient client = client()) {
      URI uri = URI.create("https://localhost:" + stories.server.port() + "/v1/completions");
      for (String stream : new String[] {"false", "true"}) {
        String body =
            "{\"prompt\":\"Once\",\"max_tokens\":5,\"ignore_eos\":true,\"stream\":" + stream + "}";
        HttpResponse<String> answer =
            client.send(
                HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofString(body)).build(),
                HttpResponse.BodyHandlers.ofString());

        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
        assertThat(answer.body()).contains("text_completion");
      }
      // An abandoned stream frees its blocks here too.
      HttpResponse<InputStream> open =
          client.send(
              HttpRequest.newBuilder(uri)
                  .POST(
                      HttpRequest.BodyPublishers.ofString(
                          "{\"prompt\":\"Once\",\"max_tokens\":3000,\"ignore_eos\":true,\"stream\":true}"))
                  .build(),
              HttpResponse.BodyHandlers.ofInputStream());
      try (InputStream in = open.body()) {
        assertThat(in.readNBytes(100)).hasSize(100);
      }
      stories.awaitIdle();
      assertThat(stories.engine.cacheStats().heldBlocks()).isZero();
    }
  }

  @Test
  void plainHttp_onATlsPort_isRefused() throws Exception {
    try (Stories stories = Stories.start(ServerConfig.local(0).withTls(files));
        RawClient plain = new RawClient(stories.server.port());
        HttpClient client = client()) {
      assertThat(plain.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").rest())
          .doesNotContain("200 OK");
      URI uri = URI.create("https://localhost:" + stories.server.port() + "/health");
      assertThat(
              client
                  .send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.discarding())
                  .statusCode())
          .isEqualTo(200);
    }
  }

  @Test
  void files_wrong_areNamed() throws Exception {
    assertRefused(new TlsFiles(folder.resolve("none.pem"), files.key()), "none.pem");
    assertRefused(new TlsFiles(files.key(), files.key()), "holds no certificate");
    assertRefused(new TlsFiles(files.certificates(), files.certificates()), "BEGIN PRIVATE KEY");
  }

  private static void assertRefused(TlsFiles wrong, String message) {
    assertThatThrownBy(() -> Stories.start(ServerConfig.local(0).withTls(wrong)).close())
        .isInstanceOf(IOException.class)
        .hasMessageContaining(message);
  }
}
