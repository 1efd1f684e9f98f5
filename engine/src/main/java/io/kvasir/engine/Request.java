package io.kvasir.engine;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/// One thing to generate.
///
/// @param prompt token ids, at least one
/// @param maxTokens most tokens of the answer, at least one
/// @param sampling how tokens are chosen
/// @param stopTokens ids that end the answer; the id itself is not part of it
/// @param salt the prompt's cache is shared only with requests of equal salt: a tenant, for
///   example; a session's own salt counts instead where there is a session
/// @param session where the sequence's cache is kept afterwards and whose earlier tokens are
///   reused, or null to free the cache at the end
@SuppressWarnings("ArrayRecordComponent") // copied on the way in, never handed out for writing
public record Request(
    int[] prompt,
    int maxTokens,
    SamplingOptions sampling,
    Set<Integer> stopTokens,
    String salt,
    @Nullable Session session) {

  public Request {
    prompt = prompt.clone();
    salt = session == null ? salt : session.salt();
    stopTokens = Set.copyOf(stopTokens);
    if (prompt.length == 0) {
      throw new IllegalArgumentException("the prompt is empty; give at least one token");
    }
    if (maxTokens < 1) {
      throw new IllegalArgumentException(
          "the number of tokens to generate must be at least 1, not " + maxTokens);
    }
  }

  public Request(int[] prompt, int maxTokens, SamplingOptions sampling, Set<Integer> stopTokens) {
    this(prompt, maxTokens, sampling, stopTokens, "", null);
  }

  public Request(
      int[] prompt,
      int maxTokens,
      SamplingOptions sampling,
      Set<Integer> stopTokens,
      @Nullable Session session) {
    this(prompt, maxTokens, sampling, stopTokens, session == null ? "" : session.salt(), session);
  }

  /// The same request, sharing cached prefixes only with others of this salt.
  public Request withSalt(String value) {
    return new Request(prompt, maxTokens, sampling, stopTokens, value, session);
  }
}
