package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;

import io.kvasir.compute.quant.TensorType;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import org.jspecify.annotations.Nullable;

/// The order in which products with weights of a packed format go through K where it is not 0, 1,
/// 2...: that in which codes lie in a vector when 64 bytes of them are loaded as 16 ints.
///
/// Step `t` of four takes byte `t` of every int where it lies, so that a code counts `2^(8 t)`
/// times; the row of `x` is rearranged likewise and multiplied with `2^(-8 t)`, both exact. What a
/// format adds to all weights of a sub-block (a minimum, an offset) is left out of the weights and
/// made good by one more vector per 256 columns, the addends times the sums of `x` over the
/// sub-blocks. So 256 columns are 17 vectors, which one accumulator adds in turn as [Lanes] says.
///
/// The [RowKernel] and the [PanelDecoders.Decoder] of a format share its order, so that all rows of
/// a batch get the same bits. For vectors of 16 lanes only.
abstract sealed class KOrder {
  static final KOrder Q4_K = new FourBits();
  static final KOrder Q6_K = new SixBits();

  /// Columns that are arranged together.
  static final int BLOCK = 256;

  /// Floats that they become.
  static final int WIDTH = 272;

  private static final int STEPS = BLOCK / 16;
  private static final VectorMask<Float> UPPER = Lanes.upper(8);
  private static final VectorShuffle<Float> EVEN = VectorShuffle.fromOp(F, i -> i % 8 * 2);
  private static final VectorShuffle<Float> ODD = VectorShuffle.fromOp(F, i -> i % 8 * 2 + 1);

  private final RowKernel kernel;
  private final PanelDecoders.Decoder decoder;
  private final int[] columns = new int[BLOCK];

  private KOrder(RowKernel kernel, PanelDecoders.Decoder decoder) {
    this.kernel = kernel;
    this.decoder = decoder;
    for (int i = 0; i < BLOCK; i++) {
      columns[i] = column(i / 16, i % 16);
    }
  }

  /// The order of a format, or null where it is the usual one.
  static @Nullable KOrder of(TensorType type) {
    return switch (type) {
      case Q4_K -> Q4_K;
      case Q6_K -> Q6_K;
      default -> null;
    };
  }

  /// The column of a block that `lane` multiplies in `step`.
  abstract int column(int step, int lane);

  /// The last vector of a block, from the sums of its 16 times 16 columns.
  abstract FloatVector offsets(FloatVector sums);

  RowKernel kernel() {
    return kernel;
  }

  PanelDecoders.Decoder decoder() {
    return decoder;
  }

  /// Floats that a row of `columns`, a multiple of 256, becomes.
  static int width(int columns) {
    return columns / BLOCK * WIDTH;
  }

  /// Arranges the row `x[at ..]` at `to[toAt ..]`.
  void arrange(float[] x, int at, int count, float[] to, int toAt) {
    int target = toAt;
    for (int b = at; b < at + count; b += BLOCK) {
      for (int s = 0; s < STEPS; s += 4) {
        step(x, b, s, 1f, to, target);
        step(x, b, s + 1, 0x1p-8f, to, target);
        step(x, b, s + 2, 0x1p-16f, to, target);
        step(x, b, s + 3, 0x1p-24f, to, target);
      }
      PanelTile.sixteenSums(x, b, to, target + BLOCK);
      offsets(FloatVector.fromArray(F, to, target + BLOCK)).intoArray(to, target + BLOCK);
      target += WIDTH;
    }
  }

  private void step(float[] x, int block, int step, float factor, float[] to, int target) {
    FloatVector.fromArray(F, x, block, columns, 16 * step)
        .mul(factor)
        .intoArray(to, target + 16 * step);
  }

  /// 64 bytes of codes are four sub-blocks of 32: low halves of 32 bytes, their high halves, and
  /// the same of the next 32 bytes.
  private static final class FourBits extends KOrder {
    FourBits() {
      super(new Q4KWideKernel(), WidePanelDecoders::q4K);
    }

    @Override
    int column(int step, int lane) {
      int block = step / 8 * 4 + lane / 8 * 2 + step / 4 % 2;
      return 32 * block + 4 * (lane % 8) + step % 4;
    }

    @Override
    FloatVector offsets(FloatVector sums) {
      FloatVector pairs = sums.rearrange(EVEN).add(sums.rearrange(ODD));
      return FloatVector.zero(F).blend(pairs, UPPER);
    }
  }

  /// 64 bytes of low bits are four planes of 32 weights likewise, of two sub-blocks each.
  private static final class SixBits extends KOrder {
    SixBits() {
      super(new Q6KWideKernel(), WidePanelDecoders::q6K);
    }

    @Override
    int column(int step, int lane) {
      int plane = step / 8 * 4 + step / 4 % 2 * 2 + lane / 8;
      return 32 * plane + 4 * (lane % 8) + step % 4;
    }

    @Override
    FloatVector offsets(FloatVector sums) {
      return sums.mul(-32f);
    }
  }
}
