package io.kvasir.server;

import io.kvasir.engine.Engine;
import io.kvasir.kvcache.CacheView;
import io.kvasir.kvcache.KvCacheStats;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.tier.OffloadStats;
import io.kvasir.kvcache.tier.TierStats;
import io.kvasir.model.tokenizer.Detokenizer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// How frames look on the wire for one watcher: what changed since the frame before.
///
/// Cells are packed: runs of `start, count` (each u32) followed by `count` cells of 12 bytes:
/// state, references (at most 255), tokens, layer group (each u8), hits and last use (each u32);
/// all little endian, in Base64. A table is told by what follows the blocks that it had before.
/// Used by one thread.
final class FrameForm {
  private static final int CELL_BYTES = 12;
  private static final int RUN_BYTES = 8;
  private static final long PREFIX_NANOS = 400_000_000;

  private final ServedModel model;
  private final String tenant;
  private @Nullable CacheView before;
  private List<CacheView.Prefix> prefixes = List.of();
  private long prefixNanos;

  FrameForm(ServedModel model, String tenant) {
    this.model = model;
    this.tenant = tenant;
  }

  /// The frame as an event. The first tells everything.
  ObjectNode event(CacheFrame frame, Pace pace) {
    CacheView now = frame.view();
    CacheView last = before;
    ObjectNode node = Wire.object().put("seq", frame.sequence()).put("full", last == null);
    if (last == null) {
      describe(node, now);
    }
    String cells = cells(last, now);
    if (!cells.isEmpty()) {
      node.put("cells", cells);
    }
    ObjectNode counts = node.putObject("states");
    for (CacheView.State state : CacheView.State.values()) {
      counts.put(state.name().toLowerCase(Locale.ROOT), now.count(state));
    }
    tables(node, last, now);
    if (last == null
        || frame.nanos() - prefixNanos >= PREFIX_NANOS && !same(prefixes, now.prefixes())) {
      prefixes(node, now.prefixes());
      prefixNanos = frame.nanos();
    }
    vitals(node, frame, pace);
    before = now;
    return node;
  }

  private void describe(ObjectNode node, CacheView now) {
    Engine engine = model.engine();
    node.put("model", model.name());
    node.put("context_tokens", engine.contextTokens());
    node.put("capacity_blocks", now.capacityBlocks());
    node.put("block_tokens", now.blockTokens());
    node.put("block_bytes", engine.layout().blockBytes());
    ArrayNode groups = node.putArray("groups");
    for (LayerGroup group : engine.layout().groups()) {
      groups.addObject().put("layers", group.layers().size()).put("window", group.window());
    }
  }

  /// Runs of the cells that differ; all of them where there is no frame before.
  static String cells(@Nullable CacheView before, CacheView now) {
    int capacity = now.capacityBlocks();
    ByteBuffer out =
        ByteBuffer.allocate(capacity * (CELL_BYTES + RUN_BYTES)).order(ByteOrder.LITTLE_ENDIAN);
    int block = 0;
    while (block < capacity) {
      if (before != null && same(before, now, block)) {
        block++;
        continue;
      }
      int at = out.position();
      int start = block;
      out.putInt(start).putInt(0);
      while (block < capacity && (before == null || !same(before, now, block))) {
        cell(out, now, block++);
      }
      out.putInt(at + 4, block - start);
    }
    byte[] bytes = Arrays.copyOf(out.array(), out.position());
    return Base64.getEncoder().encodeToString(bytes);
  }

  private static void cell(ByteBuffer out, CacheView now, int block) {
    out.put((byte) now.stateCode(block));
    out.put((byte) Math.min(255, now.references(block)));
    out.put((byte) now.tokens(block));
    out.put((byte) now.group(block));
    out.putInt(now.hits(block));
    out.putInt(now.lastUse(block));
  }

  private static boolean same(CacheView a, CacheView b, int block) {
    return a.stateCode(block) == b.stateCode(block)
        && a.references(block) == b.references(block)
        && a.tokens(block) == b.tokens(block)
        && a.group(block) == b.group(block)
        && a.hits(block) == b.hits(block)
        && a.lastUse(block) == b.lastUse(block);
  }

  private static void tables(ObjectNode node, @Nullable CacheView before, CacheView now) {
    Map<Long, CacheView.Table> old = new HashMap<>();
    if (before != null) {
      before.tables().forEach(table -> old.put(table.id(), table));
    }
    ObjectNode tables = node.putObject("tables").put("count", now.tableCount());
    ArrayNode changed = tables.putArray("changed");
    for (CacheView.Table table : now.tables()) {
      CacheView.Table was = old.remove(table.id());
      if (was == null || !same(was, table)) {
        table(changed.addObject(), was, table);
      }
    }
    ArrayNode gone = tables.putArray("gone");
    old.keySet().stream().sorted().forEach(gone::add);
  }

  private static boolean same(CacheView.Table a, CacheView.Table b) {
    return a.length() == b.length()
        && a.reserved() == b.reserved()
        && a.inTransfer() == b.inTransfer()
        && Arrays.equals(a.first(), b.first())
        && Arrays.deepEquals(a.blocks(), b.blocks());
  }

  private static void table(ObjectNode node, CacheView.@Nullable Table was, CacheView.Table now) {
    node.put("id", now.id()).put("length", now.length()).put("reserved", now.reserved());
    node.put("moving", now.inTransfer());
    ArrayNode groups = node.putArray("groups");
    for (int g = 0; g < now.blocks().length; g++) {
      int[] blocks = now.blocks()[g];
      int kept = 0;
      if (was != null && was.first()[g] == now.first()[g]) {
        int differs = Arrays.mismatch(was.blocks()[g], blocks);
        kept = differs < 0 ? blocks.length : differs;
      }
      ObjectNode group = groups.addObject().put("first", now.first()[g]).put("keep", kept);
      ArrayNode add = group.putArray("add");
      for (int i = kept; i < blocks.length; i++) {
        add.add(blocks[i]);
      }
    }
  }

  private static boolean same(List<CacheView.Prefix> a, List<CacheView.Prefix> b) {
    boolean same = a.size() == b.size();
    for (int i = 0; same && i < a.size(); i++) {
      CacheView.Prefix one = a.get(i);
      CacheView.Prefix other = b.get(i);
      same =
          one.parent() == other.parent()
              && one.tokens() == other.tokens()
              && one.below() == other.below()
              && one.hits() == other.hits()
              && one.references() == other.references()
              && one.children() == other.children()
              && Arrays.equals(one.head(), other.head());
    }
    return same;
  }

  private void prefixes(ObjectNode node, List<CacheView.Prefix> now) {
    prefixes = now;
    ArrayNode list = node.putArray("prefixes");
    for (CacheView.Prefix prefix : now) {
      ObjectNode item = list.addObject().put("parent", prefix.parent());
      item.put("position", prefix.position()).put("tokens", prefix.tokens());
      item.put("below", prefix.below()).put("hits", prefix.hits());
      item.put("references", prefix.references()).put("children", prefix.children());
      String salt = prefix.salt();
      item.put("salted", salt != null && !salt.isEmpty());
      if (salt != null && Tenancy.maySee(tenant, salt)) {
        item.put("text", text(prefix));
      }
    }
  }

  private String text(CacheView.Prefix prefix) {
    Detokenizer detokenizer =
        prefix.position() == 0
            ? new Detokenizer(model.tokenizer(), false)
            : Detokenizer.continuing(model.tokenizer(), false);
    StringBuilder text = new StringBuilder();
    for (int token : prefix.head()) {
      text.append(detokenizer.append(token));
    }
    return text.toString();
  }

  private static void vitals(ObjectNode node, CacheFrame frame, Pace pace) {
    node.putObject("engine")
        .put("running", frame.engine().load().running())
        .put("waiting", frame.engine().load().waiting())
        .put("preemptions", frame.engine().load().preemptions());
    KvCacheStats.Counters counters = frame.engine().cache().counters();
    node.putObject("counters")
        .put("lookups", counters.lookups())
        .put("lookup_tokens", counters.lookupTokens())
        .put("hit_tokens", counters.hitTokens())
        .put("evicted_blocks", counters.evictedBlocks())
        .put("generated_tokens", pace.tokens());
    node.put("resident_bytes", frame.engine().cache().residentBytes());
    percentiles(node.putObject("first_token"), pace.firstToken());
    percentiles(node.putObject("between_tokens"), pace.nextToken());
    ArrayNode tiers = node.putArray("tiers");
    OffloadStats offload = frame.engine().offload();
    if (offload != null) {
      for (OffloadStats.NamedTier tier : offload.tiers()) {
        TierStats stats = tier.stats();
        tiers
            .addObject()
            .put("name", tier.name())
            .put("blocks", stats.blocks())
            .put("bytes", stats.bytes())
            .put("capacity_bytes", stats.capacityBytes())
            .put("hits", stats.hits())
            .put("misses", stats.misses())
            .put("stored", stats.stored());
      }
    }
  }

  private static void percentiles(ObjectNode node, Pace.Percentiles values) {
    node.put("p50", values.p50()).put("p95", values.p95()).put("p99", values.p99());
  }
}
