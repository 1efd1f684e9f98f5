package io.kvasir.engine;

import io.kvasir.compute.PageSkips;
import java.util.Arrays;
import java.util.List;

/// What was pruned of a conversation in its earlier turns. A turn whose prompt begins with the same
/// tokens goes on with what is left of them, and prunes them again alike where their cache has been
/// lost. Immutable.
///
/// @param tokens those before the last event and before the end of the last range
/// @param events in order of position
/// @param skipped rows that left out pages, in order of position
@SuppressWarnings("ArrayRecordComponent") // never handed out for writing
record PruneHistory(int[] tokens, List<PruneEvent> events, List<PageSkips.Range> skipped) {

  PruneHistory {
    events = List.copyOf(events);
    skipped = List.copyOf(skipped);
  }

  /// Where the last of it ends.
  int end() {
    return tokens.length;
  }

  /// The length at which tokens were dropped last; 0 for never.
  int prunedEnd() {
    return events.isEmpty() ? 0 : events.getLast().position();
  }

  /// Whether a prompt goes on behind it: begins with its tokens and has more.
  boolean precedes(int[] prompt) {
    return prompt.length > tokens.length
        && Arrays.equals(prompt, 0, tokens.length, tokens, 0, tokens.length);
  }
}
