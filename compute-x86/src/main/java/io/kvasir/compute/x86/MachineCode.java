package io.kvasir.compute.x86;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandleProxies;

/// Writes functions to executable memory, where they stay until the program ends.
///
/// Memory is first written and then made executable, never both at once.
@SuppressWarnings("restricted") // Calling code of our own is this class's purpose.
final class MachineCode {
  private static final int READ = 1;
  private static final int WRITE = 2;
  private static final int EXECUTE = 4;
  private static final int PRIVATE_ANONYMOUS = 0x22;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final Map MAP =
      bind(
          Map.class,
          LINKER.defaultLookup().findOrThrow("mmap"),
          FunctionDescriptor.of(
              JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
  private static final Protect PROTECT =
      bind(
          Protect.class,
          LINKER.defaultLookup().findOrThrow("mprotect"),
          FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));

  /// A function in machine code.
  @FunctionalInterface
  public interface Function {
    /// @param argument the address of the function's operands
    void call(long argument);
  }

  /// `mmap`.
  @FunctionalInterface
  public interface Map {
    long call(long address, long bytes, int protection, int flags, int file, long offset);
  }

  /// `mprotect`.
  @FunctionalInterface
  public interface Protect {
    int call(long address, long bytes, int protection);
  }

  private MachineCode() {}

  /// Makes code executable.
  ///
  /// @throws IllegalStateException where the system refuses
  static Function of(byte[] code) {
    long at = MAP.call(0, code.length, READ | WRITE, PRIVATE_ANONYMOUS, -1, 0);
    if (at == -1) {
      throw new IllegalStateException("no memory for machine code: " + code.length + " bytes");
    }
    MemorySegment memory = MemorySegment.ofAddress(at).reinterpret(code.length);
    memory.copyFrom(MemorySegment.ofArray(code));
    if (PROTECT.call(at, code.length, READ | EXECUTE) != 0) {
      throw new IllegalStateException("the system does not let memory be made executable");
    }
    return bind(Function.class, memory, FunctionDescriptor.ofVoid(JAVA_LONG));
  }

  private static <T> T bind(Class<T> type, MemorySegment at, FunctionDescriptor signature) {
    return MethodHandleProxies.asInterfaceInstance(type, LINKER.downcallHandle(at, signature));
  }
}
