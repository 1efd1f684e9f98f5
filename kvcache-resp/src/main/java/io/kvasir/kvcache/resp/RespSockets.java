package io.kvasir.kvcache.resp;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.JedisSocketFactory;
import redis.clients.jedis.exceptions.JedisConnectionException;

/// Opens sockets to the store, with TLS where the address says so. The server's certificate must be
/// for the name in the address.
final class RespSockets implements JedisSocketFactory {
  private final RespTierConfig config;
  private final @Nullable SSLSocketFactory tls;

  /// @throws IOException where the authority's certificate cannot be used
  RespSockets(RespTierConfig config) throws IOException {
    this.config = config;
    this.tls = config.tls() ? tls(config) : null;
  }

  @Override
  public Socket createSocket() {
    Socket plain = new Socket();
    try {
      plain.setOption(StandardSocketOptions.TCP_NODELAY, true);
      plain.setSoTimeout(config.limits().readMillis());
      plain.connect(
          new InetSocketAddress(config.uri().getHost(), config.port()),
          config.limits().connectMillis());
      return tls == null ? plain : secured(plain, tls);
    } catch (IOException e) {
      close(plain);
      throw new JedisConnectionException(
          "cannot connect to " + config.place() + ": " + e.getMessage(), e);
    }
  }

  private SSLSocket secured(Socket plain, SSLSocketFactory factory) throws IOException {
    SSLSocket socket =
        (SSLSocket) factory.createSocket(plain, config.uri().getHost(), config.port(), true);
    SSLParameters parameters = socket.getSSLParameters();
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    socket.setSSLParameters(parameters);
    socket.startHandshake();
    return socket;
  }

  private static void close(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // The connection has failed already.
    }
  }

  private static SSLSocketFactory tls(RespTierConfig config) throws IOException {
    Path authority = config.caCertificate();
    try {
      return authority == null
          ? SSLContext.getDefault().getSocketFactory()
          : trusting(authority).getSocketFactory();
    } catch (IOException | GeneralSecurityException e) {
      throw new IOException(
          "cannot use %s as the authority of the shared store %s: %s"
              .formatted(authority, config.place(), e.getMessage()),
          e);
    }
  }

  private static SSLContext trusting(Path authority) throws IOException, GeneralSecurityException {
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null, null);
    try (InputStream in = Files.newInputStream(authority)) {
      int number = 0;
      for (Certificate each : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
        trusted.setCertificateEntry("authority-" + number++, each);
      }
    }
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }
}
