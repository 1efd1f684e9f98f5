// Products of slots with the experts that their rows picked, on the tensor cores: bf16, Q8_0, Q4_0 and
// Q4_K weights, gate and up of a network in one launch with their activation. A tile of up to 8 slots is
// a product of few rows (gemv.cuh), of which the lists of experts.cu say where weights and rows are.
//
// Launch: grid (ceil(outputs / 32), of gate and up ceil(outputs / 16), most tiles), 256 threads,
// NAME_shared bytes of dynamic shared memory. Columns: a multiple of 32 (bf16), of 256 (block formats).
// Blocks of threads behind the last tile end at once.
//
// Bytes moved: an expert's weights once for each of its tiles, from the second one on mostly from the
// L2 cache.
#include "experts.cuh"
#include "gemv.cuh"

namespace kvasir {

/// The call of a tile's product, in shared memory. @return whether there is such a tile
__device__ __forceinline__ bool tileCall(const ExpertCall& experts, LinearCall& call) {
  waitForInputs();
  if ((int)blockIdx.y >= *experts.tileCount) {
    return false;
  }
  if (threadIdx.x == 0) {
    ExpertTile tile = experts.tiles[blockIdx.y];
    const ExpertPart* part = experts.parts + tile.expert * EXPERT_PARTS;
    bool gates = experts.activation >= 0;
    float* out = experts.out + (long long)tile.first * experts.outputs;
    call.parts[0] = {part[0].weights, part[0].bias, out, experts.outputs, experts.outputs};
    call.parts[1] = {nullptr, nullptr, nullptr, 0, 0};
    if (gates) {
      call.parts[1] = {part[1].weights, part[1].bias, out, experts.outputs, experts.outputs};
    }
    call.parts[2] = {nullptr, nullptr, nullptr, 0, 0};
    call.rowBytes = experts.rowBytes;
    call.x = experts.x + (long long)tile.first * experts.xStep;
    call.norm = nullptr;
    call.normed = nullptr;
    call.sums = nullptr;
    call.columns = experts.columns;
    call.xStride = experts.columns;
    call.rows = tile.count;
    call.activation = experts.activation;
    call.sumStride = 0;
    call.epsilon = 0;
    call.factor = 0;
  }
  __syncthreads();
  return true;
}

}  // namespace kvasir

extern "C" __global__ void __launch_bounds__(256, 2)
    experts_bf16(const __grid_constant__ ExpertCall experts) {
  __shared__ kvasir::LinearCall call;
  if (kvasir::tileCall(experts, call)) {
    kvasir::linearBf16<false>(call);
  }
}

#define EXPERTS_FEW(NAME, TYPE, STAGES)                                                \
  extern "C" {                                                                         \
  __constant__ int NAME##_shared = kvasir::linearSharedBytes<kvasir::TYPE, STAGES>();  \
  }                                                                                    \
  extern "C" __global__ void __launch_bounds__(256, 2)                                 \
      NAME(const __grid_constant__ ExpertCall experts) {                               \
    __shared__ kvasir::LinearCall call;                                                \
    if (kvasir::tileCall(experts, call)) {                                             \
      kvasir::linearBlocks<kvasir::TYPE, STAGES>(call);                                \
    }                                                                                  \
  }

EXPERTS_FEW(experts_q8_0, Q8_0, 3)
EXPERTS_FEW(experts_q4_0, Q4_0, 3)
EXPERTS_FEW(experts_q4_k, Q4_K, 3)
