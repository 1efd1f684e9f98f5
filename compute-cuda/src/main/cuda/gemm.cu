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
#include "gemm.cuh"

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

template <int N, int PARTS, int STAGES>
__device__ __forceinline__ void gemm(GemmCall call) {
  int all = (call.columns + 63) / 64;
  int firstStep = (long long)all * blockIdx.z / gridDim.z;
  int steps = (long long)all * (blockIdx.z + 1) / gridDim.z - firstStep;
  call.out += (long long)blockIdx.z * call.rows * call.outStride;
  gemmTile<N, PARTS, STAGES>(call, blockIdx.x * 128, blockIdx.y * N, firstStep, steps);
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
