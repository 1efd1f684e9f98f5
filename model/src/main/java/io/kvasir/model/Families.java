package io.kvasir.model;

import static io.kvasir.model.Family.family;

import io.kvasir.compute.Activation;
import io.kvasir.compute.Norm;
import io.kvasir.model.AttentionConfig.LatentConfig;
import io.kvasir.model.ModelConfig.QueryScaling;
import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/// Every model family that Kvasir runs, as what it does differently from Llama.
///
/// Facts are from the published model code of each family; the tests hold each against reference
/// logits.
public final class Families {
  /// Norms around both branches: "post attention" is what the name says here, not the second
  /// pre-norm.
  private static final Map<String, String> SANDWICH =
      Map.of("post_attention_layernorm", "post_attention_norm");

  private static final List<Family> ALL =
      List.of(
          family("llama", "llama2", "smollm", "yi", "internlm3", "cwm").ggufInterleaved(),
          family("llama4_text", "llama4")
              .interleaved()
              .transposed("ffn_gate_up_exps", "ffn_down_exps")
              .with(Families::layersWithoutRope)
              .with(MixtureFamilies::llama4),
          family("arcee").ggufInterleaved().with(d -> d.activation = Activation.RELU_SQUARED),
          family("internlm2").groupedQkv().ggufInterleaved(),
          family("minicpm").ggufInterleaved().with(Families::miniCpm),
          family("minicpm3").with(Families::latent).with(Families::miniCpm),
          family("exaone"),
          family("helium").interleaved(),
          family("mistral", "ministral").ggufInterleaved(),
          family("ministral3", "mistral3").ggufInterleaved().with(Families::positionScaledQueries),
          family("mixtral").ggufInterleaved(),
          family(
                  "qwen2",
                  "mimo",
                  "qwen2vl",
                  "qwen2_vl",
                  "qwen2_vl_text",
                  "qwen2_5_vl",
                  "qwen2_5_vl_text")
              .with(Families::qwenWindow),
          family("qwen3", "qwen3vl", "qwen3_vl", "qwen3_vl_text").with(Families::qwenWindow),
          family("qwen2_moe", "qwen2moe").with(Families::qwenWindow).with(MixtureFamilies::qwen),
          family("qwen3_moe", "qwen3moe", "qwen3vlmoe", "qwen3_vl_moe", "qwen3_vl_moe_text")
              .with(Families::qwenWindow)
              .with(MixtureFamilies::qwen),
          family("phi3"),
          family("smollm3").ggufInterleaved().with(Families::layersWithoutRope),
          family("granite", "granite_swa").ggufInterleaved().with(Families::graniteScales),
          family("granitemoe", "granite_moe", "granitemoeshared")
              .ggufInterleaved()
              .with(Families::graniteScales),
          family("hyperclovax")
              .named(Map.of("post_norm1", "post_attention_norm", "post_norm2", "post_ffw_norm"))
              .with(Families::graniteScales)
              .with(d -> d.logitScale = 1 / d.logitScale),
          family("apertus"),
          family("mellum"),
          family("olmo2").named(SANDWICH),
          family("olmo3").named(SANDWICH),
          family("flex_olmo").named(SANDWICH).with(d -> MixtureFamilies.normalize(d, false)),
          family("olmo").layerNorm().ggufInterleaved().with(Families::olmo),
          family("olmoe").with(d -> MixtureFamilies.normalize(d, false)),
          family("gemma").offsetNorm().with(Families::gemma),
          family("gemma2")
              .offsetNorm()
              .named(SANDWICH)
              .with(Families::gemma)
              .with(Families::gemma2),
          family("vaultgemma").offsetNorm().with(Families::gemma).with(Families::gemma2),
          family("gemma3_text", "gemma3")
              .offsetNorm()
              .named(SANDWICH)
              .with(Families::gemma)
              .with(Families::gemma3),
          family("gemma4_text", "gemma4")
              .named(SANDWICH)
              .with(Families::gemma)
              .with(Families::gemma4),
          family("cohere", "command-r")
              .layerNorm()
              .interleaved()
              .parallelBranches()
              .with(Families::cohere),
          family("cohere2")
              .layerNorm()
              .interleaved()
              .parallelBranches()
              .with(Families::cohere)
              .with(d -> d.rotates = layer -> d.slides.test(layer)),
          family("deepseek_v2", "deepseek2")
              .interleaved()
              .with(Families::latent)
              .with(MixtureFamilies::deepseekV2),
          family("deepseek_v3")
              .interleaved()
              .with(Families::latent)
              .with(MixtureFamilies::deepseekV3),
          family("deepseek").ggufInterleaved().with(MixtureFamilies::deepseekV1),
          family("youtu").interleaved().with(Families::latent),
          family("glm4_moe_lite")
              .interleaved()
              .with(Families::latent)
              .with(MixtureFamilies::deepseekV3),
          family("dots1").with(Families::listedWindow).with(MixtureFamilies::deepseekV3),
          family("solar_open").with(MixtureFamilies::deepseekV3),
          family("minimax_m2", "minimax-m2").with(MixtureFamilies::sigmoid),
          family("bailing_moe", "bailingmoe").ggufInterleaved().with(MixtureFamilies::deepseekV1),
          family("bailing_moe_v2", "bailingmoe2").with(MixtureFamilies::deepseekV3),
          family("afmoe").named(SANDWICH).with(MixtureFamilies::afmoe),
          family("exaone_moe", "exaone-moe").with(MixtureFamilies::exaone),
          family("phimoe").layerNorm().with(MixtureFamilies::phi),
          family("hunyuan_v1_dense", "hunyuan-dense").with(Families::hunyuan),
          family("hunyuan_v1_moe", "hunyuan-moe").with(Families::hunyuan),
          family("mistral4")
              .interleaved()
              .with(Families::latent)
              .with(Families::positionScaledQueries)
              .with(MixtureFamilies::mistral4),
          family("hy_v3").with(MixtureFamilies::sigmoid),
          family("ernie4_5").interleaved(),
          family("ernie4_5_moe", "ernie4_5-moe").interleaved(),
          family("exaone4").named(SANDWICH).with(Families::exaone4),
          family("falcon").layerNorm().with(OlderFamilies::falcon),
          family("glm", "chatglm").interleaved().with(OlderFamilies::chatGlm),
          family("glm4").interleaved(),
          family("glm4_moe", "glm4moe").with(MixtureFamilies::deepseekV3),
          family("bloom").layerNorm().groupedQkv().with(OlderFamilies::bloom),
          family("mpt").layerNorm().with(OlderFamilies::mpt),
          family("gptj").layerNorm().interleaved().parallelBranches().with(OlderFamilies::gptj),
          family("opt").layerNorm().with(OlderFamilies::opt),
          family("gpt_neo").layerNorm().with(OlderFamilies::gptNeo),
          family("persimmon").layerNorm().groupedQkv().with(OlderFamilies::persimmon),
          family("baichuan").ggufInterleaved().with(OlderFamilies::baichuan),
          family("orion").layerNorm(),
          family("jais2").layerNorm().with(d -> d.activation = Activation.RELU_SQUARED),
          family("qwen")
              .named(Map.of("mlp.w1", "ffn_up", "mlp.w2", "ffn_gate"))
              .with(OlderFamilies::qwen1),
          family("gpt2")
              .layerNorm()
              .transposed("attn_qkv", "attn_output", "ffn_up", "ffn_down")
              .with(OlderFamilies::learnedPositions),
          family("gpt_bigcode", "starcoder").layerNorm().with(OlderFamilies::bigCode),
          family("gpt_neox", "gptneox").layerNorm().groupedQkv().with(OlderFamilies::neox),
          family("gpt_oss", "gpt-oss")
              .transposed("ffn_gate_up_exps", "ffn_down_exps")
              .interleavedGateUp()
              .with(d -> d.activation = Activation.CLAMPED_SWIGLU),
          family("nemotron").layerNorm().offsetNorm(),
          family("phi", "phi2").layerNorm().parallelBranches(),
          family("seed_oss"),
          family("stablelm").layerNorm().with(Families::stablelm),
          family("starcoder2").layerNorm());

  private static final String RECURRENT =
      "it has recurrent layers, whose state is no cache of keys and values";

  /// Why well-known architectures are left out.
  private static final Map<String, String> REASONS =
      Map.ofEntries(
          Map.entry("gemma3n", "its layers keep several streams that predict each other (AltUp)"),
          Map.entry("mllama", "its layers attend to images"),
          Map.entry("minimax", "it has layers of linear attention"),
          Map.entry("kimi_linear", "it has layers of linear attention"),
          Map.entry("deepseek_v32", "its attention picks single positions by an index"),
          Map.entry("glm_moe_dsa", "its attention picks single positions by an index"),
          Map.entry("t5", "it is an encoder and a decoder"),
          Map.entry("bert", "it is an encoder that writes no text"),
          Map.entry("mamba", RECURRENT),
          Map.entry("mamba2", RECURRENT),
          Map.entry("falcon_h1", RECURRENT),
          Map.entry("lfm2", RECURRENT),
          Map.entry("lfm2_moe", RECURRENT),
          Map.entry("jamba", RECURRENT),
          Map.entry("bamba", RECURRENT),
          Map.entry("granitemoehybrid", RECURRENT),
          Map.entry("nemotron_h", RECURRENT),
          Map.entry("recurrent_gemma", RECURRENT),
          Map.entry("rwkv", RECURRENT),
          Map.entry("qwen3_next", RECURRENT),
          Map.entry("qwen3_5", RECURRENT),
          Map.entry("qwen3_5_moe", RECURRENT));

  private Families() {}

  /// The family of an architecture name from `config.json` or GGUF.
  ///
  /// @throws UnsupportedModelException naming it and all that are supported
  static Family named(String architecture) {
    for (Family family : ALL) {
      if (family.answersTo(architecture)) {
        return family;
      }
    }
    String reason = REASONS.get(architecture.replaceFirst("_text$", ""));
    if (reason != null) {
      throw new UnsupportedModelException(
          "architecture '%s' is not supported: %s".formatted(architecture, reason));
    }
    throw new UnsupportedModelException(
        "architecture '%s' is not supported; supported are %s"
            .formatted(architecture, String.join(", ", names())));
  }

  /// The names of all families, sorted.
  public static List<String> names() {
    TreeSet<String> names = new TreeSet<>();
    ALL.forEach(family -> names.add(family.name()));
    return new ArrayList<>(names);
  }

  private static void positionScaledQueries(ModelDraft d) {
    Json rope = d.ropeParameters(false);
    if (rope.has("llama_4_scaling_beta")) {
      d.queryScaling =
          new QueryScaling(
              (float) rope.get("llama_4_scaling_beta").asDouble(),
              rope.intOr("original_max_position_embeddings", d.maxPositions),
              0,
              false);
    }
  }

  private static void qwenWindow(ModelDraft d) {
    if (!d.config.booleanOr("use_sliding_window", false)) {
      d.window = 0;
    } else if (!d.config.has("layer_types")) {
      int first = d.optional(d.layerCount, "max_window_layers");
      d.slides = layer -> layer >= first;
    }
  }

  private static void layersWithoutRope(ModelDraft d) {
    List<Json> flags = d.config.get("no_rope_layers").asList();
    int interval = d.optional(4, "no_rope_layer_interval");
    d.rotates =
        layer -> flags.size() > layer ? flags.get(layer).asInt() != 0 : (layer + 1) % interval != 0;
    if (!d.config.booleanOr("use_sliding_window", false)) {
      d.window = 0;
    }
  }

  /// Windows only where the configuration says which layers have one.
  private static void listedWindow(ModelDraft d) {
    if (!d.config.has("layer_types")) {
      d.window = 0;
    }
  }

  private static void olmo(ModelDraft d) {
    d.plainNorms = true;
    d.rules = d.rules.clip((float) d.config.doubleOr("clip_qkv", 0));
  }

  private static void hunyuan(ModelDraft d) {
    d.rules = d.rules.normLast(true);
  }

  /// Maximal update parametrization in the settings of MiniCPM; GGUF files state the factors.
  private static void miniCpm(ModelDraft d) {
    graniteScales(d);
    if (d.config.has("scale_emb")) {
      d.embeddingScale = (float) d.config.get("scale_emb").asDouble();
    }
    if (d.config.has("scale_depth")) {
      double depth = d.config.get("scale_depth").asDouble();
      d.residualScale = (float) (depth / Math.sqrt(d.layerCount));
    }
    if (d.config.has("dim_model_base")) {
      d.logitScale = (float) (d.config.get("dim_model_base").asDouble() / d.width);
    }
  }

  private static void graniteScales(ModelDraft d) {
    d.embeddingScale = (float) d.config.doubleOr("embedding_multiplier", 1);
    d.residualScale = (float) d.config.doubleOr("residual_multiplier", 1);
    d.attentionScale = (float) d.config.doubleOr("attention_multiplier", d.attentionScale);
    d.logitScale = (float) (1 / d.config.doubleOr("logits_scaling", 1));
    if ("nope".equals(d.config.textOr("position_embedding_type", "rope"))) {
      d.rotates = layer -> false;
    }
  }

  private static void gemma(ModelDraft d) {
    d.embeddingScale = (float) Math.sqrt(d.width);
    d.activation = Activation.GELU_TANH;
  }

  private static void gemma2(ModelDraft d) {
    d.attentionScale =
        (float) (1 / Math.sqrt(d.config.doubleOr("query_pre_attn_scalar", d.headDim[0])));
    d.attentionSoftcap = (float) d.config.doubleOr("attn_logit_softcapping", 0);
    d.logitSoftcap = (float) d.config.doubleOr("final_logit_softcapping", 0);
    if (!d.config.has("layer_types")) {
      d.slides = layer -> layer % 2 == 0;
    }
  }

  private static void gemma3(ModelDraft d) {
    gemma2(d);
    if (!d.config.has("layer_types")) {
      int pattern = d.optional(6, "sliding_window_pattern", "_sliding_window_pattern");
      d.slides = layer -> (layer + 1) % pattern != 0;
    }
  }

  private static void gemma4(ModelDraft d) {
    d.logitSoftcap = (float) d.config.doubleOr("final_logit_softcapping", 0);
    d.attentionScale = 1;
    d.normalizeValues = true;
    d.sharedCacheLayers = d.optional(0, "num_kv_shared_layers");
    int globalDim = d.optional(d.headDim[0], "global_head_dim");
    int globalKv = d.optional(d.kvHeads[0], "num_global_key_value_heads");
    for (int i = 0; i < d.layerCount; i++) {
      if (!d.slides.test(i)) {
        d.headDim[i] = globalDim;
        d.rotaryDim[i] = globalDim;
        d.kvHeads[i] = d.config.booleanOr("attention_k_eq_v", false) ? globalKv : d.kvHeads[i];
      }
      Json own = d.config.get("per_layer_config").get(Integer.toString(i));
      d.headDim[i] = own.intOr("head_dim", d.headDim[i]);
      d.rotaryDim[i] = own.intOr("head_dim", d.rotaryDim[i]);
      d.kvHeads[i] = own.intOr("num_key_value_heads", d.kvHeads[i]);
    }
  }

  private static void cohere(ModelDraft d) {
    d.logitScale = (float) d.config.doubleOr("logit_scale", 0.0625);
    if (!d.config.has("layer_types")) {
      int pattern = d.optional(4, "sliding_window_pattern", "_sliding_window_pattern");
      d.slides = layer -> (layer + 1) % pattern != 0;
    }
  }

  private static void latent(ModelDraft d) {
    int nope = d.required("qk_nope_head_dim");
    int rope = d.required("qk_rope_head_dim");
    d.latent = new LatentConfig(d.required("kv_lora_rank"), nope, rope);
    d.headDim = d.filled(nope + rope);
    d.kvHeads = d.heads.clone();
    double scale = 1 / Math.sqrt(nope + rope);
    Json rules = d.ropeParameters(false);
    if (!"default".equals(rules.textOr("rope_type", rules.textOr("type", "default")))) {
      double all = rules.doubleOr("mscale_all_dim", 0);
      double mscale = all == 0 ? 1 : RopeScaling.yarnMscale(rules.doubleOr("factor", 1), all);
      scale *= mscale * mscale;
    }
    d.attentionScale = (float) scale;
  }

  private static void exaone4(ModelDraft d) {
    if (d.window > 0) {
      if (!d.config.has("layer_types")) {
        int pattern = d.optional(4, "sliding_window_pattern");
        d.slides = layer -> (layer + 1) % pattern != 0;
      }
      d.rotates = d.slides;
    }
  }

  private static void stablelm(ModelDraft d) {
    d.parallel = d.config.booleanOr("use_parallel_residual", false);
    d.normKind = Norm.Kind.LAYER;
  }
}
