package io.kvasir.compute.cuda;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.kvcache.BlockTable;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// What kernels need to know of a step besides activations: token ids, positions, which row belongs
/// to whom, factors of rows, and the block tables of all groups. Sent once a step, in one copy.
///
/// ```
/// positions [rows] | sequence of row [rows] | tokens [rows] | factors [rows] |
/// starts [groups, sequences] | what rows share, see SharedRuns | block ids
/// ```
///
/// A decoding step may have rows behind those of its batch, each a sequence of its own at position
/// 0 of a spare block.
final class StepTables implements AutoCloseable {
  private static final int COLUMNS = 4;

  private final DeviceArray array;
  private @Nullable AttentionMetadata known;
  private long knownStep = -1;
  private int[] numbers = new int[256];
  private int size;
  private int rows;
  private int sequences;
  private int groups;
  private long pointer;
  private final SharedRuns shared;
  private int sharedItems;

  StepTables(CudaContext context, Staging staging) {
    array = new DeviceArray(context, staging, "block tables");
    shared = new SharedRuns(context.multiprocessors());
  }

  /// What rows of the batch share.
  SharedRuns shared() {
    return shared;
  }

  /// Sends the tables of a batch unless they are there already.
  void use(AttentionMetadata batch) {
    if (known == batch && knownStep == batch.step()) {
      return;
    }
    shared.find(batch);
    begin(batch, batch.rows(), batch.sequences(), shared.items());
    for (int r = 0; r < rows; r++) {
      numbers[rows + r] = batch.sequenceOfRow(r);
    }
    addBlocks(batch);
    addShared();
    pointer = array.send(numbers, size);
    known = batch;
    knownStep = batch.step();
  }

  /// Sends what a decoding step needs, for which [#shared] was asked.
  ///
  /// @param padded rows with those that belong to no sequence
  /// @param items that there is room for
  /// @param tokens of all rows
  /// @param factors of all rows, or empty
  /// @param spareBlock where the rows behind have their keys and values
  void useToDecode(
      AttentionMetadata batch,
      int padded,
      int items,
      int[] tokens,
      float[] factors,
      int spareBlock) {
    int own = batch.rows();
    begin(batch, padded, padded, items);
    for (int r = 0; r < padded; r++) {
      numbers[padded + r] = r;
    }
    System.arraycopy(tokens, 0, numbers, 2 * padded, own);
    for (int r = 0; r < Math.min(own, factors.length); r++) {
      numbers[3 * padded + r] = Float.floatToRawIntBits(factors[r]);
    }
    addBlocks(batch);
    if (padded > own) {
      room(1);
      numbers[size] = spareBlock;
      int tablesAt = tablesAt();
      for (int group = 0; group < groups; group++) {
        int from = COLUMNS * padded + group * padded;
        Arrays.fill(numbers, from + own, from + padded, size - tablesAt);
      }
      size++;
    }
    addShared();
    pointer = array.send(numbers, size);
  }

  private void begin(AttentionMetadata batch, int rowCount, int sequenceCount, int items) {
    rows = rowCount;
    sharedItems = items;
    sequences = sequenceCount;
    groups = batch.layout().groups().size();
    size = 0;
    room(tablesAt());
    Arrays.fill(numbers, 0, COLUMNS * rows, 0);
    System.arraycopy(batch.positions(), 0, numbers, 0, batch.rows());
    size = tablesAt();
  }

  private void addBlocks(AttentionMetadata batch) {
    int tablesAt = tablesAt();
    for (int group = 0; group < groups; group++) {
      for (int s = 0; s < batch.sequences(); s++) {
        BlockTable table = batch.table(s);
        int first = table.firstBlock(group);
        int count = table.endBlock(group) - first;
        room(count);
        numbers[COLUMNS * rows + group * sequences + s] = size - tablesAt - first;
        table.copyBlocks(group, numbers, size);
        size += count;
      }
    }
  }

  private void addShared() {
    if (sharedItems > 0) {
      int starts = COLUMNS * rows + shared.group() * sequences;
      shared.write(numbers, sharedAt(), rows, starts);
    }
  }

  private void room(int more) {
    if (numbers.length < size + more) {
      numbers = Arrays.copyOf(numbers, 2 * (size + more));
    }
  }

  int rows() {
    return rows;
  }

  long positions() {
    return pointer;
  }

  long sequenceOfRow() {
    return pointer + 4L * rows;
  }

  /// Of a decoding step.
  long tokens() {
    return pointer + 8L * rows;
  }

  /// Of a decoding step.
  long factors() {
    return pointer + 12L * rows;
  }

  /// Where each sequence's blocks of a group begin in [#tables], less its first block.
  long starts(int group) {
    return pointer + 4L * (COLUMNS * rows + group * sequences);
  }

  /// Positions up to which codes of a row are read with those of others, by row, and behind them
  /// how many runs these are; 0 where the group shares nothing.
  long sharedTo(int group) {
    return sharedItems == 0 || group != shared.group() ? 0 : pointer + 4L * sharedAt();
  }

  /// The counter of items of [SharedRuns], and behind it the items.
  long sharedCount() {
    return pointer + 4L * (sharedAt() + 2 * rows);
  }

  /// Items that there is room for.
  int sharedItems() {
    return sharedItems;
  }

  private int sharedAt() {
    return COLUMNS * rows + groups * sequences;
  }

  private int tablesAt() {
    return sharedAt() + SharedRuns.size(rows, sharedItems);
  }

  /// Block ids of all groups and sequences.
  long tables() {
    return pointer + 4L * tablesAt();
  }

  @Override
  public void close() {
    array.close();
  }
}
