// What all kernels share: number conversions, sums over a warp and a block.
#pragma once
#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>
#else
#include "emulated.h"  // the same kernels as plain C++, for tests without a GPU
#endif

#define KERNEL extern "C" __global__ void

#ifdef __CUDACC__
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

constexpr int WARP = 32;

#ifdef __CUDACC__
__device__ inline float half_float(uint16_t bits) {
  return __half2float(__ushort_as_half(bits));
}
__device__ inline uint16_t float_half(float x) {
  return __half_as_ushort(__float2half_rn(x));
}
#else
inline float half_float(uint16_t bits) {
  _Float16 h;
  memcpy(&h, &bits, 2);
  return (float)h;
}
inline uint16_t float_half(float x) {
  _Float16 h = (_Float16)x;
  uint16_t bits;
  memcpy(&bits, &h, 2);
  return bits;
}
#endif

__device__ inline float bf16_float(uint16_t bits) {
  return __uint_as_float((uint32_t)bits << 16);
}

// To nearest, ties to even; NaN stays NaN.
__device__ inline uint16_t float_bf16(float x) {
  uint32_t bits = __float_as_uint(x);
  if (x != x) {
    return (uint16_t)(bits >> 16 | 0x40);
  }
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Sum over the lanes of a warp, the same bits in each.
__device__ inline float warp_sum(float x) {
  for (int mask = WARP / 2; mask > 0; mask /= 2) {
    x += __shfl_xor_sync(0xffffffffu, x, mask);
  }
  return x;
}

__device__ inline float warp_max(float x) {
  for (int mask = WARP / 2; mask > 0; mask /= 2) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, mask));
  }
  return x;
}

// Sum over a block of whole warps; scratch holds one float per warp. Synchronizes.
__device__ inline float block_sum(float x, float* scratch) {
  x = warp_sum(x);
  __syncthreads();
  if (threadIdx.x % WARP == 0) {
    scratch[threadIdx.x / WARP] = x;
  }
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < (int)blockDim.x / WARP; i++) {
    sum += scratch[i];
  }
  return sum;
}

__device__ inline float block_max(float x, float* scratch) {
  x = warp_max(x);
  __syncthreads();
  if (threadIdx.x % WARP == 0) {
    scratch[threadIdx.x / WARP] = x;
  }
  __syncthreads();
  float most = scratch[0];
  for (int i = 1; i < (int)blockDim.x / WARP; i++) {
    most = fmaxf(most, scratch[i]);
  }
  return most;
}
