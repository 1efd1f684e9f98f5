package io.kvasir.model.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AssembledWeightsTest {
  private static final float[] E2M1 = {
    0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6
  };

  @TempDir Path folder;

  private final SplittableRandom random = new SplittableRandom(17);

  private Tensor codes(String name, TensorType type, long... shape) {
    byte[] bytes = new byte[(int) Tensor.byteSize(name, type, shape)];
    random.nextBytes(bytes);
    for (int i = 0; i < bytes.length; i++) {
      // No NaN codes, which are equal to nothing.
      bytes[i] = (bytes[i] & 0x7F) >= 0x78 ? 0x30 : bytes[i];
    }
    return new Tensor(name, type, shape, MemorySegment.ofArray(bytes));
  }

  private float[] scales(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextDouble(0.001, 2);
    }
    return values;
  }

  private static byte[] bytes(Tensor tensor) {
    return tensor.data().toArray(ValueLayout.JAVA_BYTE);
  }

  @Test
  void mxfp4Blocks_ofAnExpertStack_becomeGgufBlocksWithTheSameValues() throws IOException {
    Tensor blocks = codes("experts.up_blocks", TensorType.U8, 2, 3, 4, 16);
    Tensor scales = codes("experts.up_scales", TensorType.U8, 2, 3, 4);
    Path file = folder.resolve("m.safetensors");
    new SafetensorsWriter().add(blocks).add("bias", new float[] {1}, 1).add(scales).write(file);
    try (TensorSource model = TensorSource.open(file)) {
      assertThat(model.tensors()).extracting(Tensor::name).containsExactly("experts.up", "bias");
      Tensor up = model.get("experts.up");
      assertThat(up.type()).isEqualTo(TensorType.MXFP4);
      assertThat(up.shape()).containsExactly(2, 3, 128);
      assertThat(up.data().byteSize()).isEqualTo(2 * 3 * 4 * 17);
      float[] actual = up.toFloats();
      byte[] codes = bytes(blocks);
      byte[] exponents = bytes(scales);
      for (int i = 0; i < actual.length; i++) {
        int code = codes[i / 2] >> 4 * (i & 1) & 15;
        float expected = E2M1[code] * (float) Math.pow(2, (exponents[i / 32] & 0xFF) - 127);
        assertThat(actual[i]).as("weight %d", i).isCloseTo(expected, within(0f));
      }
      assertThat(model.get("experts.up")).isSameAs(up);
      float[] row = new float[128];
      ((AssembledWeights) model).weights().iterator().next().decodeRow(4, row);
      float[] expectedRow = new float[128];
      up.decodeRow(4, expectedRow, 0);
      assertThat(row).isEqualTo(expectedRow);
    }
  }

  @Test
  void float8_withBlockScales_isScaledBlockByBlock() throws IOException {
    // 2 x 3 blocks of 128 x 128, the last ones cut.
    checkScaled("w_scale_inv", new long[] {200, 300}, new long[] {2, 3}, 128, 128);
  }

  @Test
  void float8_withOneScalePerRowOrTensor_isScaled() throws IOException {
    checkScaled("w_scale", new long[] {6, 40}, new long[] {6, 1}, 1, 40);
    checkScaled("w_scale", new long[] {6, 40}, new long[] {6}, 1, 40);
    checkScaled("w_scale", new long[] {6, 40}, new long[] {1}, 6, 40);
    checkScaled("w_scale", new long[] {6, 40}, new long[] {}, 6, 40);
    checkScaled("w_scale", new long[] {64, 96}, new long[] {2, 3}, 32, 32);
  }

  private void checkScaled(
      String scaleName, long[] shape, long[] scaleShape, int blockRows, int blockColumns)
      throws IOException {
    Tensor codes = codes("w", TensorType.F8_E4M3, shape);
    int count = 1;
    for (long size : scaleShape) {
      count *= (int) size;
    }
    float[] scales = scales(count);
    Path file = folder.resolve("m.safetensors");
    new SafetensorsWriter().add(codes).add(scaleName, scales, scaleShape).write(file);
    try (TensorSource model = TensorSource.open(file)) {
      assertThat(model.tensors()).hasSize(1);
      Tensor w = model.get("w");
      assertThat(w.type()).isEqualTo(TensorType.BF16);
      float[] plain = codes.toFloats();
      float[] actual = w.toFloats();
      int columns = (int) shape[1];
      int gridColumns = Math.ceilDiv(columns, blockColumns);
      for (int i = 0; i < actual.length; i++) {
        int block = i / columns / blockRows * gridColumns + i % columns / blockColumns;
        float expected = plain[i] * scales[block];
        assertThat(actual[i]).isCloseTo(expected, within(Math.abs(expected) / 256));
      }
    }
  }

  @Test
  void float8_stackOfExperts_hasScalesPerExpert() throws IOException {
    Tensor codes = codes("w", TensorType.F8_E5M2, 3, 4, 8);
    float[] scales = scales(3);
    Path file = folder.resolve("m.safetensors");
    new SafetensorsWriter().add(codes).add("w_scale", scales, 3, 1, 1).write(file);
    try (TensorSource model = TensorSource.open(file)) {
      float[] actual = model.get("w").toFloats();
      float[] plain = codes.toFloats();
      for (int i = 0; i < actual.length; i++) {
        float expected = plain[i] * scales[i / 32];
        assertThat(actual[i]).isCloseTo(expected, within(Math.abs(expected) / 256));
      }
    }
  }

  @Test
  void float8_withoutScales_isExact() throws IOException {
    Tensor codes = codes("q.weight", TensorType.F8_E4M3, 4, 8);
    Path file = folder.resolve("m.safetensors");
    new SafetensorsWriter().add(codes).add("q.input_scale", new float[] {2}).write(file);
    try (TensorSource model = TensorSource.open(file)) {
      assertThat(model.tensors()).extracting(Tensor::name).containsExactly("q.weight");
      assertThat(model.get("q.weight").toFloats()).isEqualTo(codes.toFloats());
    }
  }

  @Test
  void open_scalesOfAnotherShape_isRefused() throws IOException {
    Path file = folder.resolve("m.safetensors");
    new SafetensorsWriter()
        .add(codes("w", TensorType.F8_E4M3, 6, 40))
        .add("w_scale", scales(8), 4, 2)
        .write(file);
    assertThatThrownBy(() -> TensorSource.open(file))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("'w_scale' (F32 [4, 2]) does not fit tensor 'w'");
    new SafetensorsWriter()
        .add(codes("e_blocks", TensorType.U8, 2, 3, 16))
        .add(codes("e_scales", TensorType.U8, 2, 4))
        .write(file);
    assertThatThrownBy(() -> TensorSource.open(file))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("do not make an MXFP4 weight");
  }

  @Test
  void close_twice_isHarmless() throws IOException {
    Path file = folder.resolve("m.safetensors");
    new SafetensorsWriter().add("a", new float[] {1}, 1).write(file);
    TensorSource model = TensorSource.open(file);
    model.close();
    model.close();
    assertThatThrownBy(() -> model.get("a").toFloats()).isInstanceOf(IllegalStateException.class);
  }
}
