package io.kvasir.compute.cuda;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.DecodePass;

/// Where operations find the numbers that differ from step to step. While a decoding step is
/// recorded these are the step's tables alone, so that a replay needs nothing else to be sent.
final class StepInputs implements AutoCloseable {
  private static final int[] NONE = {};
  private static final float[] NO_FACTORS = {};

  private final Staging staging;
  private final StepTables any;
  private final StepTables decoding;
  private int[] tokens = NONE;
  private int[] positions = NONE;
  private float[] factors = NO_FACTORS;
  private Room room = new Room(0, 0, 0, 0, 0);
  private boolean recorded;
  private long attempt;

  StepInputs(CudaContext context, Staging staging) {
    this.staging = staging;
    any = new StepTables(context, staging);
    decoding = new StepTables(context, staging);
  }

  /// Upper bounds of a decoding step.
  ///
  /// @param rows with those that belong to no sequence
  /// @param runs of attention where each row reads for itself
  /// @param ownRuns of rows where others are shared
  /// @param sharedItems of [SharedRuns], 0 for a step that shares nothing
  /// @param slots of partial results where runs are shared
  record Room(int rows, int runs, int ownRuns, int sharedItems, int slots) {
    /// This where it is of the same numbers, else a new one.
    Room with(int rows, int runs, int ownRuns, int sharedItems, int slots) {
      boolean same = this.rows == rows && this.runs == runs && this.ownRuns == ownRuns;
      return same && this.sharedItems == sharedItems && this.slots == slots
          ? this
          : new Room(rows, runs, ownRuns, sharedItems, slots);
    }
  }

  /// What rows of a decoding step share.
  SharedRuns share(AttentionMetadata batch) {
    decoding.shared().find(batch);
    return decoding.shared();
  }

  /// Tells how many query heads read a key head; see [SharedRuns#allow].
  void allowSharing(int headsOfKvHead) {
    any.shared().allow(headsOfKvHead);
    decoding.shared().allow(headsOfKvHead);
  }

  /// See [SharedRuns#shareFrom].
  void shareFrom(long leastReads) {
    any.shared().shareFrom(leastReads);
    decoding.shared().shareFrom(leastReads);
  }

  /// Sends what a decoding step needs, behind [#share].
  void send(DecodePass pass, AttentionMetadata batch, int[] ids, Room wanted, int spareBlock) {
    decoding.useToDecode(
        batch, wanted.rows(), wanted.sharedItems(), ids, pass.rowFactors(), spareBlock);
  }

  /// From now on operations belong to the decoding step that was sent.
  ///
  /// @param bounds of the step
  void begin(DecodePass pass, AttentionMetadata batch, int[] ids, Room bounds) {
    tokens = ids;
    positions = batch.positions();
    factors = pass.rowFactors();
    room = bounds;
    recorded = true;
    attempt++;
  }

  /// Operations are of any kind again.
  void end() {
    recorded = false;
    tokens = NONE;
    positions = NONE;
    factors = NO_FACTORS;
  }

  /// Whether a decoding step is recorded or rehearsed.
  boolean isRecorded() {
    return recorded;
  }

  /// Tells what was queued for one rehearsal or capture from what was queued for another.
  long attempt() {
    return attempt;
  }

  /// Upper bounds of the step that is recorded.
  Room room() {
    return room;
  }

  /// The tables of the batch that is computed.
  StepTables tables(AttentionMetadata batch) {
    if (recorded) {
      return decoding;
    }
    any.use(batch);
    return any;
  }

  /// Device address of numbers of rows.
  long of(int[] values, int rows, DeviceArray otherwise) {
    // What counts is which array it is: its contents are for this step alone.
    if (recorded && isSame(values, positions)) {
      return decoding.positions();
    }
    if (recorded && isSame(values, tokens)) {
      return decoding.tokens();
    }
    return otherwise.of(values, rows);
  }

  long of(float[] values, int rows, DeviceArray otherwise) {
    return recorded && isSame(values, factors) ? decoding.factors() : otherwise.of(values, rows);
  }

  @SuppressWarnings("ReferenceEquality") // the question is whether it is the same array
  private static boolean isSame(Object one, Object other) {
    return one == other;
  }

  /// Notes that an operation takes part on the host, so that a step with it cannot be recorded.
  void hostTakesPart() {
    staging.note();
  }

  @Override
  public void close() {
    any.close();
    decoding.close();
  }
}
