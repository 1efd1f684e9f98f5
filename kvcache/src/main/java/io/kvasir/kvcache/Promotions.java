package io.kvasir.kvcache;

import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.Offloader;
import io.kvasir.kvcache.tier.PrefixKeys;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The promotions under way in one cache: starts them, and gives their sequences what arrived.
final class Promotions {
  private final KvCache cache;
  private final KvLayout layout;
  private final NodeOffload offload;
  private final List<Promotion> active = new ArrayList<>();

  Promotions(KvCache cache, NodeOffload offload) {
    this.cache = cache;
    this.layout = cache.layout();
    this.offload = offload;
  }

  /// See [KvCache#promote].
  @Nullable Promotion start(BlockTable table, int[] prompt, long computeNanos, Runnable whenDone) {
    int blockTokens = layout.blockTokens();
    int most = (prompt.length - 1) / blockTokens;
    int from = table.length() / blockTokens;
    if (most <= from || !mayHoldNext(table, prompt, from)) {
      return null;
    }
    // What the table copied of the first wanted block stays until a read writes over it.
    int tokens = most * blockTokens - table.length();
    if (cache.reserve(table, tokens) instanceof Reservation.Insufficient) {
      return null;
    }
    List<BlockKey> keys = new ArrayList<>();
    BlockKey past = offload.key(table.tip());
    for (int index = from; index < most; index++) {
      past = offload.next(past, prompt, index * blockTokens);
      keys.add(past);
    }
    Offloader offloader = offload.offloader();
    Promotion promotion =
        new Promotion(
            table,
            prompt.clone(),
            layout,
            offloader,
            new Promotion.Terms(keys, computeNanos, whenDone));
    table.setPromotion(promotion);
    active.add(promotion);
    offloader.submit(promotion::run);
    return promotion;
  }

  /// Whether some tier may hold the block after the table's full ones, for any group.
  private boolean mayHoldNext(BlockTable table, int[] prompt, int from) {
    BlockKey past = offload.key(table.tip());
    BlockKey next = offload.next(past, prompt, from * layout.blockTokens());
    boolean anyFull = false;
    for (LayerGroup group : layout.groups()) {
      boolean steady = !group.isWindow() && cache.prefixes().keeps(group.index(), from);
      anyFull |= steady;
      if (steady && offload.offloader().mayHold(PrefixKeys.inGroup(next, group.index()))) {
        return true;
      }
    }
    // A window group may have passed this block and hold later ones, so it alone cannot tell.
    return !anyFull;
  }

  /// See [KvCache#settle].
  void settle() {
    for (int i = active.size() - 1; i >= 0; i--) {
      Promotion promotion = active.get(i);
      if (promotion.isDone()) {
        active.remove(i);
        finish(promotion);
      }
    }
  }

  private void finish(Promotion promotion) {
    BlockTable table = promotion.table();
    table.setPromotion(null);
    if (promotion.isAbandoned()) {
      promotion.settle(0);
      cache.end(table);
      return;
    }
    int before = table.length();
    int aligned = before / layout.blockTokens() * layout.blockTokens();
    if (promotion.loadedBlocks() > 0) {
      int end = aligned + promotion.loadedBlocks() * layout.blockTokens();
      cache.commitRestored(table, promotion.sequence(), end - before);
    }
    // Gives back what was reserved for more, and a copied part that a failed read has spoiled.
    boolean spoiled = promotion.loadedBlocks() == 0 && promotion.hasWritten();
    cache.truncate(table, spoiled ? aligned : table.length());
    promotion.settle(table.length() - before);
  }
}
