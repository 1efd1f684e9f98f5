package io.kvasir.compute.cpu;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.PrunedTokens;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.PlaneKind;
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
  private float[] queries = NO_VALUES;
  private float[] rotated = NO_VALUES;
  private float[] centres = NO_VALUES;
  private boolean centred;

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

  /// `[rows, H * keyDim]`, as they came.
  float[] q() {
    return q;
  }

  /// `[rows, H * keyDim]`, in the basis of the layer's rows.
  float[] queries() {
    return queries;
  }

  /// What the centre of the keys adds to each product of a query.
  float centreProduct(int row, int head, int r) {
    return centred ? centres[row * spec().heads() + head * spec().groupSize() + r] : 0;
  }

  /// Brings the queries into the layer's basis. In place where nothing is to be done.
  ///
  /// @param row which row; all are needed before [#queries] counts
  void enter(int row, Rotation rotation) {
    int dim = spec().keyDim();
    int first = row * spec().heads();
    for (int h = first; h < first + spec().heads(); h++) {
      System.arraycopy(q, h * dim, rotated, h * dim, dim);
      rotation.transform(rotated, h * dim, dim, basis().keyRotation());
      if (centred) {
        int head = (h - first) / spec().groupSize();
        centres[h] = basis().centreProduct(rotated, h * dim, dim, head);
      }
    }
  }

  /// Makes room for queries in the basis.
  ///
  /// @return whether [#enter] has to be called for each row
  boolean begin() {
    KvBasis basis = basis();
    centred = basis.isCentred();
    boolean changed = basis.keyRotation() > 1 || centred;
    queries = q;
    if (changed) {
      int count = batch().rows() * spec().heads();
      if (rotated.length < count * spec().keyDim()) {
        rotated = new float[count * spec().keyDim()];
      }
      if (centres.length < count) {
        centres = new float[count];
      }
      queries = rotated;
    }
    return changed;
  }

  /// One logit per query head, or null.
  float @Nullable [] sinks() {
    return sinks;
  }

  /// Whether distance counts.
  boolean hasSlopes() {
    return slopes != null;
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

  /// The group of the layer's codes.
  LayerGroup group() {
    return batch().layout().groupOf(spec().cacheLayer());
  }

  /// What the layer keeps as codes.
  LayerKv kv() {
    return layout().kv(spec().cacheLayer());
  }

  /// The group of exact copies of the newest rows, or null.
  @Nullable LayerGroup tailGroup() {
    return batch().layout().exactGroup(spec().cacheLayer(), LayerGroup.Role.TAIL);
  }

  /// The group of exact copies of the first rows, or null.
  @Nullable LayerGroup sinksGroup() {
    return batch().layout().exactGroup(spec().cacheLayer(), LayerGroup.Role.SINKS);
  }

  /// What pruning left of the beginning of a unit's sequence, or null.
  @Nullable PrunedTokens pruned(AttentionUnit unit) {
    return group().isFull() ? batch().table(unit.sequence).pruned() : null;
  }

  /// The first position that a query at `position` reads from the sequence's blocks.
  int firstLive(AttentionUnit unit, int position) {
    PrunedTokens pruned = pruned(unit);
    return pruned == null ? group().firstVisible(position) : pruned.tokens();
  }

  /// Positions from 0 that queries of a pruned sequence read exactly, before what pruning kept.
  int sinksBefore(PrunedTokens pruned) {
    return sinksGroup() == null ? 0 : Math.min(exact().sinks(), pruned.tokens());
  }

  /// Whether some rows are encoded only when a tile of them is whole.
  boolean encodesTiles() {
    boolean keys = keyFormat().tileTokens(kv().keyKind()) > 1;
    return keys || !valuesInKeys() && valueFormat().tileTokens(PlaneKind.VALUES) > 1;
  }

  /// How many of `rows` query rows from `row` on read the same rows exactly.
  int rowsThatReadAlike(int row, int rows) {
    int alike = rows;
    if (exact().hasTail()) {
      alike = Math.min(rows, ExactRows.GRID - batch().positions()[row] % ExactRows.GRID);
    }
    if (batch().skips(batch().sequenceOfRow(row)) == null) {
      return alike;
    }
    // A row that chooses its pages reads like no other.
    int count = 1;
    while (skipped(row) == 0 && count < alike && skipped(row + count) == 0) {
      count++;
    }
    return count;
  }

  /// Pages that a row leaves out.
  int skipped(int row) {
    return batch().skippedPages(spec().cacheLayer(), row);
  }

  /// Which rows are read exactly.
  ExactRows exact() {
    return kv().exact();
  }

  /// The basis in which the layer's rows are stored.
  KvBasis basis() {
    return batch().basis(spec().cacheLayer());
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
    return kv().valueDim() == 0;
  }

  /// Where the key plane of kv head `head` starts in a block of one of the layer's groups.
  long keyOffset(LayerGroup group, int head) {
    return layout().keyOffset(group, spec().cacheLayer(), head);
  }

  /// Where the value plane, or the key plane that holds the values, starts in such a block.
  long valueOffset(LayerGroup group, int head) {
    return layout().valueOffset(group, spec().cacheLayer(), head);
  }

  /// Elements from one value row to the next.
  int valueRowSize() {
    return valuesInKeys() ? spec().keyDim() : spec().valueDim();
  }

  KvFormat keyFormat() {
    return kv().keyFormat();
  }

  KvFormat valueFormat() {
    return valuesInKeys() ? keyFormat() : kv().valueFormat();
  }
}
