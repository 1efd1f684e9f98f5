package io.kvasir.compute.cpu;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.tier.HostStorage;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The operands of one attention call, as the threads of the pool read them. Filled by the caller
/// before a region; reused from call to call.
final class AttentionCall {
  private static final float[] NO_VALUES = {};

  private @Nullable AttentionMetadata batch;
  private @Nullable AttentionSpec spec;
  private float[] q = NO_VALUES;
  private float @Nullable [] sinks;
  private float[] out = NO_VALUES;

  void set(
      AttentionMetadata newBatch,
      AttentionSpec newSpec,
      float[] newQ,
      float @Nullable [] newSinks,
      float[] newOut) {
    batch = newBatch;
    spec = newSpec;
    q = newQ;
    sinks = newSinks;
    out = newOut;
  }

  AttentionMetadata batch() {
    return Objects.requireNonNull(batch);
  }

  AttentionSpec spec() {
    return Objects.requireNonNull(spec);
  }

  /// `[rows, H * keyDim]`.
  float[] q() {
    return q;
  }

  /// One logit per query head, or null.
  float @Nullable [] sinks() {
    return sinks;
  }

  /// `[rows, H * valueDim]`.
  float[] out() {
    return out;
  }

  KvLayout layout() {
    return batch().layout();
  }

  LayerGroup group() {
    return batch().layout().groupOf(spec().cacheLayer());
  }

  HostStorage storage() {
    return (HostStorage) batch().storage();
  }

  /// Where query head `r` of kv head `head` starts in row `row` of `q`.
  int queryAt(int row, int head, int r) {
    return (row * spec().heads() + head * spec().groupSize() + r) * spec().keyDim();
  }

  /// True where values are the first elements of the key rows.
  boolean valuesInKeys() {
    return group().kv().valueDim() == 0;
  }

  /// Points `rows` at the key plane of the block that holds `position`.
  void openKeys(KvRows rows, BlockTable table, int position, int head) {
    open(rows, table, position, layout().keyOffset(spec().cacheLayer(), head));
    rows.dim = spec().keyDim();
  }

  /// Points `rows` at the value plane of the block that holds `position`.
  void openValues(KvRows rows, BlockTable table, int position, int head) {
    open(rows, table, position, layout().valueOffset(spec().cacheLayer(), head));
    rows.dim = valuesInKeys() ? spec().keyDim() : spec().valueDim();
  }

  KvFormat keyFormat() {
    return group().kv().keyFormat();
  }

  KvFormat valueFormat() {
    return valuesInKeys() ? keyFormat() : group().kv().valueFormat();
  }

  private void open(KvRows rows, BlockTable table, int position, long offset) {
    int blockTokens = layout().blockTokens();
    int block = table.block(group().index(), position / blockTokens);
    rows.memory = storage().segment(block);
    rows.planeOffset = storage().offset(block) + offset;
    rows.blockTokens = blockTokens;
  }
}
