#!/usr/bin/env python3
"""Makes reference cases: tiny random checkpoints in the layout of real ones, with what the
published implementation (Hugging Face transformers) computes from them.

    make-cases.py --out FOLDER [--only a,b] [--list]

Each case becomes FOLDER/NAME with config.json, model.safetensors (values that f16 holds exactly,
stored so) and golden.safetensors:
input_ids [S], logits [S, V], hidden.0 (embedding) to hidden.L (after the final norm) [S, D],
greedy_ids [24]. All of it in f32 on the CPU with plain ("eager") attention, from a fixed seed. A
case that cannot be made prints one line and does not stop the others.

Needs torch, transformers >= 5.17 and safetensors.
"""

import argparse
import json
import math
import pathlib
import sys

import torch
import transformers as tf
from safetensors.torch import load_file, save_file

VOCABULARY = 96
TOKENS = 48
NEW_TOKENS = 24
SEED = 20261122
# The best score must win by this much, so that rounding does not pick another token.
MARGIN = 1e-3

CASES = {}


def case(name):
    """Registers a function that returns (model, rename); rename may be None."""

    def register(function):
        CASES[name] = function
        return function

    return register


def sizes(**changes):
    """The sizes that most cases share."""
    common = dict(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=False,
    )
    common.update(changes)
    return {key: value for key, value in common.items() if value is not ...}


def model(kind, **settings):
    """A model of transformers' class prefix `kind`."""
    config = getattr(tf, kind + "TextConfig", None) or getattr(tf, kind + "Config")
    config = config(**settings)
    config._attn_implementation = "eager"
    return getattr(tf, kind + "ForCausalLM")(config)


# ---- models of transformers -------------------------------------------------------------------


@case("arcee")
def arcee():
    return model("Arcee", **sizes(mlp_bias=True)), None


@case("apertus")
def apertus():
    return model("Apertus", **sizes()), None


@case("bloom")
def bloom():
    kept = sizes(num_hidden_layers=..., num_attention_heads=..., num_key_value_heads=..., intermediate_size=...,
                 max_position_embeddings=..., tie_word_embeddings=True)
    return model("Bloom", n_layer=3, n_head=4, **kept), None


@case("bloom-odd-heads")
def bloom_odd_heads():
    kept = sizes(num_hidden_layers=..., num_attention_heads=..., num_key_value_heads=..., intermediate_size=...,
                 max_position_embeddings=..., tie_word_embeddings=True, hidden_size=48)
    return model("Bloom", n_layer=2, n_head=6, **kept), None


def mpt_config(**changes):
    settings = dict(d_model=32, n_heads=4, n_layers=3, max_seq_len=256, vocab_size=VOCABULARY, pad_token_id=0,
                    bos_token_id=1, eos_token_id=2)
    settings.update(changes)
    return settings


@case("mpt")
def mpt():
    return model("Mpt", **mpt_config()), None


@case("mpt-clip")
def mpt_clip():
    return model("Mpt", **mpt_config(n_heads=6, d_model=48, n_layers=2, attn_config=dict(clip_qkv=0.8))), None


@case("olmo")
def olmo():
    return model("Olmo", **sizes()), None


@case("olmo-clip")
def olmo_clip():
    return model("Olmo", **sizes(clip_qkv=0.8, num_hidden_layers=2, num_key_value_heads=4)), None


@case("ernie4_5_moe")
def ernie4_5_moe():
    kept = sizes(moe_intermediate_size=32, moe_k=2, moe_num_experts=4, moe_num_shared_experts=2,
                 moe_layer_start_index=1, moe_layer_end_index=2, tie_word_embeddings=True)
    return model("Ernie4_5_Moe", **kept), None


@case("hunyuan_v1_dense")
def hunyuan_v1_dense():
    rope = dict(rope_type="dynamic", alpha=1000.0, rope_theta=10000.0, factor=1.0)
    return model("HunYuanDenseV1", **sizes(head_dim=16, rope_parameters=rope, tie_word_embeddings=True)), None


@case("hunyuan_v1_moe")
def hunyuan_v1_moe():
    kept = sizes(num_experts=4, moe_topk=2, head_dim=8, intermediate_size=32)
    return model("HunYuanMoEV1", **kept), None


@case("dots1")
def dots1():
    kept = sizes(moe_intermediate_size=32, n_shared_experts=1, n_routed_experts=4, num_experts_per_tok=2, n_group=2,
                 topk_group=1, first_k_dense_replace=1, norm_topk_prob=True, routed_scaling_factor=2.5, head_dim=8)
    return model("Dots1", **kept), None


@case("phimoe")
def phimoe():
    kept = sizes(num_local_experts=4, num_experts_per_tok=2, intermediate_size=32, attention_bias=True,
                 lm_head_bias=True)
    return model("Phimoe", **kept), None


@case("llama4_text")
def llama4_text():
    kept = sizes(num_hidden_layers=4, head_dim=8, intermediate_size=32, intermediate_size_mlp=64,
                 num_local_experts=4, num_experts_per_tok=1, interleave_moe_layer_step=2, no_rope_layer_interval=4,
                 attention_chunk_size=256, floor_scale=8, attn_scale=0.3)
    return model("Llama4", **kept), None


@case("gptj")
def gptj():
    return model("GPTJ", vocab_size=VOCABULARY, n_positions=256, n_embd=32, n_layer=3, n_head=2, rotary_dim=8,
                 bos_token_id=1, eos_token_id=2, pad_token_id=0), None


@case("opt")
def opt():
    kept = sizes(intermediate_size=..., num_key_value_heads=..., tie_word_embeddings=True)
    return model("OPT", ffn_dim=64, word_embed_proj_dim=32, **kept), None


@case("persimmon")
def persimmon():
    kept = sizes(num_key_value_heads=..., hidden_size=64, num_hidden_layers=2, qk_layernorm=True,
                 partial_rotary_factor=0.5)
    return model("Persimmon", **kept), None


@case("gpt_neo")
def gpt_neo():
    kept = sizes(num_key_value_heads=..., num_hidden_layers=..., num_attention_heads=..., tie_word_embeddings=True)
    return model("GPTNeo", num_layers=4, num_heads=4, attention_types=[[["global", "local"], 2]], window_size=8,
                 **kept), None


@case("minicpm3-mla")
def minicpm3():
    factors = dict(short_factor=[1.0, 1.1, 1.3, 1.7], long_factor=[1.0, 1.5, 2.0, 4.0])
    rope = dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=32, factor=8.0,
                **factors)
    kept = sizes(num_key_value_heads=4, kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=8, qk_rope_head_dim=8,
                 v_head_dim=8, scale_emb=3, scale_depth=1.4, dim_model_base=16, rope_parameters=rope,
                 tie_word_embeddings=True)
    return model("MiniCPM3", **kept), None


@case("granitemoeshared")
def granitemoeshared():
    kept = sizes(num_local_experts=4, num_experts_per_tok=2, intermediate_size=32, shared_intermediate_size=48,
                 embedding_multiplier=6.0, logits_scaling=2.0, residual_multiplier=0.5, attention_multiplier=0.2)
    return model("GraniteMoeShared", **kept), None


@case("minimax_m2")
def minimax_m2():
    rope = dict(rope_type="default", rope_theta=5000000.0, partial_rotary_factor=0.5)
    kept = sizes(num_local_experts=4, num_experts_per_tok=2, intermediate_size=32, head_dim=16, rope_parameters=rope)
    return model("MiniMaxM2", **kept), None


@case("helium")
def helium():
    return model("Helium", **sizes(head_dim=8)), None


@case("vaultgemma")
def vaultgemma():
    kept = sizes(num_hidden_layers=4, head_dim=16, sliding_window=12, query_pre_attn_scalar=16,
                 tie_word_embeddings=True)
    return model("VaultGemma", **kept), None


@case("jais2")
def jais2():
    return model("Jais2", **sizes()), None


@case("exaone_moe")
def exaone_moe():
    kept = sizes(num_hidden_layers=4, moe_intermediate_size=32, num_experts=4, num_experts_per_tok=2,
                 num_shared_experts=1, first_k_dense_replace=1, head_dim=8, sliding_window=12,
                 sliding_window_pattern=4)
    return model("ExaoneMoe", **kept), None


@case("solar_open")
def solar_open():
    kept = sizes(moe_intermediate_size=32, n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=1, head_dim=8,
                 intermediate_size=...)
    return model("SolarOpen", **kept), None


@case("glm4_moe_lite-mla")
def glm4_moe_lite():
    kept = sizes(moe_intermediate_size=32, n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=1,
                 kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=8,
                 num_key_value_heads=4, mlp_layer_types=["dense", "sparse", "sparse"])
    return model("Glm4MoeLite", **kept), None


@case("afmoe")
def afmoe():
    kept = sizes(num_hidden_layers=4, moe_intermediate_size=32, num_dense_layers=1, head_dim=8, num_experts=4,
                 num_experts_per_tok=2, num_shared_experts=1, route_scale=1.5, global_attn_every_n_layers=4,
                 sliding_window=12, mup_enabled=True)
    return model("Afmoe", **kept), None


@case("stablelm-qk")
def stablelm_qk():
    return model("StableLm", **sizes(qk_layernorm=True, use_parallel_residual=True, use_qkv_bias=True,
                                     hidden_size=64, intermediate_size=48, num_hidden_layers=2)), None


@case("falcon-new")
def falcon_new():
    return model("Falcon", vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
                 num_kv_heads=2, new_decoder_architecture=True, num_ln_in_parallel_attn=2, ffn_hidden_size=64,
                 max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0), None


@case("falcon-alibi")
def falcon_alibi():
    made = model("Falcon", vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
                 alibi=True, multi_query=False, parallel_attn=False, bias=True, ffn_hidden_size=64,
                 max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    # Plain attention adds the bias twice, once with the mask; only the fused one is as published.
    made.config._attn_implementation = "sdpa"
    return made, None


@case("phi3-longrope")
def phi3_longrope():
    rope = dict(rope_type="longrope", rope_theta=10000.0, partial_rotary_factor=0.75,
                short_factor=[1.0, 1.1, 1.3], long_factor=[1.0, 2.0, 4.0], original_max_position_embeddings=32)
    return model("Phi3", **sizes(rope_parameters=rope, original_max_position_embeddings=32,
                                 max_position_embeddings=256, sliding_window=20)), None


@case("deepseek_v2-yarn-mla")
def deepseek_v2_yarn():
    rope = dict(rope_type="yarn", rope_theta=10000.0, factor=8.0, original_max_position_embeddings=32,
                beta_fast=32, beta_slow=1, mscale=0.707, mscale_all_dim=0.707)
    kept = sizes(num_key_value_heads=4, moe_intermediate_size=32, n_routed_experts=4, num_experts_per_tok=2,
                 n_shared_experts=1, kv_lora_rank=16, q_lora_rank=None, qk_nope_head_dim=8, qk_rope_head_dim=8,
                 v_head_dim=8, first_k_dense_replace=1, topk_method="greedy", rope_parameters=rope)
    return model("DeepseekV2", **kept), None


@case("gemma4-moe")
def gemma4_moe():
    kept = sizes(num_hidden_layers=4, head_dim=8, global_head_dim=16, sliding_window=12, enable_moe_block=True,
                 num_experts=4, top_k_experts=2, moe_intermediate_size=32, hidden_size_per_layer_input=0,
                 num_kv_shared_layers=0, attention_k_eq_v=True, num_global_key_value_heads=1,
                 layer_types=["sliding_attention"] * 3 + ["full_attention"], tie_word_embeddings=True)
    config = tf.Gemma4TextConfig(**kept)
    config._attn_implementation = "eager"
    return tf.Gemma4ForCausalLM(config), None


@case("cwm")
def cwm():
    kept = sizes(num_hidden_layers=4, head_dim=8, sliding_window=12,
                 layer_types=["full_attention"] + ["sliding_attention"] * 3)
    return model("Cwm", **kept), None


@case("flex_olmo")
def flex_olmo():
    kept = sizes(num_experts=4, num_experts_per_tok=2, intermediate_size=32, norm_topk_prob=True)
    return model("FlexOlmo", **kept), None


@case("ministral")
def ministral():
    kept = sizes(num_hidden_layers=4, head_dim=8, sliding_window=12,
                 layer_types=["sliding_attention", "full_attention"] * 2)
    return model("Ministral", **kept), None


@case("youtu-mla")
def youtu():
    kept = sizes(kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=8,
                 num_key_value_heads=4, tie_word_embeddings=True)
    return model("Youtu", **kept), None


@case("mistral4-mla")
def mistral4():
    rope = dict(rope_type="yarn", rope_theta=10000.0, factor=8.0, original_max_position_embeddings=32, beta_fast=32.0,
                beta_slow=1.0, mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.3)
    kept = sizes(num_key_value_heads=4, moe_intermediate_size=32, n_routed_experts=4, num_experts_per_tok=2,
                 n_shared_experts=1, kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=8, qk_rope_head_dim=8,
                 v_head_dim=8, n_group=2, topk_group=1, rope_parameters=rope)
    return model("Mistral4", **kept), None


@case("hy_v3")
def hy_v3():
    kept = sizes(num_experts=4, num_experts_per_tok=2, num_shared_experts=1, moe_intermediate_size=32, head_dim=8,
                 router_scaling_factor=2.5, mlp_layer_types=["dense", "sparse", "sparse"])
    return model("HYV3", **kept), None


@case("mellum")
def mellum():
    rope = dict(full_attention=dict(rope_type="yarn", rope_theta=500000.0, factor=8.0,
                                    original_max_position_embeddings=32),
                sliding_attention=dict(rope_type="default", rope_theta=10000.0))
    kept = sizes(num_hidden_layers=4, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, head_dim=8,
                 sliding_window=12, rope_parameters=rope, layer_types=["sliding_attention"] * 3 + ["full_attention"],
                 mlp_layer_types=["sparse"] * 4)
    return model("Mellum", **kept), None


@case("hyperclovax")
def hyperclovax():
    kept = sizes(embedding_multiplier=6.0, logits_scaling=2.0, residual_multiplier=0.5, attention_multiplier=0.2,
                 head_dim=8, use_post_norm=True)
    return model("HyperCLOVAX", **kept), None


@case("granite_swa")
def granite_swa():
    kept = sizes(num_hidden_layers=4, sliding_window=12, embedding_multiplier=6.0, logits_scaling=2.0,
                 residual_multiplier=0.5, attention_multiplier=0.2)
    return model("GraniteSWA", **kept), None


# Models that also see: their checkpoints carry weights for images, which a text does without.


@case("qwen2_5_vl")
def qwen2_5_vl():
    rope = dict(rope_type="default", rope_theta=1000000.0, mrope_section=[2, 1, 1])
    config = tf.Qwen2_5_VLConfig(
        text_config=sizes(rope_parameters=rope),
        vision_config=dict(depth=1, hidden_size=16, intermediate_size=16, num_heads=2, out_hidden_size=32,
                           fullatt_block_indexes=[0], patch_size=2),
        image_token_id=0, video_token_id=0, vision_start_token_id=1, vision_end_token_id=2)
    config._attn_implementation = config.text_config._attn_implementation = "eager"
    return tf.Qwen2_5_VLForConditionalGeneration(config), None


@case("qwen3_vl")
def qwen3_vl():
    rope = dict(rope_type="default", rope_theta=5000000.0, mrope_section=[2, 1, 1])
    config = tf.Qwen3VLConfig(
        text_config=sizes(rope_parameters=rope, head_dim=8),
        vision_config=dict(depth=1, hidden_size=16, intermediate_size=16, num_heads=2, out_hidden_size=32,
                           deepstack_visual_indexes=[0], patch_size=2, num_position_embeddings=4),
        image_token_id=0, video_token_id=0, vision_start_token_id=1, vision_end_token_id=2)
    config._attn_implementation = config.text_config._attn_implementation = "eager"
    return tf.Qwen3VLForConditionalGeneration(config), None


@case("smolvlm")
def smolvlm():
    config = tf.SmolVLMConfig(
        text_config=tf.LlamaConfig(**sizes()),
        vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
                           image_size=8, patch_size=4),
        image_token_id=0, scale_factor=1, pad_token_id=0)
    config._attn_implementation = config.text_config._attn_implementation = "eager"
    return tf.SmolVLMForConditionalGeneration(config), None


@case("llava")
def llava():
    config = tf.LlavaConfig(
        text_config=tf.LlamaConfig(**sizes()),
        vision_config=tf.CLIPVisionConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                                          num_attention_heads=2, image_size=8, patch_size=4, projection_dim=16),
        image_token_id=0)
    config._attn_implementation = config.text_config._attn_implementation = "eager"
    return tf.LlavaForConditionalGeneration(config), None


# ---- families published with code of their own ------------------------------------------------
# Their arithmetic is that of a model of transformers; only names, order and settings differ. Each
# is made from that model and renamed to what its checkpoints look like.


def renamed(pairs, config, change=None):
    """What turns a checkpoint of transformers into one of another family."""
    return dict(pairs=pairs, config=config, change=change)


@case("internlm2")
def internlm2():
    def fuse(weights, config):
        dim = config["hidden_size"] // config["num_attention_heads"]
        groups = config["num_key_value_heads"]
        for layer in range(config["num_hidden_layers"]):
            prefix = f"model.layers.{layer}.attention."
            q, k, v = (weights.pop(prefix + name) for name in ("q", "k", "v"))
            rows = torch.cat([q.view(groups, -1, q.shape[1]), k.view(groups, dim, -1), v.view(groups, dim, -1)], 1)
            weights[prefix + "wqkv.weight"] = rows.reshape(-1, q.shape[1]).contiguous()

    pairs = [
        ("self_attn.q_proj.weight", "attention.q"),
        ("self_attn.k_proj.weight", "attention.k"),
        ("self_attn.v_proj.weight", "attention.v"),
        ("self_attn.o_proj", "attention.wo"),
        ("mlp.gate_proj", "feed_forward.w1"),
        ("mlp.up_proj", "feed_forward.w3"),
        ("mlp.down_proj", "feed_forward.w2"),
        ("input_layernorm", "attention_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("model.embed_tokens", "model.tok_embeddings"),
        ("lm_head", "output"),
    ]
    config = dict(model_type="internlm2", architectures=["InternLM2ForCausalLM"], bias=False, rope_theta=1000000.0,
                  rope_scaling=dict(type="dynamic", factor=2.0), rope_parameters=None)
    rope = dict(rope_type="default", rope_theta=1000000.0)
    return model("Llama", **sizes(rope_parameters=rope)), renamed(pairs, config, fuse)


@case("minicpm")
def minicpm():
    # 1.4 / sqrt(3 layers); logits are divided by 32 / 16.
    config = dict(model_type="minicpm", architectures=["MiniCPMForCausalLM"], scale_emb=3, scale_depth=1.4,
                  dim_model_base=16, rope_theta=10000.0, rope_parameters=None, embedding_multiplier=None,
                  logits_scaling=None, residual_multiplier=None, attention_multiplier=None)
    kept = sizes(embedding_multiplier=3.0, logits_scaling=2.0, residual_multiplier=1.4 / math.sqrt(3),
                 attention_multiplier=1 / math.sqrt(8), tie_word_embeddings=True)
    return model("Granite", **kept), renamed([], config)


@case("exaone")
def exaone():
    pairs = [
        ("self_attn.q_proj", "attn.attention.q_proj"),
        ("self_attn.k_proj", "attn.attention.k_proj"),
        ("self_attn.v_proj", "attn.attention.v_proj"),
        ("self_attn.o_proj", "attn.attention.out_proj"),
        ("mlp.gate_proj", "mlp.c_fc_0"),
        ("mlp.up_proj", "mlp.c_fc_1"),
        ("mlp.down_proj", "mlp.c_proj"),
        ("input_layernorm", "ln_1"),
        ("post_attention_layernorm", "ln_2"),
        ("model.layers", "transformer.h"),
        ("model.embed_tokens", "transformer.wte"),
        ("model.norm", "transformer.ln_f"),
    ]
    scaling = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=64)
    config = dict(model_type="exaone", architectures=["ExaoneForCausalLM"], num_layers=3, num_hidden_layers=None,
                  activation_function="silu", hidden_act=None, layer_norm_epsilon=1e-05, rms_norm_eps=None,
                  rope_theta=500000.0, rope_scaling=scaling, rope_parameters=None)
    kept = sizes(rope_parameters=dict(rope_theta=500000.0, **scaling), rms_norm_eps=1e-5)
    return model("Llama", **kept), renamed(pairs, config)


class PlainMixture(torch.nn.Module):
    """DeepSeekMoE (arXiv 2401.06066): softmax, the best few, a network that every row takes."""

    def __init__(self, config, mlp, experts, best, inner, shared, normalize):
        super().__init__()
        self.gate = torch.nn.Linear(config.hidden_size, experts, bias=False)
        small = type(config)(**{**config.to_dict(), "intermediate_size": inner})
        self.experts = torch.nn.ModuleList([mlp(small) for _ in range(experts)])
        wide = type(config)(**{**config.to_dict(), "intermediate_size": inner * shared})
        self.shared_experts = mlp(wide)
        self.best = best
        self.normalize = normalize

    def forward(self, x):
        scores = self.gate(x).softmax(-1)
        weights, chosen = scores.topk(self.best, -1)
        if self.normalize:
            weights = weights / weights.sum(-1, keepdim=True)
        out = self.shared_experts(x)
        for e, expert in enumerate(self.experts):
            out = out + expert(x) * (weights * (chosen == e)).sum(-1, keepdim=True)
        return out


def llama_with_mixtures(first, normalize, **changes):
    made = model("Llama", **sizes(**changes))
    mlp = type(made.model.layers[0].mlp)
    for layer in made.model.layers[first:]:
        layer.mlp = PlainMixture(made.config, mlp, 4, 2, 32, 2, normalize)
    return made


@case("deepseek")
def deepseek():
    config = dict(model_type="deepseek", architectures=["DeepseekForCausalLM"], n_routed_experts=4,
                  num_experts_per_tok=2, n_shared_experts=2, moe_intermediate_size=32, moe_layer_freq=1,
                  first_k_dense_replace=1, norm_topk_prob=False, scoring_func="softmax", rope_theta=10000.0,
                  rope_scaling=None, rope_parameters=None)
    return llama_with_mixtures(1, False), renamed([], config)


@case("bailing_moe")
def bailing_moe():
    def fuse(weights, config):
        for layer in range(config["num_hidden_layers"]):
            prefix = f"model.layers.{layer}.attention."
            parts = [weights.pop(prefix + name) for name in ("q", "k", "v")]
            weights[prefix + "query_key_value.weight"] = torch.cat(parts).contiguous()

    pairs = [
        ("self_attn.q_proj.weight", "attention.q"),
        ("self_attn.k_proj.weight", "attention.k"),
        ("self_attn.v_proj.weight", "attention.v"),
        ("self_attn.o_proj", "attention.dense"),
        ("model.embed_tokens", "model.word_embeddings"),
    ]
    config = dict(model_type="bailing_moe", architectures=["BailingMoeForCausalLM"], num_experts=4,
                  num_experts_per_tok=2, num_shared_experts=2, moe_intermediate_size=32, first_k_dense_replace=0,
                  norm_topk_prob=True, norm_head=False, norm_softmax=False, use_bias=False, use_qkv_bias=False,
                  rope_theta=600000.0, rope_scaling=None, rope_parameters=None, head_dim=8)
    rope = dict(rope_type="default", rope_theta=600000.0)
    return llama_with_mixtures(0, True, rope_parameters=rope), renamed(pairs, config, fuse)


@case("bailing_moe_v2")
def bailing_moe_v2():
    def fuse(weights, config):
        for layer in range(config["num_hidden_layers"]):
            prefix = f"model.layers.{layer}.attention."
            parts = [weights.pop(prefix + name) for name in ("q", "k", "v")]
            weights[prefix + "query_key_value.weight"] = torch.cat(parts).contiguous()

    pairs = [
        ("self_attn.q_proj.weight", "attention.q"),
        ("self_attn.k_proj.weight", "attention.k"),
        ("self_attn.v_proj.weight", "attention.v"),
        ("self_attn.o_proj", "attention.dense"),
        ("self_attn.q_norm", "attention.query_layernorm"),
        ("self_attn.k_norm", "attention.key_layernorm"),
        ("gate.e_score_correction_bias", "gate.expert_bias"),
        ("model.embed_tokens", "model.word_embeddings"),
    ]
    config = dict(model_type="bailing_moe_v2", architectures=["BailingMoeV2ForCausalLM"], num_experts=4,
                  n_routed_experts=None, num_shared_experts=1, n_shared_experts=None, score_function="sigmoid",
                  moe_router_enable_expert_bias=True, use_qk_norm=True, norm_head=False, use_bias=False,
                  use_qkv_bias=False, rope_theta=600000.0, rope_scaling=None, rope_parameters=None,
                  partial_rotary_factor=0.5, num_nextn_predict_layers=0)
    rope = dict(rope_type="default", rope_theta=600000.0, partial_rotary_factor=0.5)
    kept = sizes(head_dim=8, moe_intermediate_size=32, n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=1,
                 first_k_dense_replace=1, n_group=2, topk_group=1, routed_scaling_factor=2.5, use_qk_norm=True,
                 rope_parameters=rope)
    return model("Glm4Moe", **kept), renamed(pairs, config, fuse)


@case("mimo")
def mimo():
    config = dict(model_type="mimo", architectures=["MiMoForCausalLM"], num_nextn_predict_layers=1, attention_bias=True,
                  rope_theta=640000.0, rope_parameters=None, use_sliding_window=False, layer_types=None)
    rope = dict(rope_type="default", rope_theta=640000.0)
    return model("Qwen2", **sizes(rope_parameters=rope)), renamed([], config)


@case("baichuan")
def baichuan():
    def fuse(weights, config):
        for layer in range(config["num_hidden_layers"]):
            prefix = f"model.layers.{layer}.self_attn."
            parts = [weights.pop(prefix + name) for name in ("q", "k", "v")]
            weights[prefix + "W_pack.weight"] = torch.cat(parts).contiguous()

    pairs = [(f"self_attn.{name}_proj.weight", f"self_attn.{name}") for name in "qkv"]
    config = dict(model_type="baichuan", architectures=["BaichuanForCausalLM"], num_key_value_heads=None,
                  rope_parameters=None, model_max_length=256)
    return model("Llama", **sizes(num_key_value_heads=4)), renamed(pairs, config, fuse)


@case("orion")
def orion():
    config = dict(model_type="orion", architectures=["OrionForCausalLM"], rms_norm_eps=1e-5, layer_norm_eps=None,
                  use_qkv_bias=None, use_parallel_residual=None, qk_layernorm=None, partial_rotary_factor=None,
                  rope_theta=10000.0, rope_parameters=None)
    rope = dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=1.0)
    kept = sizes(rope_parameters=rope, partial_rotary_factor=1.0, layer_norm_eps=1e-5)
    return model("StableLm", **kept), renamed([], config)


@case("chatglm3")
def chatglm3():
    def fuse(weights, config):
        for layer in range(config["num_layers"]):
            prefix = f"transformer.encoder.layers.{layer}."
            for kind in ("weight", "bias"):
                parts = [weights.pop(f"{prefix}{name}.{kind}") for name in "qkv"]
                weights[f"{prefix}self_attention.query_key_value.{kind}"] = torch.cat(parts).contiguous()

    pairs = [
        ("model.embed_tokens", "transformer.embedding.word_embeddings"),
        ("model.layers", "transformer.encoder.layers"),
        ("model.norm", "transformer.encoder.final_layernorm"),
        ("lm_head", "transformer.output_layer"),
        ("self_attn.q_proj", "q"),
        ("self_attn.k_proj", "k"),
        ("self_attn.v_proj", "v"),
        ("self_attn.o_proj", "self_attention.dense"),
        ("mlp.gate_up_proj", "mlp.dense_h_to_4h"),
        ("mlp.down_proj", "mlp.dense_4h_to_h"),
    ]
    config = dict(model_type="chatglm", architectures=["ChatGLMModel"], num_layers=3, num_hidden_layers=None,
                  multi_query_attention=True, multi_query_group_num=2, num_key_value_heads=None, kv_channels=8,
                  head_dim=None, ffn_hidden_size=64, intermediate_size=None, layernorm_epsilon=1e-5,
                  rms_norm_eps=None, seq_length=256, max_position_embeddings=None, rope_ratio=2.0,
                  padded_vocab_size=VOCABULARY, add_qkv_bias=True, rmsnorm=True, hidden_act=None,
                  rope_parameters=None, partial_rotary_factor=None, attention_bias=None)
    rope = dict(rope_type="default", rope_theta=20000.0, partial_rotary_factor=0.5)
    kept = sizes(head_dim=8, attention_bias=True, rope_parameters=rope, rms_norm_eps=1e-5)
    return model("Glm", **kept), renamed(pairs, config, fuse)


@case("qwen")
def qwen():
    def fuse(weights, config):
        for layer in range(config["num_hidden_layers"]):
            prefix = f"transformer.h.{layer}.attn."
            for kind in ("weight", "bias"):
                parts = [weights.pop(f"{prefix}{name}.{kind}") for name in "qkv"]
                weights[f"{prefix}c_attn.{kind}"] = torch.cat(parts).contiguous()

    pairs = [
        ("model.embed_tokens", "transformer.wte"),
        ("model.layers", "transformer.h"),
        ("model.norm", "transformer.ln_f"),
        ("self_attn.q_proj", "attn.q"),
        ("self_attn.k_proj", "attn.k"),
        ("self_attn.v_proj", "attn.v"),
        ("self_attn.o_proj", "attn.c_proj"),
        ("mlp.gate_proj", "mlp.w2"),
        ("mlp.up_proj", "mlp.w1"),
        ("mlp.down_proj", "mlp.c_proj"),
        ("input_layernorm", "ln_1"),
        ("post_attention_layernorm", "ln_2"),
    ]
    # The inner size that the configuration states is that of both halves.
    config = dict(model_type="qwen", architectures=["QWenLMHeadModel"], intermediate_size=128, kv_channels=8,
                  layer_norm_epsilon=1e-6, rms_norm_eps=None, rotary_emb_base=10000, rotary_pct=1.0, seq_length=256,
                  max_position_embeddings=256, no_bias=True, use_dynamic_ntk=True, use_logn_attn=True,
                  num_key_value_heads=None, hidden_act=None, rope_parameters=None, use_sliding_window=None,
                  sliding_window=None, max_window_layers=None, layer_types=None)
    return model("Qwen2", **sizes(num_key_value_heads=4, rms_norm_eps=1e-6)), renamed(pairs, config, fuse)


# ---- what every case goes through --------------------------------------------------------------


def randomize(made, seed):
    """Weights under which a wrong or missing one shows: products keep their size, norms and biases
    are none of the usual ones and zeros."""
    generator = torch.Generator().manual_seed(seed)

    def noise(tensor, scale):
        return torch.randn(tensor.shape, generator=generator) * scale

    with torch.no_grad():
        saved = dict(made.named_parameters())
        saved.update((name, buffer) for name, buffer in made.named_buffers() if name in made.state_dict())
        for name, tensor in saved.items():
            last = name.rsplit(".", 1)[-1]
            if not tensor.is_floating_point() or last in ("eps", "beta"):
                continue
            if "alpha_p" in name or "alpha_n" in name:
                tensor.copy_(tensor + noise(tensor, 0.3))
            elif last in ("layer_scalar", "per_expert_scale", "scale"):
                tensor.copy_(1 + noise(tensor, 0.1))
            elif "bias" in last:
                tensor.copy_(noise(tensor, 0.1))
            elif tensor.dim() <= 1:
                middle = 1.0 if tensor.numel() and tensor.float().mean() > 0.5 else 0.0
                tensor.copy_(middle + noise(tensor, 0.2))
            elif "embed" in name or "wte" in name or "wpe" in name:
                tied = made.config.get_text_config().tie_word_embeddings
                tensor.copy_(noise(tensor, 1 / math.sqrt(tensor.shape[-1]) if tied else 0.7))
            elif tensor.dim() == 2 and min(tensor.shape) > 0 and "norm" in name:
                tensor.copy_(1 + noise(tensor, 0.2))
            else:
                inputs = tensor.shape[-2] if stored_by_input(made, name) else tensor.shape[-1]
                tensor.copy_(noise(tensor, 1 / math.sqrt(inputs)))
            tensor.copy_(tensor.half().float())


def stored_by_input(made, name):
    module = made.get_submodule(name.rsplit(".", 1)[0])
    return type(module).__name__ in ("Conv1D", "Llama4TextExperts", "GptOssExperts")


def golden(made, seed):
    """Everything that the file of expected values holds, and the smallest winning margin."""
    generator = torch.Generator().manual_seed(seed + 1)
    ids = torch.randint(3, VOCABULARY, (1, TOKENS), generator=generator)
    with torch.no_grad():
        out = made(input_ids=ids, output_hidden_states=True, use_cache=False)
        sequence = ids
        margin = math.inf
        logits = out.logits
        for _ in range(NEW_TOKENS):
            best = logits[0, -1].topk(2)
            margin = min(margin, (best.values[0] - best.values[1]).item())
            sequence = torch.cat([sequence, best.indices[:1].view(1, 1)], 1)
            logits = made(input_ids=sequence, use_cache=False).logits
    layers = made.config.get_text_config().num_hidden_layers
    if out.hidden_states is None or len(out.hidden_states) != layers + 1:
        count = None if out.hidden_states is None else len(out.hidden_states)
        raise ValueError(f"{count} hidden states for {layers} layers")
    tensors = {"input_ids": ids[0], "logits": out.logits[0].float(), "greedy_ids": sequence[0, TOKENS:]}
    for index, hidden in enumerate(out.hidden_states):
        tensors[f"hidden.{index}"] = hidden[0].float()
    return {name: tensor.contiguous() for name, tensor in tensors.items()}, margin


def rewrite(folder, rename):
    """Stores weights as f16, renames them and settings; a setting of None is removed."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.update(rename["config"])
    config = {key: value for key, value in config.items() if value is not None}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    weights = {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        for old, new in rename["pairs"]:
            name = name.replace(old, new)
        weights[name] = tensor.half() if tensor.is_floating_point() else tensor
    if rename["change"]:
        rename["change"](weights, config)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def make(name, folder):
    best = None
    for attempt in range(8):
        torch.manual_seed(SEED)
        made, rename = CASES[name]()
        made = made.float().eval()
        randomize(made, SEED + 100 * attempt)
        values, margin = golden(made, SEED + 100 * attempt)
        distinct = len(set(values["greedy_ids"].tolist()))
        if best is None or (margin >= MARGIN, distinct) > (best[3] >= MARGIN, best[4]):
            best = (made, rename, values, margin, distinct)
        if margin >= MARGIN and distinct >= 8:
            break
    made, rename, values, margin, distinct = best
    folder.mkdir(parents=True, exist_ok=True)
    made.save_pretrained(folder)
    rewrite(folder, rename or renamed([], {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    save_file(values, folder / "golden.safetensors")
    bytes_ = sum(file.stat().st_size for file in folder.iterdir())
    return {
        "params": sum(p.numel() for p in made.parameters()),
        "logit_std": values["logits"].std().item(),
        "margin_min": margin,
        "finite": all(bool(torch.isfinite(t).all()) for t in values.values()),
        "distinct": distinct,
        "bytes": bytes_,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(CASES)
    if arguments.list or not arguments.out:
        print("\n".join(CASES))
        return 0
    torch.set_num_threads(1)
    tf.logging.set_verbosity_error()
    tf.logging.disable_progress_bar()
    failed = 0
    manifest_path = arguments.out / "MANIFEST.json"
    manifest = json.loads(manifest_path.read_text()) if manifest_path.exists() else {"cases": {}}
    manifest.update(transformers=tf.__version__, torch=torch.__version__, seed=SEED)
    for name in names:
        try:
            manifest["cases"][name] = make(name, arguments.out / name)
            print(name, manifest["cases"][name], flush=True)
        except Exception as e:  # noqa: BLE001
            failed += 1
            print(f"{name}: {type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}", flush=True)
    manifest_path.write_text(json.dumps(manifest, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
