package io.kvasir.compute.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Gathers the parameters of one kernel launch and queues it on the compute stream. The driver
/// copies parameters when it is called, so one instance serves all launches; it allocates nothing.
///
/// ```
/// launch.of(function).pointer(x).number(n).launch(blocks, threads);
/// ```
final class Launch implements AutoCloseable {
  private static final int MAX_PARAMETERS = 40;

  /// `CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION`.
  private static final int PROGRAMMATIC_SERIALIZATION = 6;

  /// `CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT`, in percent.
  private static final int SHARED_MEMORY_CARVEOUT = 14;

  private static final int ATTRIBUTES = 64;
  private static final int ATTRIBUTE_BYTES = 72;

  private final CudaContext context;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment values = arena.allocate(8L * MAX_PARAMETERS, 8);
  private final MemorySegment pointers = arena.allocate(8L * MAX_PARAMETERS, 8);

  /// A `CUlaunchConfig` and, from byte 64 on, its attributes.
  private final MemorySegment config = arena.allocate(ATTRIBUTES + 2 * ATTRIBUTE_BYTES, 64);

  private final MemorySegment wide = arena.allocate(4096, 64);
  private int wideAt = -1;
  private long function;
  private int count;
  private int shared;
  private boolean early;
  private boolean beside;
  private long launches;
  private long writes;

  Launch(CudaContext context) {
    this.context = context;
    for (int i = 0; i < MAX_PARAMETERS; i++) {
      pointers.setAtIndex(ValueLayout.JAVA_LONG, i, values.address() + 8L * i);
    }
  }

  /// Begins a launch of a kernel.
  Launch of(long kernel) {
    if (wideAt >= 0) {
      pointers.setAtIndex(ValueLayout.JAVA_LONG, wideAt, values.address() + 8L * wideAt);
      wideAt = -1;
    }
    function = kernel;
    count = 0;
    shared = 0;
    early = false;
    beside = false;
    return this;
  }

  Launch pointer(long value) {
    values.setAtIndex(ValueLayout.JAVA_LONG, count++, value);
    return this;
  }

  Launch number(int value) {
    values.set(ValueLayout.JAVA_INT, 8L * count++, value);
    return this;
  }

  Launch real(float value) {
    values.set(ValueLayout.JAVA_FLOAT, 8L * count++, value);
    return this;
  }

  /// A structure passed by value; at most one for each launch.
  Launch structure(MemorySegment bytes) {
    if (wideAt >= 0) {
      throw new IllegalStateException("a launch passes one structure");
    }
    MemorySegment.copy(bytes, 0, wide, 0, bytes.byteSize());
    wideAt = count;
    pointers.setAtIndex(ValueLayout.JAVA_LONG, count++, wide.address());
    return this;
  }

  /// Dynamic shared memory of a block.
  Launch shared(int bytes) {
    shared = bytes;
    return this;
  }

  /// Lets it begin while the kernel before still runs: for kernels that wait themselves before they
  /// read what that one writes, on GPUs that can (programmatic stream serialization).
  Launch early() {
    early = context.capability() >= 90;
    return this;
  }

  /// [#early], between kernels that take most of a multiprocessor's shared memory: one that wants
  /// none would have it divided otherwise, for which the multiprocessor must first be empty.
  Launch besideShared() {
    beside = true;
    return early();
  }

  /// Queues it with a grid of one dimension.
  void launch(int blocks, int threads) {
    launch(blocks, 1, 1, threads);
  }

  void launch(int blocksX, int blocksY, int blocksZ, int threads) {
    if (blocksX == 0 || blocksY == 0 || blocksZ == 0) {
      return;
    }
    int code =
        early
            ? launchEarly(blocksX, blocksY, blocksZ, threads)
            : context
                .driver()
                .code()
                .launch()
                .call(
                    function,
                    blocksX,
                    blocksY,
                    blocksZ,
                    threads,
                    1,
                    1,
                    shared,
                    context.computeStream(),
                    pointers.address(),
                    0);
    launches++;
    if (code != 0) {
      context.check(code, "cuLaunchKernel");
    }
  }

  private int launchEarly(int blocksX, int blocksY, int blocksZ, int threads) {
    int[] sizes = {blocksX, blocksY, blocksZ, threads, 1, 1, shared};
    for (int i = 0; i < sizes.length; i++) {
      config.setAtIndex(ValueLayout.JAVA_INT, i, sizes[i]);
    }
    config.set(ValueLayout.JAVA_LONG, 32, context.computeStream());
    config.set(ValueLayout.JAVA_LONG, 40, config.address() + ATTRIBUTES);
    config.set(ValueLayout.JAVA_INT, 48, beside ? 2 : 1);
    attribute(0, PROGRAMMATIC_SERIALIZATION, 1);
    attribute(1, SHARED_MEMORY_CARVEOUT, 100);
    return context
        .driver()
        .code()
        .launchWith()
        .call(config.address(), function, pointers.address(), 0);
  }

  private void attribute(int index, int number, int value) {
    long at = ATTRIBUTES + (long) index * ATTRIBUTE_BYTES;
    config.set(ValueLayout.JAVA_INT, at, number);
    config.set(ValueLayout.JAVA_INT, at + 8, value);
  }

  /// Counts kernels that a graph has launched.
  void replayed(int kernels) {
    launches += kernels;
  }

  /// Launches so far.
  long launches() {
    return launches;
  }

  /// Notes that the host wrote to a buffer.
  void wrote() {
    writes++;
  }

  /// Launches and writes so far: as long as it stays, all buffers hold what they held.
  long changes() {
    return launches + writes;
  }

  @Override
  public void close() {
    arena.close();
  }
}
