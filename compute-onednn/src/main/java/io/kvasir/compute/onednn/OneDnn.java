package io.kvasir.compute.onednn;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// One engine and one in-order stream of the library, and its calls with results instead of status
/// codes. What is created stays until the program ends: a few handles per matrix shape.
final class OneDnn {
  static final int BF16 = 2;
  static final int F32 = 3;

  private static final int CPU = 1;
  private static final int IN_ORDER = 1;
  private static final int ANY = 1;
  private static final int ROW_MAJOR = 3;
  private static final int COLUMN_MAJOR = 14;
  private static final int WEIGHTS_DESCRIPTOR = 131;
  private static final int SOURCE = 1;
  private static final int WEIGHTS = 33;
  private static final int DESTINATION = 17;

  private final OneDnnLibrary library;
  private final Arena arena = Arena.ofAuto();
  private final MemorySegment result = arena.allocate(ValueLayout.JAVA_LONG);
  private final MemorySegment arguments = arena.allocate(3 * 16, 8);
  private final long engine;
  private final long stream;
  private long threadOfTeam = -1;

  OneDnn(OneDnnLibrary library) {
    this.library = library;
    engine = created("dnnl_engine_create", library.engineCreate().call(result.address(), CPU, 0));
    stream =
        created(
            "dnnl_stream_create", library.streamCreate().call(result.address(), engine, IN_ORDER));
  }

  /// The instruction set that the library has chosen, one of its numbers.
  int isa() {
    return library.effectiveIsa().call();
  }

  /// OpenMP keeps the number of threads per calling thread.
  void useThreads(int threads) {
    long current = Thread.currentThread().threadId();
    if (current == threadOfTeam) {
      return;
    }
    library.setThreads().call(threads);
    threadOfTeam = current;
  }

  /// A matrix `[rows, columns]` row by row.
  long rowMajor(int rows, int columns, int type) {
    return descriptor(rows, columns, type, ROW_MAJOR);
  }

  /// A matrix `[rows, columns]` column by column: weights `[out, in]` as `[in, out]`.
  long columnMajor(int rows, int columns, int type) {
    return descriptor(rows, columns, type, COLUMN_MAJOR);
  }

  /// A matrix in whatever form the library likes best.
  long anyForm(int rows, int columns, int type) {
    return descriptor(rows, columns, type, ANY);
  }

  private long descriptor(int rows, int columns, int type, int tag) {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment dims = call.allocateFrom(ValueLayout.JAVA_LONG, rows, columns);
      check(
          "dnnl_memory_desc_create_with_tag",
          library.descriptorWithTag().call(result.address(), 2, dims.address(), type, tag));
      return handle();
    }
  }

  /// Bytes of a matrix.
  long size(long descriptor) {
    return library.descriptorSize().call(descriptor);
  }

  /// A description of `destination = source x weights`.
  long matmul(long source, long weights, long destination) {
    check(
        "dnnl_matmul_primitive_desc_create",
        library
            .matmulDescriptor()
            .call(result.address(), engine, source, weights, 0, destination, 0));
    return handle();
  }

  /// The form that a described product wants its weights in.
  long weightsOf(long matmul) {
    return library.queryDescriptor().call(matmul, WEIGHTS_DESCRIPTOR, 0);
  }

  /// A description of a copy from one form into another.
  long reorder(long from, long to) {
    check(
        "dnnl_reorder_primitive_desc_create",
        library.reorderDescriptor().call(result.address(), from, engine, to, engine, 0));
    return handle();
  }

  /// Something that can be executed, of its description.
  long primitive(long description) {
    return created(
        "dnnl_primitive_create", library.primitiveCreate().call(result.address(), description));
  }

  /// A matrix in memory.
  long memory(long descriptor, MemorySegment data) {
    check(
        "dnnl_memory_create",
        library.memoryCreate().call(result.address(), descriptor, engine, data.address()));
    return handle();
  }

  /// Lets a matrix lie elsewhere.
  void move(long memory, MemorySegment data) {
    check("dnnl_memory_set_data_handle", library.memorySetData().call(memory, data.address()));
  }

  /// Runs a copy and waits for it.
  void copy(long reorder, long from, long to) {
    argument(0, SOURCE, from);
    argument(1, DESTINATION, to);
    execute(reorder, 2);
  }

  /// Runs a product and waits for it.
  void multiply(long matmul, long source, long weights, long destination) {
    argument(0, SOURCE, source);
    argument(1, WEIGHTS, weights);
    argument(2, DESTINATION, destination);
    execute(matmul, 3);
  }

  private void argument(int index, int id, long memory) {
    arguments.set(ValueLayout.JAVA_INT, 16L * index, id);
    arguments.set(ValueLayout.JAVA_LONG, 16L * index + 8, memory);
  }

  private void execute(long primitive, int count) {
    check(
        "dnnl_primitive_execute",
        library.primitiveExecute().call(primitive, stream, count, arguments.address()));
    check("dnnl_stream_wait", library.streamWait().call(stream));
  }

  private long created(String call, int status) {
    check(call, status);
    return handle();
  }

  private long handle() {
    return result.get(ValueLayout.JAVA_LONG, 0);
  }

  private static void check(String call, int status) {
    if (status != 0) {
      throw new OneDnnException(call, status);
    }
  }
}
