// Products of many rows with bf16 weights on Hopper: out[r, o] = W[o] . x[r] + b[o].
//
// gemm_pack    x f32 -> two bf16 numbers an element: rounded, and what rounding took
// gemm_bf16_N  128 outputs by N rows a block of threads, columns in steps of 64
// gemm_sum     adds up parts of the columns, where few outputs leave multiprocessors without work
//
// Outputs are the rows of the product (M), rows of x its columns (N 16 .. 256), so a batch of 16
// costs no more than it must and each weight is read from memory once for up to 256 rows. A
// producer warpgroup copies 64 columns of weights and of x with cp.async into the 128-byte swizzle
// layout, four to six steps deep; two warpgroups multiply 64 outputs each (wgmma), f32 sums stay in
// registers. Up to 64 rows both parts of x are multiplied (terms right to 2^-17, as in gemv.cuh, and
// memory is the limit anyway), above only the rounded one.
//
// Launch: gemm_pack grid (rows), 256 threads. gemm_bf16_N grid (ceil(outputs / 128), ceil(rows / N),
// splits), 384 threads, NAME_shared bytes; columns a multiple of 8, rows of weights of 16 bytes. With
// splits > 1 `out` is scratch [splits, rows, outputs] and bias null; gemm_sum grid (ceil(outputs /
// 256), rows), 256 threads. The order of a sum depends on columns and splits alone: choose splits by
// the shape of the weights, and a row's bits depend on no other row.
//
// Bytes moved: weights once for every N rows, x (2 or 4 bytes an element) once for every 128
// outputs, from the L2 cache. Source of the scheme: CUTLASS's warp-specialized kernels, in outline.
//
// What was measured (H100, a product of 8192^3 by the vendor's library at 794 TFLOP/s, a copy at 2.84
// TB/s; packing and adding up included): 2048 and 8192 rows of the shapes of an 8B model 430 to 458
// TFLOP/s (54 to 58 %; what limits it is reading x and weights from the L2 cache, where clusters
// with multicast would help); weights of 28672 x 4096 for 16, 32, 64, 128 rows at 94, 92, 88, 83 % of
// the copy. Small weights want splits: 4096 x 4096 best with 4 (62 % for 16 rows), 6144 x 4096 with 2
// to 4, 4096 x 14336 with 4 (77 %), above 16384 outputs none.
// targets: 90a
#include "gemm_wgmma.cuh"

/// x [rows, xStride] f32 -> high, low [rows, columns] bf16; low may be null.
extern "C" __global__ void gemm_pack(const float* __restrict__ x, int xStride, int columns,
                                     uint32_t* __restrict__ high, uint32_t* __restrict__ low) {
  long long row = blockIdx.x;
  for (int i = threadIdx.x; i < columns / 4; i += blockDim.x) {
    float4 v = *reinterpret_cast<const float4*>(x + row * xStride + 4 * i);
    uint2 h = make_uint2(kvasir::pack<true>(v.x, v.y), kvasir::pack<true>(v.z, v.w));
    long long at = (row * columns + 4 * i) / 4;
    reinterpret_cast<uint2*>(high)[at] = h;
    if (low != nullptr) {
      reinterpret_cast<uint2*>(low)[at] = make_uint2(kvasir::packRest<true>(v.x, v.y, h.x),
                                                     kvasir::packRest<true>(v.z, v.w, h.y));
    }
  }
}

/// parts [splits, rows, outputs] -> out [rows, outStride].
extern "C" __global__ void gemm_sum(const float* __restrict__ parts, int splits, int rows,
                                    int outputs, const float* __restrict__ bias,
                                    float* __restrict__ out, int outStride) {
  int output = blockIdx.x * blockDim.x + threadIdx.x;
  if (output < outputs) {
    float sum = 0;
    for (int s = 0; s < splits; s++) {
      sum += parts[((long long)s * rows + blockIdx.y) * outputs + output];
    }
    out[(long long)blockIdx.y * outStride + output] = bias == nullptr ? sum : sum + bias[output];
  }
}

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
  float* out = call.out + (long long)blockIdx.z * call.rows * call.outStride;
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
            out[(long long)row * call.outStride + o] = c[4 * j + 2 * r + i] + bias;
          }
        }
      }
    }
  }
}

template <int N, int PARTS, int STAGES>
__device__ __forceinline__ void gemm(const GemmCall& call) {
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
  int firstOutput = blockIdx.x * 128, firstRow = blockIdx.y * N;
  int all = (call.columns + 63) / 64;
  int firstStep = (long long)all * blockIdx.z / gridDim.z;
  int steps = (long long)all * (blockIdx.z + 1) / gridDim.z - firstStep;
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

#define GEMM(NAME, N, PARTS, STAGES)                                                              \
  extern "C" {                                                                                    \
  __constant__ int NAME##_shared = kvasir::GemmShared<N, PARTS, STAGES>::BYTES;                   \
  }                                                                                               \
  extern "C" __global__ void __launch_bounds__(384, N > 64 ? 1 : 2)                               \
      NAME(const unsigned char* weights, long long rowBytes, int columns, int outputs,            \
           const unsigned char* high, const unsigned char* low, int rows, const float* bias,      \
           float* out, int outStride) {                                                           \
    kvasir::gemm<N, PARTS, STAGES>(                                                               \
        {weights, rowBytes, columns, outputs, high, low, rows, bias, out, outStride});            \
  }

GEMM(gemm_bf16_16, 16, 2, 5)
GEMM(gemm_bf16_32, 32, 2, 4)
GEMM(gemm_bf16_64, 64, 2, 3)
GEMM(gemm_bf16_128, 128, 1, 6)
GEMM(gemm_bf16_256, 256, 1, 4)
#endif
