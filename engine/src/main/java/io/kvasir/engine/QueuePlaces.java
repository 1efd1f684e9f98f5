package io.kvasir.engine;

import java.util.HashMap;
import java.util.Map;

/// The places of the queue: requests that were submitted and have neither started nor ended.
///
/// There are as many as the configuration says. A tenant that fills them keeps nobody else out: one
/// that has fewer than an eighth of them is let in although all are taken, up to twice as many
/// requests in all. (Reserves for those who have little, as in the dynamic thresholds for shared
/// packet buffers of Choudhury & Hahne, IEEE/ACM Transactions on Networking 6(2), 1998.)
///
/// Safe for use by several threads.
final class QueuePlaces {
  private final int limit;
  private final int few;
  private final Map<String, Integer> taken = new HashMap<>();
  private int total;

  /// @param limit places, at least 1
  QueuePlaces(int limit) {
    this.limit = limit;
    this.few = Math.max(1, limit / 8);
  }

  /// Takes a place for a request of `tenant`.
  ///
  /// @param lastWaitSeconds how long the request that started last has waited
  /// @throws QueueFullException where there is none
  synchronized void take(String tenant, long lastWaitSeconds) {
    int own = taken.getOrDefault(tenant, 0);
    if (total >= limit && (own >= few || total >= 2L * limit)) {
      throw new QueueFullException(limit, Math.clamp(lastWaitSeconds, 1, 60));
    }
    taken.put(tenant, own + 1);
    total++;
  }

  /// Gives a place back.
  synchronized void give(String tenant) {
    taken.computeIfPresent(tenant, (name, count) -> count == 1 ? null : count - 1);
    total--;
  }

  /// Places that are taken.
  synchronized int total() {
    return total;
  }
}
