package io.kvasir.compute.onednn;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

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
    engine = created("dnnl_engine_create", library.engineCreate(), CPU, 0L);
    stream = created("dnnl_stream_create", library.streamCreate(), engine, IN_ORDER);
  }

  /// The instruction set that the library has chosen, one of its numbers.
  int isa() {
    try {
      return (int) library.effectiveIsa().invokeExact();
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  /// OpenMP keeps the number of threads per calling thread.
  void useThreads(int threads) {
    long current = Thread.currentThread().threadId();
    if (current == threadOfTeam) {
      return;
    }
    try {
      library.setThreads().invokeExact(threads);
      threadOfTeam = current;
    } catch (Throwable e) {
      throw rethrown(e);
    }
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
          (int)
              library
                  .descriptorWithTag()
                  .invokeExact(result.address(), 2, dims.address(), type, tag));
      return handle();
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  /// Bytes of a matrix.
  long size(long descriptor) {
    try {
      return (long) library.descriptorSize().invokeExact(descriptor);
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  /// A description of `destination = source x weights`.
  long matmul(long source, long weights, long destination) {
    try {
      check(
          "dnnl_matmul_primitive_desc_create",
          (int)
              library
                  .matmulDescriptor()
                  .invokeExact(result.address(), engine, source, weights, 0L, destination, 0L));
      return handle();
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  /// The form that a described product wants its weights in.
  long weightsOf(long matmul) {
    try {
      return (long) library.queryDescriptor().invokeExact(matmul, WEIGHTS_DESCRIPTOR, 0);
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  /// A description of a copy from one form into another.
  long reorder(long from, long to) {
    try {
      check(
          "dnnl_reorder_primitive_desc_create",
          (int)
              library
                  .reorderDescriptor()
                  .invokeExact(result.address(), from, engine, to, engine, 0L));
      return handle();
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  /// Something that can be executed, of its description.
  long primitive(long description) {
    return created("dnnl_primitive_create", library.primitiveCreate(), description);
  }

  /// A matrix in memory.
  long memory(long descriptor, MemorySegment data) {
    try {
      check(
          "dnnl_memory_create",
          (int)
              library
                  .memoryCreate()
                  .invokeExact(result.address(), descriptor, engine, data.address()));
      return handle();
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  /// Lets a matrix lie elsewhere.
  void move(long memory, MemorySegment data) {
    try {
      check(
          "dnnl_memory_set_data_handle",
          (int) library.memorySetData().invokeExact(memory, data.address()));
    } catch (Throwable e) {
      throw rethrown(e);
    }
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
    try {
      check(
          "dnnl_primitive_execute",
          (int)
              library
                  .primitiveExecute()
                  .invokeExact(primitive, stream, count, arguments.address()));
      check("dnnl_stream_wait", (int) library.streamWait().invokeExact(stream));
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  private long created(String name, MethodHandle call, int kind, long index) {
    try {
      check(name, (int) call.invokeExact(result.address(), kind, index));
      return handle();
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  private long created(String name, MethodHandle call, long parent, int flags) {
    try {
      check(name, (int) call.invokeExact(result.address(), parent, flags));
      return handle();
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  private long created(String name, MethodHandle call, long description) {
    try {
      check(name, (int) call.invokeExact(result.address(), description));
      return handle();
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  private long handle() {
    return result.get(ValueLayout.JAVA_LONG, 0);
  }

  private static void check(String call, int status) {
    if (status != 0) {
      throw new OneDnnException(call, status);
    }
  }

  private static RuntimeException rethrown(Throwable e) {
    if (e instanceof RuntimeException unchecked) {
      return unchecked;
    }
    if (e instanceof Error error) {
      throw error;
    }
    return new IllegalStateException(e);
  }
}
