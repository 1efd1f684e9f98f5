package io.kvasir.model.hub;

import io.kvasir.model.hub.HubException.Kind;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.UnknownHostException;
import java.net.http.HttpHeaders;
import java.net.http.HttpTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import java.security.cert.CertificateException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/// Turns what a hub or the network answers into sentences, and says which failures are worth
/// another try.
///
/// The hub names the reason in the header `X-Error-Code` (`RepoNotFound`, `RevisionNotFound`,
/// `EntryNotFound`, `GatedRepo`). Without a token it answers 401 for private and for missing
/// repositories alike, so the sentence names both.
final class HubErrors {
  private static final Pattern RATE_LIMIT_RESET = Pattern.compile("(?:^|;)\\s*t=([0-9]{1,9})");

  private final HubConfig config;

  HubErrors(HubConfig config) {
    this.config = config;
  }

  /// What an answer that is no success means for `file` (null: the repository) of `name`.
  HubException forStatus(HubHttp.Answer answer, ModelName name, @Nullable String file) {
    if (answer.status() == 407) {
      return new HubException(
          Kind.UNREACHABLE,
          "the proxy between this machine and "
              + answer.uri().getHost()
              + " asks for a password, which cannot be given: use one that does not");
    }
    if (!answer.fromHub()) {
      return new HubException(
          answer.status() == 429 ? Kind.RATE_LIMITED : Kind.SERVER,
          "the download server "
              + answer.uri().getHost()
              + " refused "
              + (file == null ? name.repository() : FileNames.shown(file))
              + " with HTTP "
              + answer.status()
              + ": try again; what has arrived is kept");
    }
    String code = answer.header("X-Error-Code");
    if (code.equals("GatedRepo")) {
      return gated(answer.status(), name);
    }
    return switch (answer.status()) {
      case 401 -> unauthorized(answer, name);
      case 403 -> forbidden(answer, name);
      case 404, 410 -> notFound(code, name, file);
      case 429 -> rateLimited(answer);
      default -> serverFailed(answer);
    };
  }

  private HubException gated(int status, ModelName name) {
    String page = config.endpoint() + "/" + name.repository();
    if (config.token() == null) {
      return new HubException(
          Kind.UNAUTHORIZED,
          name.repository()
              + " is gated: accept its terms at "
              + page
              + ", then set HF_TOKEN to an access token of that account ("
              + config.endpoint()
              + "/settings/tokens)");
    }
    return new HubException(
        status == 401 ? Kind.UNAUTHORIZED : Kind.FORBIDDEN,
        name.repository()
            + " is gated and the account of HF_TOKEN has no access to it: accept its terms at "
            + page
            + " and wait until access is granted");
  }

  private HubException unauthorized(HubHttp.Answer answer, ModelName name) {
    if (config.token() != null
        && answer.header("X-Error-Message").contains("Invalid credentials")) {
      return new HubException(
          Kind.UNAUTHORIZED,
          host()
              + " refuses the token in HF_TOKEN: unset it, or create a new one at "
              + config.endpoint()
              + "/settings/tokens");
    }
    return new HubException(
        Kind.UNAUTHORIZED,
        name.repository()
            + " does not exist on "
            + host()
            + " or is private: check the name, or set HF_TOKEN to a token "
            + (config.token() == null ? "with access to it" : "of an account with access to it"));
  }

  private HubException forbidden(HubHttp.Answer answer, ModelName name) {
    String reason = FileNames.shown(answer.header("X-Error-Message"));
    return new HubException(
        Kind.FORBIDDEN,
        host()
            + " denies access to "
            + name.repository()
            + (reason.isEmpty() ? "" : " (" + reason + ")")
            + ": "
            + (config.token() == null
                ? "set HF_TOKEN to a token of an account with access"
                : "the token in HF_TOKEN lacks the permission; see ")
            + (config.token() == null ? "" : config.endpoint() + "/" + name.repository()));
  }

  private HubException notFound(String code, ModelName name, @Nullable String file) {
    if (code.equals("EntryNotFound") || code.isEmpty() && file != null) {
      return new HubException(
          Kind.NOT_FOUND,
          name.repository()
              + " has no file '"
              + (file == null ? "" : FileNames.shown(file))
              + "' at revision "
              + name.revision());
    }
    if (code.equals("RevisionNotFound")) {
      return new HubException(
          Kind.NOT_FOUND,
          name.repository() + " has no branch, tag or commit '" + name.revision() + "'");
    }
    return new HubException(
        Kind.NOT_FOUND,
        host()
            + " has no model "
            + name.repository()
            + ": check the name"
            + (config.token() == null
                ? ", or set HF_TOKEN if it is private"
                : "; if it is private, the account of HF_TOKEN has no access"));
  }

  private HubException rateLimited(HubHttp.Answer answer) {
    Optional<Duration> pause = wantedPause(answer.headers());
    return new HubException(
        Kind.RATE_LIMITED,
        host()
            + " limits the number of requests (HTTP 429): try again "
            + pause.map(p -> "in " + p.toSeconds() + " s").orElse("in some minutes")
            + (config.token() == null ? "; a token in HF_TOKEN raises the limit" : ""));
  }

  private HubException serverFailed(HubHttp.Answer answer) {
    String reason = FileNames.shown(answer.header("X-Error-Message"));
    return new HubException(
        Kind.SERVER,
        host()
            + " answered HTTP "
            + answer.status()
            + (reason.isEmpty() ? "" : " (" + reason + ")")
            + ": try again later; what has arrived is kept");
  }

  private String host() {
    return config.endpoint().getAuthority();
  }

  /// The sentence for a request to `uri` that got no answer.
  static HubException forNetwork(IOException failure, URI uri) {
    if (failure instanceof HubException explained) {
      return explained;
    }
    String host = uri.getHost();
    String why;
    if (isUnknownHost(failure)) {
      why = "the name " + host + " cannot be resolved: check the network, DNS and HF_ENDPOINT";
    } else if (has(failure, SSLException.class)) {
      why =
          "no trusted TLS connection to "
              + host
              + " ("
              + messageOf(failure)
              + "): check the clock, the proxy and the certificates of this machine";
    } else if (failure instanceof HttpTimeoutException) {
      why = host + " did not answer in time: check the network and try again";
    } else if (has(failure, ConnectException.class)) {
      why = host + " refuses connections: check the network and HF_ENDPOINT";
    } else {
      why = "the connection to " + host + " broke (" + messageOf(failure) + "): try again";
    }
    return new HubException(Kind.UNREACHABLE, why, failure);
  }

  /// True where the same request may succeed in a moment.
  static boolean isPassing(IOException failure) {
    return !(failure instanceof HubException)
        && !isUnknownHost(failure)
        && !has(failure, SSLException.class);
  }

  /// True where a connection that worked before may work again in a moment: all but certificates
  /// that are not trusted.
  static boolean isInterruption(IOException failure) {
    return !(failure instanceof HubException) && !has(failure, CertificateException.class);
  }

  /// True where a server asks to come again.
  static boolean isPassing(int status) {
    return status == 408 || status == 429 || status >= 500 && status != 501;
  }

  /// The pause that the server asks for: `Retry-After` in seconds or as a date, or the reset time
  /// `t=` of the `RateLimit` header (IETF draft ratelimit-headers).
  static Optional<Duration> wantedPause(HttpHeaders headers) {
    Optional<String> after = headers.firstValue("Retry-After").map(String::strip);
    if (after.isPresent()) {
      String value = after.get();
      if (value.matches("[0-9]{1,9}")) {
        return Optional.of(Duration.ofSeconds(Long.parseLong(value)));
      }
      try {
        Instant then = ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
        Duration pause = Duration.between(Instant.now(), then);
        return Optional.of(pause.isNegative() ? Duration.ZERO : pause);
      } catch (DateTimeException e) {
        return Optional.empty();
      }
    }
    Matcher reset = RATE_LIMIT_RESET.matcher(headers.firstValue("RateLimit").orElse(""));
    return reset.find()
        ? Optional.of(Duration.ofSeconds(Long.parseLong(reset.group(1))))
        : Optional.empty();
  }

  private static boolean isUnknownHost(Throwable failure) {
    return has(failure, UnknownHostException.class)
        || has(failure, UnresolvedAddressException.class);
  }

  private static boolean has(Throwable failure, Class<? extends Throwable> type) {
    Throwable at = failure;
    for (int depth = 0; at != null && depth < 10; depth++) {
      if (type.isInstance(at)) {
        return true;
      }
      at = at.getCause();
    }
    return false;
  }

  private static String messageOf(Throwable failure) {
    String message = failure.getMessage();
    return message == null || message.isEmpty()
        ? failure.getClass().getSimpleName()
        : FileNames.shown(message);
  }
}
