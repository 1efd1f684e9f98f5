package io.kvasir.compute.x86;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/// A function in executable memory with one argument, an address. It stays until the program ends.
///
/// Memory is first written and then made executable, never both at once.
@SuppressWarnings("restricted") // Calling code of our own is this class's purpose.
final class MachineCode {
  private static final Linker LINKER = Linker.nativeLinker();
  private static final MethodHandle CALL =
      LINKER.downcallHandle(FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));
  private static final int READ = 1;
  private static final int WRITE = 2;
  private static final int EXECUTE = 4;
  private static final int PRIVATE_ANONYMOUS = 0x22;

  private final MemorySegment function;

  private MachineCode(MemorySegment function) {
    this.function = function;
  }

  /// Makes code executable.
  ///
  /// @throws IllegalStateException where the system refuses
  static MachineCode of(byte[] code) {
    try {
      MemorySegment at = map(code.length);
      at.copyFrom(MemorySegment.ofArray(code));
      protect(at);
      return new MachineCode(at);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /// Calls the function.
  void call(long argument) {
    try {
      CALL.invokeExact(function, argument);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  private static MemorySegment map(long bytes) throws Throwable {
    MethodHandle mmap =
        LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("mmap"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG));
    long at = (long) mmap.invokeExact(0L, bytes, READ | WRITE, PRIVATE_ANONYMOUS, -1, 0L);
    if (at == -1) {
      throw new IllegalStateException("no memory for machine code: " + bytes + " bytes");
    }
    return MemorySegment.ofAddress(at).reinterpret(bytes);
  }

  private static void protect(MemorySegment code) throws Throwable {
    MethodHandle mprotect =
        LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("mprotect"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT));
    int status = (int) mprotect.invokeExact(code.address(), code.byteSize(), READ | EXECUTE);
    if (status != 0) {
      throw new IllegalStateException("the system does not let memory be made executable");
    }
  }
}
