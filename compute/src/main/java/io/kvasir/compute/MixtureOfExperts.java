package io.kvasir.compute;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// A routed set of feed-forward networks, summed in the order of their rank for each row, plus an
/// optional network that every row takes.
///
/// @param shared the network of all rows, or null
/// @param sharedGate `[1, in]`: the shared network's output is multiplied by its sigmoid; null for
///   1
public record MixtureOfExperts(
    Linear router,
    Routing routing,
    List<FeedForward> experts,
    @Nullable FeedForward shared,
    @Nullable Linear sharedGate) {

  public MixtureOfExperts {
    experts = List.copyOf(experts);
    if (experts.size() != router.outputs()) {
      throw new IllegalArgumentException(
          "router of %d outputs for %d experts".formatted(router.outputs(), experts.size()));
    }
    routing.check(experts.size());
  }
}
