package io.kvasir.model.hub;

import io.kvasir.model.hub.HubException.Kind;
import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Asks a Hugging Face-compatible hub what a repository holds.
///
/// | Request | Answer used |
/// |---|---|
/// | `/api/models/OWNER/REPO/revision/REV` | `sha`: the commit |
/// | `/api/models/OWNER/REPO/tree/COMMIT?recursive=true`, further pages by `Link: <…>; rel="next"` | `type`, `path`, `size`, `oid` (SHA-1 of the git blob), `lfs.oid` (SHA-256 of the content), `lfs.size` |
/// | `/OWNER/REPO/resolve/COMMIT/FILE` | the content, after redirects |
///
/// Thread-safe. The token goes to the endpoint's own host only.
public final class HubClient implements AutoCloseable {
  private static final int MAX_ANSWER_BYTES = 64 << 20;
  private static final int MAX_FILES = 200_000;
  private static final int MAX_PAGES = 2_000;
  private static final Pattern NEXT = Pattern.compile("<([^>]{1,4096})>\\s*;[^,]*rel=\"?next\"?");

  private final HubConfig config;
  private final HubHttp http;
  private final HubErrors errors;

  public HubClient(HubConfig config) {
    this.config = config;
    http = new HubHttp(config);
    errors = new HubErrors(config);
  }

  public HubConfig config() {
    return config;
  }

  HubHttp http() {
    return http;
  }

  HubErrors errors() {
    return errors;
  }

  /// Reads the commit that `name`'s revision points to and all its files.
  ///
  /// @throws HubException where the hub refuses, cannot be reached or answers nonsense
  public RepoListing list(ModelName name) throws HubException, InterruptedException {
    String models = config.endpoint() + "/api/models/" + name.repository();
    Json info = read(URI.create(models + "/revision/" + encode(name.revision(), false)), name).json;
    String commit = info.get("sha") instanceof Json.Str(String sha) ? sha : "";
    if (!FileNames.isHash(commit)) {
      throw nonsense("the commit of " + name + " as '" + FileNames.shown(commit) + "'", null);
    }
    List<RemoteFile> files = new ArrayList<>();
    URI next = URI.create(models + "/tree/" + commit + "?recursive=true");
    for (int page = 0; next != null; page++) {
      if (page >= MAX_PAGES) {
        throw nonsense("more than " + MAX_PAGES + " pages of files for " + name, null);
      }
      Page answer = read(next, name);
      addFiles(answer.json, files, name);
      next = answer.next;
    }
    return new RepoListing(commit, files);
  }

  /// Where the content of `file` is at `commit`.
  URI contentUri(ModelName name, String commit, RemoteFile file) {
    return URI.create(
        config.endpoint()
            + "/"
            + name.repository()
            + "/resolve/"
            + commit
            + "/"
            + encode(file.path(), true));
  }

  private record Page(Json json, @Nullable URI next) {}

  private Page read(URI uri, ModelName name) throws HubException, InterruptedException {
    for (int failures = 1; ; failures++) {
      boolean last = failures >= config.transfer().attempts();
      HubException failed;
      Optional<Duration> wanted = Optional.empty();
      try (HubHttp.Answer answer = http.get(uri, null)) {
        if (answer.isSuccess()) {
          return parse(answer, uri);
        }
        failed = errors.forStatus(answer, name, null);
        wanted = HubErrors.wantedPause(answer.headers());
        last |= !HubErrors.isPassing(answer.status());
      } catch (IOException e) {
        failed = HubErrors.forNetwork(e, uri);
        last |= !HubErrors.isPassing(e);
      }
      if (last || !http.pause(failures, wanted)) {
        throw failed;
      }
    }
  }

  private Page parse(HubHttp.Answer answer, URI uri) throws IOException {
    byte[] body = http.readBody(answer, MAX_ANSWER_BYTES + 1);
    if (body.length > MAX_ANSWER_BYTES) {
      throw nonsense("more than " + (MAX_ANSWER_BYTES >> 20) + " MiB for one page of files", null);
    }
    try {
      Json json = Json.parse(new String(body, StandardCharsets.UTF_8));
      return new Page(json, nextPage(answer, uri));
    } catch (JsonException e) {
      throw nonsense("no JSON (" + e.getMessage() + "); check HF_ENDPOINT", e);
    }
  }

  /// The next page, always on the endpoint's own host: a mirror may pass on links to the origin.
  private @Nullable URI nextPage(HubHttp.Answer answer, URI uri) throws HubException {
    for (String link : answer.headers().allValues("Link")) {
      Matcher next = NEXT.matcher(link);
      if (next.find()) {
        try {
          URI target = uri.resolve(next.group(1));
          String query = target.getRawQuery() == null ? "" : "?" + target.getRawQuery();
          return uri.resolve(target.getRawPath() + query);
        } catch (IllegalArgumentException e) {
          throw nonsense("a link that is no address: " + FileNames.shown(next.group(1)), e);
        }
      }
    }
    return null;
  }

  private void addFiles(Json page, List<RemoteFile> files, ModelName name) throws HubException {
    try {
      for (Json entry : page.asList()) {
        if (!"file".equals(entry.stringOr("type", "file"))) {
          continue;
        }
        if (files.size() >= MAX_FILES) {
          throw nonsense("more than " + MAX_FILES + " files in " + name, null);
        }
        Json lfs = entry.get("lfs");
        boolean large = lfs.has("oid");
        files.add(
            new RemoteFile(
                entry.get("path").asString(),
                large && lfs.has("size") ? lfs.get("size").asLong() : entry.get("size").asLong(),
                large ? lfs.get("oid").asString() : entry.get("oid").asString()));
      }
    } catch (JsonException e) {
      throw nonsense("a file list that is none (" + e.getMessage() + ")", e);
    } catch (IllegalArgumentException e) {
      throw new HubException(
          Kind.UNSAFE,
          config.endpoint().getAuthority()
              + " lists an "
              + e.getMessage()
              + " in "
              + name
              + ": nothing was downloaded",
          e);
    }
  }

  private HubException nonsense(String what, @Nullable Throwable cause) {
    return new HubException(
        Kind.SERVER, config.endpoint().getAuthority() + " answers with " + what, cause);
  }

  /// Percent-encodes all but the unreserved characters of RFC 3986, and `/` where told.
  private static String encode(String text, boolean keepSlash) {
    StringBuilder out = new StringBuilder(text.length() + 16);
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      char c = (char) (b & 0xff);
      boolean plain = c < 0x80 && (Character.isLetterOrDigit(c) || "-._~".indexOf(c) >= 0);
      if (plain || keepSlash && c == '/') {
        out.append(c);
      } else {
        out.append(String.format("%%%02X", (int) c));
      }
    }
    return out.toString();
  }

  @Override
  public void close() {
    http.close();
  }
}
