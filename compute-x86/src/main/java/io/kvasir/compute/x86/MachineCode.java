package io.kvasir.compute.x86;

import static java.lang.foreign.ValueLayout.ADDRESS;
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
public final class MachineCode {
  private static final System.Logger LOG = System.getLogger("io.kvasir.compute.x86");
  private static final byte[] RETURN = {(byte) 0xc3};
  private static final int READ = 1;
  private static final int WRITE = 2;
  private static final int EXECUTE = 4;
  private static final int PRIVATE_ANONYMOUS = 0x22;

  /// A function in machine code.
  @FunctionalInterface
  public interface Function {
    /// @param argument the address of the function's operands
    void call(long argument);
  }

  /// A function in machine code that reads memory which may be closed by others.
  @FunctionalInterface
  public interface KeepingFunction {
    /// @param argument the address of the function's operands
    /// @param kept memory that stays open until the function returns
    /// @throws IllegalStateException where that memory is closed already
    void call(long argument, MemorySegment kept);
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

  /// `syscall`.
  @FunctionalInterface
  public interface SystemCall {
    long call(long number, long first, long second);
  }

  private MachineCode() {}

  /// Whether this processor has what the widest kernels need, [Instructions#AVX512], and this
  /// program may run code of its own.
  public static boolean isSupported() {
    return Instructions.AVX512.isSupported();
  }

  /// Whether this program may run code of its own.
  static boolean canCall() {
    return Support.IS_THERE;
  }

  /// Whether this processor multiplies bf16 besides.
  public static boolean hasBf16() {
    return Processor.here().hasAvx512() && Processor.here().hasBf16();
  }

  /// Whether this processor multiplies tiles of bf16 besides, and the system lets this program do
  /// so.
  public static boolean hasTiles() {
    return TilePermission.IS_THERE;
  }

  /// Makes code executable.
  ///
  /// @throws IllegalStateException where the system refuses
  static Function of(byte[] code) {
    return Calls.bind(Function.class, write(code), FunctionDescriptor.ofVoid(JAVA_LONG));
  }

  /// As [#of], for functions that read memory which may be closed.
  static KeepingFunction keeping(byte[] code) {
    return Calls.bind(
        KeepingFunction.class, write(code), FunctionDescriptor.ofVoid(JAVA_LONG, ADDRESS));
  }

  /// As [#of], for code that takes some microseconds: it is called without telling the virtual
  /// machine, which waits for it where it wants to stop all threads.
  static Function ofShort(byte[] code) {
    return Calls.bind(
        Function.class,
        write(code),
        FunctionDescriptor.ofVoid(JAVA_LONG),
        Linker.Option.critical(false));
  }

  private static MemorySegment write(byte[] code) {
    long at = Calls.MAP.call(0, code.length, READ | WRITE, PRIVATE_ANONYMOUS, -1, 0);
    if (at == -1) {
      throw new IllegalStateException("no memory for machine code: " + code.length + " bytes");
    }
    MemorySegment memory = MemorySegment.ofAddress(at).reinterpret(code.length);
    memory.copyFrom(MemorySegment.ofArray(code));
    if (Calls.PROTECT.call(at, code.length, READ | EXECUTE) != 0) {
      throw new IllegalStateException("the system does not let memory be made executable");
    }
    return memory;
  }

  /// Found out once: a hardened system may refuse executable memory, a program calls of native
  /// code.
  private static final class Support {
    static final boolean IS_THERE = isReturning();

    private static boolean isReturning() {
      try {
        of(RETURN).call(0);
        return true;
      } catch (IllegalStateException | IllegalCallerException e) {
        LOG.log(
            System.Logger.Level.WARNING,
            () -> "event=machine_code_refused reason=\"%s\"".formatted(e.getMessage()));
        return false;
      }
    }
  }

  /// Linux keeps the registers of tiles for programs that ask for them, once for all threads.
  private static final class TilePermission {
    private static final long ARCH_PRCTL = 158;
    private static final long REQUEST = 0x1023;
    private static final long TILE_DATA = 18;
    private static final SystemCall SYSTEM_CALL =
        Calls.bind(
            SystemCall.class,
            Calls.LINKER.defaultLookup().findOrThrow("syscall"),
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
            Linker.Option.firstVariadicArg(1));
    static final boolean IS_THERE = isSupported() && Processor.here().hasAmx() && isGranted();

    private static boolean isGranted() {
      return SYSTEM_CALL.call(ARCH_PRCTL, REQUEST, TILE_DATA) == 0;
    }
  }

  /// Functions of the C library.
  private static final class Calls {
    static final Linker LINKER = Linker.nativeLinker();
    static final Map MAP =
        bind(
            Map.class,
            LINKER.defaultLookup().findOrThrow("mmap"),
            FunctionDescriptor.of(
                JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    static final Protect PROTECT =
        bind(
            Protect.class,
            LINKER.defaultLookup().findOrThrow("mprotect"),
            FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));

    static <T> T bind(
        Class<T> type, MemorySegment at, FunctionDescriptor signature, Linker.Option... options) {
      return MethodHandleProxies.asInterfaceInstance(
          type, LINKER.downcallHandle(at, signature, options));
    }
  }
}
