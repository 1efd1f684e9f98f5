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

  /// Separates the tenant from what a client adds in the salt of a tenant's own.
  private static final char SEPARATOR = '\0';

  /// How salts begin whose prefixes are shared within a tenant only: with others it shares neither
  /// prefixes nor the time that finding one saves. No salt of another tenant begins so.
  public static String saltOf(String tenant) {
    return tenant.isEmpty() ? "" : tenant + SEPARATOR;
  }

  /// The tenant that [#saltOf] made the beginning of a salt from; empty for other salts.
  static String tenantOf(String salt) {
    int end = salt.indexOf(SEPARATOR);
    return end < 0 ? "" : salt.substring(0, end);
  }

  public Terms withSalt(String value) {
    return new Terms(tenant, value, priority, queueNanos);
  }
}
