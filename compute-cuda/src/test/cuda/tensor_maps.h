// Tensor maps of weights for the kernels of gemm_stream.cu, as StreamedRows.java has them made.
#pragma once
#include <cuda.h>
#include <cudaTypedefs.h>

#include "harness.h"

#include "../../main/cuda/gemm_stream.cuh"

static inline void encodeMap(kvasir::TensorMap& map, const void* base, int rank, const cuuint64_t* sizes, const cuuint64_t* strides, const cuuint32_t* box) {
  static PFN_cuTensorMapEncodeTiled_v12000 encode = nullptr;
  if (encode == nullptr) {
    cudaDriverEntryPointQueryResult found;
    CUDA(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", (void**)&encode, 12000, cudaEnableDefault, &found));
  }
  const cuuint32_t ones[] = {1, 1, 1, 1};
  CUresult result = encode((CUtensorMap*)&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, rank, (void*)base, sizes, strides, box, ones, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) printf("FAILED cuTensorMapEncodeTiled: %d\n", result), exit(1);
}

/// The maps of a call's parts; says in `gates` whether up stands before gate.
static inline void encodeMaps(kvasir::StreamCall& call) {
  cuuint64_t columns = call.columns, row = call.rowBytes;
  if (call.gates) {
    const unsigned char *gate = call.parts[0].weights, *up = call.parts[1].weights;
    call.gates = gate < up ? 1 : 2;
    cuuint64_t apart = gate < up ? up - gate : gate - up, outputs = call.parts[0].outputs;
    cuuint64_t sizes[] = {columns, 8, 2, outputs / 8}, strides[] = {row, apart, 8 * row};
    cuuint32_t box[] = {64, 8, 2, 8};
    encodeMap(call.maps[0], std::min(gate, up), 4, sizes, strides, box);
    return;
  }
  for (int p = 0; p < 3 && call.parts[p].outputs > 0; p++) {
    cuuint64_t sizes[] = {columns, (cuuint64_t)call.parts[p].outputs}, strides[] = {row};
    cuuint32_t box[] = {64, 128};
    encodeMap(call.maps[p], call.parts[p].weights, 2, sizes, strides, box);
  }
}
