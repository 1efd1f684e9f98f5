package io.kvasir.model.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufWriterTest {
  @TempDir Path folder;

  private static Tensor tensor(String name, TensorType type, long... shape) {
    byte[] bytes = new byte[(int) Tensor.byteSize(name, type, shape)];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (i * 7 + name.length());
    }
    return new Tensor(name, type, shape, MemorySegment.ofArray(bytes));
  }

  @Test
  void write_allKindsOfMetadata_readBackTheSame() throws IOException {
    Path file = folder.resolve("m.gguf");
    new GgufWriter()
        .put("text", "naïve 🦊")
        .put("count", 42)
        .put("real", 1.5f)
        .put("flag", true)
        .put("u64", new GgufValue.Int(GgufType.U64, -1))
        .put("i8", new GgufValue.Int(GgufType.I8, -5))
        .put("u16", new GgufValue.Int(GgufType.U16, 65535))
        .put("i64", new GgufValue.Int(GgufType.I64, Long.MIN_VALUE))
        .put("f64", new GgufValue.Real(GgufType.F64, Math.PI))
        .put("texts", GgufValue.ofStrings(List.of("a", "", "ß")))
        .put("ints", GgufValue.ofInts(1, -2, 3))
        .put("floats", GgufValue.ofFloats(0.5f, -1))
        .put("flags", GgufValue.ofBooleans(true, false))
        .write(file);
    try (GgufFile model = GgufFile.open(file)) {
      GgufMetadata metadata = model.metadata();
      assertThat(metadata.keys()).startsWith("text", "count").hasSize(13);
      assertThat(metadata.string("text")).isEqualTo("naïve 🦊");
      assertThat(metadata.requireInt("count")).isEqualTo(42);
      assertThat(metadata.doubleOr("real", 0)).isEqualTo(1.5);
      assertThat(metadata.doubleOr("count", 0)).isEqualTo(42);
      assertThat(metadata.booleanOr("flag", false)).isTrue();
      assertThatThrownBy(() -> metadata.integer("u64"))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("18446744073709551615");
      assertThat(metadata.integer("i8")).isEqualTo(-5);
      assertThat(metadata.intOr("u16", 0)).isEqualTo(65535);
      assertThat(metadata.longOr("i64", 0)).isEqualTo(Long.MIN_VALUE);
      assertThatThrownBy(() -> metadata.intOr("i64", 0)).hasMessageContaining("32 bits");
      assertThat(metadata.doubleOr("f64", 0)).isEqualTo(Math.PI);
      assertThat(metadata.strings("texts")).containsExactly("a", "", "ß");
      assertThat(metadata.ints("ints")).containsExactly(1, -2, 3);
      assertThat(metadata.ints("count")).containsExactly(42);
      assertThat(metadata.floats("floats")).containsExactly(0.5f, -1);
      assertThat(metadata.floats("ints")).containsExactly(1, -2, 3);
      assertThat(metadata.ints("flags")).containsExactly(1, 0);
    }
  }

  @Test
  void lookups_absentOrOfAnotherKind_answerFallbackOrSayWhatIsThere() throws IOException {
    Path file = folder.resolve("m.gguf");
    new GgufWriter().put("text", "x").put("ints", GgufValue.ofInts(1)).write(file);
    try (GgufFile model = GgufFile.open(file)) {
      GgufMetadata metadata = model.metadata();
      assertThat(metadata.string("none")).isNull();
      assertThat(metadata.stringOr("none", "y")).isEqualTo("y");
      assertThat(metadata.integer("none")).isNull();
      assertThat(metadata.intOr("none", 3)).isEqualTo(3);
      assertThat(metadata.strings("none")).isNull();
      assertThat(metadata.floats("none")).isNull();
      assertThatThrownBy(() -> metadata.requireInt("none"))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("m.gguf has no metadata 'none'");
      assertThatThrownBy(() -> metadata.requireInt("text"))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("should be an integer but is the string 'x'");
      assertThatThrownBy(() -> metadata.strings("ints"))
          .hasMessageContaining("should be an array of strings but is an array of 1 I32");
      assertThat(metadata.forTokenizer().strings("ints")).isNull();
      assertThat(metadata.forTokenizer().ints("ints")).containsExactly(1);
      assertThat(metadata.forTokenizer().integer("text", 9)).isEqualTo(9);
    }
  }

  @Test
  void write_tensorsOfManyTypes_readBackTheSame() throws IOException {
    Path file = folder.resolve("m.gguf");
    List<Tensor> tensors =
        List.of(
            tensor("a", TensorType.F32, 3),
            tensor("bb", TensorType.Q8_0, 3, 64),
            tensor("ccc", TensorType.Q6_K, 2, 3, 256),
            tensor("dddd", TensorType.MXFP4, 1, 2, 2, 32),
            tensor("scalar", TensorType.F16));
    for (int alignment : new int[] {0, 8, 4096}) {
      GgufWriter writer = new GgufWriter();
      if (alignment > 0) {
        writer.put("general.alignment", alignment);
      }
      tensors.forEach(writer::add);
      assertThat(writer.write(file)).isEqualTo(Files.size(file));
      try (GgufFile model = GgufFile.open(file)) {
        assertThat(model.tensors()).isEqualTo(tensors);
      }
    }
  }

  @Test
  void write_defaultModelAgain_isByteEqual() throws IOException {
    Path original = SharedFiles.defaultGguf();
    Path copy = folder.resolve("copy.gguf");
    try (GgufFile model = GgufFile.open(original)) {
      GgufWriter writer = new GgufWriter();
      model.metadata().values().forEach(writer::put);
      model.tensors().forEach(writer::add);
      writer.write(copy);
    }
    assertThat(Files.mismatch(original, copy)).isEqualTo(-1);
  }

  @Test
  void add_whatGgufCannotHold_isRefused() {
    GgufWriter writer = new GgufWriter().add(tensor("a", TensorType.F32, 1));
    assertThatThrownBy(() -> writer.add(tensor("a", TensorType.F32, 1)))
        .hasMessageContaining("'a' is taken");
    assertThatThrownBy(() -> writer.add(tensor("b", TensorType.F8_E4M3, 1)))
        .hasMessageContaining("cannot hold F8_E4M3");
    assertThatThrownBy(() -> writer.add(tensor("b", TensorType.F32, 1, 1, 1, 1, 1)))
        .hasMessageContaining("5 dimensions");
  }

  @Test
  void write_contentOfAnotherSize_failsAndLeavesNothing() throws IOException {
    Path file = folder.resolve("m.gguf");
    GgufWriter writer =
        new GgufWriter().add("a", TensorType.F32, new long[] {2}, TensorContent.of(new float[3]));
    assertThatThrownBy(() -> writer.write(file)).hasMessageContaining("8 bytes but 12");
    try (var files = Files.list(folder)) {
      assertThat(files).isEmpty();
    }
  }

  @Test
  void open_splitModel_fromAnyPartHasAllTensors() throws IOException {
    for (int part = 0; part < 3; part++) {
      GgufWriter writer = new GgufWriter();
      if (part == 0) {
        writer.put("general.architecture", "llama");
      }
      writer
          .put("split.no", new GgufValue.Int(GgufType.U16, part))
          .put("split.count", new GgufValue.Int(GgufType.U16, 3))
          .put("split.tensors.count", new GgufValue.Int(GgufType.I32, 3))
          .add(tensor("t" + part, TensorType.F32, part + 1))
          .write(splitPart(part));
    }
    for (int part = 0; part < 3; part++) {
      try (GgufFile model = GgufFile.open(splitPart(part))) {
        assertThat(model.metadata().string("general.architecture")).isEqualTo("llama");
        assertThat(model.tensors()).extracting(Tensor::name).containsExactly("t0", "t1", "t2");
        assertThat(model.get("t2").elements()).isEqualTo(3);
      }
    }
    Path renamed = Files.copy(splitPart(1), folder.resolve("other.gguf"));
    assertThatThrownBy(() -> GgufFile.open(renamed))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("one of 3 parts");
    Files.copy(splitPart(0), folder.resolve("x-00001-of-00003.gguf"));
    assertThatThrownBy(() -> GgufFile.open(folder.resolve("x-00001-of-00003.gguf")))
        .hasMessageContaining("x-00002-of-00003.gguf is missing");
    Files.delete(splitPart(1));
    Files.copy(splitPart(2), splitPart(1));
    assertThatThrownBy(() -> GgufFile.open(splitPart(0)))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("part 3 of 3, not 2 of 3");
  }

  private Path splitPart(int part) {
    return folder.resolve("m-%05d-of-00003.gguf".formatted(part + 1));
  }
}
