import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.HostStorage;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Collections;
import java.util.List;

/// The cache as a library in an engine of one's own: no other part of Kvasir is used.
///
/// The "model" of this example keeps one number per token and layer as its key, the sum of all
/// tokens so far, so that a wrong block would be seen. Run it on the class path of the kvcache jar:
///
///     java -cp kvcache/target/kvasir-kvcache-0.1.0-SNAPSHOT.jar examples/EmbedKvCache.java
final class EmbedKvCache {
  private static final int BLOCK_TOKENS = 16;
  private static final int LAYERS = 2;

  private final KvCache cache;
  private final HostStorage storage;
  private int computed;

  private EmbedKvCache(int blocks) {
    // Each layer keeps keys and values of one head of 8 elements for every position.
    LayerKv layer = new LayerKv(1, 8, 8, 0, KvFormat.F32, KvFormat.F32);
    KvLayout layout = KvLayout.of(Collections.nCopies(LAYERS, layer), BLOCK_TOKENS);
    storage = new HostStorage(layout.blockBytes(), blocks);
    cache = new KvCache(new KvCacheConfig(layout, blocks), storage);
  }

  /// Runs a prompt and returns what the model says: the sum of its tokens, read from the cache.
  private float run(String tenant, int[] prompt) {
    computed = 0;
    BlockTable table = cache.lookup(tenant, prompt);
    int found = table.length();
    if (cache.reserve(table, prompt.length - found) instanceof Reservation.Insufficient full) {
      throw new IllegalStateException("no room: " + full);
    }
    for (int position = found; position < prompt.length; position++) {
      float past = position == 0 ? 0 : key(table, LAYERS - 1, position - 1);
      for (int layer = 0; layer < LAYERS; layer++) {
        setKey(table, layer, position, past + prompt[position]);
      }
      computed++;
    }
    cache.commit(table, prompt, prompt.length - found);
    float answer = key(table, LAYERS - 1, prompt.length - 1);
    cache.release(table);
    cache.verify();
    return answer;
  }

  private float key(BlockTable table, int layer, int position) {
    long offset = offset(table, layer, position);
    return segment(table, layer, position).get(ValueLayout.JAVA_FLOAT, offset);
  }

  private void setKey(BlockTable table, int layer, int position, float value) {
    long offset = offset(table, layer, position);
    segment(table, layer, position).set(ValueLayout.JAVA_FLOAT, offset, value);
  }

  private MemorySegment segment(BlockTable table, int layer, int position) {
    return storage.segment(block(table, layer, position));
  }

  private int block(BlockTable table, int layer, int position) {
    return table.block(cache.layout().groupOf(layer).index(), position / BLOCK_TOKENS);
  }

  /// Where the first element of the position's key row lies.
  private long offset(BlockTable table, int layer, int position) {
    long row = (long) (position % BLOCK_TOKENS) * 8 * Float.BYTES;
    return storage.offset(block(table, layer, position)) + cache.layout().keyOffset(layer, 0) + row;
  }

  private static int[] prompt(int length, int last) {
    int[] tokens = new int[length];
    for (int i = 0; i < length; i++) {
      tokens[i] = i % 7;
    }
    tokens[length - 1] = last;
    return tokens;
  }

  public static void main(String[] args) {
    EmbedKvCache engine = new EmbedKvCache(64);
    for (String tenant : List.of("alice", "alice", "bob")) {
      for (int last : new int[] {1, 100}) {
        float sum = engine.run(tenant, prompt(200, last));
        System.out.println(
            tenant + ": sum " + sum + ", computed " + engine.computed + " of 200 tokens");
      }
    }
    System.out.println(engine.cache.stats());
    engine.cache.close();
  }
}
