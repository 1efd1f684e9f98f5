package io.kvasir.server;

import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// How many conversations a server keeps for its clients, and for how long.
///
/// @param most live ones of all tenants together
/// @param mostPerTenant live ones of a tenant, and saved ones
/// @param idle how long one that nobody uses stays in memory
/// @param folder where they are saved; null for nowhere
public record SessionLimits(int most, int mostPerTenant, Duration idle, @Nullable Path folder) {
  public static final SessionLimits DEFAULT =
      new SessionLimits(1_024, 128, Duration.ofMinutes(30), null);

  public SessionLimits {
    if (most < 1 || mostPerTenant < 1) {
      throw new IllegalArgumentException(
          "at least one session must be possible, not %d and %d".formatted(most, mostPerTenant));
    }
    if (idle.isNegative() || idle.isZero()) {
      throw new IllegalArgumentException("a session must be kept for some time, not " + idle);
    }
  }

  public SessionLimits withFolder(@Nullable Path value) {
    return new SessionLimits(most, mostPerTenant, idle, value);
  }
}
