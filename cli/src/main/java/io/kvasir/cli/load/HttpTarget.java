package io.kvasir.cli.load;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/// A server, and how to reach it.
///
/// @param path what its routes are behind, empty or without a slash at the end
/// @param key sent as bearer token; null for none
/// @param tls how to speak TLS; null for plain HTTP
record HttpTarget(
    String host, int port, String path, @Nullable String key, @Nullable SSLSocketFactory tls) {

  private static final int CONNECT_MILLIS = 10_000;

  /// Reads `http://host:port`, with or without `/v1` behind it.
  ///
  /// @param tls for `https`; null for the JDK's
  /// @throws IllegalArgumentException where it is no such URL
  static HttpTarget of(String url, @Nullable String key, @Nullable SSLSocketFactory tls) {
    URI uri;
    try {
      uri = new URI(url.contains("://") ? url : "http://" + url);
    } catch (URISyntaxException e) {
      throw wrong(url);
    }
    boolean secure = "https".equals(uri.getScheme());
    if (uri.getHost() == null || !secure && !"http".equals(uri.getScheme())) {
      throw wrong(url);
    }
    String path = uri.getRawPath() == null ? "" : uri.getRawPath();
    path = path.replaceFirst("/+$", "").replaceFirst("/v1$", "");
    if (key != null && !key.chars().allMatch(c -> c > ' ' && c < 127)) {
      throw new IllegalArgumentException("the API key must consist of visible ASCII characters");
    }
    int port = uri.getPort() > 0 ? uri.getPort() : secure ? 443 : 80;
    SSLSocketFactory trust = tls == null ? (SSLSocketFactory) SSLSocketFactory.getDefault() : tls;
    return new HttpTarget(uri.getHost(), port, path, key, secure ? trust : null);
  }

  private static IllegalArgumentException wrong(String url) {
    return new IllegalArgumentException(
        "'" + url + "' is no URL of a server, such as http://127.0.0.1:8080");
  }

  /// The server's address without a path.
  String origin() {
    return (tls == null ? "http://" : "https://") + host + ":" + port;
  }

  Socket connect() throws IOException {
    String name = host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
    Socket socket = new Socket();
    socket.setTcpNoDelay(true);
    socket.connect(new InetSocketAddress(name, port), CONNECT_MILLIS);
    if (tls == null) {
      return socket;
    }
    SSLSocket secure = (SSLSocket) tls.createSocket(socket, name, port, true);
    SSLParameters parameters = secure.getSSLParameters();
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    secure.setSSLParameters(parameters);
    secure.startHandshake();
    return secure;
  }

  /// Head and body of a request in one piece, so that it leaves in one write.
  ///
  /// @param body JSON; null for none
  byte[] request(String method, String route, byte @Nullable [] body) {
    StringBuilder head = new StringBuilder(256);
    head.append(method).append(' ').append(path).append(route).append(" HTTP/1.1\r\n");
    head.append("Host: ").append(host).append(':').append(port).append("\r\n");
    head.append("User-Agent: kvasir-bench\r\nAccept: */*\r\n");
    if (key != null) {
      head.append("Authorization: Bearer ").append(key).append("\r\n");
    }
    if (body != null) {
      head.append("Content-Type: application/json\r\nContent-Length: ");
      head.append(body.length).append("\r\n");
    }
    byte[] start = head.append("\r\n").toString().getBytes(StandardCharsets.US_ASCII);
    byte[] all = new byte[start.length + (body == null ? 0 : body.length)];
    System.arraycopy(start, 0, all, 0, start.length);
    if (body != null) {
      System.arraycopy(body, 0, all, start.length, body.length);
    }
    return all;
  }

  /// All but the key.
  @Override
  public String toString() {
    return origin() + path;
  }
}
