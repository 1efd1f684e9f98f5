package io.kvasir.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.util.function.IntBinaryOperator;

/// Standard error behind a launcher that kept the JVM's own start-up noise out of it.
///
/// Before `main` the JVM always writes "WARNING: Using incubator modules" to file descriptor 2. The
/// launcher therefore points 2 at a log file and passes the real standard error as another
/// descriptor; the first byte written here moves it back with `dup2`. A run that writes nothing to
/// standard error pays nothing; the first error or progress line pays about 50 ms.
final class StandardError extends OutputStream {
  private final int realDescriptor;
  private final FileOutputStream out = new FileOutputStream(FileDescriptor.err);
  private boolean restored;

  private StandardError(int realDescriptor) {
    this.realDescriptor = realDescriptor;
  }

  /// The stream to write errors to; descriptor 2 itself where the launcher moved nothing.
  static OutputStream open() {
    int moved = Integer.getInteger("kvasir.stderr", FileDescriptors.STANDARD_ERROR);
    return moved == FileDescriptors.STANDARD_ERROR
        ? new FileOutputStream(FileDescriptor.err)
        : new StandardError(moved);
  }

  @Override
  public synchronized void write(int value) throws IOException {
    restore();
    out.write(value);
  }

  @Override
  public synchronized void write(byte[] bytes, int offset, int length) throws IOException {
    restore();
    out.write(bytes, offset, length);
  }

  private void restore() throws IOException {
    if (!restored) {
      restored = true;
      FileDescriptors.duplicate(realDescriptor, FileDescriptors.STANDARD_ERROR);
    }
  }

  /// File descriptors of the process, by number.
  private static final class FileDescriptors {
    static final int STANDARD_ERROR = 2;

    private FileDescriptors() {}

    /// Makes `to` another name for what `from` is.
    @SuppressWarnings("restricted") // dup2 takes two ints: no memory can be corrupted.
    static void duplicate(int from, int to) throws IOException {
      Linker linker = Linker.nativeLinker();
      MethodHandle handle =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("dup2"),
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
      IntBinaryOperator dup2 =
          MethodHandleProxies.asInterfaceInstance(IntBinaryOperator.class, handle);
      int result = dup2.applyAsInt(from, to);
      if (result != to) {
        throw new IOException("dup2(" + from + ", " + to + ") failed");
      }
    }
  }
}
