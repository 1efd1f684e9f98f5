package io.kvasir.kvcache.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// Bytes of fp8, of Lloyd-Max codes and of the tiled formats.
final class TableFormatsTest {
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static int at(KvPlane plane, long index) {
    return plane.memory().get(ValueLayout.JAVA_BYTE, plane.offset() + index) & 255;
  }

  private static float halfAt(KvPlane plane, long index) {
    return Float.float16ToFloat(plane.memory().get(HALF, plane.offset() + index));
  }

  @Test
  void fp8_everyCode_isTheNearestToItsValue() {
    assertThat(Fp8Format.value((byte) 1)).isEqualTo(0x1p-9f);
    assertThat(Fp8Format.value((byte) 0x7e)).isEqualTo(448f);
    assertThat(Fp8Format.value((byte) 0x38)).isEqualTo(1f);
    for (int code = 0; code < 0x7e; code++) {
      float low = Fp8Format.value((byte) code);
      float high = Fp8Format.value((byte) (code + 1));
      float middle = (low + high) / 2;
      int even = code + (code & 1);
      assertThat(Fp8Format.code(low)).isEqualTo((byte) code);
      assertThat(Fp8Format.code(Math.nextDown(middle))).isEqualTo((byte) code);
      assertThat(Fp8Format.code(Math.nextUp(middle))).isEqualTo((byte) (code + 1));
      assertThat(Fp8Format.code(middle)).isEqualTo((byte) even);
      assertThat(Fp8Format.code(-middle)).isEqualTo((byte) (even | 0x80));
    }
    assertThat(Fp8Format.code(Float.POSITIVE_INFINITY)).isEqualTo((byte) 0x7e);
    assertThat(Fp8Format.code(1e9f)).isEqualTo((byte) 0x7e);
  }

  @Test
  void fp8_smallRow_hasTheBytesOfTheDiagram() {
    KvFormat format = new Fp8Format();
    float[] row = {896, -2, 1.125f, Float.NaN};
    KvPlane plane = CodecCheck.plane(format, 16, 4, PlaneKind.KEYS);
    format.encode(row, 0, plane, 5);
    // The scale is 2: 448, -1, 0.5625 and 0.
    int[] expected = {0x7e, 0xb8, 0x31, 0};
    for (int i = 0; i < 4; i++) {
      assertThat(at(plane, i * 16 + 5)).isEqualTo(expected[i]);
    }
    assertThat(halfAt(plane, 16 * 4 + 10)).isEqualTo(2f);
  }

  @Test
  void lloydMax_smallRow_hasTheBytesOfTheDiagram() {
    // A row whose elements are three times the levels, each as often: the factor is 3 and some.
    for (int bits = 2; bits <= 4; bits++) {
      LloydMaxFormat format = new LloydMaxFormat(bits);
      int levels = 1 << bits;
      float[] row = new float[32];
      double squares = 0;
      for (int i = 0; i < 32; i++) {
        row[i] = 3 * format.level(i % levels);
        squares += row[i] * row[i];
      }
      float[] read = new float[32];
      KvPlane plane = CodecCheck.plane(format, 32, 32, PlaneKind.VALUES);
      format.encode(row, 0, plane, 9);
      format.decode(plane, 9, read, 0);
      float factor = halfAt(plane, format.codes().bytes(32, 32) + 18);
      double length = 0;
      for (int i = 0; i < 32; i++) {
        int code = format.codes().get(plane, 9, i);
        assertThat(read[i]).isEqualTo(factor * format.level(code));
        // Equal shares of each level have another spread than normal numbers: a neighbour is near.
        assertThat(code).isCloseTo(i % levels, within(levels / 4));
        length += read[i] * read[i];
      }
      assertThat(length / squares).isCloseTo(1, within(1e-3));
    }
  }

  @Test
  void lloydMax_threshold_belongsToTheLowerLevel() {
    LloydMaxFormat format = new LloydMaxFormat(2);
    // sqrt(D) / n is 1 for four elements of magnitude 1; zeros stand at the middle threshold.
    float[] row = {2, 0, 0, 0};
    KvPlane plane = CodecCheck.plane(format, 16, 4, PlaneKind.VALUES);
    format.encode(row, 0, plane, 0);
    assertThat(at(plane, 0)).isEqualTo(0b01_01_01_11);
    double norm = Math.sqrt(3 * 0.4528 * 0.4528 + 1.5104 * 1.5104);
    assertThat((double) halfAt(plane, 16)).isCloseTo(2 / norm, within(1e-3));
  }

  @Test
  void kivi_keys_shareStepsByChannelOver32Tokens() {
    KiviFormat format = new KiviFormat(4);
    int dim = 40;
    float[] rows = new float[32 * dim];
    for (int t = 0; t < 32; t++) {
      for (int i = 0; i < dim; i++) {
        rows[t * dim + i] = i + (t % 16) * 0.5f;
      }
    }
    KvPlane plane = CodecCheck.plane(format, 64, dim, PlaneKind.KEYS);
    format.encode(rows, 0, plane, 32);
    long steps = 64 * 20;
    for (int i = 0; i < dim; i++) {
      assertThat(halfAt(plane, steps + 2L * (dim + i))).isEqualTo(0.5f);
      assertThat(halfAt(plane, steps + 4L * dim + 2L * (dim + i))).isEqualTo(i);
    }
    for (int t = 0; t < 32; t++) {
      // Byte 0 of a row: channels 0 and 16, tile 2 or 3 of 16 tokens.
      assertThat(at(plane, ((2 + t / 16) * 20L) * 16 + t % 16)).isEqualTo(t % 16 * 17);
    }
    assertThat(format.planeBytes(64, dim, PlaneKind.KEYS)).isEqualTo(64 * 20 + 2 * 2 * 2 * dim);
    assertThatThrownBy(() -> format.copyRow(plane, 0, plane, 1))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("kivi4");
  }

  @Test
  void kivi_values_shareStepsByTokenOver32Channels() {
    KiviFormat format = new KiviFormat(2);
    float[] row = new float[40];
    for (int i = 0; i < 40; i++) {
      row[i] = i < 32 ? 10 + i % 4 : 2 * (i % 4);
    }
    KvPlane plane = CodecCheck.plane(format, 16, 40, PlaneKind.VALUES);
    format.encode(row, 0, plane, 3);
    long steps = 16 * 10;
    assertThat(halfAt(plane, steps + 2 * 3)).isEqualTo(1f);
    assertThat(halfAt(plane, steps + 2 * 19)).isEqualTo(2f);
    assertThat(halfAt(plane, steps + 2 * 32 + 2 * 3)).isEqualTo(10f);
    assertThat(halfAt(plane, steps + 2 * 32 + 2 * 19)).isEqualTo(0f);
    for (int i = 0; i < 8; i++) {
      // Elements i, i + 8, i + 16, i + 24 have the same code.
      assertThat(at(plane, 30 + i)).isEqualTo(i % 4 * 0b01_01_01_01);
    }
    // The last group has 8 elements in two bytes: 0, 2, 4, 6 and 1, 3, 5, 7.
    assertThat(at(plane, 38)).isEqualTo(0b10_00_10_00);
    assertThat(at(plane, 39)).isEqualTo(0b11_01_11_01);
  }

  @Test
  void kvarn_tokensOfDifferentSize_areBalanced() {
    SplittableRandom random = new SplittableRandom(21);
    int dim = 128;
    float[] rows = CodecCheck.gaussian(random, 64, dim, 1);
    for (int t = 0; t < 64; t++) {
      for (int i = 0; i < dim; i++) {
        rows[t * dim + i] *= t % 7 + 1;
      }
    }
    KvarnFormat format = new KvarnFormat(4);
    KvPlane plane = CodecCheck.plane(format, 64, dim, PlaneKind.KEYS);
    float[] read = CodecCheck.roundTrip(format, rows, plane);
    assertThat(CodecCheck.error(rows, read)).isLessThan(0.0085);
    long factors = 64 * 64 + 4L * dim;
    for (int t = 0; t < 64; t++) {
      assertThat(halfAt(plane, factors + 2L * t)).isCloseTo((t % 7 + 1) / 8f, within(0.2f));
    }
    // Without factors a step serves tokens of all sizes.
    KvFormat kivi = new KiviFormat(4);
    KvPlane plain = CodecCheck.plane(kivi, 64, dim, PlaneKind.KEYS);
    float smallest = 0;
    float smallestKivi = 0;
    float[] readPlain = CodecCheck.roundTrip(kivi, rows, plain);
    for (int i = 0; i < dim; i++) {
      smallest += Math.abs(read[i] - rows[i]);
      smallestKivi += Math.abs(readPlain[i] - rows[i]);
    }
    assertThat(smallest).isLessThan(smallestKivi / 2);
  }

  @Test
  void kvarn_values_haveChannelFactorsAfterStepsAndMinima() {
    SplittableRandom random = new SplittableRandom(22);
    int dim = 64;
    float[] rows = CodecCheck.gaussian(random, 128, dim, 1);
    for (int i = 0; i < rows.length; i += 64) {
      rows[i + 5] *= 20;
    }
    KvarnFormat format = new KvarnFormat(3);
    KvPlane plane = CodecCheck.plane(format, 128, dim, PlaneKind.VALUES);
    float[] read = CodecCheck.roundTrip(format, rows, plane);
    assertThat(CodecCheck.error(rows, read)).isLessThan(0.05);
    long steps = format.codes().bytes(128, dim);
    assertThat(steps).isEqualTo(128 * (16 + 8));
    for (int tile = 0; tile < 2; tile++) {
      long factors = steps + 4 * 128 + 2L * dim * tile;
      assertThat(halfAt(plane, factors + 10)).isEqualTo(1f);
      assertThat(halfAt(plane, factors + 12)).isBetween(0.03f, 0.09f);
    }
    int slot = 77;
    float value =
        (halfAt(plane, steps + 2L * slot) * format.codes().get(plane, slot, 9)
                + halfAt(plane, steps + 256 + 2L * slot))
            * halfAt(plane, steps + 512 + 2L * (dim + 9));
    assertThat(read[slot * dim + 9]).isEqualTo(value);
  }
}
