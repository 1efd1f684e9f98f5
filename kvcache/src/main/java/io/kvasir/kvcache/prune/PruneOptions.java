package io.kvasir.kvcache.prune;

import java.util.ArrayList;
import java.util.List;

/// Which policy prunes a sequence and how much.
///
/// One policy, `quest`, removes nothing: rows of the answer leave out a share of the pages before
/// them, each row chooses which (Quest, arXiv 2406.10774).
///
/// @param policy a name of [#policies], or `none`
/// @param ratio share of the prunable tokens that is removed, or of the pages that are left out: 0
///   up to, not including, 1
/// @param pinnedTokens tokens from the start that stay in any case, such as a system prompt; the
///   first [PruneScope#SINKS] always do
public record PruneOptions(String policy, double ratio, int pinnedTokens) {
  private static final String NO_POLICY = "none";
  private static final String QUEST = "quest";

  /// Nothing is removed.
  public static final PruneOptions NONE = new PruneOptions(NO_POLICY, 0, 0);

  public PruneOptions {
    if (!policies().contains(policy) && !policy.equals(NO_POLICY)) {
      TokenPruners.check(policy);
    }
    if (!(ratio >= 0 && ratio < 1)) {
      throw new IllegalArgumentException(
          "the share of tokens to remove must be at least 0 and less than 1, not " + ratio);
    }
    if (pinnedTokens < 0) {
      throw new IllegalArgumentException("a negative number of pinned tokens: " + pinnedTokens);
    }
  }

  /// The names of all policies, in the order in which a comparison lists them.
  public static List<String> policies() {
    List<String> names = new ArrayList<>(TokenPruners.names());
    names.add(QUEST);
    return List.copyOf(names);
  }

  /// Reads `POLICY:RATIO`, such as `snapkv:0.5`, or `none`.
  ///
  /// @throws IllegalArgumentException naming the text and the policies
  public static PruneOptions parse(String text) {
    if (text.equals(NO_POLICY)) {
      return NONE;
    }
    int colon = text.indexOf(':');
    if (colon < 0) {
      throw malformed(text);
    }
    double ratio;
    try {
      ratio = Double.parseDouble(text.substring(colon + 1));
    } catch (NumberFormatException e) {
      throw malformed(text);
    }
    if (text.substring(0, colon).equals(NO_POLICY)) {
      throw malformed(text);
    }
    return new PruneOptions(text.substring(0, colon), ratio, 0);
  }

  private static IllegalArgumentException malformed(String text) {
    return new IllegalArgumentException(
        "cannot read '"
            + text
            + "' as POLICY:RATIO, such as snapkv:0.5; policies are "
            + String.join(", ", policies())
            + ", or none");
  }

  /// The same with so many tokens from the start pinned.
  public PruneOptions withPinned(int tokens) {
    return new PruneOptions(policy, ratio, tokens);
  }

  public boolean isNone() {
    return ratio == 0 || policy.equals(NO_POLICY);
  }

  /// Whether tokens are removed.
  public boolean drops() {
    return !isNone() && !policy.equals(QUEST);
  }

  /// Whether nothing is removed and rows of the answer leave out pages.
  public boolean skipsPages() {
    return !isNone() && policy.equals(QUEST);
  }

  /// The policy that removes tokens.
  ///
  /// @throws IllegalArgumentException where none does
  public TokenPruner pruner() {
    return TokenPruners.named(policy);
  }

  /// `POLICY:RATIO`, which [#parse] reads.
  public String text() {
    return isNone() ? NO_POLICY : policy + ":" + ratio;
  }
}
