package io.kvasir.compute.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.util.Arrays;
import java.util.NoSuchElementException;

/// The functions of the CUDA driver library that the backend calls, bound once.
///
/// All arguments are passed as `long`: pointers, handles, sizes and integers take one register or
/// one 8-byte stack slot each in the calling conventions of Linux and Windows on 64-bit processors,
/// and a function reads as many low bytes as its parameter has. So one interface per number of
/// arguments serves all. Each call returns the driver's result code; [#check] makes an exception of
/// one that is not 0.
///
/// The names with `_v2` are the library's own behind the macros of its header.
///
/// @param start the device and its context
public record CudaDriver(
    Start start, Memory memory, Streams streams, Code code, Graphs graphs, Call2 errorName) {

  /// The library's name on Linux.
  public static final String LIBRARY = "libcuda.so.1";

  /// `CUDA_ERROR_NOT_SUPPORTED`.
  private static final int NOT_SUPPORTED = 801;

  /// One argument.
  @FunctionalInterface
  public interface Call1 {
    int call(long a);
  }

  /// Two arguments.
  @FunctionalInterface
  public interface Call2 {
    int call(long a, long b);
  }

  /// Three arguments.
  @FunctionalInterface
  public interface Call3 {
    int call(long a, long b, long c);
  }

  /// Four arguments.
  @FunctionalInterface
  public interface Call4 {
    int call(long a, long b, long c, long d);
  }

  /// Eleven arguments.
  @FunctionalInterface
  public interface Call11 {
    int call(
        long a, long b, long c, long d, long e, long f, long g, long h, long i, long j, long k);
  }

  /// Twelve arguments.
  @FunctionalInterface
  public interface Call12 {
    int call(
        long a,
        long b,
        long c,
        long d,
        long e,
        long f,
        long g,
        long h,
        long i,
        long j,
        long k,
        long l);
  }

  /// Devices and contexts.
  public record Start(
      Call1 init,
      Call1 driverVersion,
      Call1 deviceCount,
      Call2 deviceGet,
      Call3 deviceName,
      Call3 deviceAttribute,
      Call2 deviceTotalMemory,
      Call2 contextRetain,
      Call1 contextRelease,
      Call1 contextSetCurrent) {}

  /// Memory of the device, pinned memory of the host, copies.
  public record Memory(
      Call2 free,
      Call2 allocate,
      Call1 release,
      Call3 hostAllocate,
      Call1 hostRelease,
      Call4 toDevice,
      Call4 toHost,
      Call4 withinDevice,
      Call4 fillBytes) {}

  /// Streams and events.
  public record Streams(
      Call2 create,
      Call1 destroy,
      Call1 synchronize,
      Call3 waitEvent,
      Call2 eventCreate,
      Call2 eventRecord,
      Call1 eventSynchronize,
      Call3 eventElapsed,
      Call1 eventDestroy) {}

  /// Modules, functions and launches; what the copy engine is told of a matrix.
  public record Code(
      Call2 loadModule,
      Call3 function,
      Call1 unloadModule,
      Call3 functionAttribute,
      Call4 global,
      Call4 launchWith,
      Call11 launch,
      Call12 encodeTiles) {}

  /// Launches recorded and replayed.
  public record Graphs(
      Call2 beginCapture,
      Call2 endCapture,
      Call3 instantiate,
      Call2 launch,
      Call1 destroyExec,
      Call1 destroy) {}

  /// What came of loading the library.
  public sealed interface Loading {}

  /// The library is there and has all functions.
  public record Loaded(CudaDriver driver) implements Loading {}

  /// It is not, or lacks some.
  ///
  /// @param reason one sentence
  public record Missing(String reason) implements Loading {}

  /// Loads a driver library, usually [#LIBRARY]; it stays loaded as long as the program runs.
  @SuppressWarnings("restricted") // Loads native code: the driver that the user asked for.
  public static Loading load(String library) {
    SymbolLookup symbols;
    try {
      symbols = SymbolLookup.libraryLookup(library, Arena.global());
    } catch (IllegalArgumentException e) {
      return new Missing("there is no NVIDIA driver on this machine (" + library + ")");
    }
    try {
      return new Loaded(bind(symbols));
    } catch (NoSuchElementException e) {
      return new Missing(
          "the NVIDIA driver is too old: %s lacks a function (%s)"
              .formatted(library, e.getMessage()));
    }
  }

  /// @throws NoSuchElementException where a function is missing that the backend cannot do without
  static CudaDriver bind(SymbolLookup symbols) {
    Binder b = new Binder(symbols);
    Start start =
        new Start(
            b.one("cuInit"),
            b.one("cuDriverGetVersion"),
            b.one("cuDeviceGetCount"),
            b.two("cuDeviceGet"),
            b.three("cuDeviceGetName"),
            b.three("cuDeviceGetAttribute"),
            b.two("cuDeviceTotalMem_v2"),
            b.two("cuDevicePrimaryCtxRetain"),
            b.one("cuDevicePrimaryCtxRelease_v2"),
            b.one("cuCtxSetCurrent"));
    Memory memory =
        new Memory(
            b.two("cuMemGetInfo_v2"),
            b.two("cuMemAlloc_v2"),
            b.one("cuMemFree_v2"),
            b.three("cuMemHostAlloc"),
            b.one("cuMemFreeHost"),
            b.four("cuMemcpyHtoDAsync_v2"),
            b.four("cuMemcpyDtoHAsync_v2"),
            b.four("cuMemcpyDtoDAsync_v2"),
            b.four("cuMemsetD8Async"));
    Streams streams =
        new Streams(
            b.two("cuStreamCreate"),
            b.one("cuStreamDestroy_v2"),
            b.one("cuStreamSynchronize"),
            b.three("cuStreamWaitEvent"),
            b.two("cuEventCreate"),
            b.two("cuEventRecord"),
            b.one("cuEventSynchronize"),
            b.three("cuEventElapsedTime"),
            b.one("cuEventDestroy_v2"));
    Code code =
        new Code(
            b.two("cuModuleLoadData"),
            b.three("cuModuleGetFunction"),
            b.one("cuModuleUnload"),
            b.three("cuFuncSetAttribute"),
            b.four("cuModuleGetGlobal_v2"),
            b.four("cuLaunchKernelEx"),
            b.bind("cuLaunchKernel", Call11.class, 11),
            b.has("cuTensorMapEncodeTiled")
                ? b.bind("cuTensorMapEncodeTiled", Call12.class, 12)
                : (x, type, rank, at, sizes, strides, box, steps, a, c, d, e) -> NOT_SUPPORTED);
    Graphs graphs =
        new Graphs(
            b.two("cuStreamBeginCapture_v2"),
            b.two("cuStreamEndCapture"),
            b.three("cuGraphInstantiateWithFlags"),
            b.two("cuGraphLaunch"),
            b.one("cuGraphExecDestroy"),
            b.one("cuGraphDestroy"));
    return new CudaDriver(start, memory, streams, code, graphs, b.two("cuGetErrorName"));
  }

  /// Makes an exception of a result that is not success.
  ///
  /// @param result what the call returned
  /// @param call the driver's name of the function
  /// @throws CudaException where `result` is not 0
  public void check(int result, String call) {
    if (result != 0) {
      throw new CudaException(call, result, nameOf(result));
    }
  }

  /// The driver's name of a result code.
  @SuppressWarnings("restricted") // The driver's own constant string, ended by a zero.
  public String nameOf(int result) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ValueLayout.JAVA_LONG);
      if (errorName.call(result, pointer.address()) != 0) {
        return "unknown error";
      }
      long text = pointer.get(ValueLayout.JAVA_LONG, 0);
      return MemorySegment.ofAddress(text).reinterpret(256).getString(0);
    }
  }

  /// Binds functions of the library by the number of their arguments.
  private record Binder(SymbolLookup symbols) {
    Call1 one(String name) {
      return bind(name, Call1.class, 1);
    }

    Call2 two(String name) {
      return bind(name, Call2.class, 2);
    }

    Call3 three(String name) {
      return bind(name, Call3.class, 3);
    }

    Call4 four(String name) {
      return bind(name, Call4.class, 4);
    }

    boolean has(String name) {
      return symbols.find(name).isPresent();
    }

    // To bind the driver's functions is what this class is for.
    @SuppressWarnings("restricted")
    <T> T bind(String name, Class<T> type, int arguments) {
      MemoryLayout[] layouts = new MemoryLayout[arguments];
      Arrays.fill(layouts, ValueLayout.JAVA_LONG);
      MethodHandle handle =
          Linker.nativeLinker()
              .downcallHandle(
                  symbols.findOrThrow(name), FunctionDescriptor.of(ValueLayout.JAVA_INT, layouts));
      return MethodHandleProxies.asInterfaceInstance(type, handle);
    }
  }
}
