// A tile of a product of many rows with bf16 weights on Hopper; see gemm.cu. A launch's shape is its
// kernels' own.
#pragma once
#include "gemm_wgmma.cuh"

#ifdef KVASIR_WGMMA
namespace kvasir {

struct GemmCall {
  const unsigned char* __restrict__ weights;
  long long rowBytes;
  int columns;
  int outputs;
  const unsigned char* __restrict__ high;  // [rows, columns] bf16
  const unsigned char* __restrict__ low;
  int rows;
  const float* __restrict__ bias;
  float* __restrict__ out;
  int outStride;
};

template <int N, int PARTS, int STAGES>
struct GemmShared {
  static constexpr int WEIGHTS = 128 * 128;
  static constexpr int X = N * 128;
  static constexpr int STAGE = WEIGHTS + PARTS * X;
  static constexpr int START = 1024;  // before it: full and empty barriers of the stages
  static constexpr int BYTES = START + STAGES * STAGE + 1024;
};

template <int N, int PARTS, int STAGES>
__device__ __forceinline__ void produceGemm(const GemmCall& call, uint32_t shared, int firstOutput,
                                            int firstRow, int firstStep, int steps) {
  using S = GemmShared<N, PARTS, STAGES>;
  int thread = threadIdx.x;
  int column = thread & 7;
  for (int step = 0; step < steps; step++) {
    int stage = step % STAGES;
    barrierWait(shared + 8 * (STAGES + stage), (step / STAGES & 1) ^ 1);
    uint32_t to = shared + S::START + stage * S::STAGE;
    int k = (firstStep + step) * 64 + column * 8;
    bool inside = k < call.columns;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      int row = (thread >> 3) + 16 * i;
      int output = min(firstOutput + row, call.outputs - 1);
      copy16(to + row * 128 + (column ^ (row & 7)) * 16,
             call.weights + output * call.rowBytes + (inside ? k * 2 : 0), inside ? 16 : 0);
    }
#pragma unroll
    for (int part = 0; part < PARTS; part++) {
      const unsigned char* x = part == 0 ? call.high : call.low;
#pragma unroll
      for (int i = 0; i < N / 16; i++) {
        int row = (thread >> 3) + 16 * i;
        bool there = inside && firstRow + row < call.rows;
        long long from = there ? ((long long)(firstRow + row) * call.columns + k) * 2 : 0;
        copy16(to + S::WEIGHTS + part * S::X + row * 128 + (column ^ (row & 7)) * 16, x + from,
               there ? 16 : 0);
      }
    }
    copyCommit();
    // Steps are handed over STAGES - 2 behind, when they have come.
    if (step >= STAGES - 2) {
      copyWait<STAGES - 2>();
      storesToProducts();
      barrierArrive(shared + 8 * ((step - (STAGES - 2)) % STAGES));
    }
  }
  copyWait<0>();
  storesToProducts();
  for (int step = max(steps - (STAGES - 2), 0); step < steps; step++) {
    barrierArrive(shared + 8 * (step % STAGES));
  }
}

template <int N, int PARTS, int STAGES>
__device__ __forceinline__ void consumeGemm(const GemmCall& call, uint32_t shared, int firstOutput,
                                            int firstRow, int steps, int group) {
  using S = GemmShared<N, PARTS, STAGES>;
  float c[N / 2];
#pragma unroll
  for (int i = 0; i < N / 2; i++) {
    c[i] = 0;
  }
  for (int step = 0; step < steps; step++) {
    int stage = step % STAGES;
    barrierWait(shared + 8 * stage, step / STAGES & 1);
    uint32_t from = shared + S::START + stage * S::STAGE;
    productsFence();
#pragma unroll
    for (int part = 0; part < PARTS; part++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        uint64_t a = matrixAt<SWIZZLE_128>(from + group * 8192 + i * 32, 16, 1024);
        uint64_t b = matrixAt<SWIZZLE_128>(from + S::WEIGHTS + part * S::X + i * 32, 16, 1024);
        productRows<N>(c, a, b, 1);
      }
    }
    productsCommit();
    if (step > 0) {
      productsWait<1>();
      barrierArrive(shared + 8 * (STAGES + (step - 1) % STAGES));
    }
  }
  productsWait<0>();
  pin(c);
  int lane = threadIdx.x % 32, g = lane >> 2, t = lane & 3;
  int output = firstOutput + group * 64 + threadIdx.x % 128 / 32 * 16 + g;
#pragma unroll
  for (int r = 0; r < 2; r++) {
    int o = output + 8 * r;
    if (o < call.outputs) {
      float bias = call.bias == nullptr ? 0.0f : call.bias[o];
#pragma unroll
      for (int j = 0; j < N / 8; j++) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
          int row = firstRow + 8 * j + 2 * t + i;
          if (row < call.rows) {
            call.out[(long long)row * call.outStride + o] = c[4 * j + 2 * r + i] + bias;
          }
        }
      }
    }
  }
}

/// 128 outputs of N rows, summed over some steps of 64 columns.
template <int N, int PARTS, int STAGES>
__device__ __forceinline__ void gemmTile(const GemmCall& call, int firstOutput, int firstRow,
                                         int firstStep, int steps) {
  extern __shared__ unsigned char bytes[];
  uint32_t shared = (sharedAddress(bytes) + 1023) & ~1023u;
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < STAGES; stage++) {
      barrierInit(shared + 8 * stage, 128);
      barrierInit(shared + 8 * (STAGES + stage), 256);
    }
    asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory");
  }
  __syncthreads();
  if (threadIdx.x < 128) {
    if constexpr (N > 64) {
      keepRegisters<40>();
    }
    produceGemm<N, PARTS, STAGES>(call, shared, firstOutput, firstRow, firstStep, steps);
  } else {
    if constexpr (N > 64) {
      takeRegisters<232>();
    }
    consumeGemm<N, PARTS, STAGES>(call, shared, firstOutput, firstRow, steps,
                                  threadIdx.x / 128 - 1);
  }
}

}  // namespace kvasir
#endif
