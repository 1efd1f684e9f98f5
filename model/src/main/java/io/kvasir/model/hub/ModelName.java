package io.kvasir.model.hub;

import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// A model on a hub as users write it: `OWNER/REPO[:SELECTOR][@REVISION]`.
///
/// @param owner user or organization
/// @param repo repository
/// @param selector a quantization such as `Q4_K_M` or a file such as `sub/model.gguf`; null: the
///   default choice of [FileChoice]
/// @param revision branch, tag or commit; `main` where none is written
public record ModelName(String owner, String repo, @Nullable String selector, String revision) {

  /// The branch that is meant where none is named.
  public static final String MAIN = "main";

  private static final int MAX_NAME = 96;
  private static final Pattern PART =
      Pattern.compile("[A-Za-z0-9_]|[A-Za-z0-9_][A-Za-z0-9._-]*[A-Za-z0-9_]");
  private static final Pattern REVISION = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._/+-]{0,254}");
  private static final Pattern SELECTOR = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._/+ -]{0,511}");

  public ModelName {
    checkPart("owner", owner);
    checkPart("repository", repo);
    if (owner.length() + repo.length() + 1 > MAX_NAME) {
      throw bad(owner + "/" + repo, "owner and repository are longer than 96 characters");
    }
    if (selector != null
        && (!SELECTOR.matcher(selector).matches() || !FileNames.isSafe(selector))) {
      throw bad(selector, "after ':' stands a quantization such as Q4_K_M or a file of the model");
    }
    if (!REVISION.matcher(revision).matches() || !FileNames.isSafe(revision)) {
      throw bad(revision, "after '@' stands a branch, a tag or a commit");
    }
  }

  /// Reads `OWNER/REPO[:SELECTOR][@REVISION]`.
  ///
  /// @throws IllegalArgumentException with a sentence for the user
  public static ModelName parse(String text) {
    String rest = text.strip();
    String revision = MAIN;
    int at = rest.lastIndexOf('@');
    if (at >= 0) {
      revision = rest.substring(at + 1);
      rest = rest.substring(0, at);
    }
    String selector = null;
    int colon = rest.indexOf(':');
    if (colon >= 0) {
      selector = rest.substring(colon + 1);
      rest = rest.substring(0, colon);
    }
    int slash = rest.indexOf('/');
    if (slash < 0 || rest.indexOf('/', slash + 1) >= 0) {
      throw bad(
          text, "write OWNER/REPO, OWNER/REPO:QUANT or OWNER/REPO:FILE, and @REVISION after it");
    }
    return new ModelName(rest.substring(0, slash), rest.substring(slash + 1), selector, revision);
  }

  /// True where `text` has the form of a hub name; says nothing about whether it exists.
  public static boolean looksLike(String text) {
    try {
      parse(text);
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  /// `OWNER/REPO`.
  public String repository() {
    return owner + "/" + repo;
  }

  /// True where the selector names a file rather than a quantization.
  public boolean selectsFile() {
    return selector != null
        && (selector.indexOf('/') >= 0 || selector.matches("(?i).*\\.(gguf|safetensors|json)"));
  }

  @Override
  public String toString() {
    return repository()
        + (selector == null ? "" : ":" + selector)
        + (revision.equals(MAIN) ? "" : "@" + revision);
  }

  private static void checkPart(String what, String part) {
    if (!PART.matcher(part).matches() || part.contains("..") || part.contains("--")) {
      throw bad(
          part,
          "the "
              + what
              + " consists of letters, digits, '-', '_' and '.', starts and ends with none of '-' and"
              + " '.', and has no '--' or '..'");
    }
  }

  private static IllegalArgumentException bad(String value, String why) {
    String shown = value.length() > 120 ? value.substring(0, 120) + "..." : value;
    return new IllegalArgumentException("'" + shown + "' is no model name: " + why);
  }
}
