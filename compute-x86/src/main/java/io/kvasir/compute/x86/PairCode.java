package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// The functions that bring numbers into pairs of bf16, as products of bf16 take them: tiles of a
/// cache of 16-bit numbers, and weights. f16 and f32 are rounded to the nearest even.
final class PairCode {
  static final MachineCode.Function WEIGHTS = MachineCode.ofShort(weights());

  private static final int LINE = 64;
  private static final int UNROLLED = 4;
  private static final int ORDER = 31;

  /// How far ahead codes are asked for.
  private static final int AHEAD = 1024;

  private static final Map<TileCodes, MachineCode.Function> KEYS = new ConcurrentHashMap<>();
  private static final Map<TileCodes, MachineCode.Function> VALUES = new ConcurrentHashMap<>();

  private PairCode() {}

  /// Steps that a tile takes.
  static int steps(TileCodes codes, boolean isKeys) {
    return isKeys ? codes.dim() / 2 / UNROLLED : TileCodes.TILE / 2;
  }

  static MachineCode.Function decoding(TileCodes codes, boolean isKeys) {
    MachineCode.Function known = (isKeys ? KEYS : VALUES).get(codes);
    return known != null
        ? known
        : (isKeys ? KEYS : VALUES)
            .computeIfAbsent(codes, c -> MachineCode.ofShort(decode(c, isKeys)));
  }

  private static byte[] decode(TileCodes codes, boolean isKeys) {
    Assembler code = new Assembler();
    code.load(RSI, Memory.at(RDI, WideCall.SOURCE));
    code.load(RDX, Memory.at(RDI, WideCall.TARGET));
    code.load(RCX, Memory.at(RDI, WideCall.COUNT));
    code.loadFloats(ORDER, Memory.at(RDI, WideCall.LEVELS));
    int half = TileCodes.TILE * Short.BYTES;
    // Two channels of a tile follow each other, two rows are a row apart.
    int apart = isKeys ? half : codes.rowBytes();
    int next = isKeys ? 2 * half : half;
    int count = isKeys ? UNROLLED : codes.dim() / TileCodes.TILE;
    Label step = code.here();
    for (int i = 0; i < count; i++) {
      code.prefetch(Memory.at(RSI, AHEAD + i * LINE));
      int first = 2 * i % 16;
      Memory at = Memory.at(RSI, i * next);
      TileLoad.pairs(code, codes.kind(), first, first + 1, ORDER, at, at.plus(apart));
      code.storeFloats(Memory.at(RDX, i * LINE), first);
    }
    code.add(RSI, count * 2 * half);
    code.add(RDX, count * LINE);
    code.subtract(RCX, 1);
    code.jumpIfNotZero(step);
    code.vzeroupper();
    code.ret();
    return code.code();
  }

  /// Rounds 64 weights of [WideCall#BLOCKS] queries.
  private static byte[] weights() {
    Assembler code = new Assembler();
    code.load(RSI, Memory.at(RDI, WideCall.SCORES));
    code.load(RDX, Memory.at(RDI, WideCall.FOLDED));
    code.load(RCX, Memory.at(RDI, WideCall.BLOCKS));
    Label query = code.here();
    for (int i = 0; i < WideCall.TOKENS / Rounding.LANES; i++) {
      code.loadFloats(i, Memory.at(RSI, (2 * i + 1) * LINE));
      code.floatsToBf16(i, i, Memory.at(RSI, 2 * i * LINE));
      code.storeFloats(Memory.at(RDX, i * LINE), i);
    }
    code.add(RSI, TileCall.row(1));
    code.add(RDX, WideCall.TOKENS * Short.BYTES);
    code.subtract(RCX, 1);
    code.jumpIfNotZero(query);
    code.vzeroupper();
    code.ret();
    return code.code();
  }
}
