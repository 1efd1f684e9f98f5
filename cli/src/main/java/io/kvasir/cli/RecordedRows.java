package io.kvasir.cli;

import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.model.file.SafetensorsWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// The scores and hidden rows of a run, in native memory until they are written.
final class RecordedRows implements SequenceRun.Listener, AutoCloseable {
  private static final ValueLayout.OfFloat F32 =
      ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Arena arena = Arena.ofConfined();
  private final Backend backend;
  private final int tokens;
  private final int vocabulary;
  private final int width;
  private final MemorySegment logits;
  private final MemorySegment[] hidden;
  private float[] row = {};
  private int greedy;

  /// @param tokens positions that are recorded; later ones only give their likeliest token
  RecordedRows(Backend backend, int tokens, int vocabulary, int layers, int width) {
    this.backend = backend;
    this.tokens = tokens;
    this.vocabulary = vocabulary;
    this.width = width;
    logits = arena.allocate(F32, (long) tokens * vocabulary);
    hidden = new MemorySegment[layers + 1];
    for (int i = 0; i < hidden.length; i++) {
      hidden[i] = arena.allocate(F32, (long) tokens * width);
    }
  }

  @Override
  public void hidden(int index, Buffer rows, int position, int count) {
    for (int r = 0; r < count && position + r < tokens; r++) {
      copy(rows, r, width, hidden[index], position + r);
    }
  }

  @Override
  public void logits(Buffer rows, int index, int position) {
    if (position < tokens) {
      copy(rows, index, vocabulary, logits, position);
    } else {
      read(rows, index);
    }
    greedy = likeliest();
  }

  /// The likeliest token after the last position, the lowest of equal ones.
  int greedy() {
    return greedy;
  }

  private int likeliest() {
    int best = 0;
    for (int i = 1; i < vocabulary; i++) {
      best = row[i] > row[best] ? i : best;
    }
    return best;
  }

  private void copy(Buffer rows, int index, int columns, MemorySegment target, int position) {
    read(rows, index);
    MemorySegment.copy(row, 0, target, F32, 4L * position * columns, columns);
  }

  private void read(Buffer rows, int index) {
    if (row.length < rows.columns()) {
      row = new float[rows.columns()];
    }
    backend.read(rows, index, row, 0);
  }

  /// Adds `logits [S, V]` and `hidden.{i} [S, D]`.
  void addTo(SafetensorsWriter writer) {
    writer.add(tensor("logits", vocabulary, logits));
    for (int i = 0; i < hidden.length; i++) {
      writer.add(tensor("hidden." + i, width, hidden[i]));
    }
  }

  private Tensor tensor(String name, int columns, MemorySegment data) {
    return new Tensor(name, TensorType.F32, new long[] {tokens, columns}, data);
  }

  @Override
  public void close() {
    arena.close();
  }
}
