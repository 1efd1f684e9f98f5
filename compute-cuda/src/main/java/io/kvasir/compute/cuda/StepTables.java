package io.kvasir.compute.cuda;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.kvcache.BlockTable;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// What all layers of a step need to know of its sequences, on the device: positions, which row
/// belongs to whom, and the block tables of all groups. Sent once a step, in one copy.
///
/// ```
/// positions [rows] | sequence of row [rows] | starts [groups, sequences] | block ids
/// ```
final class StepTables implements AutoCloseable {
  private final DeviceArray array;
  private @Nullable AttentionMetadata known;
  private long knownStep = -1;
  private int[] numbers = new int[256];
  private int size;
  private int rows;
  private int sequences;
  private int tablesAt;
  private long pointer;

  StepTables(CudaContext context, Staging staging) {
    array = new DeviceArray(context, staging, "block tables");
  }

  /// Sends the tables of a batch unless they are there already.
  void use(AttentionMetadata batch) {
    if (known == batch && knownStep == batch.step()) {
      return;
    }
    rows = batch.rows();
    sequences = batch.sequences();
    size = 0;
    room(2 * rows);
    System.arraycopy(batch.positions(), 0, numbers, 0, rows);
    for (int r = 0; r < rows; r++) {
      numbers[rows + r] = batch.sequenceOfRow(r);
    }
    int groups = batch.layout().groups().size();
    int startsAt = 2 * rows;
    tablesAt = startsAt + groups * sequences;
    size = tablesAt;
    room(0);
    for (int group = 0; group < groups; group++) {
      for (int s = 0; s < sequences; s++) {
        BlockTable table = batch.table(s);
        int first = table.firstBlock(group);
        int end = table.endBlock(group);
        room(end - first);
        numbers[startsAt + group * sequences + s] = size - tablesAt - first;
        for (int i = first; i < end; i++) {
          numbers[size++] = table.block(group, i);
        }
      }
    }
    pointer = array.of(numbers, size);
    known = batch;
    knownStep = batch.step();
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

  /// Where each sequence's blocks of a group begin in [#tables], less its first block.
  long starts(int group) {
    return pointer + 4L * (2 * rows + group * sequences);
  }

  /// Block ids of all groups and sequences.
  long tables() {
    return pointer + 4L * tablesAt;
  }

  @Override
  public void close() {
    array.close();
  }
}
