// Weight formats as they lie in model files: element k of a row, decoded. Numbers are GGUF's ids.
// The byte layouts are those that io.kvasir.compute.quant describes.
#pragma once
#include "common.cuh"

enum WeightType {
  W_F32 = 0,
  W_F16 = 1,
  W_Q4_0 = 2,
  W_Q4_1 = 3,
  W_Q5_0 = 6,
  W_Q5_1 = 7,
  W_Q8_0 = 8,
  W_Q4_K = 12,
  W_Q5_K = 13,
  W_Q6_K = 14,
  W_IQ4_NL = 20,
  W_BF16 = 30,
  W_MXFP4 = 39
};

// Blocks of odd sizes start at even addresses only.
__device__ inline uint16_t load16(const uint8_t* at) {
  return *(const uint16_t*)at;
}

__device__ inline uint32_t load32_bytes(const uint8_t* at) {
  return (uint32_t)load16(at) | (uint32_t)load16(at + 2) << 16;
}

__device__ inline int nibble(const uint8_t* codes, int i) {
  return i < 16 ? codes[i] & 15 : codes[i - 16] >> 4;
}

// Scale and minimum of sub-block j of a K-quant: eight of six bits each in 12 bytes.
__device__ inline void k_scale(const uint8_t* packed, int j, int& scale, int& minimum) {
  if (j < 4) {
    scale = packed[j] & 63;
    minimum = packed[j + 4] & 63;
  } else {
    scale = (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
    minimum = packed[j + 4] >> 4 | (packed[j] >> 6) << 4;
  }
}

__device__ inline float iq4_value(int code) {
  constexpr signed char values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};
  return values[code];
}

// E2M1, doubled: 0 1 2 3 4 6 8 12 and their negatives.
__device__ inline float e2m1_doubled(int code) {
  int magnitude = code & 7;
  float value = magnitude < 4 ? (float)magnitude : magnitude < 6 ? 2.0f * magnitude - 4 : 4.0f * magnitude - 16;
  return code & 8 ? -value : value;
}

// 2^(code - 128): half of the E8M0 number, to be multiplied by a doubled E2M1.
__device__ inline float e8m0_half(int code) {
  return code < 2 ? __uint_as_float(0x00200000u << code) : __uint_as_float((uint32_t)(code - 1) << 23);
}

template <int TYPE>
__device__ inline float weight_element(const uint8_t* row, int k) {
  if constexpr (TYPE == W_F32) {
    return ((const float*)row)[k];
  } else if constexpr (TYPE == W_F16) {
    return half_float(((const uint16_t*)row)[k]);
  } else if constexpr (TYPE == W_BF16) {
    return bf16_float(((const uint16_t*)row)[k]);
  } else if constexpr (TYPE == W_Q8_0) {
    const uint8_t* block = row + (k / 32) * 34;
    return half_float(load16(block)) * (int8_t)block[2 + k % 32];
  } else if constexpr (TYPE == W_Q4_0) {
    const uint8_t* block = row + (k / 32) * 18;
    return half_float(load16(block)) * (nibble(block + 2, k % 32) - 8);
  } else if constexpr (TYPE == W_IQ4_NL) {
    const uint8_t* block = row + (k / 32) * 18;
    return half_float(load16(block)) * iq4_value(nibble(block + 2, k % 32));
  } else if constexpr (TYPE == W_Q4_1) {
    const uint8_t* block = row + (k / 32) * 20;
    return half_float(load16(block)) * nibble(block + 4, k % 32) + half_float(load16(block + 2));
  } else if constexpr (TYPE == W_Q5_0) {
    const uint8_t* block = row + (k / 32) * 22;
    int high = load32_bytes(block + 2) >> (k % 32) & 1;
    return half_float(load16(block)) * ((nibble(block + 6, k % 32) | high << 4) - 16);
  } else if constexpr (TYPE == W_Q5_1) {
    const uint8_t* block = row + (k / 32) * 24;
    int high = load32_bytes(block + 4) >> (k % 32) & 1;
    return half_float(load16(block)) * (nibble(block + 8, k % 32) | high << 4) +
           half_float(load16(block + 2));
  } else if constexpr (TYPE == W_Q4_K || TYPE == W_Q5_K) {
    const uint8_t* block = row + (k / 256) * (TYPE == W_Q4_K ? 144 : 176);
    int e = k % 256;
    int scale, minimum;
    k_scale(block + 4, e / 32, scale, minimum);
    const uint8_t* codes = block + (TYPE == W_Q4_K ? 16 : 48);
    int code = codes[(e / 64) * 32 + e % 32] >> (e / 32 % 2 * 4) & 15;
    if constexpr (TYPE == W_Q5_K) {
      code |= (block[16 + e % 32] >> (e / 32) & 1) << 4;
    }
    return half_float(load16(block)) * scale * code - half_float(load16(block + 2)) * minimum;
  } else if constexpr (TYPE == W_Q6_K) {
    const uint8_t* block = row + (k / 256) * 210;
    int e = k % 256;
    int half = e / 128;
    int l = e % 32;
    int g = e % 128 / 32;
    int low = block[half * 64 + l + (g & 1) * 32] >> (g / 2 * 4) & 15;
    int high = block[128 + half * 32 + l] >> (2 * g) & 3;
    int scale = (int8_t)block[192 + half * 8 + l / 16 + 2 * g];
    return half_float(load16(block + 208)) * scale * ((low | high << 4) - 32);
  } else {
    static_assert(TYPE == W_MXFP4, "a format without a decoder");
    const uint8_t* block = row + (k / 32) * 17;
    return e8m0_half(block[0]) * e2m1_doubled(nibble(block + 1, k % 32));
  }
}

// Calls body<TYPE>() for the format that a number names.
#define FOR_WEIGHT_TYPES(X) \
  X(0) X(1) X(2) X(3) X(6) X(7) X(8) X(12) X(13) X(14) X(20) X(30) X(39)

__device__ inline float weight_element(int type, const uint8_t* row, int k) {
  switch (type) {
#define CASE(T) \
  case T:       \
    return weight_element<T>(row, k);
    FOR_WEIGHT_TYPES(CASE)
#undef CASE
  }
  return 0;
}
