// What products of few and of many rows have in common.
#pragma once
#include "activation.cuh"
#include "attention_mma.cuh"

namespace kvasir {

/// One of up to three products of the same rows that one launch computes.
struct ProductPart {
  const unsigned char* weights;  // [outputs], rows of the same number of bytes in all parts
  const float* bias;             // [outputs], or null
  float* out;                    // [rows, outStride]; of gate and up the gate's gets the result
  int outputs;                   // 0 for no such part
  int outStride;
};

}  // namespace kvasir
