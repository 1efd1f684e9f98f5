package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

import io.kvasir.compute.x86.TileCodes.Kind;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/// The functions that decode tiles to floats, in the order in which their codes stand. Nibbles,
/// which share sixteen bytes by two rows of channels or two vectors of a row, are put in order.
final class DecodeCode {
  private static final int LINE = 64;
  private static final int UNROLLED = 4;
  private static final int TABLE = 31;

  /// How far ahead codes are asked for.
  static final int AHEAD = 1024;

  // Functions of a kind: of values, of keys, of scales.
  private static final int VALUES = 0;
  private static final int KEYS = 1;
  private static final int SCALES = 2;
  private static final int FUNCTIONS = 3;
  private static final Map<Kind, AtomicReferenceArray<MachineCode.@Nullable Function>> AVX512 =
      none();
  private static final Map<Kind, AtomicReferenceArray<MachineCode.@Nullable Function>> AVX2 =
      none();

  private static Map<Kind, AtomicReferenceArray<MachineCode.@Nullable Function>> none() {
    Map<Kind, AtomicReferenceArray<MachineCode.@Nullable Function>> kinds =
        new EnumMap<>(Kind.class);
    for (Kind kind : Kind.values()) {
      kinds.put(kind, new AtomicReferenceArray<>(FUNCTIONS));
    }
    return kinds;
  }

  private final Kind kind;
  private final Assembler code = new Assembler();

  private DecodeCode(Kind kind) {
    this.kind = kind;
  }

  /// Vectors of sixteen numbers that a step decodes.
  static int vectors(Kind kind) {
    return kind == Kind.NIBBLES ? TileCodes.NIBBLE_GROUP : UNROLLED;
  }

  /// Decodes [WideCall#COUNT] times [#vectors].
  static MachineCode.Function function(Instructions set, Kind kind, boolean isKeys) {
    return function(set, kind, isKeys ? KEYS : VALUES, vectors(kind));
  }

  /// Decodes [WideCall#COUNT] vectors of scales.
  static MachineCode.Function scales(Instructions set) {
    return function(set, Kind.F16, SCALES, 1);
  }

  private static MachineCode.Function function(Instructions set, Kind kind, int use, int vectors) {
    AtomicReferenceArray<MachineCode.@Nullable Function> known =
        Objects.requireNonNull((set == Instructions.AVX512 ? AVX512 : AVX2).get(kind));
    MachineCode.@Nullable Function function = known.get(use);
    if (function == null) {
      byte[] code =
          switch (set) {
            case AVX512 -> new DecodeCode(kind).of(use == KEYS, vectors);
            case AVX2 -> Avx2DecodeCode.of(kind, use == KEYS, vectors);
          };
      function = MachineCode.ofShort(code);
      known.set(use, function);
    }
    return function;
  }

  private byte[] of(boolean isKeys, int vectors) {
    code.load(RSI, Memory.at(RDI, WideCall.SOURCE));
    code.load(RDX, Memory.at(RDI, WideCall.TARGET));
    code.load(RCX, Memory.at(RDI, WideCall.COUNT));
    if (kind == Kind.NIBBLES) {
      code.loadFloats(TABLE, Memory.at(RDI, WideCall.LEVELS));
    }
    Label next = code.here();
    int bytes = kind == Kind.NIBBLES ? nibbles(isKeys) : numbers(vectors);
    code.add(RSI, bytes);
    code.add(RDX, vectors * LINE);
    code.subtract(RCX, 1);
    code.jumpIfNotZero(next);
    code.vzeroupper();
    code.ret();
    return code.code();
  }

  /// Bytes of sixteen numbers.
  static int vectorBytes(Kind kind) {
    return new TileCodes(kind, TileCodes.TILE, kind == Kind.BYTES ? TileCodes.TILE : 0).rowBytes();
  }

  private int numbers(int vectors) {
    int bytes = vectorBytes(kind);
    for (int at = 0; at < vectors * bytes; at += LINE) {
      code.prefetch(Memory.at(RSI, AHEAD + at));
    }
    for (int v = 0; v < vectors; v++) {
      TileLoad.load(code, kind, v, Memory.at(RSI, v * bytes));
    }
    for (int v = 0; v < vectors; v++) {
      code.storeFloats(Memory.at(RDX, v * LINE), v);
    }
    return vectors * bytes;
  }

  private int nibbles(boolean isKeys) {
    int half = TileCodes.TILE;
    for (int i = 0; i < half; i++) {
      if (i * half % LINE == 0) {
        code.prefetch(Memory.at(RSI, AHEAD + i * half));
      }
      TileLoad.load(code, kind, 0, Memory.at(RSI, i * half));
      code.shiftRightInts(1, 0, 4);
      code.lookUp(0, 0, TABLE);
      code.lookUp(1, 1, TABLE);
      code.storeFloats(Memory.at(RDX, (isKeys ? i : 2 * i) * LINE), 0);
      code.storeFloats(Memory.at(RDX, (isKeys ? i + half : 2 * i + 1) * LINE), 1);
    }
    return half * half;
  }
}
