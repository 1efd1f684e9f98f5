package io.kvasir.cli;

import io.kvasir.cli.load.LoadMeter;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// Options that tell how to reach a server.
final class TargetOptions {
  @Option(
      names = "--model",
      paramLabel = "NAME",
      description = "The model to ask for. Default: the server's first.")
  private @Nullable String model;

  @Option(
      names = "--api-key",
      paramLabel = "KEY",
      description = "Sent as bearer token; other users of this machine see it.")
  private @Nullable String apiKey;

  @Option(
      names = "--api-key-file",
      paramLabel = "FILE",
      description = "File whose first line is that key.")
  private @Nullable Path apiKeyFile;

  @Option(
      names = "--ca",
      paramLabel = "FILE.pem",
      description = "Certificates to trust for https instead of the JDK's.")
  private @Nullable Path authorities;

  LoadMeter open(String url) throws IOException {
    if (apiKey != null && apiKeyFile != null) {
      throw new UsageException("--api-key and --api-key-file exclude each other; give one of them");
    }
    String key = apiKey;
    if (apiKeyFile != null) {
      key = Files.readString(apiKeyFile).lines().findFirst().orElse("").strip();
    }
    return LoadMeter.open(url, key, model, tls());
  }

  private @Nullable SSLSocketFactory tls() throws IOException {
    if (authorities == null) {
      return null;
    }
    try (InputStream in = Files.newInputStream(authorities)) {
      KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
      trusted.load(null, null);
      for (Certificate each : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
        trusted.setCertificateEntry("ca" + trusted.size(), each);
      }
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(trusted);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, trust.getTrustManagers(), null);
      return context.getSocketFactory();
    } catch (GeneralSecurityException e) {
      throw new FailureException(
          "'%s' holds no certificates (%s)".formatted(authorities, e.getMessage()), e);
    }
  }
}
