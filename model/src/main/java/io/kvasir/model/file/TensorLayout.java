package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// Where the tensors of one file lie in its data part, checked: each within the part, none over
/// another.
final class TensorLayout {
  /// Ten times what any known model needs.
  private static final int MAX_NAME_LENGTH = 1024;

  /// A tensor as the header states it; `end` is exclusive, both relative to the data part.
  @SuppressWarnings("ArrayRecordComponent") // short-lived, never compared
  record Entry(String name, TensorType type, long[] shape, long start, long end) {
    @Override
    public String toString() {
      return "tensor '" + Excerpt.of(name) + "'";
    }
  }

  private TensorLayout() {}

  /// The entry of a tensor that starts at `start` and is as long as its shape and type say.
  ///
  /// @throws ModelFormatException where the shape is negative or too large, or a row is no whole
  ///   number of blocks
  static Entry entry(String name, TensorType type, long[] shape, long start, String file) {
    if (name.length() > MAX_NAME_LENGTH) {
      throw new ModelFormatException(
          "%s is damaged: the name of a tensor has %d characters, '%s'"
              .formatted(file, name.length(), Excerpt.of(name)));
    }
    try {
      long end = Math.addExact(start, Tensor.byteSize(name, type, shape));
      return new Entry(name, type, shape, start, end);
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new ModelFormatException(
          file + " is damaged: " + Excerpt.of(String.valueOf(e.getMessage())), e);
    }
  }

  /// Adds the tensors of `entries` as windows of `data` to `index`.
  static void place(List<Entry> entries, MemorySegment data, TensorIndex index, String file) {
    refuseOverlap(entries, file);
    for (Entry entry : entries) {
      if (entry.start() < 0 || entry.end() < entry.start() || entry.end() > data.byteSize()) {
        throw new ModelFormatException(
            "%s is cut off or damaged: %s lies at bytes %s to %s of %d bytes of data"
                .formatted(file, entry, entry.start(), entry.end(), data.byteSize()));
      }
      MemorySegment bytes = data.asSlice(entry.start(), entry.end() - entry.start());
      try {
        index.add(new Tensor(entry.name(), entry.type(), entry.shape(), bytes), file);
      } catch (IllegalArgumentException e) {
        throw new ModelFormatException(
            file + " is damaged: " + Excerpt.of(String.valueOf(e.getMessage())), e);
      }
    }
  }

  private static void refuseOverlap(List<Entry> entries, String file) {
    List<Entry> sorted = new ArrayList<>(entries);
    sorted.sort(Comparator.comparingLong(Entry::start).thenComparingLong(Entry::end));
    for (int i = 1; i < sorted.size(); i++) {
      Entry previous = sorted.get(i - 1);
      Entry next = sorted.get(i);
      if (next.start() < previous.end()) {
        throw new ModelFormatException(
            "%s is damaged: %s and %s overlap".formatted(file, previous, next));
      }
    }
  }
}
