package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

import io.kvasir.compute.x86.TileCodes.Kind;

/// As [DecodeCode] in registers of eight lanes: each vector of sixteen numbers is two.
final class Avx2DecodeCode {
  private static final int LINE = 64;
  private static final int VECTOR = Avx2TileLoad.VECTOR;
  private static final int HALVES = LINE / VECTOR;

  private final Kind kind;
  private final Avx2Assembler code = new Avx2Assembler();

  private Avx2DecodeCode(Kind kind) {
    this.kind = kind;
  }

  /// @param vectors of sixteen numbers that a step decodes
  static byte[] of(Kind kind, boolean isKeys, int vectors) {
    Avx2DecodeCode decode = new Avx2DecodeCode(kind);
    decode.write(isKeys, vectors);
    return decode.code.code();
  }

  private void write(boolean isKeys, int vectors) {
    code.load(RSI, Memory.at(RDI, WideCall.SOURCE));
    code.load(RDX, Memory.at(RDI, WideCall.TARGET));
    code.load(RCX, Memory.at(RDI, WideCall.COUNT));
    Label next = code.here();
    int bytes = kind == Kind.NIBBLES ? nibbles(isKeys) : numbers(vectors);
    code.add(RSI, bytes);
    code.add(RDX, vectors * LINE);
    code.subtract(RCX, 1);
    code.jumpIfNotZero(next);
    code.vzeroupper();
    code.ret();
  }

  private int numbers(int vectors) {
    int count = vectors * HALVES;
    int bytes = DecodeCode.vectorBytes(kind) / HALVES;
    for (int at = 0; at < count * bytes; at += LINE) {
      code.prefetch(Memory.at(RSI, DecodeCode.AHEAD + at));
    }
    for (int v = 0; v < count; v++) {
      Avx2TileLoad.load(code, kind, v, Memory.at(RSI, v * bytes));
    }
    for (int v = 0; v < count; v++) {
      code.storeFloats(Memory.at(RDX, v * VECTOR), v);
    }
    return count * bytes;
  }

  private int nibbles(boolean isKeys) {
    int half = TileCodes.TILE;
    for (int i = 0; i < half; i++) {
      if (i * half % LINE == 0) {
        code.prefetch(Memory.at(RSI, DecodeCode.AHEAD + i * half));
      }
      int lower = (isKeys ? i : 2 * i) * LINE;
      int upper = (isKeys ? i + half : 2 * i + 1) * LINE;
      for (int h = 0; h < HALVES; h++) {
        Memory at = Memory.at(RSI, i * half + h * half / HALVES);
        Avx2TileLoad.nibbles(code, 0, 1, at, WideCall.LEVELS);
        code.storeFloats(Memory.at(RDX, lower + h * VECTOR), 0);
        code.storeFloats(Memory.at(RDX, upper + h * VECTOR), 1);
      }
    }
    return half * half;
  }
}
