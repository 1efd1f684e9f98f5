package io.kvasir.compute.cuda;

import io.kvasir.compute.FeedForward;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.Routing;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What kernels of a mixture find on the device: where the matrices of its experts are, and how it
/// chooses among them. Made once for each mixture.
final class ExpertTable implements AutoCloseable {
  /// Matrices of an expert, in their order in the table.
  static final int GATE = 0;

  static final int UP = 1;
  static final int DOWN = 2;
  static final int PARTS = 3;

  /// Bytes of an `ExpertPart` of `experts.cuh`.
  static final int PART_BYTES = 24;

  /// Bytes of an `ExpertRouting`.
  static final int ROUTING_BYTES = 56;

  private final MixtureOfExperts mixture;
  private final DeviceArray parts;
  private final Matrix up;
  private final Matrix down;
  private final @Nullable Matrix gate;
  private final Arena arena;
  private final MemorySegment routing;

  /// A matrix of all experts.
  ///
  /// @param part its place in the table
  /// @param rowBytes of the types that experts have it in, mostly one
  /// @param isAligned whether rows begin at multiples of 16 bytes
  record Matrix(
      int part, int outputs, int columns, Map<TensorType, Long> rowBytes, boolean isAligned) {}

  /// @throws IllegalArgumentException where experts differ in more than their weights' types
  ExpertTable(MixtureOfExperts mixture, CudaContext context, Staging staging) {
    this.mixture = mixture;
    List<FeedForward> experts = mixture.experts();
    boolean gated = experts.get(0).gate() != null;
    for (FeedForward expert : experts) {
      if (expert.activation() != experts.get(0).activation() || (expert.gate() != null) != gated) {
        throw new IllegalArgumentException(
            "experts of one layer differ in activation: %s and %s"
                .formatted(expert.activation(), experts.get(0).activation()));
      }
    }
    long[] words = new long[PARTS * PART_BYTES / 8 * experts.size()];
    gate = gated ? matrix(GATE, words) : null;
    up = matrix(UP, words);
    down = matrix(DOWN, words);
    parts = new DeviceArray(context, staging, "tables of experts");
    parts.of(words, words.length);
    // Last: what fails before leaves nothing behind.
    arena = Arena.ofShared();
    routing = arena.allocate(ROUTING_BYTES, 8);
    writeRouting();
  }

  private Matrix matrix(int part, long[] words) {
    Map<TensorType, Long> rowBytes = new EnumMap<>(TensorType.class);
    CudaWeight first = CudaWeight.of(linear(0, part).weight());
    boolean aligned = true;
    for (int e = 0; e < mixture.experts().size(); e++) {
      Linear linear = linear(e, part);
      CudaWeight weight = CudaWeight.of(linear.weight());
      if (weight.rows() != first.rows() || weight.columns() != first.columns()) {
        throw new IllegalArgumentException(
            "experts of one layer differ in size: '%s' is %d x %d, '%s' %d x %d"
                .formatted(
                    weight.name(),
                    weight.rows(),
                    weight.columns(),
                    first.name(),
                    first.rows(),
                    first.columns()));
      }
      int at = (e * PARTS + part) * PART_BYTES / 8;
      words[at] = weight.pointer();
      words[at + 1] = CudaBuffer.pointer(linear.bias());
      words[at + 2] = weight.type().ggmlId();
      rowBytes.put(weight.type(), weight.rowBytes());
      aligned &= weight.pointer() % 16 == 0 && weight.rowBytes() % 16 == 0;
    }
    return new Matrix(part, first.rows(), first.columns(), rowBytes, aligned);
  }

  private Linear linear(int expert, int part) {
    FeedForward network = mixture.experts().get(expert);
    Linear gating = network.gate();
    if (part == GATE && gating != null) {
      return gating;
    }
    return part == UP ? network.up() : network.down();
  }

  /// An `ExpertRouting` of `experts.cu`.
  private void writeRouting() {
    Routing from = mixture.routing();
    routing.set(ValueLayout.JAVA_LONG, 0, CudaBuffer.pointer(from.selectionBias()));
    routing.set(ValueLayout.JAVA_LONG, 8, CudaBuffer.pointer(from.expertScale()));
    int[] numbers = {
      mixture.experts().size(),
      from.expertsPerRow(),
      from.sigmoid() ? 1 : 0,
      from.groups(),
      from.keptGroups(),
      from.groupTop(),
      from.normalize() ? 1 : 0,
      Float.floatToRawIntBits(from.scale()),
      Float.floatToRawIntBits(from.mixerRange())
    };
    MemorySegment.copy(numbers, 0, routing, ValueLayout.JAVA_INT, 16, numbers.length);
  }

  /// Device address of one of the first expert's matrices; the next expert's stands [#PARTS]
  /// behind.
  long pointer(int part) {
    return parts.room(0) + (long) PART_BYTES * part;
  }

  /// The gates' matrices, or null where networks have none.
  @Nullable Matrix gate() {
    return gate;
  }

  Matrix up() {
    return up;
  }

  Matrix down() {
    return down;
  }

  MixtureOfExperts mixture() {
    return mixture;
  }

  MemorySegment routing() {
    return routing;
  }

  int experts() {
    return mixture.experts().size();
  }

  int perRow() {
    return mixture.routing().expertsPerRow();
  }

  @Override
  public void close() {
    parts.close();
    arena.close();
  }
}
