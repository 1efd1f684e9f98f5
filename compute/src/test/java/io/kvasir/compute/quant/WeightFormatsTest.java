package io.kvasir.compute.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WeightFormatsTest {
  private static final Path REFERENCE =
      Path.of(System.getProperty("kvasir.root", ".."))
          .resolve("../shared/reference/gguf-dequant")
          .normalize();

  private static Path reference(String name) {
    Assumptions.assumeTrue(Files.isDirectory(REFERENCE), "[no-reference-data] " + REFERENCE);
    return REFERENCE.resolve(name);
  }

  private static float[] floats(Path file) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    float[] values = new float[bytes.remaining() / 4];
    bytes.asFloatBuffer().get(values);
    return values;
  }

  @Test
  void manifest_everyType_hasTheSameIdAndGeometry() throws IOException {
    String manifest = Files.readString(reference("manifest.json"));
    Matcher entries =
        Pattern.compile(
                "\"(\\w+)\": \\{\\s*\"ggml_type\": (\\d+),\\s*\"block_elements\": (\\d+),"
                    + "\\s*\"block_bytes\": (\\d+)")
            .matcher(manifest);
    int count = 0;
    while (entries.find()) {
      TensorType type = TensorType.ofGgml(Integer.parseInt(entries.group(2)));
      assertThat(type.name()).isEqualTo(entries.group(1));
      assertThat(type.blockElements()).isEqualTo(Integer.parseInt(entries.group(3)));
      assertThat(type.blockBytes()).isEqualTo(Integer.parseInt(entries.group(4)));
      assertThat(REFERENCE.resolve(type + ".blocks")).exists();
      count++;
    }
    assertThat(count).isGreaterThanOrEqualTo(24);
  }

  @ParameterizedTest
  @EnumSource
  void decode_referenceBlocks_equalsTheReference(TensorType type) throws IOException {
    Path blocks = reference(type + ".blocks");
    if (!Files.exists(blocks)) {
      assertThat(type.blockElements()).as("block types have reference rows").isEqualTo(1);
      return;
    }
    float[] expected = floats(REFERENCE.resolve(type + ".f32"));
    MemorySegment source = MemorySegment.ofArray(Files.readAllBytes(blocks));
    float[] actual = new float[expected.length];
    type.codec().decode(source, 0, actual, 0, actual.length);
    for (int i = 0; i < expected.length; i++) {
      float bound = 1e-6f * Math.abs(expected[i]);
      assertThat(actual[i]).as("weight %d", i).isCloseTo(expected[i], within(bound));
    }
  }

  @ParameterizedTest
  @EnumSource
  void decode_oddOffsets_readsTheSameAndNothingElse(TensorType type) {
    SplittableRandom random = new SplittableRandom(7);
    int elements = 2 * type.blockElements();
    byte[] bytes = new byte[(int) type.bytes(elements)];
    random.nextBytes(bytes);
    float[] expected = new float[elements];
    type.codec().decode(MemorySegment.ofArray(bytes), 0, expected, 0, elements);
    try (Arena arena = Arena.ofConfined()) {
      for (int offset : new int[] {1, 3, 7}) {
        MemorySegment shifted = arena.allocate(bytes.length + offset, 16);
        MemorySegment.copy(bytes, 0, shifted, ValueLayout.JAVA_BYTE, offset, bytes.length);
        float[] target = new float[elements + 2];
        target[0] = 42;
        target[elements + 1] = 43;
        type.codec().decode(shifted, offset, target, 1, elements);
        assertThat(target[0]).isEqualTo(42);
        assertThat(target[elements + 1]).isEqualTo(43);
        assertThat(Arrays.copyOfRange(target, 1, elements + 1)).isEqualTo(expected);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void decode_outOfBounds_isRefused(TensorType type) {
    WeightCodec codec = type.codec();
    int elements = type.blockElements();
    MemorySegment source = MemorySegment.ofArray(new byte[type.blockBytes()]);
    float[] target = new float[elements];
    assertThatThrownBy(() -> codec.decode(source, 1, target, 0, elements))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> codec.decode(source, 0, target, 1, elements))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> codec.decode(source, 0, target, 0, -elements))
        .isInstanceOf(IllegalArgumentException.class);
    if (elements > 1) {
      assertThatThrownBy(() -> codec.decode(source, 0, target, 0, elements - 1))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining((elements - 1) + " elements");
    }
  }

  @ParameterizedTest
  @EnumSource
  void encode_referenceRows_equalsTheReferenceByteForByte(TensorType type) throws IOException {
    Path input = reference(type + ".quant_in.f32");
    if (!Files.exists(input)) {
      return;
    }
    float[] source = floats(input);
    byte[] expected = Files.readAllBytes(REFERENCE.resolve(type + ".quant_out.blocks"));
    byte[] actual = new byte[expected.length];
    type.encoder().encode(source, 0, source.length, MemorySegment.ofArray(actual), 0);
    assertThat(actual).isEqualTo(expected);
  }

  @ParameterizedTest
  @EnumSource
  void encode_thenDecode_staysWithinTheStepOfTheFormat(TensorType type) {
    WeightEncoder encoder = type.findEncoder();
    if (encoder == null) {
      assertThatThrownBy(type::encoder).hasMessageContaining("does not write it");
      return;
    }
    SplittableRandom random = new SplittableRandom(11);
    int elements = 4 * type.blockElements();
    float[] source = new float[elements + 1];
    for (int i = 0; i < source.length; i++) {
      source[i] = (float) random.nextDouble(-1, 1);
    }
    byte[] bytes = new byte[(int) type.bytes(elements) + 3];
    encoder.encode(source, 1, elements, MemorySegment.ofArray(bytes), 3);
    float[] back = new float[elements];
    type.codec().decode(MemorySegment.ofArray(bytes), 3, back, 0, elements);
    // Half the largest step: ternary 1, E2M1 between 4 and 6, n bits 2 / 2^n (and f16 rounding).
    float bound =
        switch (type) {
          case TQ1_0, TQ2_0 -> 0.51f;
          case MXFP4 -> 0.26f;
          case Q4_0, Q4_1 -> 0.14f;
          case Q5_0, Q5_1 -> 0.07f;
          case Q8_0, BF16 -> 0.0045f;
          default -> 0.0005f;
        };
    for (int i = 0; i < elements; i++) {
      assertThat(back[i]).isCloseTo(source[i + 1], within(bound));
    }
  }

  @ParameterizedTest
  @EnumSource
  void encode_zerosAndNonFinite_neverFails(TensorType type) {
    WeightEncoder encoder = type.findEncoder();
    if (encoder == null) {
      return;
    }
    int elements = type.blockElements();
    MemorySegment target = MemorySegment.ofArray(new byte[type.blockBytes()]);
    float[] back = new float[elements];
    encoder.encode(new float[elements], 0, elements, target, 0);
    type.codec().decode(target, 0, back, 0, elements);
    for (float value : back) {
      assertThat(Math.abs(value)).isZero();
    }
    for (float odd : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.MIN_VALUE, 3e38f}) {
      float[] source = new float[elements];
      source[elements - 1] = odd;
      encoder.encode(source, 0, elements, target, 0);
      type.codec().decode(target, 0, back, 0, elements);
    }
  }

  @Test
  void float8_specialCodes_areAsTheSpecificationSays() {
    float[] t = new float[256];
    byte[] all = new byte[256];
    for (int i = 0; i < 256; i++) {
      all[i] = (byte) i;
    }
    TensorType.F8_E4M3.codec().decode(MemorySegment.ofArray(all), 0, t, 0, 256);
    assertThat(t[0x7E]).isEqualTo(448);
    assertThat(t[0x7F]).isNaN();
    assertThat(t[0xFF]).isNaN();
    assertThat(t[0x38]).isEqualTo(1);
    assertThat(t[0x01]).isEqualTo((float) Math.pow(2, -9));
    assertThat(t[0x88]).isEqualTo(-(float) Math.pow(2, -6));
    TensorType.F8_E5M2.codec().decode(MemorySegment.ofArray(all), 0, t, 0, 256);
    assertThat(t[0x7B]).isEqualTo(57344);
    assertThat(t[0x7C]).isEqualTo(Float.POSITIVE_INFINITY);
    assertThat(t[0x7D]).isNaN();
    assertThat(t[0xFC]).isEqualTo(Float.NEGATIVE_INFINITY);
    assertThat(t[0x01]).isEqualTo((float) Math.pow(2, -16));
    TensorType.F8_E8M0.codec().decode(MemorySegment.ofArray(all), 0, t, 0, 256);
    assertThat(t[127]).isEqualTo(1);
    assertThat(t[0]).isEqualTo((float) Math.pow(2, -127));
    assertThat(t[254]).isEqualTo((float) Math.pow(2, 127));
    assertThat(t[255]).isNaN();
  }

  @Test
  void bytes_ofPartialBlockOrTooMany_isRefused() {
    assertThat(TensorType.Q4_K.bytes(512)).isEqualTo(288);
    assertThatThrownBy(() -> TensorType.Q4_K.bytes(255)).hasMessageContaining("255");
    assertThatThrownBy(() -> TensorType.F64.bytes(Long.MAX_VALUE))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> TensorType.ofGgml(4)).hasMessageContaining("type 4");
    assertThat(TensorType.findGgml(-1)).isNull();
  }
}
