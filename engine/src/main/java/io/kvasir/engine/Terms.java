package io.kvasir.engine;

/// On whose behalf a request runs, and how it stands to others.
///
/// @param tenant whose share of the engine it uses; empty for nobody in particular
/// @param salt the prompt's cache is shared only with requests of equal salt
/// @param priority lower ones start first and give way last
/// @param queueNanos longest time to wait for a start, after which the request ends with
///   [FinishReason#EXPIRED]; 0 for no limit
public record Terms(String tenant, String salt, int priority, long queueNanos) {
  public static final Terms DEFAULT = new Terms("", "", 0, 0);

  public Terms {
    if (queueNanos < 0) {
      throw new IllegalArgumentException("a wait of " + queueNanos + " ns");
    }
  }

  public Terms withSalt(String value) {
    return new Terms(tenant, value, priority, queueNanos);
  }
}
