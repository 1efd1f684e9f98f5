package io.kvasir.engine;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.prune.PruneNeeds;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.kvcache.prune.PruneScope;
import java.util.List;

/// How many cache blocks sequences need: soon, and at most.
final class BlockNeeds {
  /// How many blocks of an answer a sequence must have room for to start.
  private static final int BLOCKS_AHEAD = 4;

  private final KvLayout layout;
  private final int stepTokens;
  private final int contextTokens;

  BlockNeeds(KvLayout layout, int stepTokens, int contextTokens) {
    this.layout = layout;
    this.stepTokens = stepTokens;
    this.contextTokens = contextTokens;
  }

  /// Blocks that a waiting request needs soon after its start.
  long soon(Waiting next) {
    long most = (long) next.request.prompt().length + next.request.maxTokens();
    int known = next.preempted == null ? next.request.prompt().length : next.preempted.length();
    return soon(known, most, stepTokens) + whilePruned(next.request, known);
  }

  /// Blocks that running sequences will take soon beyond those they hold.
  long promised(List<Sequence> running) {
    long promised = 0;
    for (int i = 0; i < running.size(); i++) {
      Sequence sequence = running.get(i);
      BlockTable table = sequence.table();
      // A window holds a whole step only while there is one to compute.
      int chunk = Math.clamp(sequence.pending(), 1, stepTokens);
      long wanted = soon(sequence.length(), sequence.mostTokens(), chunk);
      // What pruning has freed does not come back.
      long held =
          table.pruned() == null ? table.blockCount() : layout.blocksFor(table.length(), chunk);
      promised += Math.max(0, wanted - held);
      if (sequence.untilPruned() < PrunePlan.NEVER / 2) {
        promised += whilePruned(sequence.request(), sequence.length());
      }
    }
    return promised;
  }

  /// Blocks for `known` tokens and a few blocks of what may follow, up to `most`.
  ///
  /// @param chunk most tokens that the sequence's next steps add
  private long soon(int known, long most, int chunk) {
    long ahead = (long) known + (long) BLOCKS_AHEAD * layout.blockTokens();
    return layout.blocksFor(Math.min(contextTokens, Math.min(most, ahead)), chunk);
  }

  private long blocks(long tokens) {
    return layout.blocksFor(tokens, stepTokens);
  }

  /// Blocks that a request takes at most at once.
  long most(Request request) {
    long tokens = Math.min(contextTokens, (long) request.prompt().length + request.maxTokens());
    return blocks(tokens) + whilePruned(request, tokens);
  }

  /// Blocks that a pruning of `tokens` takes beside those that it frees afterwards: for the rows
  /// that stay, of which each head may begin a block, and for a second reading.
  private long whilePruned(Request request, long tokens) {
    PruneOptions options = request.prune();
    if (!options.drops()) {
      return 0;
    }
    boolean repeats = options.pruner().needs().given() == PruneNeeds.Given.REPEAT;
    long groups = layout.groups().size();
    long pinned = (long) options.pinnedTokens() + PruneScope.RECENT;
    long kept = (long) Math.ceil((1 - options.ratio()) * tokens) + pinned;
    long pages = blocks(Math.min(tokens, kept)) + 2 * groups;
    long repeated =
        Math.min(RepeatPass.CHUNK, Math.max(RepeatPass.LEAST_ROOM, contextTokens - tokens));
    return pages + (repeats ? blocks(repeated) + 2 * groups : 0);
  }
}
