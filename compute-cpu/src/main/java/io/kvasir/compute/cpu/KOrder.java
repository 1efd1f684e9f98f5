package io.kvasir.compute.cpu;

import io.kvasir.compute.quant.TensorType;
import java.util.Arrays;
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

  private final RowKernel kernel;
  private final PanelDecoders.Decoder decoder;
  private final int[] columns = new int[BLOCK];
  private final float[] factors = new float[BLOCK];

  private KOrder(RowKernel kernel, PanelDecoders.Decoder decoder) {
    this.kernel = kernel;
    this.decoder = decoder;
    for (int i = 0; i < BLOCK; i++) {
      columns[i] = column(i / 16, i % 16);
      factors[i] = Math.scalb(1f, -8 * (i / 16 % 4));
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

  /// Makes the last vector of a block, at `to[at ..]`, of the sums of its 16 times 16 columns
  /// there.
  abstract void offsets(float[] to, int at);

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

  /// Arranges the row `x[at ..]` at `to[toAt ..]`. Scalar on purpose: it takes a few microseconds,
  /// and runs so rarely that vector code would long be interpreted.
  void arrange(float[] x, int at, int count, float[] to, int toAt) {
    int target = toAt;
    for (int b = at; b < at + count; b += BLOCK) {
      for (int i = 0; i < BLOCK; i++) {
        to[target + i] = x[b + columns[i]] * factors[i];
      }
      for (int i = 0; i < 16; i++) {
        to[target + BLOCK + i] = sum(x, b + 16 * i);
      }
      offsets(to, target + BLOCK);
      target += WIDTH;
    }
  }

  private static float sum(float[] x, int at) {
    float sum = 0;
    for (int i = at; i < at + 16; i++) {
      sum += x[i];
    }
    return sum;
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
    void offsets(float[] to, int at) {
      // From the ends to where nothing is read any more.
      for (int i = 7; i >= 4; i--) {
        to[at + 8 + i] = to[at + 2 * i] + to[at + 2 * i + 1];
      }
      for (int i = 0; i < 4; i++) {
        to[at + i] = to[at + 2 * i] + to[at + 2 * i + 1];
      }
      System.arraycopy(to, at, to, at + 8, 4);
      Arrays.fill(to, at, at + 8, 0);
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
    void offsets(float[] to, int at) {
      for (int i = at; i < at + 16; i++) {
        to[i] *= -32;
      }
    }
  }
}
