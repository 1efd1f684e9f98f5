package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Memory.at;
import static io.kvasir.compute.x86.Register.R13;
import static io.kvasir.compute.x86.Register.R14;
import static io.kvasir.compute.x86.Register.R15;
import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.R9;
import static io.kvasir.compute.x86.Register.RAX;
import static io.kvasir.compute.x86.Register.RSI;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Products in tile registers, and what puts their factors in place.
class AmxProductsTest {
  private static final int FAR = 0x12345678;
  private static final int COLUMNS = 512;
  private final SplittableRandom random = new SplittableRandom(11);

  @Test
  void instructions_haveTheBytesOfTheGnuAssembler() {
    check(t -> t.configure(at(R8, FAR)), "c4c278498078563412");
    check(AmxInstructions::release, "c4e27849c0");
    check(t -> t.load(5, at(RSI, RAX, 1, FAR)), "c4e27b4bac0678563412");
    check(t -> t.load(7, at(R9, R15, 1, FAR)), "c4827b4bbc3978563412");
    check(t -> t.store(at(R13, RAX, 1, FAR), 3), "c4c27a4b9c0578563412");
    check(t -> t.zero(2), "c4e27b49d0");
    check(t -> t.multiplyAddPairs(1, 4, 6), "c4e24a5ccc");
    check(t -> t.scatter(R13, FAR, 31, 3), "62927d41a29c3d78563412");
    check(t -> t.scatter(R14, FAR, 9, 25), "62027d49a28c0e78563412");
  }

  private static void check(Consumer<AmxInstructions> instruction, String bytes) {
    Assembler code = new Assembler();
    instruction.accept(new AmxInstructions(code));
    assertThat(HexFormat.of().formatHex(code.code())).isEqualTo(bytes);
  }

  /// The weights that [RowProducts#decode] writes for [PanelProducts], in other places.
  @ParameterizedTest
  @EnumSource(
      value = TensorType.class,
      names = {
        "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K",
        "IQ4_NL", "IQ4_XS", "MXFP4"
      })
  void decode_anyFormat_writesWhatPanelsHave(TensorType type) {
    RowProducts kernel = RowProducts.of(type, Operands.BF16, Instructions.AVX512);
    assumeTrue(kernel != null, "[no-avx512-bf16] needs AVX512_BF16");
    long rowBytes = type.bytes(COLUMNS);
    long first = 3 * rowBytes;
    int outputs = AmxProducts.MOST_OUTPUTS;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment weights = weights(arena, first + outputs * rowBytes);
      MemorySegment tiles = arena.allocate(AmxProducts.bytes(outputs, COLUMNS), 64);
      RowCall call = new RowCall();
      Objects.requireNonNull(AmxProducts.of(type))
          .decode(
              call,
              new AmxProducts.Weights().set(weights, first, rowBytes, COLUMNS),
              tiles.address());

      MemorySegment panel = arena.allocate(Operands.BF16.bytes(outputs, COLUMNS), 64);
      MemorySegment x = arena.allocate(Operands.BF16.bytes(4, COLUMNS), 64);
      call.inputs(x.address(), 4, COLUMNS);
      call.groups(first, rowBytes, 4 * rowBytes, outputs / 4);
      kernel.decode(call, weights, panel.address(), new PanelCall());
      int vectors = COLUMNS / 32;
      for (int o = 0; o < outputs; o++) {
        for (int v = 0; v < vectors; v++) {
          MemorySegment expected = panel.asSlice(((o / 4 * vectors + v) * 4L + o % 4) * 64, 64);
          assertThat(tiles.asSlice(v * 4096L + o * 64L, 64).mismatch(expected))
              .as("output %d, vector %d", o, v)
              .isEqualTo(-1);
        }
      }
    }
  }

  /// Bytes whose halves and exponents are moderate.
  private MemorySegment weights(Arena arena, long bytes) {
    MemorySegment weights = arena.allocate(bytes, 64);
    for (long i = 0; i < bytes; i++) {
      weights.set(ValueLayout.JAVA_BYTE, i, (byte) (random.nextInt() & 0x3f));
    }
    return weights;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 16})
  void spread_rows_putsPairsOfARowUnderEachOther(int rows) {
    assumeTrue(Processor.here().hasAvx512(), "[no-avx512] machine code needs AVX-512");
    int columns = 96;
    int pairs = columns / 2;
    AmxCall call = new AmxCall();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment x = arena.allocate(AmxProducts.bytes(1, columns), 64);
      MemorySegment tiles = arena.allocate(AmxProducts.bytes(rows, columns), 64);
      for (int r = 0; r < rows; r++) {
        for (int i = 0; i < pairs; i++) {
          x.setAtIndex(ValueLayout.JAVA_INT, i, r * pairs + i);
        }
        AmxProducts.spread(call, x.address(), r, rows, columns, tiles.address());
      }
      for (int i = 0; i < rows * pairs; i++) {
        assertThat(tiles.getAtIndex(ValueLayout.JAVA_INT, i))
            .isEqualTo(i % rows * pairs + i / rows);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 16, 17, 32})
  void multiply_anyRows_addsInTheStatedOrder(int rows) {
    assumeTrue(AmxProducts.isSupported(), "[no-amx] products in tiles need AMX");
    for (int columns : new int[] {32, 96, 704, 2048}) {
      multiply(rows, columns);
    }
  }

  private void multiply(int rows, int columns) {
    float[][] x = normal(rows, columns);
    float[][] w = normal(AmxProducts.MOST_OUTPUTS, columns);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment weights = bf16(arena, w);
      MemorySegment inputs = arena.allocate(AmxProducts.bytes(32, columns), 64);
      AmxCall call = new AmxCall();
      int width = Math.min(rows, 16);
      for (int r = 0; r < rows; r++) {
        long tiles = inputs.address() + AmxProducts.bytes(r / 16 * 16, columns);
        long row = bf16(arena, new float[][] {x[r]}).address();
        AmxProducts.spread(call, row, r % 16, width, columns, tiles);
      }
      AmxProducts products = Objects.requireNonNull(AmxProducts.of(TensorType.BF16));
      RowCall decoding = new RowCall();
      AmxProducts.Weights all = new AmxProducts.Weights().set(weights, 0, 2L * columns, columns);
      if (rows <= 16) {
        products.multiply(decoding, call, inputs.address(), rows, all);
        check(call, x, w);
      }
      if (rows >= 16) {
        MemorySegment panel = arena.allocate(AmxProducts.bytes(w.length, columns), 64);
        products.decode(decoding, all, panel.address());
        AmxProducts.multiply(call, inputs.address(), rows, panel.address(), columns);
        check(call, x, w);
      }
    }
  }

  private static void check(AmxCall call, float[][] x, float[][] w) {
    for (int r = 0; r < x.length; r++) {
      for (int o = 0; o < w.length; o++) {
        long at = (long) r * AmxProducts.MOST_OUTPUTS + o;
        assertThat(call.results().getAtIndex(ValueLayout.JAVA_FLOAT, at))
            .as("row %d of %d, output %d, %d columns", r, x.length, o, x[0].length)
            .isEqualTo(dot(w[o], x[r]));
      }
    }
  }

  /// The order of the instruction: 32 elements at a time, those of even and of odd places apart.
  static float dot(float[] a, float[] b) {
    float sum = 0;
    for (int c = 0; c < a.length; c += AmxProducts.COLUMNS) {
      float even = 0;
      float odd = 0;
      for (int i = c; i < c + AmxProducts.COLUMNS; i += 2) {
        even = Math.fma(a[i], b[i], even);
        odd = Math.fma(a[i + 1], b[i + 1], odd);
      }
      sum += even + odd;
    }
    return sum;
  }

  private static MemorySegment bf16(Arena arena, float[][] rows) {
    MemorySegment all = arena.allocate((long) rows.length * rows[0].length * 2, 64);
    for (int r = 0; r < rows.length; r++) {
      for (int c = 0; c < rows[r].length; c++) {
        short value = (short) (Float.floatToRawIntBits(rows[r][c]) >>> 16);
        all.setAtIndex(ValueLayout.JAVA_SHORT, (long) r * rows[r].length + c, value);
      }
    }
    return all;
  }

  /// Numbers of 8 significant bits.
  private float[][] normal(int rows, int columns) {
    float[][] numbers = new float[rows][columns];
    for (float[] row : numbers) {
      for (int i = 0; i < columns; i++) {
        int bits = Float.floatToRawIntBits((float) random.nextGaussian());
        row[i] = Float.intBitsToFloat(bits & 0xffff0000);
      }
    }
    return numbers;
  }

  @Test
  void multiply_tooManyRowsOrBrokenTiles_throws() {
    AmxCall call = new AmxCall();
    assertThatThrownBy(() -> AmxProducts.multiply(call, 0, 33, 0, 32)).hasMessageContaining("33");
    assertThatThrownBy(() -> AmxProducts.multiply(call, 0, 1, 0, 40)).hasMessageContaining("40");
  }
}
