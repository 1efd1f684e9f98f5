package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Rounds floats in memory to bf16. One per thread.
final class Rounding {
  /// Numbers of a vector of bf16.
  static final int LANES = 32;

  private static final int FROM = 0;
  private static final int TO = 8;
  private static final int VECTORS = 16;
  private static final int STEP = 24;
  private static final int ARGUMENT = 64;
  private static final int LINE = 64;

  private final MemorySegment memory = Arena.ofAuto().allocate(ARGUMENT, LINE);

  /// Rounds at least `count` floats: whole vectors are read and written.
  ///
  /// @param to an address that is not behind `from`, or far from it
  void round(long from, long to, long count) {
    round(from, to, count, LINE);
  }

  /// As [#round(long, long, long)], vectors `step` bytes from each other.
  void round(long from, long to, long count, long step) {
    memory.set(ValueLayout.JAVA_LONG, FROM, from);
    memory.set(ValueLayout.JAVA_LONG, TO, to);
    memory.set(ValueLayout.JAVA_LONG, VECTORS, (count + LANES - 1) / LANES);
    memory.set(ValueLayout.JAVA_LONG, STEP, step);
    Code.FUNCTION.call(memory.address());
  }

  private static final class Code {
    static final MachineCode.Function FUNCTION = MachineCode.ofShort(code());

    private static byte[] code() {
      Assembler code = new Assembler();
      code.load(RSI, Memory.at(RDI, FROM));
      code.load(RDX, Memory.at(RDI, TO));
      code.load(RCX, Memory.at(RDI, VECTORS));
      code.load(R8, Memory.at(RDI, STEP));
      Label step = code.here();
      code.loadFloats(0, Memory.at(RSI, LINE));
      code.floatsToBf16(0, 0, Memory.at(RSI, 0));
      code.storeFloats(Memory.at(RDX, 0), 0);
      code.add(RSI, 2 * LINE);
      code.add(RDX, R8);
      code.subtract(RCX, 1);
      code.jumpIfNotZero(step);
      code.vzeroupper();
      code.ret();
      return code.code();
    }
  }
}
