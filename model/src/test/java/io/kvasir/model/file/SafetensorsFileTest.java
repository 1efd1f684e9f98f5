package io.kvasir.model.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.model.json.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsFileTest {
  @TempDir Path folder;

  private Path file(String header, int dataBytes) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer out = ByteBuffer.allocate(8 + json.length + dataBytes);
    out.order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).put(json);
    return Files.write(folder.resolve("t.safetensors"), out.array());
  }

  private static String entry(String name, String dtype, String shape, long start, long end) {
    return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
        .formatted(name, dtype, shape, start, end);
  }

  private void refused(String header, int dataBytes, String message) throws IOException {
    Path file = file(header, dataBytes);
    assertThatThrownBy(() -> SafetensorsFile.open(file))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining(message)
        .hasMessageContaining("t.safetensors");
  }

  @Test
  void write_thenOpen_givesTheSameTensors() throws IOException {
    Path file = folder.resolve("out.safetensors");
    float[] logits = {1, -2.5f, Float.NaN, 4, 5, 6};
    new SafetensorsWriter()
        .metadata("model", "a \"quoted\" näme")
        .add("logits", logits, 2, 3)
        .add("scalar", new float[] {7})
        .add("emptÿ\n", new float[0], 0, 4)
        .addIds("input_ids", new int[] {3, -1, 2})
        .write(file);
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      assertThat(open.metadata()).isEqualTo(Map.of("model", "a \"quoted\" näme"));
      assertThat(open.get("logits").shape()).containsExactly(2, 3);
      assertThat(open.get("logits").toFloats()).containsExactly(logits);
      assertThat(open.get("scalar").shape()).isEmpty();
      assertThat(open.get("emptÿ\n").elements()).isZero();
      assertThat(open.get("input_ids").type()).isEqualTo(TensorType.I64);
      assertThat(open.get("input_ids").toFloats()).containsExactly(3, -1, 2);
    }
    try (var files = Files.list(folder)) {
      assertThat(files).containsExactly(file);
    }
  }

  @Test
  void write_tensorsLargerThanTheBuffer_areWhole() throws IOException {
    float[] values = new float[300_001];
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    Path one = folder.resolve("one.safetensors");
    Path two = folder.resolve("two.safetensors");
    new SafetensorsWriter().add("v", values, values.length).write(one);
    try (SafetensorsFile open = SafetensorsFile.open(one)) {
      assertThat(open.get("v").toFloats()).isEqualTo(values);
      new SafetensorsWriter().add(open.get("v")).write(two);
    }
    assertThat(Files.mismatch(one, two)).isEqualTo(-1);
  }

  @Test
  void open_allReferenceCases_matchTheirHeaders() throws IOException {
    Path root = SharedFiles.require("reference/hf");
    try (var cases = Files.list(root)) {
      List<Path> folders = cases.filter(Files::isDirectory).sorted().toList();
      assertThat(folders).hasSizeGreaterThanOrEqualTo(47);
      for (Path folder : folders) {
        compareWithHeader(folder, folder.resolve("model.safetensors"));
        compareWithHeader(
            folder.resolve("golden.safetensors"), folder.resolve("golden.safetensors"));
      }
    }
  }

  private static void compareWithHeader(Path opened, Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    int length = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
    Json header = Json.parse(new String(bytes, 8, length, StandardCharsets.UTF_8));
    try (SafetensorsFile model = SafetensorsFile.open(opened)) {
      int tensors = header.asMap().size() - (header.has("__metadata__") ? 1 : 0);
      assertThat(model.tensors()).as(file.toString()).hasSize(tensors);
      for (Tensor tensor : model.tensors()) {
        Json entry = header.get(tensor.name());
        assertThat(tensor.type().name()).isEqualTo(entry.get("dtype").asString());
        assertThat(Arrays.stream(tensor.shape()).boxed())
            .containsExactlyElementsOf(
                entry.get("shape").asList().stream().map(Json::asLong).toList());
        int start = 8 + length + entry.get("data_offsets").asList().getFirst().asInt();
        assertThat(tensor.data().asByteBuffer())
            .isEqualTo(ByteBuffer.wrap(bytes, start, (int) tensor.data().byteSize()));
      }
    }
  }

  @Test
  void open_shardedFolder_findsTensorsOfAllShards() throws IOException {
    new SafetensorsWriter()
        .add("a", new float[] {1}, 1)
        .write(folder.resolve("m-00001-of-00002.safetensors"));
    new SafetensorsWriter()
        .add("b", new float[] {2}, 1)
        .write(folder.resolve("m-00002-of-00002.safetensors"));
    Path index = folder.resolve("model.safetensors.index.json");
    Files.writeString(
        index,
        """
        {"metadata": {"total_size": 8, "x": [1.5e3, null, {"y": true}]},
         "weight_map": {"a": "m-00001-of-00002.safetensors", "b": "m-00002-of-00002.safetensors"}}
        """);
    for (Path path : List.of(folder, index)) {
      try (SafetensorsFile model = SafetensorsFile.open(path)) {
        assertThat(model.get("a").toFloats()).containsExactly(1);
        assertThat(model.get("b").toFloats()).containsExactly(2);
      }
    }
    Files.delete(folder.resolve("m-00002-of-00002.safetensors"));
    assertThatThrownBy(() -> SafetensorsFile.open(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("m-00002-of-00002.safetensors is missing");
    Files.writeString(index, "{\"weight_map\":{\"a\":\"../secret.safetensors\"}}");
    assertThatThrownBy(() -> SafetensorsFile.open(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("'../secret.safetensors' is no name of a shard");
  }

  @Test
  void open_folderWithoutWeights_saysWhatIsThere() throws IOException {
    assertThatThrownBy(() -> SafetensorsFile.open(folder))
        .hasMessageContaining("neither model.safetensors nor");
    Files.createFile(folder.resolve("pytorch_model.bin"));
    assertThatThrownBy(() -> SafetensorsFile.open(folder)).hasMessageContaining("PyTorch");
    Files.createFile(folder.resolve("m.gguf"));
    assertThatThrownBy(() -> SafetensorsFile.open(folder)).hasMessageContaining("m.gguf");
    assertThatThrownBy(() -> SafetensorsFile.open(folder.resolve("none.safetensors")))
        .hasMessageContaining("does not exist");
  }

  @Test
  void open_brokenHeaders_areRefusedWithTheReason() throws IOException {
    refused("{ ", 0, "ends too early");
    refused("{}x", 0, "text follows the end");
    refused("{" + entry("a", "F32", "[2]", 0, 8) + "}", 7, "cut off");
    refused("{" + entry("a", "F32", "[2]", 0, 7) + "}", 8, "another size");
    refused("{" + entry("a", "F32", "[-2]", 0, 8) + "}", 8, "whole number");
    refused("{" + entry("a", "F32", "[1e3]", 0, 8) + "}", 8, "']' is expected");
    refused("{" + entry("a", "Q7", "[2]", 0, 8) + "}", 8, "number format Q7");
    refused("{" + entry("a", "F32", "[9999999999999999999]", 0, 8) + "}", 8, "too large");
    refused("{" + entry("a", "F32", "[4611686018427387904,4]", 0, 8) + "}", 8, "no valid number");
    refused("{" + entry("a", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) + "}", 8, "more than 8");
    refused(
        "{" + entry("a", "F32", "[2]", 0, 8) + "," + entry("b", "F32", "[2]", 4, 12) + "}",
        12,
        "overlap");
    refused(
        "{" + entry("a", "F32", "[1]", 0, 4) + "," + entry("a", "F32", "[1]", 4, 8) + "}",
        8,
        "two tensors called 'a'");
    refused("{\"a\":{\"dtype\":\"F32\"}}", 0, "lacks");
    refused("{\"a\":{\"x\":" + "[".repeat(500) + "}}", 0, "nest deeper");
    refused("{\"a\\u12\":{}}", 0, "hexadecimal");
  }

  @Test
  void open_absurdHeaderLength_isRefusedBeforeReading() throws IOException {
    for (long length : new long[] {-1, 0, 1, Long.MAX_VALUE, 99_999_999, 1L << 33}) {
      ByteBuffer out = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN).putLong(length);
      Path file = Files.write(folder.resolve("t.safetensors"), out.array());
      assertThatThrownBy(() -> SafetensorsFile.open(file))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining(Long.toUnsignedString(length) + " bytes");
    }
    Path tiny = Files.write(folder.resolve("t.safetensors"), new byte[3]);
    assertThatThrownBy(() -> SafetensorsFile.open(tiny)).hasMessageContaining("only 3 bytes");
    Path pointer =
        Files.writeString(
            folder.resolve("t.safetensors"), "version https://git-lfs.github.com/spec/v1\n");
    assertThatThrownBy(() -> SafetensorsFile.open(pointer)).hasMessageContaining("Git LFS");
  }
}
