package io.kvasir.engine;

import io.kvasir.compute.PageBounds;
import io.kvasir.compute.PageSkips;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
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
  private final PageBounds bounds;
  private final ScorePlaces scores;

  BlockNeeds(KvLayout layout, int stepTokens, int contextTokens) {
    this.layout = layout;
    this.stepTokens = stepTokens;
    this.contextTokens = contextTokens;
    this.bounds = new PageBounds(layout);
    this.scores = new ScorePlaces(layout);
  }

  /// Blocks of the margin that a sequence needs to compute its rows up to position `end - 1`.
  int margin(Sequence sequence, int end) {
    PrunePlan plan = sequence.plan();
    if (plan.next() != null && plan.isScored()) {
      int scored = Math.min(end, plan.nextPosition());
      return scores.base(plan) + scores.blocks(sequence.table().pruned(), scored);
    }
    PageSkips skips = plan.skips();
    return skips == null ? 0 : bounds.blocks(skips.marginPages(end));
  }

  private long margin(Request request, long tokens) {
    PruneOptions options = request.prune();
    if (options.skipsPages()) {
      return bounds.blocks(PageSkips.pages((int) tokens));
    }
    boolean scored = options.drops() && options.pruner().needs().given() == PruneNeeds.Given.LINEAR;
    return scored ? scores.blocks(null, (int) Math.min(tokens, request.prompt().length)) : 0;
  }

  /// Blocks that a waiting request needs soon after its start.
  long soon(Waiting next) {
    long most = (long) next.request.prompt().length + next.request.maxTokens();
    int known = next.preempted == null ? next.request.prompt().length : next.preempted.length();
    long wished = soon(known, most, stepTokens) + whilePruned(next.request, known);
    wished += margin(next.request, ahead(known, most));
    // Alone it can be pruned in less.
    return Math.min(wished, most(next.request));
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
      int end = (int) ahead(sequence.length(), sequence.mostTokens());
      promised += Math.max(0, margin(sequence, end) - table.marginBlocks());
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
    return layout.blocksFor(ahead(known, most), chunk);
  }

  private long ahead(int known, long most) {
    long ahead = (long) known + (long) BLOCKS_AHEAD * layout.blockTokens();
    return Math.min(contextTokens, Math.min(most, ahead));
  }

  private long blocks(long tokens) {
    return layout.blocksFor(tokens, stepTokens);
  }

  /// Blocks that a request takes at most at once where nobody else holds any: a sequence that
  /// nobody shares blocks with is pruned in the room of its own, by way of memory beside the cache.
  long most(Request request) {
    long tokens = Math.min(contextTokens, (long) request.prompt().length + request.maxTokens());
    PruneOptions options = request.prune();
    if (!options.drops()) {
      return blocks(tokens) + margin(request, tokens);
    }
    long apart = whilePruned(request, tokens);
    if (apart * layout.blockBytes() > KvCache.STAGE_BYTES) {
      return blocks(tokens) + apart + margin(request, tokens);
    }
    long read = repeats(options) ? Math.min(contextTokens, tokens + RepeatPass.CHUNK) : tokens;
    return blocks(read) + besidesPruned(layout) + margin(request, tokens);
  }

  /// Blocks that a sequence of full length needs, however it is pruned or read.
  static long whole(KvLayout layout, int contextTokens, int stepTokens) {
    PageBounds bounds = new PageBounds(layout);
    long margin = bounds.fit() ? bounds.blocks(PageSkips.pages(contextTokens)) : 0;
    long pruned = besidesPruned(layout) + new ScorePlaces(layout).blocks(null, contextTokens);
    return layout.blocksFor(contextTokens, stepTokens) + Math.max(margin, pruned);
  }

  /// Blocks that pruning takes beside those of all rows: pages that are not full, the last blocks
  /// of a second reading, and its own windows.
  private static long besidesPruned(KvLayout layout) {
    long blocks = 2L * layout.groups().size();
    for (LayerGroup group : layout.groups()) {
      blocks += group.isWindow() ? group.mostBlocks(1, layout.blockTokens()) : 0;
    }
    return blocks;
  }

  private static boolean repeats(PruneOptions options) {
    return options.pruner().needs().given() == PruneNeeds.Given.REPEAT;
  }

  /// Blocks that a pruning of `tokens` takes beside those that it frees afterwards: for the rows
  /// that stay, of which each head may begin a block, and for a second reading.
  private long whilePruned(Request request, long tokens) {
    PruneOptions options = request.prune();
    if (!options.drops()) {
      return 0;
    }
    long groups = layout.groups().size();
    long pinned = (long) options.pinnedTokens() + PruneScope.RECENT;
    long kept = (long) Math.ceil((1 - options.ratio()) * tokens) + pinned;
    long pages = blocks(Math.min(tokens, kept)) + 2 * groups;
    long repeated =
        Math.min(RepeatPass.CHUNK, Math.max(RepeatPass.LEAST_ROOM, contextTokens - tokens));
    return pages + (repeats(options) ? blocks(repeated) + 2 * groups : 0);
  }
}
