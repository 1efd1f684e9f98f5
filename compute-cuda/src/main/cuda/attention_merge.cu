// Adds up the partial results of decode attention and leaves the layer's basis.
//
// For each row and query head, over the slots i = firstSlot[row] .. firstSlot[row + 1] - 1 in this
// order:  M = max(m_i, log2(e) sink),  out = sum 2^(m_i - M) acc_i / (sum 2^(m_i - M) l_i + 2^(log2(e)
// sink - M)),  then the inverse rotation of values, a Walsh-Hadamard transform in blocks of
// `rotation` elements (0 or 1 for none). Rows without a slot, or whose slots are all empty, become 0.
//
// Launch: grid (H, rows), D threads (64, 80, 96, 128, 256). Reads 4 (D + 2) bytes a slot and head.
// The order of the sum is fixed by the slots, so results do not depend on which block ran first.
#include "attention_mma.cuh"

namespace {

constexpr int CHUNK = 64;  // slots at a time

__device__ __forceinline__ void store(void* out, int bfloat, long long at, float x) {
  if (bfloat) {
    static_cast<__nv_bfloat16*>(out)[at] = __float2bfloat16_rn(x);
  } else {
    static_cast<float*>(out)[at] = x;
  }
}

}  // namespace

/// acc [slots, H, D], ml [slots, H] (m, l), firstSlot [rows + 1], sinks [H] or null (natural
/// logits), out [rows, H, D] as f32, or bf16 where `bfloat`.
extern "C" __global__ void attend_merge(const float* __restrict__ acc,
                                        const float2* __restrict__ ml,
                                        const int* __restrict__ firstSlot,
                                        const float* __restrict__ sinks, void* __restrict__ out,
                                        int bfloat, int rotation) {
  __shared__ float row[256];
  __shared__ float factors[CHUNK];
  int head = blockIdx.x, heads = gridDim.x, at = threadIdx.x, D = blockDim.x;
  kvasir::waitForInputs();
  kvasir::letNextStart();
  int from = firstSlot[blockIdx.y], to = firstSlot[blockIdx.y + 1];
  float most = -INFINITY;
  for (int slot = from + at; slot < to; slot += D) {
    most = fmaxf(most, ml[(long long)slot * heads + head].x);
  }
  row[at] = most;
  __syncthreads();
  float sink = sinks == nullptr ? -INFINITY : sinks[head] * kvasir::LOG2E;
  most = sink;
  for (int i = 0; i < min(D, to - from); i++) {
    most = fmaxf(most, row[i]);
  }
  float l = sink == -INFINITY ? 0.0f : exp2f(sink - most);
  float sum = 0;
  for (; from < to; from += CHUNK) {
    int count = min(CHUNK, to - from);
    __syncthreads();
    for (int i = at; i < CHUNK; i += D) {
      float2 part = i < count ? ml[(long long)(from + i) * heads + head] : make_float2(-INFINITY, 0);
      float factor = part.x == -INFINITY ? 0.0f : exp2f(part.x - most);
      factors[i] = factor;
      row[i] = factor * part.y;
    }
    __syncthreads();
    const float* in = acc + ((long long)from * heads + head) * D + at;
    for (int i = 0; i < count; i += 8) {
      float x[8];
#pragma unroll
      for (int j = 0; j < 8; j++) {
        x[j] = i + j < count ? in[(long long)(i + j) * heads * D] : 0.0f;
      }
#pragma unroll
      for (int j = 0; j < 8; j++) {
        if (factors[i + j] > 0) {
          sum += factors[i + j] * x[j];
          l += row[i + j];
        }
      }
    }
  }
  __syncthreads();
  float x = l > 0 ? sum / l : 0.0f;
  if (rotation > 1) {
    row[at] = x;
    for (int stride = 1; stride < rotation; stride *= 2) {
      __syncthreads();
      float other = row[at ^ stride];
      x = at & stride ? other - x : x + other;
      __syncthreads();
      row[at] = x;
    }
    x *= static_cast<float>(1 / sqrt(static_cast<double>(rotation)));
  }
  store(out, bfloat, ((long long)blockIdx.y * heads + head) * D + at, x);
}
