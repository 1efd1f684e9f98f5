package io.kvasir.acceptance;

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

/// The emulated driver of the GPU backend's own tests, with what it does for tests alone.
final class EmulatedGpu {
  private static boolean built;

  private EmulatedGpu() {}

  /// The library's path, or a skip with a reason.
  static synchronized String library() {
    Path source = Path.of("../compute-cuda/src/test/cpp/build.sh").toAbsolutePath();
    Path target = Path.of("target/emulated-cuda/libcuda.so.1").toAbsolutePath();
    try {
      if (!built) {
        Files.createDirectories(target.getParent());
        Process build =
            new ProcessBuilder("sh", source.toString(), target.toString())
                .redirectErrorStream(true)
                .redirectOutput(target.resolveSibling("log").toFile())
                .start();
        built = build.waitFor(120, TimeUnit.SECONDS) && build.exitValue() == 0;
      }
    } catch (IOException e) {
      Assumptions.abort("[no-cuda-device] and no shell to build an emulated one: " + e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
    Assumptions.assumeTrue(built, "[no-cuda-device] and no C++ compiler to emulate one");
    return target.toString();
  }

  /// Lets the allocation of this number fail, counted from 0 and from now on; none for -1.
  static void failAt(long number) {
    call("emulated_fail_at", number);
  }

  /// Lets all allocations from this number on fail, until [#failAt].
  static void failFrom(long number) {
    call("emulated_fail_from", number);
  }

  /// Allocations since the last [#failAt] or [#failFrom].
  static long allocations() {
    return call("emulated_allocations", 0);
  }

  /// Allocations of all sorts that were not freed.
  static long live() {
    return call("emulated_live", 0);
  }

  /// Whether kernels do nothing and results are zeros.
  static void idle(boolean value) {
    call("emulated_idle", value ? 1 : 0);
  }

  @SuppressWarnings("restricted") // calls the emulated driver
  private static long call(String function, long argument) {
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
