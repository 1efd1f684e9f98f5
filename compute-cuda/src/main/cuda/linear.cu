// out[r, o] = W[o] . x[r] + b[o] for any weight format: the plain version, right for all shapes.
//
// A warp computes one output for a tile of rows; lane l takes elements l, l + 32, ... of the inner
// dimension in f32, then the lanes are summed as a tree. So a row's bits depend neither on the
// other rows nor on their number. Grid: (outputs / 4, rows / tile), 128 threads.
#include "common.cuh"
#include "weights.cuh"

template <int TYPE, int TILE>
__device__ void linear_tile(const uint8_t* weights, long long rowBytes, int columns, int outputs,
                            const float* x, int xStride, int rows, const float* bias, float* out,
                            int outStride) {
  int o = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
  int lane = threadIdx.x % WARP;
  if (o >= outputs) {
    return;
  }
  int first = blockIdx.y * TILE;
  const uint8_t* row = weights + o * rowBytes;
  float sums[TILE];
#pragma unroll
  for (int t = 0; t < TILE; t++) {
    sums[t] = 0;
  }
#pragma unroll 4
  for (int k = lane; k < columns; k += WARP) {
    float w = weight_element<TYPE>(row, k);
#pragma unroll
    for (int t = 0; t < TILE; t++) {
      if (first + t < rows) {
        sums[t] = fmaf(w, x[(long long)(first + t) * xStride + k], sums[t]);
      }
    }
  }
#pragma unroll
  for (int t = 0; t < TILE; t++) {
    float sum = warp_sum(sums[t]);
    if (lane == 0 && first + t < rows) {
      out[(long long)(first + t) * outStride + o] = bias ? sum + bias[o] : sum;
    }
  }
}

#define LINEAR(T)                                                                               \
  KERNEL kv_linear_##T##_1(const uint8_t* weights, long long rowBytes, int columns,             \
                           int outputs, const float* x, int xStride, int rows,                  \
                           const float* bias, float* out, int outStride) {                      \
    linear_tile<T, 1>(weights, rowBytes, columns, outputs, x, xStride, rows, bias, out,         \
                      outStride);                                                               \
  }                                                                                             \
  KERNEL kv_linear_##T##_8(const uint8_t* weights, long long rowBytes, int columns,             \
                           int outputs, const float* x, int xStride, int rows,                  \
                           const float* bias, float* out, int outStride) {                      \
    linear_tile<T, 8>(weights, rowBytes, columns, outputs, x, xStride, rows, bias, out,         \
                      outStride);                                                               \
  }

FOR_WEIGHT_TYPES(LINEAR)

// out[o, k] = W[o, k] as bf16, for products of many rows. Grid: rows of the weights; any threads.
#define EXPAND(T)                                                                               \
  KERNEL kv_expand_##T(const uint8_t* weights, long long rowBytes, int columns, int outputs,    \
                       uint16_t* out) {                                                         \
    const uint8_t* row = weights + blockIdx.x * rowBytes;                                       \
    for (int k = threadIdx.x; k < columns; k += blockDim.x) {                                   \
      out[(long long)blockIdx.x * columns + k] = float_bf16(weight_element<T>(row, k));         \
    }                                                                                           \
  }

FOR_WEIGHT_TYPES(EXPAND)

__device__ inline uint32_t scrambled(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ x >> 27) * 0x94d049bb133111ebull;
  return (uint32_t)(x >> 32);
}

// Random bf16 weights in [-reach, reach), for measurements of shapes without a model's file.
KERNEL kv_random_bf16(uint16_t* out, long long count, float reach, long long seed) {
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < count;
       i += (long long)gridDim.x * blockDim.x) {
    out[i] = float_bf16(reach * (scrambled(seed + i) * 0x1p-31f - 1));
  }
}
