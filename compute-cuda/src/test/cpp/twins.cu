// Scalar twins of kernels of mixtures of experts that only tensor cores run, so that what launches these
// is tested without a GPU: same names, parameters and launch shapes.
#include "activation.cuh"
#include "experts.cuh"
#include "weights.cuh"

static void twin_pack(float v, long long at, uint16_t* high, uint16_t* low) {
  high[at] = float_bf16(v);
  if (low) {
    low[at] = float_bf16(v - bf16_float(high[at]));
  }
}

KERNEL experts_pack(const float* in, int columns, const int* rows, const float* factors,
                    uint16_t* high, uint16_t* low) {
  long long slot = blockIdx.x;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    float v = factors[slot] * in[(long long)rows[slot] * columns + i];
    twin_pack(v, slot * columns + i, high, low);
  }
}

KERNEL experts_gate_pack(int activation, const float* gate, const float* up, int columns,
                         uint16_t* high, uint16_t* low) {
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    long long at = (long long)blockIdx.x * columns + i;
    twin_pack(gated(activation, gate[at], up[at]), at, high, low);
  }
}

// A block of 384 threads: 128 outputs by up to N slots of a tile.
template <int N>
void twin_many(const ManyExpertsCall& many) {
  const ExpertCall& call = many.experts;
  if ((int)blockIdx.y >= *call.tileCount) {
    return;
  }
  ExpertTile tile = call.tiles[blockIdx.y];
  const ExpertPart& part = call.parts[tile.expert * EXPERT_PARTS + blockIdx.z];
  for (int i = threadIdx.x; i < 128 * N; i += blockDim.x) {
    int output = blockIdx.x * 128 + i % 128;
    if (output >= call.outputs || i / 128 >= tile.count) {
      continue;
    }
    long long slot = tile.first + i / 128;
    float sum = 0;
    for (int k = 0; k < call.columns; k++) {
      long long at = slot * call.columns + k;
      float x = bf16_float(((const uint16_t*)call.x)[at]) + (many.low ? bf16_float(many.low[at]) : 0);
      sum += x * weight_element<W_BF16>(part.weights + output * call.rowBytes, k);
    }
    call.out[blockIdx.z * many.outStep + slot * call.outputs + output] =
        part.bias ? sum + part.bias[output] : sum;
  }
}

KERNEL experts_gemm_16(const ManyExpertsCall many) { twin_many<16>(many); }
KERNEL experts_gemm_32(const ManyExpertsCall many) { twin_many<32>(many); }
KERNEL experts_gemm_64(const ManyExpertsCall many) { twin_many<64>(many); }
KERNEL experts_gemm_128(const ManyExpertsCall many) { twin_many<128>(many); }

// A block of 256 threads: 32 outputs (of gate and up 16) of up to 8 slots of a tile.
template <int TYPE>
void twin_few(const ExpertCall& call) {
  bool gates = call.activation >= 0;
  int outputs = gates ? 16 : 32;
  int at = threadIdx.x % 32;
  int output = blockIdx.x * outputs + at;
  if ((int)blockIdx.y >= *call.tileCount || at >= outputs || output >= call.outputs) {
    return;
  }
  ExpertTile tile = call.tiles[blockIdx.y];
  int row = threadIdx.x / 32;
  if (row >= tile.count) {
    return;
  }
  const ExpertPart* part = call.parts + tile.expert * EXPERT_PARTS;
  const float* x = call.x + (long long)tile.first * call.xStep + row * call.columns;
  float sums[2] = {0, 0};
  for (int p = 0; p < (gates ? 2 : 1); p++) {
    for (int k = 0; k < call.columns; k++) {
      sums[p] += x[k] * weight_element<TYPE>(part[p].weights + output * call.rowBytes, k);
    }
    sums[p] += part[p].bias ? part[p].bias[output] : 0;
  }
  call.out[(long long)(tile.first + row) * call.outputs + output] =
      gates ? gated(call.activation, sums[0], sums[1]) : sums[0];
}

KERNEL experts_bf16(const ExpertCall call) { twin_few<W_BF16>(call); }
KERNEL experts_q8_0(const ExpertCall call) { twin_few<W_Q8_0>(call); }
KERNEL experts_q4_0(const ExpertCall call) { twin_few<W_Q4_0>(call); }
KERNEL experts_q4_k(const ExpertCall call) { twin_few<W_Q4_K>(call); }
