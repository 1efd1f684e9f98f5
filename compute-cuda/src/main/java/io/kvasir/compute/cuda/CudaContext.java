package io.kvasir.compute.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// One GPU, ready for work: its context, the stream that computes and the stream that copies.
///
/// The current context belongs to a thread of the operating system, so whoever calls from a thread
/// of his own begins with [#enter]. Memory, streams and events are released by [#close].
final class CudaContext implements AutoCloseable {
  /// Least compute capability, in tenths: Ampere.
  static final int LEAST_CAPABILITY = 80;

  /// The CUDA version of the compiler that made the kernels, as drivers count: 13.0.
  static final int LEAST_DRIVER = 13000;

  private static final int NO_DEVICE = 100;
  private static final int CAPABILITY_MAJOR = 75;
  private static final int CAPABILITY_MINOR = 76;
  private static final int MULTIPROCESSORS = 16;
  private static final int NON_BLOCKING = 1;
  private static final int NO_TIMING = 2;

  private final CudaDriver driver;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment result = arena.allocate(16, 8);
  private final int device;
  private final int ordinal;
  private final String name;
  private final int capability;
  private final int driverVersion;
  private long context;
  private long computeStream;
  private long copyStream;
  private long moves;

  private CudaContext(CudaDriver driver, int ordinal, int driverVersion) {
    this.driver = driver;
    this.ordinal = ordinal;
    this.driverVersion = driverVersion;
    try {
      CudaDriver.Start start = driver.start();
      check(start.deviceGet().call(result.address(), ordinal), "cuDeviceGet");
      device = result.get(ValueLayout.JAVA_INT, 0);
      MemorySegment text = arena.allocate(256);
      check(start.deviceName().call(text.address(), 256, device), "cuDeviceGetName");
      name = text.getString(0);
      capability = 10 * attribute(CAPABILITY_MAJOR) + attribute(CAPABILITY_MINOR);
    } catch (CudaException e) {
      arena.close();
      throw e;
    }
  }

  /// What came of opening a device.
  sealed interface Opening {}

  /// It is open, to be closed by the caller.
  record Opened(CudaContext context) implements Opening {}

  /// It cannot be used.
  ///
  /// @param reason one sentence
  record Unusable(String reason) implements Opening {}

  /// Opens GPU `ordinal`, counted from 0.
  static Opening open(CudaDriver driver, int ordinal) {
    int initialized = driver.start().init().call(0);
    if (initialized == NO_DEVICE) {
      return new Unusable("the NVIDIA driver finds no GPU on this machine");
    }
    if (initialized != 0) {
      return new Unusable(
          "the NVIDIA driver does not start: " + driver.nameOf(initialized) + " at cuInit");
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(8, 8);
      driver.check(driver.start().driverVersion().call(value.address()), "cuDriverGetVersion");
      int version = value.get(ValueLayout.JAVA_INT, 0);
      if (version < LEAST_DRIVER) {
        return new Unusable(
            "the NVIDIA driver is too old: it supports CUDA %s, Kvasir's kernels need %s"
                .formatted(version(version), version(LEAST_DRIVER)));
      }
      driver.check(driver.start().deviceCount().call(value.address()), "cuDeviceGetCount");
      int count = value.get(ValueLayout.JAVA_INT, 0);
      if (ordinal >= count) {
        return new Unusable(
            "there is no GPU %d: the NVIDIA driver finds %d, counted from 0"
                .formatted(ordinal, count));
      }
      return open(new CudaContext(driver, ordinal, version));
    }
  }

  private static Opening open(CudaContext context) {
    if (context.capability < LEAST_CAPABILITY) {
      context.arena.close();
      return new Unusable(
          "GPU %d (%s) has compute capability %d.%d; Kvasir needs 8.0 or more"
              .formatted(
                  context.ordinal, context.name, context.capability / 10, context.capability % 10));
    }
    try {
      context.start();
      return new Opened(context);
    } catch (CudaException e) {
      context.close();
      return new Unusable(
          "GPU %d (%s) cannot be used: %s"
              .formatted(context.ordinal, context.name, e.getMessage()));
    }
  }

  static String version(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }

  private void start() {
    check(
        driver.start().contextRetain().call(result.address(), device), "cuDevicePrimaryCtxRetain");
    context = result.get(ValueLayout.JAVA_LONG, 0);
    enter();
    computeStream = stream();
    copyStream = stream();
  }

  private long stream() {
    check(driver.streams().create().call(result.address(), NON_BLOCKING), "cuStreamCreate");
    return result.get(ValueLayout.JAVA_LONG, 0);
  }

  private int attribute(int attribute) {
    check(
        driver.start().deviceAttribute().call(result.address(), attribute, device),
        "cuDeviceGetAttribute");
    return result.get(ValueLayout.JAVA_INT, 0);
  }

  /// Makes this the context of the calling thread.
  void enter() {
    check(driver.start().contextSetCurrent().call(context), "cuCtxSetCurrent");
  }

  CudaDriver driver() {
    return driver;
  }

  /// Makes an exception of a failed call.
  void check(int result, String call) {
    driver.check(result, call);
  }

  String name() {
    return name;
  }

  int ordinal() {
    return ordinal;
  }

  /// Compute capability in tenths, 90 for Hopper.
  int capability() {
    return capability;
  }

  int driverVersion() {
    return driverVersion;
  }

  /// Multiprocessors of the device.
  int multiprocessors() {
    return attribute(MULTIPROCESSORS);
  }

  /// The stream of all kernels.
  long computeStream() {
    return computeStream;
  }

  /// The stream of cache blocks that move between host and device.
  long copyStream() {
    return copyStream;
  }

  /// Bytes of the device that nobody uses right now.
  long freeBytes() {
    check(driver.memory().free().call(result.address(), result.address() + 8), "cuMemGetInfo_v2");
    return result.get(ValueLayout.JAVA_LONG, 0);
  }

  /// Bytes of the whole device.
  long totalBytes() {
    check(driver.start().deviceTotalMemory().call(result.address(), device), "cuDeviceTotalMem_v2");
    return result.get(ValueLayout.JAVA_LONG, 0);
  }

  /// Takes memory of the device.
  ///
  /// @param purpose for the message, such as "weights of 'blk.0.ffn_up'"
  /// @throws CudaException where there is not so much
  long allocate(long bytes, String purpose) {
    long pointer = tryAllocate(bytes);
    if (pointer == 0) {
      int code = CudaException.OUT_OF_MEMORY;
      throw new CudaException(
          "GPU %d (%s) has too little memory: %,d bytes of %s do not fit into the %,d that are free"
              .formatted(ordinal, name, bytes, purpose, freeBytes()),
          new CudaException("cuMemAlloc_v2", code, driver.nameOf(code)));
    }
    return pointer;
  }

  /// The same; 0 where there is not so much.
  long tryAllocate(long bytes) {
    int code = driver.memory().allocate().call(result.address(), Math.max(bytes, 16));
    if (code == CudaException.OUT_OF_MEMORY) {
      return 0;
    }
    check(code, "cuMemAlloc_v2");
    return result.get(ValueLayout.JAVA_LONG, 0);
  }

  /// Notes that an array that kernels read has moved to another place.
  void moved() {
    moves++;
  }

  /// How often such arrays have moved.
  long moves() {
    return moves;
  }

  /// Gives memory of the device back.
  void free(long pointer) {
    check(driver.memory().release().call(pointer), "cuMemFree_v2");
  }

  /// Memory of the host that the device copies from and to at full speed; freed by
  /// [#releasePinned].
  @SuppressWarnings("restricted") // The driver's own memory, of exactly the size asked for.
  MemorySegment pinned(long bytes) {
    long pointer;
    int code;
    // Copying threads ask too, so the answer has a place of its own.
    try (Arena own = Arena.ofConfined()) {
      MemorySegment place = own.allocate(8, 8);
      code = driver.memory().hostAllocate().call(place.address(), bytes, 0);
      pointer = place.get(ValueLayout.JAVA_LONG, 0);
    }
    if (code == CudaException.OUT_OF_MEMORY) {
      throw new CudaException(
          "the machine has too little memory: %,d bytes for copies to and from GPU %d (%s) cannot be pinned"
              .formatted(bytes, ordinal, name),
          new CudaException("cuMemHostAlloc", code, driver.nameOf(code)));
    }
    check(code, "cuMemHostAlloc");
    return MemorySegment.ofAddress(pointer).reinterpret(bytes);
  }

  void releasePinned(MemorySegment memory) {
    check(driver.memory().hostRelease().call(memory.address()), "cuMemFreeHost");
  }

  /// Queues a copy to the device; `from` must stay as it is until the stream has passed it.
  void toDevice(long target, MemorySegment from, long bytes, long stream) {
    toDevice(target, from.address(), bytes, stream);
  }

  /// The same for an address of the host.
  void toDevice(long target, long from, long bytes, long stream) {
    check(driver.memory().toDevice().call(target, from, bytes, stream), "cuMemcpyHtoDAsync_v2");
  }

  /// Queues a copy to the host.
  void toHost(MemorySegment into, long source, long bytes, long stream) {
    check(
        driver.memory().toHost().call(into.address(), source, bytes, stream),
        "cuMemcpyDtoHAsync_v2");
  }

  /// Queues a copy within the device.
  void withinDevice(long target, long source, long bytes, long stream) {
    check(
        driver.memory().withinDevice().call(target, source, bytes, stream), "cuMemcpyDtoDAsync_v2");
  }

  /// Queues the filling of memory of the device with zeros.
  void clear(long target, long bytes, long stream) {
    check(driver.memory().fillBytes().call(target, 0, bytes, stream), "cuMemsetD8Async");
  }

  /// Waits until all that is queued is done.
  void synchronize(long stream) {
    check(driver.streams().synchronize().call(stream), "cuStreamSynchronize");
  }

  /// An event without a clock.
  long event() {
    check(driver.streams().eventCreate().call(result.address(), NO_TIMING), "cuEventCreate");
    return result.get(ValueLayout.JAVA_LONG, 0);
  }

  /// Lets what is queued on `later` from now on wait for what is queued on `earlier` so far; for
  /// threads of any kind, but not while `earlier` is captured.
  synchronized void order(long earlier, long later, long event) {
    check(driver.streams().eventRecord().call(event, earlier), "cuEventRecord");
    check(driver.streams().waitEvent().call(later, event, 0), "cuStreamWaitEvent");
  }

  /// Lets an event stand for what is queued on a stream so far.
  void record(long event, long stream) {
    check(driver.streams().eventRecord().call(event, stream), "cuEventRecord");
  }

  /// Waits until what an event stands for is done; at once where it stands for nothing.
  void await(long event) {
    check(driver.streams().eventSynchronize().call(event), "cuEventSynchronize");
  }

  void destroyEvent(long event) {
    check(driver.streams().eventDestroy().call(event), "cuEventDestroy_v2");
  }

  @Override
  public void close() {
    if (computeStream != 0) {
      check(driver.streams().destroy().call(computeStream), "cuStreamDestroy_v2");
      computeStream = 0;
    }
    if (copyStream != 0) {
      check(driver.streams().destroy().call(copyStream), "cuStreamDestroy_v2");
      copyStream = 0;
    }
    if (context != 0) {
      check(driver.start().contextRelease().call(device), "cuDevicePrimaryCtxRelease_v2");
      context = 0;
    }
    arena.close();
  }
}
