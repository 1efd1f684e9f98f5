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
  private float @Nullable [] slopes;
  private float[] out = NO_VALUES;

  void set(
      AttentionMetadata newBatch,
      AttentionSpec newSpec,
      float[] newQ,
      float @Nullable [] newSinks,
      float @Nullable [] newSlopes,
      float[] newOut) {
    batch = newBatch;
    spec = newSpec;
    q = newQ;
    sinks = newSinks;
    slopes = newSlopes;
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

  /// What query head `r` of kv head `head` loses per position of distance.
  float slope(int head, int r) {
    return slopes == null ? 0 : slopes[head * spec().groupSize() + r];
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

  /// Where the key plane of kv head `head` starts in a block.
  long keyOffset(int head) {
    return layout().keyOffset(spec().cacheLayer(), head);
  }

  /// Where the value plane, or the key plane that holds the values, starts in a block.
  long valueOffset(int head) {
    return layout().valueOffset(spec().cacheLayer(), head);
  }

  /// Elements from one value row to the next.
  int valueRowSize() {
    return valuesInKeys() ? spec().keyDim() : spec().valueDim();
  }

  KvFormat keyFormat() {
    return group().kv().keyFormat();
  }

  KvFormat valueFormat() {
    return valuesInKeys() ? keyFormat() : group().kv().valueFormat();
  }

  /// Points `rows` at a plane of the block that holds `position`.
  ///
  /// @param offset where the plane starts in a block
  void open(KvRows rows, BlockTable table, int groupIndex, int position, long offset) {
    HostStorage blocks = storage();
    int block = table.block(groupIndex, position / rows.blockTokens);
    rows.memory = blocks.segment(block);
    rows.planeOffset = blocks.offset(block) + offset;
  }
}
