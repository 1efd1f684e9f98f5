package io.kvasir.compute.cuda;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/// The driver that stands in for a GPU in tests: `src/test/cpp` compiles the kernels' own sources
/// as C++ and runs them on the processor. Built once a run, where there is a compiler.
final class EmulatedDriver {
  private static String library = "";

  private EmulatedDriver() {}

  /// The library's path, or a skip with a reason.
  static synchronized String library() {
    if (library.isEmpty()) {
      Path source = Path.of("src/test/cpp/build.sh").toAbsolutePath();
      try {
        Path target = Files.createTempDirectory("kvasir-cuda").resolve("libcuda.so.1");
        target.toFile().deleteOnExit();
        Process build =
            new ProcessBuilder("sh", source.toString(), target.toString())
                .redirectErrorStream(true)
                .redirectOutput(target.resolveSibling("log").toFile())
                .start();
        boolean done = build.waitFor(120, TimeUnit.SECONDS);
        Assumptions.assumeTrue(
            done && build.exitValue() == 0 && Files.exists(target),
            "[no-cuda-device] and no C++ compiler to emulate one");
        library = target.toString();
      } catch (IOException e) {
        Assumptions.abort("[no-cuda-device] and no shell to build an emulated one: " + e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
    }
    return library;
  }

  /// A backend on it, to be closed by the caller.
  static CudaBackend open() {
    return open(true);
  }

  /// @param exact whether kernels for tensor cores, of which there are some twins, are not used
  static CudaBackend open(boolean exact) {
    return switch (CudaBackend.open(library(), 0, exact)) {
      case CudaBackend.Ready ready -> ready.backend();
      case CudaBackend.Unavailable unavailable -> throw new AssertionError(unavailable.reason());
    };
  }

  /// Calls a function that the emulated driver has for tests; see `driver.cpp`.
  @SuppressWarnings("restricted") // calls the emulated driver
  static long call(String function, long argument) {
    MethodHandle handle =
        Linker.nativeLinker()
            .downcallHandle(
                SymbolLookup.libraryLookup(library(), Arena.global()).findOrThrow(function),
                FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
    try {
      return (long) handle.invokeExact(argument);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }
}
