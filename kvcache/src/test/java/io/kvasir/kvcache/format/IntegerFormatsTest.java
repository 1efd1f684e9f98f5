package io.kvasir.kvcache.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// Bytes of int8 and of the grouped integers against hand-computed ones.
final class IntegerFormatsTest {
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static int at(KvPlane plane, long index) {
    return plane.memory().get(ValueLayout.JAVA_BYTE, plane.offset() + index);
  }

  private static float halfAt(KvPlane plane, long index) {
    return Float.float16ToFloat(plane.memory().get(HALF, plane.offset() + index));
  }

  @Test
  void int8_smallRow_hasTheBytesOfTheDiagram() {
    // Scale 254 / 127 = 2: halves of 3 and -5 are ties and go to even.
    float[] row = {254, -254, 3, -5, Float.NaN, 7};
    KvPlane values = CodecCheck.plane(KvFormat.INT8, 32, 6, PlaneKind.VALUES);
    KvFormat.INT8.encode(row, 0, values, 17);
    KvPlane keys = CodecCheck.plane(KvFormat.INT8, 32, 6, PlaneKind.KEYS);
    KvFormat.INT8.encode(row, 0, keys, 17);
    int[] expected = {127, -127, 2, -2, 0, 4};
    for (int i = 0; i < 6; i++) {
      assertThat(at(values, 17 * 6 + i)).isEqualTo(expected[i]);
      assertThat(at(keys, (6 + i) * 16 + 1)).isEqualTo(expected[i]);
    }
    assertThat(halfAt(values, 32 * 6 + 34)).isEqualTo(2);
    assertThat(halfAt(keys, 32 * 6 + 34)).isEqualTo(2);
    assertThat(KvFormat.INT8.planeBytes(32, 6, PlaneKind.KEYS)).isEqualTo(32 * 8);
  }

  @Test
  void int8_infiniteElement_isTheLargestHalf() {
    float[] row = {Float.POSITIVE_INFINITY, 1e30f, Float.NEGATIVE_INFINITY, 1000};
    KvPlane plane = CodecCheck.plane(KvFormat.INT8, 16, 4, PlaneKind.VALUES);
    KvFormat.INT8.encode(row, 0, plane, 0);
    float scale = RowNumbers.half(65504f / 127);
    float[] read = new float[4];
    KvFormat.INT8.decode(plane, 0, read, 0);
    assertThat(read).containsExactly(127 * scale, 127 * scale, -127 * scale, 2 * scale);
  }

  @Test
  void int8_anyRow_isWithinHalfAStep() {
    SplittableRandom random = new SplittableRandom(4);
    for (int dim : CodecCheck.DIMS) {
      float[] rows = CodecCheck.gaussian(random, 16, dim, 5);
      rows[3 * dim] = 4000;
      KvPlane plane = CodecCheck.plane(KvFormat.INT8, 16, dim, PlaneKind.KEYS);
      float[] read = CodecCheck.roundTrip(KvFormat.INT8, rows, plane);
      for (int slot = 0; slot < 16; slot++) {
        float step = halfAt(plane, 16L * dim + 2L * slot);
        for (int i = slot * dim; i < (slot + 1) * dim; i++) {
          // The scale itself was rounded to 11 bits.
          assertThat(Math.abs(read[i] - rows[i])).isLessThanOrEqualTo(0.57f * step);
        }
      }
    }
  }

  @Test
  void int4_exactGrid_hasTheBytesOfTheDiagram() {
    // Element i of the first group is (i % 16 - 8) / 4, of the second (8 - i % 16): scales 1/4, -1.
    float[] row = new float[40];
    for (int i = 0; i < 40; i++) {
      row[i] = i < 32 ? (i % 16 - 8) / 4f : 8 - i % 16;
    }
    KvPlane values = CodecCheck.plane(KvFormat.INT4, 16, 40, PlaneKind.VALUES);
    KvFormat.INT4.encode(row, 0, values, 3);
    KvPlane keys = CodecCheck.plane(KvFormat.INT4, 32, 40, PlaneKind.KEYS);
    KvFormat.INT4.encode(row, 0, keys, 18);
    for (int i = 0; i < 16; i++) {
      assertThat(at(values, 3 * 20 + i) & 255).isEqualTo(i * 17);
      assertThat(at(keys, (20 + i) * 16 + 2) & 255).isEqualTo(i * 17);
    }
    for (int i = 0; i < 4; i++) {
      // The last group has 8 elements: byte i holds i and i + 4.
      assertThat(at(values, 3 * 20 + 16 + i) & 255).isEqualTo(i | i + 4 << 4);
      assertThat(at(keys, (20 + 16 + i) * 16 + 2) & 255).isEqualTo(i | i + 4 << 4);
    }
    assertThat(halfAt(values, 16 * 20 + 3 * 2)).isEqualTo(0.25f);
    assertThat(halfAt(values, 16 * 20 + (16 + 3) * 2)).isEqualTo(-1f);
    assertThat(halfAt(keys, 32 * 20 + ((2 + 0) * 16 + 2) * 2)).isEqualTo(0.25f);
    assertThat(halfAt(keys, 32 * 20 + ((2 + 1) * 16 + 2) * 2)).isEqualTo(-1f);
    float[] read = new float[40];
    KvFormat.INT4.decode(keys, 18, read, 0);
    assertThat(read).isEqualTo(row);
  }

  @Test
  void int5Int6_exactGrid_haveTheirHighBitsInTheSecondPlane() {
    for (int bits : new int[] {5, 6}) {
      KvFormat format = new GroupFormat(bits);
      int top = 1 << bits - 1;
      float[] row = new float[32];
      for (int i = 0; i < 32; i++) {
        row[i] = i * (2 * top / 32) - top;
      }
      KvPlane plane = CodecCheck.plane(format, 16, 32, PlaneKind.KEYS);
      format.encode(row, 0, plane, 7);
      int high = bits - 4;
      int bytes = 4 * high;
      for (int i = 0; i < 16; i++) {
        int low = (int) row[i] + top & 15 | ((int) row[i + 16] + top & 15) << 4;
        assertThat(at(plane, i * 16 + 7) & 255).isEqualTo(low);
      }
      for (int i = 0; i < bytes; i++) {
        int expected = 0;
        for (int j = 0; j < 8 / high; j++) {
          expected |= (int) row[i + j * bytes] + top >> 4 << j * high;
        }
        assertThat(at(plane, 16 * 16 + i * 16 + 7) & 255).as("%s %s", bits, i).isEqualTo(expected);
      }
      assertThat(halfAt(plane, 16 * 4 * bits + 14)).isEqualTo(1f);
    }
  }

  @Test
  void groups_anyRow_areWithinHalfAStepUnlessAtTheEnd() {
    SplittableRandom random = new SplittableRandom(8);
    for (int bits = 4; bits <= 6; bits++) {
      GroupFormat format = new GroupFormat(bits);
      int top = 1 << bits - 1;
      int inside = 0;
      for (int dim : CodecCheck.DIMS) {
        float[] rows = CodecCheck.gaussian(random, 16, dim, 2);
        KvPlane plane = CodecCheck.plane(format, 16, dim, PlaneKind.VALUES);
        float[] read = CodecCheck.roundTrip(format, rows, plane);
        for (int i = 0; i < rows.length; i++) {
          int code = format.codes().get(plane, i / dim, i % dim) - top;
          if (code > -top && code < top - 1) {
            float step = code == 0 ? 2 * Math.abs(rows[i]) : Math.abs(read[i] / code);
            assertThat(Math.abs(read[i] - rows[i])).isLessThanOrEqualTo(0.501f * step);
            inside++;
          }
        }
      }
      assertThat(inside).isGreaterThan(20_000);
    }
  }
}
