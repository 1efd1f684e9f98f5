package io.kvasir.compute.x86;

import io.kvasir.compute.quant.TensorType;
import org.jspecify.annotations.Nullable;

/// The number formats that have machine code.
final class RowFormats {
  private RowFormats() {}

  /// The format of a type, or null.
  static @Nullable RowFormat of(TensorType type, Operands operands) {
    RowFormat floats = floats(type);
    if (operands == Operands.F32 || floats == null) {
      return floats;
    }
    return switch (floats) {
      case PlainRows.Bf16 _ -> new PairRows.Bf16();
      case BlockRows.Nibbles nibbles -> new PairRows.Nibbles(nibbles);
      case SuperBlockRows.Q4K q4k -> new PairRows.Q4K(q4k);
      case SuperBlockRows.Iq4Xs iq4xs -> new PairRows.Iq4Xs(iq4xs);
      default -> new RoundedRows(floats);
    };
  }

  private static @Nullable RowFormat floats(TensorType type) {
    return switch (type) {
      case F32 -> new PlainRows.F32();
      case F16 -> new PlainRows.F16();
      case BF16 -> new PlainRows.Bf16();
      case Q8_0 -> new BlockRows.Q8();
      case Q4_0 -> new BlockRows.Nibbles(18, Constants.CENTRED_CODES, 0, false);
      case Q4_1 -> new BlockRows.Nibbles(20, Constants.CODES, 0, true);
      case IQ4_NL -> new BlockRows.Nibbles(18, Constants.NON_LINEAR, 0, false);
      case MXFP4 -> new BlockRows.Nibbles(17, Constants.DOUBLED_E2M1, Constants.HALF_E8M0, false);
      case Q5_0 -> new BlockRows.FiveBits(22, false);
      case Q5_1 -> new BlockRows.FiveBits(24, true);
      case Q4_K -> new SuperBlockRows.Q4K();
      case Q5_K -> new SuperBlockRows.Q5K();
      case Q6_K -> new SuperBlockRows.Q6K();
      case IQ4_XS -> new SuperBlockRows.Iq4Xs();
      default -> null;
    };
  }
}
