package io.kvasir.compute.cpu;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.PageBounds;
import io.kvasir.compute.PageSkips;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KeptTokens;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.format.RowBasis;
import io.kvasir.kvcache.tier.KvStorage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// One kind of attention, run over sequences in steps as an engine would.
///
/// @param mla values are the first `valueDim` elements of the key rows
@SuppressWarnings("ArrayRecordComponent") // rows of a test, never compared
record AttentionCase(
    int heads,
    int kvHeads,
    int keyDim,
    int valueDim,
    boolean mla,
    int window,
    float softcap,
    boolean sinks,
    KvFormat format,
    ExactRows exact) {

  /// A case without exact rows beside the codes.
  AttentionCase(
      int heads,
      int kvHeads,
      int keyDim,
      int valueDim,
      boolean mla,
      int window,
      float softcap,
      boolean sinks,
      KvFormat format) {
    this(heads, kvHeads, keyDim, valueDim, mla, window, softcap, sinks, format, ExactRows.NONE);
  }

  static AttentionCase of(int heads, int kvHeads, int dim, KvFormat format) {
    return new AttentionCase(heads, kvHeads, dim, dim, false, 0, 0, false, format);
  }

  /// The same with exact rows.
  AttentionCase with(ExactRows rows) {
    return new AttentionCase(
        heads, kvHeads, keyDim, valueDim, mla, window, softcap, sinks, format, rows);
  }

  /// Whether rows are more than plain numbers.
  boolean isCoded() {
    return format.rowBasis() != RowBasis.PLAIN || tile() > 1;
  }

  /// Tokens that the format encodes at once.
  int tile() {
    return Math.max(format.tileTokens(PlaneKind.KEYS), format.tileTokens(PlaneKind.VALUES));
  }

  /// The layout with blocks of about `blockTokens` positions, such as the format can have.
  private KvLayout layout(int blockTokens) {
    int blocks = (blockTokens + tile() - 1) / tile() * tile();
    return KvLayout.of(List.of(layer(), layer()), blocks);
  }

  private LayerKv layer() {
    return new LayerKv(kvHeads, keyDim, mla ? 0 : valueDim, window, format, format, exact);
  }

  /// Means of the keys of the two layers, for formats that centre.
  private KvProfile profile() {
    SplittableRandom random = new SplittableRandom(5);
    float[][][] means = new float[2][kvHeads][];
    for (float[][] layer : means) {
      for (int head = 0; head < kvHeads; head++) {
        layer[head] = Seeds.normal(random, keyDim, 1);
      }
    }
    return new KvProfile("test", means);
  }

  /// The rows of one sequence.
  ///
  /// @param skips which of them leave pages out, or null
  record Rows(int length, float[] q, float[] k, float[] v, @Nullable PageSkips skips) {
    Rows(int length, float[] q, float[] k, float[] v) {
      this(length, q, k, v, null);
    }

    /// The same of which the rows from `from` on leave out a share of pages.
    Rows skipping(int from, double ratio) {
      PageSkips.Range range = new PageSkips.Range(from, Integer.MAX_VALUE, ratio);
      return new Rows(length, q, k, v, new PageSkips(List.of(range)));
    }
  }

  Rows rows(int length, SplittableRandom random) {
    return new Rows(
        length,
        Seeds.normal(random, length * heads * keyDim, 1),
        Seeds.normal(random, length * kvHeads * keyDim, 1),
        Seeds.normal(random, length * kvHeads * valueDim, 1));
  }

  /// Attention of all rows of each sequence, `chunk` rows of each a step, all sequences together.
  /// The sequence's memory is poisoned before it is written.
  List<float[]> run(Backend backend, int blockTokens, int chunk, List<Rows> sequences) {
    KvLayout layout = layout(blockTokens);
    int blocks = 0;
    for (Rows rows : sequences) {
      blocks += layout.groups().size() * (rows.length() / blockTokens + 2);
      blocks += margin(layout, rows, rows.length());
    }
    KvStorage storage = backend.storage(layout.blockBytes(), blocks);
    poison(storage);
    List<float[]> results = new ArrayList<>();
    try (KvCache cache = new KvCache(new KvCacheConfig(layout, blocks), storage)) {
      List<BlockTable> tables = new ArrayList<>();
      for (Rows rows : sequences) {
        tables.add(cache.open());
        results.add(new float[rows.length() * heads * valueDim]);
      }
      AttentionMetadata batch = new AttentionMetadata(layout, storage, profile());
      while (step(backend, cache, batch, tables, chunk, sequences, results)) {
        cache.verify();
      }
    }
    return results;
  }

  /// The sequence `beginning`'s first `length` rows, then this one's.
  Rows after(Rows beginning, int length, Rows own) {
    return new Rows(
        length + own.length(),
        joined(beginning.q(), length * heads * keyDim, own.q()),
        joined(beginning.k(), length * kvHeads * keyDim, own.k()),
        joined(beginning.v(), length * kvHeads * valueDim, own.v()));
  }

  private static float[] joined(float[] first, int count, float[] second) {
    float[] all = Arrays.copyOf(first, count + second.length);
    System.arraycopy(second, 0, all, count, second.length);
    return all;
  }

  /// Decodes sequences together whose first `shared.get(i)` positions are forked from the first
  /// sequence, in the order in which their blocks stand beside each other. Returns each one's rows
  /// behind what it shares; the first sequence is computed up to its end before.
  List<float[]> runForked(
      Backend backend, int blockTokens, List<Rows> sequences, List<Integer> shared) {
    KvLayout layout = layout(blockTokens);
    int blocks = 0;
    for (Rows rows : sequences) {
      blocks += layout.groups().size() * (rows.length() / blockTokens + 3);
    }
    KvStorage storage = backend.storage(layout.blockBytes(), blocks);
    poison(storage);
    List<float[]> results = new ArrayList<>();
    try (KvCache cache = new KvCache(new KvCacheConfig(layout, blocks), storage)) {
      AttentionMetadata batch = new AttentionMetadata(layout, storage, profile());
      List<BlockTable> tables = new ArrayList<>(List.of(cache.open()));
      results.add(new float[sequences.getFirst().length() * heads * valueDim]);
      while (step(backend, cache, batch, tables, 100, sequences.subList(0, 1), results)) {}
      for (int i = 1; i < sequences.size(); i++) {
        KvCache.Forked forked = cache.fork(tables.getFirst());
        BlockTable table = ((KvCache.Forked.Table) forked).table();
        if (cache.truncate(table, shared.get(i)) != shared.get(i)) {
          throw new IllegalStateException("the fork lost positions");
        }
        tables.add(table);
        results.add(new float[sequences.get(i).length() * heads * valueDim]);
      }
      while (step(backend, cache, batch, tables, 1, sequences, results)) {
        cache.verify();
      }
    }
    return results;
  }

  /// The rows of a sequence that is pruned once: after `pruned` positions, of which each head keeps
  /// some of its own, the rest is computed `chunk` rows a step. All blocks have 64 positions.
  float[] runPruned(Backend backend, int pruned, int chunk, Rows rows) {
    KvLayout layout = layout(64);
    int blocks = layout.groups().size() * (rows.length() / 64 + 4) + 64;
    KvStorage storage = backend.storage(layout.blockBytes(), blocks);
    poison(storage);
    List<float[]> results = List.of(new float[rows.length() * heads * valueDim]);
    try (KvCache cache = new KvCache(new KvCacheConfig(layout, blocks), storage)) {
      List<BlockTable> tables = List.of(cache.open());
      AttentionMetadata batch = new AttentionMetadata(layout, storage, profile());
      List<Rows> before = List.of(new Rows(pruned, rows.q(), rows.k(), rows.v()));
      while (step(backend, cache, batch, tables, 100, before, results)) {}
      SplittableRandom random = new SplittableRandom(11);
      int[][][] kept = new int[2][kvHeads][];
      for (int[][] layer : kept) {
        for (int head = 0; head < kvHeads; head++) {
          double share = random.nextDouble();
          layer[head] =
              IntStream.range(0, pruned).filter(i -> random.nextDouble() < share).toArray();
        }
      }
      if (cache.prune(tables.getFirst(), new KeptTokens(pruned, kept))
          instanceof Reservation.Insufficient) {
        throw new IllegalStateException("no room to prune");
      }
      while (step(backend, cache, batch, tables, chunk, List.of(rows), results)) {
        cache.verify();
      }
    }
    return Arrays.copyOfRange(
        results.getFirst(), pruned * heads * valueDim, results.getFirst().length);
  }

  /// Blocks for the bounds of pages before rows up to position `end - 1` are computed.
  private static int margin(KvLayout layout, Rows rows, int end) {
    PageSkips skips = rows.skips();
    return skips == null ? 0 : new PageBounds(layout).blocks(skips.marginPages(end));
  }

  private static void poison(KvStorage storage) {
    io.kvasir.kvcache.tier.HostStorage host = (io.kvasir.kvcache.tier.HostStorage) storage;
    for (int block = 0; block < host.blockCount(); block++) {
      host.segment(block)
          .asSlice(host.offset(block), host.blockBytes())
          .fill((byte) 0xff); // NaN in every format
    }
  }

  private boolean step(
      Backend backend,
      KvCache cache,
      AttentionMetadata batch,
      List<BlockTable> tables,
      int chunk,
      List<Rows> sequences,
      List<float[]> results) {
    batch.clear();
    List<Integer> members = new ArrayList<>();
    List<Integer> counts = new ArrayList<>();
    int total = 0;
    for (int s = 0; s < sequences.size(); s++) {
      int count = Math.min(chunk, sequences.get(s).length() - tables.get(s).length());
      if (count > 0) {
        if (cache.reserve(tables.get(s), count) instanceof Reservation.Insufficient) {
          throw new IllegalStateException("cache too small");
        }
        int margin = margin(cache.layout(), sequences.get(s), tables.get(s).length() + count);
        if (cache.reserveMargin(tables.get(s), margin) instanceof Reservation.Insufficient) {
          throw new IllegalStateException("cache too small for bounds");
        }
        batch.add(tables.get(s), count, sequences.get(s).skips());
        members.add(s);
        counts.add(count);
        total += count;
      }
    }
    if (total == 0) {
      return false;
    }
    HostBuffer q = HostBuffer.allocate(total, heads * keyDim);
    HostBuffer k = HostBuffer.allocate(total, kvHeads * keyDim);
    HostBuffer v = HostBuffer.allocate(total, kvHeads * valueDim);
    HostBuffer out = HostBuffer.allocate(total, heads * valueDim);
    for (int i = 0; i < members.size(); i++) {
      Rows rows = sequences.get(members.get(i));
      int from = tables.get(members.get(i)).length();
      copy(rows.q(), from, q, batch.firstRow(i), counts.get(i));
      copy(rows.k(), from, k, batch.firstRow(i), counts.get(i));
      copy(rows.v(), from, v, batch.firstRow(i), counts.get(i));
    }
    backend.attend(batch, spec(), q, k, mla ? null : v, out);
    for (int i = 0; i < members.size(); i++) {
      int columns = out.columns();
      BlockTable table = tables.get(members.get(i));
      System.arraycopy(
          out.values(),
          batch.firstRow(i) * columns,
          results.get(members.get(i)),
          table.length() * columns,
          counts.get(i) * columns);
      cache.commit(table, counts.get(i));
    }
    return true;
  }

  private static void copy(float[] source, int fromRow, HostBuffer target, int toRow, int count) {
    int columns = target.columns();
    System.arraycopy(source, fromRow * columns, target.values(), toRow * columns, count * columns);
  }

  private AttentionSpec spec() {
    return new AttentionSpec(
        1,
        heads,
        kvHeads,
        keyDim,
        valueDim,
        (float) (1 / Math.sqrt(keyDim)),
        softcap,
        sinks ? sinkLogits() : null,
        sinks && !mla ? slopes() : null);
  }

  /// A bias by distance goes along with sinks, so that both kinds of case occur with and without.
  private HostBuffer slopes() {
    float[] slopes = new float[heads];
    for (int h = 0; h < heads; h++) {
      slopes[h] = (float) Math.pow(2, -h - 1);
    }
    return new HostBuffer(slopes, 1, heads);
  }

  private @Nullable HostBuffer sinkLogits() {
    float[] logits = new float[heads];
    for (int h = 0; h < heads; h++) {
      logits[h] = 0.7f * h - 1;
    }
    return new HostBuffer(logits, 1, heads);
  }

  @Override
  public String toString() {
    return "H=%d G=%d D=%d/%d%s window=%d softcap=%s sinks=%s %s exact %d/%d"
        .formatted(
            heads,
            kvHeads,
            keyDim,
            valueDim,
            mla ? " in keys" : "",
            window,
            softcap,
            sinks,
            format.name(),
            exact.sinks(),
            exact.tail());
  }

  /// True where the two results have the same bits.
  static boolean same(List<float[]> a, List<float[]> b) {
    for (int i = 0; i < a.size(); i++) {
      if (Arrays.mismatch(a.get(i), b.get(i)) >= 0) {
        return false;
      }
    }
    return a.size() == b.size();
  }
}
