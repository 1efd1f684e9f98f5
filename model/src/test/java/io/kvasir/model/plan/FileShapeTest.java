package io.kvasir.model.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.file.GgufWriter;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.plan.KvLayer.Kind;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileShapeTest {
  private static final KvRecipe F16 = KvRecipe.named("f16");

  @TempDir private Path folder;

  private static GgufWriter add(GgufWriter writer, String name, long... shape) {
    long bytes = Tensor.byteSize(name, TensorType.F32, shape);
    return writer.add(
        new Tensor(name, TensorType.F32, shape, MemorySegment.ofArray(new byte[(int) bytes])));
  }

  private ModelShape read(GgufWriter writer) throws IOException {
    Path file = folder.resolve("model.gguf");
    writer.write(file);
    return FileShape.read(file);
  }

  @Test
  void read_defaultModel_isKnown() {
    Path model =
        Path.of(System.getProperty("kvasir.root", ".."))
            .resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");

    ModelShape shape = FileShape.read(model);

    assertThat(shape.architecture()).isEqualTo("llama");
    assertThat(shape.contextLength()).isEqualTo(4096);
    assertThat(shape.kv().layers()).hasSize(8);
    assertThat(shape.kv().attentionName()).isEqualTo("GQA 2");
    assertThat(shape.kv().bytesPerToken(F16)).isEqualTo(8.0 * 2 * 64 * 2 * 2);
    assertThat(shape.parameters()).isBetween(26_000_000L, 28_000_000L);
    assertThat(shape.weightType()).isEqualTo(TensorType.Q8_0);
    long stored = Objects.requireNonNull(shape.storedBytes());
    assertThat(stored).isBetween(27_000_000L, 28_720_256L);
    long asQ8 = shape.weightBytes(TensorType.Q8_0);
    assertThat(Math.abs(asQ8 - stored)).isLessThan(stored / 100);
  }

  @Test
  void read_latentGguf_cachesTheLatentRow() throws IOException {
    GgufWriter writer =
        new GgufWriter()
            .put("general.architecture", "deepseek2")
            .put("deepseek2.block_count", 2)
            .put("deepseek2.embedding_length", 64)
            .put("deepseek2.context_length", 512)
            .put("deepseek2.attention.head_count", 4)
            .put("deepseek2.attention.head_count_kv", 1)
            .put("deepseek2.attention.kv_lora_rank", 32)
            .put("deepseek2.attention.key_length", 40)
            .put("deepseek2.attention.key_length_mla", 24)
            .put("deepseek2.attention.value_length_mla", 16)
            .put("deepseek2.rope.dimension_count", 8)
            .put("deepseek2.expert_count", 4)
            .put("deepseek2.expert_used_count", 2);
    add(writer, "token_embd.weight", 10, 64);
    add(writer, "blk.0.ffn_up_exps.weight", 4, 8, 64);

    ModelShape shape = read(writer);

    assertThat(shape.kv().attentionName()).isEqualTo("MLA");
    assertThat(shape.kv().bytesPerToken(F16)).isEqualTo(2.0 * 40 * 2);
    assertThat(shape.kv().with(AttentionKind.MHA).bytesPerToken(F16))
        .isEqualTo(2.0 * 4 * (24 + 16) * 2);
    assertThat(shape.parameters()).isEqualTo(640 + 2048);
    assertThat(shape.activeParameters()).isEqualTo(640 + 1024);
  }

  @Test
  void read_hybridGguf_tellsLayersByTheirTensors() throws IOException {
    GgufWriter writer =
        new GgufWriter()
            .put("general.architecture", "qwen3next")
            .put("qwen3next.block_count", 2)
            .put("qwen3next.embedding_length", 64)
            .put("qwen3next.attention.head_count", 4)
            .put("qwen3next.attention.head_count_kv", 2)
            .put("qwen3next.attention.key_length", 16)
            .put("qwen3next.ssm.inner_size", 64)
            .put("qwen3next.ssm.state_size", 16)
            .put("qwen3next.ssm.group_count", 2)
            .put("qwen3next.ssm.conv_kernel", 4);
    add(writer, "blk.0.ssm_out.weight", 64, 64);
    add(writer, "blk.1.attn_k.weight", 32, 64);

    KvShape kv = read(writer).kv();

    assertThat(kv.layers().get(0).kind()).isEqualTo(Kind.STATE);
    assertThat(kv.layers().get(0).stateBytes()).isEqualTo(4 * (64 * 16 + (64 + 64) * 4));
    assertThat(kv.layers().get(1).kind()).isEqualTo(Kind.FULL);
    assertThat(kv.bytesPerToken(F16)).isEqualTo(2.0 * 2 * 16 * 2);
  }

  @Test
  void read_folder_countsItsWeightFiles() throws IOException {
    Files.writeString(folder.resolve("config.json"), MemoryPlanTest.LLAMA_70B);
    assertThat(FileShape.read(folder).storedBytes()).isNull();
    Files.write(folder.resolve("model-00001-of-00002.safetensors"), new byte[100]);
    Files.write(folder.resolve("model-00002-of-00002.safetensors"), new byte[50]);
    Files.write(folder.resolve("consolidated.safetensors"), new byte[1000]);
    assertThat(FileShape.read(folder).storedBytes()).isEqualTo(150);
    assertThat(FileShape.read(folder.resolve("config.json")).storedBytes()).isNull();
  }

  @Test
  void read_nothingUsable_saysWhichFile() throws IOException {
    Files.writeString(folder.resolve("broken.json"), "{\"a\":");
    for (String name : new String[] {"", "broken.json", "absent.json", "absent.gguf"}) {
      assertThatExceptionOfType(ModelFormatException.class)
          .isThrownBy(() -> FileShape.read(folder.resolve(name)))
          .withMessageContaining(name.isEmpty() ? "config.json" : name);
    }
  }

  @Test
  void read_hostileGguf_isRefused() throws IOException {
    for (int[] sizes : new int[][] {{0, 16}, {2_000_000_000, 16}, {2, 2_000_000_000}}) {
      GgufWriter writer =
          new GgufWriter()
              .put("general.architecture", "llama")
              .put("llama.block_count", sizes[0])
              .put("llama.attention.head_count", 4)
              .put("llama.attention.key_length", sizes[1])
              .put("llama.embedding_length", 64);
      Path file = folder.resolve("hostile.gguf");
      writer.write(file);
      assertThatExceptionOfType(ModelFormatException.class)
          .isThrownBy(() -> FileShape.read(file))
          .withMessageContaining("impossible");
    }
  }
}
