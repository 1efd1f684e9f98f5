package io.kvasir.compute.onednn;

import io.kvasir.compute.MatrixProvider;
import io.kvasir.compute.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Multiplies matrices with oneDNN: weights are copied once into the form that the library likes,
/// as f32 or bf16, and products run on its own threads.
///
/// Rows are multiplied in pieces of a few sizes, padded with zeros. For some sizes the library
/// gives a row the same bits whatever the others are, for others it does not: one row alone is
/// always different. [#open] finds the sizes that agree on this machine, and refuses where there
/// are none that serve both one row and many.
///
/// bf16 halves the bytes and rounds weights and activations to 8 significant bits; sums are f32.
/// Where the processor has no bf16 instructions the library emulates them, which is slow.
public final class OneDnnMatrices implements MatrixProvider {

  /// What weights and activations are rounded to; sums are f32.
  public enum Format {
    F32(OneDnn.F32, 4),
    BF16(OneDnn.BF16, 2);

    final int type;
    final int bytes;

    Format(int type, int bytes) {
      this.type = type;
      this.bytes = bytes;
    }
  }

  /// What came of opening the library.
  public sealed interface Opening {}

  /// It can be used.
  public record Opened(MatrixProvider provider) implements Opening {}

  /// It cannot.
  ///
  /// @param reason one sentence
  public record Unavailable(String reason) implements Opening {}

  /// Least rows and columns of a matrix that is worth a call.
  private static final int LEAST = 64;

  private static final long ALIGNMENT = 64;

  private final OneDnn dnn;
  private final Format format;
  private final int threads;
  private final long budget;
  private final Arena arena = Arena.ofShared();
  private final Map<Long, MatmulShape> shapes = new HashMap<>();
  private long reserved;
  private int sizes;
  private Arena stagingArena = Arena.ofShared();
  private MemorySegment source = MemorySegment.NULL;
  private MemorySegment destination = MemorySegment.NULL;

  private OneDnnMatrices(OneDnnLibrary library, Format format, int threads, long budget) {
    dnn = new OneDnn(library);
    this.format = format;
    this.threads = threads;
    this.budget = budget;
  }

  /// Loads the library and checks that rows do not depend on their number.
  ///
  /// @param folder with `libdnnl.so.3` and `libgomp.so.1`
  /// @param threads of the library
  /// @param budget most bytes of copied weights; matrices beyond it are left to the backend
  public static Opening open(Path folder, Format format, int threads, long budget) {
    return switch (OneDnnLibrary.load(folder)) {
      case OneDnnLibrary.Missing missing -> new Unavailable(missing.reason());
      case OneDnnLibrary.Loaded loaded -> checked(loaded.library(), format, threads, budget);
    };
  }

  private static Opening checked(OneDnnLibrary library, Format format, int threads, long budget) {
    OneDnnMatrices matrices = new OneDnnMatrices(library, format, threads, budget);
    try {
      matrices.useSizes(new RowCheck(matrices).alikeSizes());
      if (matrices.sizes != 0) {
        return new Opened(matrices);
      }
      matrices.close();
      return new Unavailable(
          "oneDNN rounds a row differently here when there are more rows, so cached and computed"
              + " answers would differ");
    } catch (OneDnnException e) {
      matrices.close();
      return new Unavailable("oneDNN does not work here: " + e.getMessage());
    }
  }

  @Override
  public String description() {
    int least = MatmulShape.SIZES[Integer.numberOfTrailingZeros(sizes)];
    return "oneDNN 3.11 %s, %s, rows by %d"
        .formatted(format == Format.F32 ? "f32" : "bf16", isaName(dnn.isa()), least);
  }

  private static String isaName(int isa) {
    if ((isa & 0x200) != 0) {
      return "AMX";
    }
    return switch (isa) {
      case 0xe7, 0x1ef -> "AVX-512 with bf16";
      case 0x67 -> "AVX-512 with VNNI";
      case 0x27 -> "AVX-512";
      default -> isa >= 7 ? "AVX2" : "SSE";
    };
  }

  @Override
  public @Nullable Packed packed(Tensor tensor) {
    long bytes = tensor.elements() * format.bytes;
    if (tensor.rows() < LEAST
        || tensor.columns() < LEAST
        || tensor.rows() > Integer.MAX_VALUE
        || bytes > budget - reserved) {
      return null;
    }
    reserved += bytes;
    return new PackedTensor(this, tensor);
  }

  OneDnn dnn() {
    dnn.useThreads(threads);
    return dnn;
  }

  /// Sizes of [MatmulShape#SIZES] in which rows are multiplied, bit `i` for size `i`.
  int sizes() {
    return sizes;
  }

  void useSizes(int set) {
    sizes = set;
  }

  Format format() {
    return format;
  }

  /// The products of a matrix `[outputs, inputs]`.
  MatmulShape shape(int outputs, int inputs) {
    return shapes.computeIfAbsent(
        (long) outputs << 32 | inputs, key -> new MatmulShape(dnn(), format, outputs, inputs));
  }

  /// Memory for packed weights, as long as the provider is open.
  MemorySegment allocate(long bytes) {
    return arena.allocate(bytes, ALIGNMENT);
  }

  /// Memory for the rows of a product: `bytes` for what goes in.
  MemorySegment source(long bytes) {
    if (source.byteSize() < bytes) {
      stage(bytes, destination.byteSize());
    }
    return source;
  }

  /// Memory for what comes out.
  MemorySegment destination(long bytes) {
    if (destination.byteSize() < bytes) {
      stage(source.byteSize(), bytes);
    }
    return destination;
  }

  private void stage(long sourceBytes, long destinationBytes) {
    stagingArena.close();
    stagingArena = Arena.ofShared();
    source = stagingArena.allocate(Math.max(1, sourceBytes), ALIGNMENT);
    destination = stagingArena.allocate(Math.max(1, destinationBytes), ALIGNMENT);
  }

  @Override
  public void close() {
    stagingArena.close();
    arena.close();
  }
}
