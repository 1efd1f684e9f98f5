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
