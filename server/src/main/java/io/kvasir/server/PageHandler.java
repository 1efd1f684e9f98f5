package io.kvasir.server;

import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32C;

/// The web page: files from this module, each under its own route, read once. It may load nothing
/// from anywhere else and run no script but its own files, and no other page may frame it.
final class PageHandler {
  private static final String POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
          + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

  private static final List<String> FILES =
      List.of(
          "index.html",
          "icon.svg",
          "css/base.css",
          "css/chat.css",
          "css/cache.css",
          "js/main.js",
          "js/api.js",
          "js/chat.js",
          "js/message.js",
          "js/markdown.js",
          "js/conversation.js",
          "js/settings.js",
          "js/live.js",
          "js/cells.js",
          "js/grid.js",
          "js/sequences.js",
          "js/prefixes.js",
          "js/vitals.js",
          "js/format.js");

  private final Map<String, Asset> assets = new LinkedHashMap<>();

  @SuppressWarnings("ArrayRecordComponent") // never handed out but to be sent
  private record Asset(byte[] body, String type, String tag) {}

  PageHandler() {
    for (String file : FILES) {
      byte[] body = read(file);
      CRC32C checksum = new CRC32C();
      checksum.update(body);
      String tag = "\"%08x-%x\"".formatted(checksum.getValue(), body.length);
      assets.put(file.equals("index.html") ? "/" : "/" + file, new Asset(body, type(file), tag));
    }
  }

  private static byte[] read(String file) {
    try (InputStream in = PageHandler.class.getResourceAsStream("/web/" + file)) {
      if (in == null) {
        throw new IllegalStateException("the build lacks the page's " + file);
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String type(String file) {
    String ending = file.substring(file.lastIndexOf('.') + 1);
    return switch (ending) {
      case "html" -> "text/html; charset=utf-8";
      case "css" -> "text/css; charset=utf-8";
      case "js" -> "text/javascript; charset=utf-8";
      default -> "image/svg+xml";
    };
  }

  /// Where the page's files are; these need no key.
  Set<String> paths() {
    return assets.keySet();
  }

  void file(ServerRequest request, ServerResponse response) {
    Asset asset = assets.get(request.path().path());
    if (asset == null) {
      throw new ApiException(404, "there is no route " + request.path().path());
    }
    response.header("Content-Security-Policy", POLICY);
    response.header("X-Content-Type-Options", "nosniff");
    response.header("Referrer-Policy", "no-referrer");
    response.header("Cross-Origin-Opener-Policy", "same-origin");
    response.header(HeaderNames.CACHE_CONTROL, "no-cache");
    response.header(HeaderNames.ETAG, asset.tag());
    if (request.headers().first(HeaderNames.IF_NONE_MATCH).orElse("").equals(asset.tag())) {
      response.status(304).send();
      return;
    }
    response.header(HeaderNames.CONTENT_TYPE, asset.type());
    response.send(asset.body());
  }
}
