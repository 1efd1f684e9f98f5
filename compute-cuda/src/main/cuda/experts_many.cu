// Products of many slots with the experts that their rows picked, bf16 weights on Hopper: the tiles of
// experts.cu are those of gemm.cuh, so all experts of a layer are one launch and none asks the host how
// many rows it has.
//
// experts_pack      rows times factors, in the order of slots, as one or two bf16 numbers an element
// experts_gemm_N    128 outputs by up to N slots of one expert a block of threads; z: gate or up
// experts_gate_pack activation(gate) * up as such numbers
//
// Launch: experts_pack, experts_gate_pack grid (slots), 256 threads, columns a multiple of 4;
// experts_gemm_N grid (ceil(outputs / 128), most tiles, matrices), 384 threads, NAME_shared bytes,
// columns a multiple of 8. Blocks of threads behind the last tile end at once.
//
// Bytes moved: an expert's weights once for each of its tiles, x once for every 128 outputs.
// targets: 90a
#include "activation.cuh"
#include "experts.cuh"
#include "gemm.cuh"

namespace kvasir {

__device__ __forceinline__ void packFour(float4 v, long long at, uint2* __restrict__ high,
                                         uint2* __restrict__ low) {
  uint2 h = make_uint2(pack<true>(v.x, v.y), pack<true>(v.z, v.w));
  high[at] = h;
  if (low != nullptr) {
    low[at] = make_uint2(packRest<true>(v.x, v.y, h.x), packRest<true>(v.z, v.w, h.y));
  }
}

}  // namespace kvasir

/// in [rows, columns] f32 -> high, low [slots, columns] bf16; low may be null.
extern "C" __global__ void experts_pack(const float* __restrict__ in, int columns,
                                        const int* __restrict__ rows,
                                        const float* __restrict__ factors, uint2* high, uint2* low) {
  long long slot = blockIdx.x;
  const float4* from = reinterpret_cast<const float4*>(in + (long long)rows[slot] * columns);
  float factor = factors[slot];
  for (int i = threadIdx.x; i < columns / 4; i += blockDim.x) {
    float4 v = from[i];
    v = make_float4(factor * v.x, factor * v.y, factor * v.z, factor * v.w);
    kvasir::packFour(v, slot * (columns / 4) + i, high, low);
  }
}

/// gate, up [slots, columns] f32 -> high, low [slots, columns] bf16; low may be null.
extern "C" __global__ void experts_gate_pack(int activation, const float* __restrict__ gate,
                                             const float* __restrict__ up, int columns, uint2* high,
                                             uint2* low) {
  long long slot = blockIdx.x;
  for (int i = threadIdx.x; i < columns / 4; i += blockDim.x) {
    long long at = slot * (columns / 4) + i;
    float4 g = reinterpret_cast<const float4*>(gate)[at];
    float4 u = reinterpret_cast<const float4*>(up)[at];
    kvasir::packFour(make_float4(gated(activation, g.x, u.x), gated(activation, g.y, u.y),
                                 gated(activation, g.z, u.z), gated(activation, g.w, u.w)),
                     at, high, low);
  }
}

#ifdef KVASIR_WGMMA
namespace kvasir {

template <int N, int PARTS, int STAGES>
__device__ __forceinline__ void manySlots(const ManyExpertsCall& many) {
  const ExpertCall& experts = many.experts;
  if ((int)blockIdx.y >= *experts.tileCount) {
    return;
  }
  ExpertTile tile = experts.tiles[blockIdx.y];
  const ExpertPart& part = experts.parts[tile.expert * EXPERT_PARTS + blockIdx.z];
  GemmCall call = {part.weights,
                   experts.rowBytes,
                   experts.columns,
                   experts.outputs,
                   reinterpret_cast<const unsigned char*>(experts.x),
                   reinterpret_cast<const unsigned char*>(many.low),
                   tile.first + tile.count,
                   part.bias,
                   experts.out + blockIdx.z * many.outStep,
                   experts.outputs};
  gemmTile<N, PARTS, STAGES>(call, blockIdx.x * 128, tile.first, 0, (experts.columns + 63) / 64);
}

}  // namespace kvasir

#define EXPERTS_GEMM(NAME, N, PARTS, STAGES)                                     \
  extern "C" {                                                                   \
  __constant__ int NAME##_shared = kvasir::GemmShared<N, PARTS, STAGES>::BYTES;  \
  }                                                                              \
  extern "C" __global__ void __launch_bounds__(384, N > 64 ? 1 : 2)              \
      NAME(const __grid_constant__ ManyExpertsCall many) {                      \
    kvasir::manySlots<N, PARTS, STAGES>(many);                                   \
  }

EXPERTS_GEMM(experts_gemm_16, 16, 2, 5)
EXPERTS_GEMM(experts_gemm_32, 32, 2, 4)
EXPERTS_GEMM(experts_gemm_64, 64, 2, 3)
EXPERTS_GEMM(experts_gemm_128, 128, 1, 6)
#endif
