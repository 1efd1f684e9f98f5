package io.kvasir.compute.cuda;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;

/// Where the rows of a layer lie.
record KvPlace(
    long pool,
    long blockBytes,
    long keyOffset,
    long headBytes,
    long valueOffset,
    long tables,
    int tilesPerBlock) {

  static KvPlace of(TensorCoreAttention.Call call, LayerGroup group) {
    KvLayout layout = call.batch().layout();
    int layer = call.spec().cacheLayer();
    long key = layout.keyOffset(group, layer, 0);
    return new KvPlace(
        call.storage().pool(),
        layout.blockBytes(),
        key,
        layout.kv(group, layer).headBytes(layout.blockTokens()),
        layout.valueOffset(group, layer, 0) - key,
        call.tables().tables(),
        layout.blockTokens() / 16);
  }
}
