package io.kvasir.model.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.kvasir.compute.quant.TensorType;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.json.Json;
import io.kvasir.model.plan.MemoryPlan.CacheRow;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MemoryPlanTest {
  private static final long GIB = 1L << 30;

  /// The shape of Llama 3.1 70B.
  static final String LLAMA_70B =
      """
      {"model_type":"llama","hidden_size":8192,"intermediate_size":28672,"num_hidden_layers":80,
       "num_attention_heads":64,"num_key_value_heads":8,"head_dim":128,"vocab_size":128256,
       "max_position_embeddings":131072,"tie_word_embeddings":false,"torch_dtype":"bfloat16"}
      """;

  static ModelShape shape(String config) {
    return ConfigShape.read(Json.parse(config));
  }

  private static MemoryPlan plan(String config, long memory, int users) {
    PlanRequest request =
        new PlanRequest(131_072, memory, users, PlanRequest.DEFAULT_FORMATS, 16, null);
    return MemoryPlan.of(shape(config), request);
  }

  private static CacheRow row(MemoryPlan plan, String attention, String format) {
    return Stream.concat(plan.own().stream(), plan.compared().stream())
        .filter(r -> r.attention().equals(attention) && r.format().name().equals(format))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no row " + attention + " " + format));
  }

  @ParameterizedTest
  @CsvSource({
    // attention, format, bytes a token, GiB a user at 131072 tokens, users in 80 GiB
    "GQA 8, f16,  327680, 40.0,    2",
    "GQA 8, int8, 166400, 20.3125, 3",
    "GQA 8, int4, 92160,  11.25,   7",
    "MHA,   f16,  2621440, 320,    0",
    "MHA,   int8, 1331200, 162.5,  0",
    "MHA,   int4, 737280, 90,      0",
    "MQA,   f16,  40960,  5,       16",
    "MQA,   int8, 20800,  2.5390625, 31",
    "MQA,   int4, 11520,  1.40625, 56",
    "MLA,   f16,  92160,  11.25,   7",
  })
  void of_llama70bAt128k_givesTheKnownTable(
      String attention, String format, double perToken, double gib, long users) {
    MemoryPlan plan = plan(LLAMA_70B, 80 * GIB, 0);
    CacheRow row = row(plan, attention, format);

    assertThat(row.bytesPerToken()).isEqualTo(perToken);
    // Four bits keep the newest cell of 64 positions exact beside the codes.
    long exact =
        format.equals("int4") ? 64L * (long) row(plan, attention, "f16").bytesPerToken() : 0;
    assertThat(row.bytesPerUser()).isEqualTo((long) (gib * GIB) + exact);
    assertThat(row.users()).isEqualTo(users);
  }

  @Test
  void of_llama70b_weightsAndWhatFitsBesideThem() {
    MemoryPlan plan = plan(LLAMA_70B, 80 * GIB, 0);
    assertThat(plan.model().parameters()).isEqualTo(70_553_706_496L);
    assertThat(plan.weights().getFirst().format()).isEqualTo("bf16");
    assertThat(plan.weightBytes()).isEqualTo(2 * 70_553_706_496L);
    assertThat(row(plan, "GQA 8", "f16").usersBesideWeights()).isZero();

    PlanRequest quantized =
        new PlanRequest(131_072, 80 * GIB, 0, PlanRequest.DEFAULT_FORMATS, 16, TensorType.Q4_K);
    MemoryPlan smaller = MemoryPlan.of(shape(LLAMA_70B), quantized);
    assertThat(smaller.weightBytes()).isBetween(36 * GIB, 38 * GIB);
    assertThat(row(smaller, "GQA 8", "f16").usersBesideWeights()).isEqualTo(1);
    assertThat(row(smaller, "GQA 8", "int4").usersBesideWeights()).isEqualTo(3);
  }

  @Test
  void of_largestContext_isTheLastThatFits() {
    MemoryPlan plan = plan(LLAMA_70B, 80 * GIB, 0);
    assertThat(row(plan, "GQA 8", "f16").largestContext()).isEqualTo(262_144);
    assertThat(row(plan(LLAMA_70B, 80 * GIB, 4), "GQA 8", "f16").largestContext())
        .isEqualTo(65_536);

    KvShape kv = shape(LLAMA_70B).kv();
    SplittableRandom random = new SplittableRandom(7);
    for (int i = 0; i < 200; i++) {
      long memory = random.nextLong(1, 100 * GIB);
      KvFormat any = KvFormat.ALL.get(random.nextInt(KvFormat.ALL.size()));
      KvRecipe format = KvRecipe.named(any.name());
      int block = 16 << random.nextInt(4);
      long most = kv.largestContext(memory, format, block);
      if (most > 0) {
        assertThat(kv.bytes(most, format, block)).isLessThanOrEqualTo(memory);
      }
      assertThat(kv.bytes(most + 1, format, block)).isGreaterThan(memory);
    }
  }

  @ParameterizedTest
  @CsvSource({
    // Bytes a token and layer at 8 key-value heads of 128, keys and values.
    "f32, 8192", "f16, 4096", "bf16, 4096", "int8, 2080", "fp8, 2080", "q8_0, 2176", "int4, 1152",
    "q4_0, 1152", "k4v2, 912", "k3v3, 912", "k2v2, 656", "lm3, 800", "lm2, 544", "int5, 1408",
    "int6, 1664", "kivi4, 1280", "kivi2, 768", "k8v4, 1616", "q5_0, 1408", "q5_1, 1536",
  })
  void bytesPerToken_eachFormat_isThatOfItsDefinition(String format, double bytes) {
    KvLayer layer = new KvLayer(KvLayer.Kind.FULL, 64, 128, 128, 8, 0, 0, 0);
    assertThat(layer.bytesPerToken(KvRecipe.named(format).of(0, 1))).isEqualTo(bytes);
  }

  @Test
  void named_unknownFormat_listsTheKnown() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> KvRecipe.named("int3"))
        .withMessageContaining("'int3'")
        .withMessageContaining("f16, bf16, int8");
  }

  @Test
  void bytes_slidingWindow_isCappedAtTheWindowAndABlock() {
    KvShape kv =
        new KvShape(
            List.of(
                new KvLayer(KvLayer.Kind.WINDOW, 8, 64, 64, 2, 0, 1024, 0),
                new KvLayer(KvLayer.Kind.FULL, 8, 64, 64, 2, 0, 0, 0)));
    KvRecipe f16 = KvRecipe.named("f16");
    long perToken = 2 * 2 * 64 * 2;
    assertThat(kv.bytes(1, f16, 16)).isEqualTo(2 * 16 * perToken);
    assertThat(kv.bytes(1024, f16, 16)).isEqualTo(2 * 1024 * perToken);
    assertThat(kv.bytes(100_000, f16, 16)).isEqualTo((1040 + 100_000) * perToken);
    assertThat(kv.bytesPerToken(f16)).isEqualTo(2.0 * perToken);
  }

  @Test
  void bytes_exactRows_areCountedBesideTheCodes() {
    KvLayer full = new KvLayer(KvLayer.Kind.FULL, 8, 128, 128, 2, 0, 0, 0);
    KvLayer window = new KvLayer(KvLayer.Kind.WINDOW, 8, 128, 128, 2, 0, 100, 0);
    KvShape kv = new KvShape(List.of(full, window));
    KvRecipe recipe = KvRecipe.named("int8[1=int4+s64t128]");
    long f16 = 2 * 2 * 128 * 2;
    long int8 = 2 * 2 * 130;
    long int4 = 2 * 2 * 72;
    assertThat(kv.bytesPerToken(recipe)).isEqualTo((double) int8 + int4);
    // Of a window of 100 with 64 first and 192 newest tokens exact.
    assertThat(kv.bytes(10_000, recipe, 16))
        .isEqualTo(10_000 * int8 + 116 * int4 + (64 + 116) * f16);
    assertThat(kv.bytes(10_000, KvRecipe.named("int4+s64t128"), 16))
        .isEqualTo(10_000 * int4 + 116 * int4 + (64 + 192 + 64 + 116) * f16);
    assertThat(kv.bytes(20, KvRecipe.named("int4+s64t128"), 16))
        .isEqualTo(2 * 32 * int4 + 4 * 32 * f16);
  }

  @Test
  void bytes_stateOnly_doNotGrow() {
    KvShape kv = new KvShape(List.of(new KvLayer(KvLayer.Kind.STATE, 0, 0, 0, 0, 0, 0, 5000)));
    KvRecipe f16 = KvRecipe.named("f16");
    assertThat(kv.bytes(1_000_000, f16, 16)).isEqualTo(5000);
    assertThat(kv.largestContext(5000, f16, 16)).isEqualTo(Long.MAX_VALUE);
    assertThat(kv.largestContext(4999, f16, 16)).isZero();
    assertThat(kv.attentionName()).isEqualTo("none");
  }

  @Test
  void text_llama70b_showsTheTable() {
    String text = PlanText.of(plan(LLAMA_70B, 80 * GIB, 3));
    assertThat(text)
        .contains("llama: 80 layers, 70.6 billion parameters, made for 128k tokens")
        .containsPattern("(?m)^GQA 8 \\(this model\\) +f16 +320.0 KiB +40.0 GiB +120.0 GiB +2 +0 ")
        .containsPattern("(?m)^GQA 8 \\(this model\\) +int4 +90.0 KiB +11.3 GiB +33.8 GiB +7 ")
        .containsPattern("(?m)^MHA +f16 +2.50 MiB +320.0 GiB +960.0 GiB +0 ")
        .containsPattern("(?m)^MQA +f16 +40.0 KiB +5.00 GiB +15.0 GiB +16 ")
        .contains("131.4 GiB of bf16 weights, which do not fit");
    assertThat(text.lines()).allMatch(line -> line.length() <= 130);
  }

  @Test
  void json_llama70b_hasBytes() {
    Json json = Json.parse(PlanJson.of(plan(LLAMA_70B, 80 * GIB, 0)).toText());
    assertThat(json.get("parameters").asLong()).isEqualTo(70_553_706_496L);
    Json first = json.get("cache").asList().getFirst();
    assertThat(first.get("format").asString()).isEqualTo("f16");
    assertThat(first.get("bytes_per_user").asLong()).isEqualTo(40 * GIB);
    assertThat(first.get("users").asInt()).isEqualTo(2);
    assertThat(json.get("compared").asList()).hasSize(9);
    assertThat(json.get("users").isNull()).isTrue();
    Json noMemory = PlanJson.of(plan(LLAMA_70B, 0, 0)).get("cache").asList().getFirst();
    assertThat(noMemory.get("users").isNull()).isTrue();
  }
}
