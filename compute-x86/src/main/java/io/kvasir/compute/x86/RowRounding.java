package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Rounds rows of floats to bf16 and lays their vectors at equal distances, in machine code. One
/// per thread.
public final class RowRounding {
  private static final int FROM = 0;
  private static final int TO = 8;
  private static final int STEP = 16;
  private static final int VECTORS = 24;
  private static final int ARGUMENT = 64;
  private static final int VECTOR = Operands.VECTOR;

  private final MemorySegment memory = Arena.ofAuto().allocate(ARGUMENT, VECTOR);
  private MemorySegment floats = MemorySegment.NULL;

  /// An argument whose fields are yet to be set.
  public RowRounding() {}

  /// Rounds `count` floats, a multiple of 32.
  ///
  /// @param to where the first vector goes
  /// @param step bytes to the next one
  public void round(float[] from, int at, int count, long to, long step) {
    if (count <= 0 || count % Operands.BF16.lanes() != 0) {
      throw new IllegalArgumentException(count + " floats are no vectors of bf16");
    }
    if (floats.byteSize() < (long) count * Float.BYTES) {
      floats = Arena.ofAuto().allocate((long) count * Float.BYTES, VECTOR);
    }
    MemorySegment.copy(from, at, floats, ValueLayout.JAVA_FLOAT, 0, count);
    memory.set(ValueLayout.JAVA_LONG, FROM, floats.address());
    memory.set(ValueLayout.JAVA_LONG, TO, to);
    memory.set(ValueLayout.JAVA_LONG, STEP, step);
    memory.set(ValueLayout.JAVA_LONG, VECTORS, count / Operands.BF16.lanes());
    Code.FUNCTION.call(memory.address());
  }

  private static final class Code {
    static final MachineCode.Function FUNCTION = MachineCode.ofShort(write());

    private static byte[] write() {
      Assembler code = new Assembler();
      code.load(RSI, Memory.at(RDI, FROM));
      code.load(RDX, Memory.at(RDI, TO));
      code.load(RCX, Memory.at(RDI, STEP));
      code.load(R8, Memory.at(RDI, VECTORS));
      Assembler.Label vector = code.here();
      code.loadFloats(0, Memory.at(RSI, VECTOR));
      code.floatsToBf16(0, 0, Memory.at(RSI, 0));
      code.storeFloats(Memory.at(RDX, 0), 0);
      code.add(RSI, 2 * VECTOR);
      code.add(RDX, RCX);
      code.subtract(R8, 1);
      code.jumpIfNotZero(vector);
      code.vzeroupper();
      code.ret();
      return code.code();
    }
  }
}
