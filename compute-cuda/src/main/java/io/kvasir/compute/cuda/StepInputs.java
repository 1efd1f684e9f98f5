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
  private int runs;
  private boolean recorded;
  private long attempt;

  StepInputs(CudaContext context, Staging staging) {
    this.staging = staging;
    any = new StepTables(context, staging);
    decoding = new StepTables(context, staging);
  }

  /// Sends what a decoding step needs.
  void send(DecodePass pass, AttentionMetadata batch, int[] ids, int rows, int spareBlock) {
    decoding.useToDecode(batch, rows, ids, pass.rowFactors(), spareBlock);
  }

  /// From now on operations belong to the decoding step that was sent.
  ///
  /// @param mostRuns of attention, of all rows
  void begin(DecodePass pass, AttentionMetadata batch, int[] ids, int mostRuns) {
    tokens = ids;
    positions = batch.positions();
    factors = pass.rowFactors();
    runs = mostRuns;
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

  /// Most runs of attention of the step that is recorded.
  int runs() {
    return runs;
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
