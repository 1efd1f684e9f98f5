// Products of one to eight rows with bf16, Q8_0, Q4_0 and Q4_K weights; see gemv.cuh.
#include "gemv.cuh"

extern "C" __global__ void __launch_bounds__(256, 2) 
    gemv_bf16(const __grid_constant__ kvasir::LinearCall call) {
  if (call.norm != nullptr) {
    kvasir::linearBf16<true>(call);
  } else {
    kvasir::linearBf16<false>(call);
  }
}

#define GEMV(NAME, TYPE, STAGES)                                                                 \
  extern "C" {                                                                                   \
  __constant__ int NAME##_shared = kvasir::linearSharedBytes<kvasir::TYPE, STAGES>();            \
  }                                                                                              \
  extern "C" __global__ void __launch_bounds__(256, 2)                                          \
      NAME(const __grid_constant__ kvasir::LinearCall call) {                                    \
    kvasir::linearBlocks<kvasir::TYPE, STAGES>(call);                                            \
  }

GEMV(gemv_q8_0, Q8_0, 3)
GEMV(gemv_q4_0, Q4_0, 3)
GEMV(gemv_q4_k, Q4_K, 3)
