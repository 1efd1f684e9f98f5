package io.kvasir.cli.load;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/// A server whose answers a test writes byte by byte.
final class ScriptedServer implements AutoCloseable {
  /// Answers one request of a connection.
  interface Script {
    /// @param body the request's body
    /// @param out the connection
    /// @return whether the connection stays open
    boolean answer(String body, OutputStream out) throws IOException, InterruptedException;
  }

  private final ServerSocket listener = new ServerSocket(0, 100, InetAddress.getLoopbackAddress());
  private final Script script;

  ScriptedServer(Script script) throws IOException {
    this.script = script;
    Thread.startVirtualThread(this::accept);
  }

  String url() {
    return "http://127.0.0.1:" + listener.getLocalPort();
  }

  LinkPool links() {
    return new LinkPool(HttpTarget.of(url(), null, null));
  }

  private void accept() {
    try {
      while (true) {
        Socket socket = listener.accept();
        socket.setTcpNoDelay(true);
        Thread.startVirtualThread(() -> serve(socket));
      }
    } catch (IOException e) {
      // Closed: the test is over.
    }
  }

  private void serve(Socket socket) {
    try (socket) {
      InputStream in = new BufferedInputStream(socket.getInputStream());
      boolean open = true;
      while (open) {
        String head = head(in);
        if (head.isEmpty()) {
          return;
        }
        int at = head.toLowerCase(java.util.Locale.ROOT).indexOf("content-length: ");
        int length = at < 0 ? 0 : Integer.parseInt(head.substring(at + 16, head.indexOf('\r', at)));
        String body = new String(in.readNBytes(length), StandardCharsets.UTF_8);
        open = script.answer(body, socket.getOutputStream());
      }
    } catch (IOException e) {
      // The client has gone.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static String head(InputStream in) throws IOException {
    StringBuilder head = new StringBuilder();
    for (int value = in.read(); value >= 0; value = in.read()) {
      head.append((char) value);
      if (head.length() > 3 && head.substring(head.length() - 4).equals("\r\n\r\n")) {
        return head.toString();
      }
    }
    return "";
  }

  static void write(OutputStream out, String text) throws IOException {
    out.write(text.getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  /// A chunk of a chunked body.
  static String chunk(String text) {
    int length = text.getBytes(StandardCharsets.UTF_8).length;
    return Integer.toHexString(length) + "\r\n" + text + "\r\n";
  }

  /// A stream of `tokens` tokens as this project's server writes it.
  static String stream(int tokens) {
    StringBuilder all = new StringBuilder();
    all.append("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < tokens; i++) {
      all.append(chunk(token("é")));
    }
    return all.append(tail(tokens)).toString();
  }

  static String token(String text) {
    return "data: {\"choices\":[{\"index\":0,\"text\":\"%s\",\"finish_reason\":null}]}\n\n"
        .formatted(text);
  }

  static String tail(int tokens) {
    String end =
        "data: {\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"length\"}]}\n\n";
    String usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":%d,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n"
            .formatted(tokens);
    return chunk(end) + chunk(usage) + chunk("data: [DONE]\n\n") + "0\r\n\r\n";
  }

  @Override
  public void close() throws IOException {
    listener.close();
  }
}
