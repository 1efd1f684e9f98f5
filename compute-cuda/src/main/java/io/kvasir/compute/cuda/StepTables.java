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
/// starts [groups, sequences] | block ids
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

  StepTables(CudaContext context, Staging staging) {
    array = new DeviceArray(context, staging, "block tables");
  }

  /// Sends the tables of a batch unless they are there already.
  void use(AttentionMetadata batch) {
    if (known == batch && knownStep == batch.step()) {
      return;
    }
    begin(batch, batch.rows(), batch.sequences());
    for (int r = 0; r < rows; r++) {
      numbers[rows + r] = batch.sequenceOfRow(r);
    }
    addBlocks(batch);
    pointer = array.send(numbers, size);
    known = batch;
    knownStep = batch.step();
  }

  /// Sends what a decoding step needs.
  ///
  /// @param padded rows with those that belong to no sequence
  /// @param tokens of all rows
  /// @param factors of all rows, or empty
  /// @param spareBlock where the rows behind have their keys and values
  void useToDecode(
      AttentionMetadata batch, int padded, int[] tokens, float[] factors, int spareBlock) {
    int own = batch.rows();
    begin(batch, padded, padded);
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
    pointer = array.send(numbers, size);
  }

  private void begin(AttentionMetadata batch, int rowCount, int sequenceCount) {
    rows = rowCount;
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

  private int tablesAt() {
    return COLUMNS * rows + groups * sequences;
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
