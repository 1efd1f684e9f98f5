package io.kvasir.sim;

/// How fast the simulated server works on one request.
///
/// @param prefillTokensPerSecond prompt tokens that are not cached
/// @param decodeTokensPerSecond tokens of the answer
public record ServiceRates(double prefillTokensPerSecond, double decodeTokensPerSecond) {
  public ServiceRates {
    if (!(prefillTokensPerSecond > 0) || !(decodeTokensPerSecond > 0)) {
      throw new IllegalArgumentException(
          "rates must be more than 0 tokens per second: prefill %s, decode %s"
              .formatted(prefillTokensPerSecond, decodeTokensPerSecond));
    }
  }
}
