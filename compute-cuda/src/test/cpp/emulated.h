// CUDA's language for a C++ compiler: kernels run on the processor, a fiber for each thread of a
// block, so that barriers and shuffles mean what they mean on a GPU. For tests only.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __shared__ static
#define __grid_constant__
#define __launch_bounds__(...)
#define DYNAMIC_SHARED(type, name) type* name = (type*)emulated_shared

struct EmulatedIndex {
  unsigned x, y, z;
};
extern EmulatedIndex emulated_thread, blockIdx, blockDim, gridDim;
extern char emulated_shared[];
// Read before each use: the running fiber's own number.
#define threadIdx emulated_thread

void __syncthreads();
float __shfl_xor_sync(unsigned members, float value, int mask);

inline int __shfl_xor_sync(unsigned members, int value, int mask) {
  float bits;
  memcpy(&bits, &value, 4);
  bits = __shfl_xor_sync(members, bits, mask);
  memcpy(&value, &bits, 4);
  return value;
}

// Threads run by turns and give way at barriers only.
template <class T>
T atomicAdd(T* at, T value) {
  T before = *at;
  *at = before + value;
  return before;
}

inline float __fmul_rn(float a, float b) { return a * b; }

inline uint32_t __float_as_uint(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits;
}

inline float __uint_as_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
