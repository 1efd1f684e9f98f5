// Scalar twins of kernels of mixtures of experts and of products of 9 to 256 rows that only tensor cores
// run, so that what launches these is tested without a GPU: same names, parameters and launch shapes.
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

// StreamCall of gemm_stream.cuh.
struct TwinPart {
  const uint8_t* weights;
  const float* bias;
  float* out;
  int outputs, outStride;
};
struct TwinStream {
  unsigned long long maps[3][16];
  TwinPart parts[3];
  long long rowBytes;
  const uint8_t* x;
  uint8_t* image;
  float* partial;
  int* counters;
  int columns, rows, tiles, splits, gates;
  float linear, cubic;
};
static_assert(sizeof(TwinStream) == 552, "StreamedRows.java counts bytes and rounds them up to 576");

// Rows as bf16, of up to 64 rows what rounding took from them too; the twin's order is its own.
template <int N>
void twin_image(const float* x, int columns, int row, uint8_t* image) {
  uint16_t* high = (uint16_t*)image;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    twin_pack(x[i], (long long)row * columns + i, high, N > 64 ? nullptr : high + (long long)N * columns);
  }
}

template <int N>
float twin_product(const TwinStream& call, const TwinPart& part, int row, int output) {
  const uint16_t* high = (const uint16_t*)call.x + (long long)row * call.columns;
  float sum = 0;
  for (int k = 0; k < call.columns; k++) {
    float x = bf16_float(high[k]) + (N > 64 ? 0 : bf16_float(high[(long long)N * call.columns + k]));
    sum += x * weight_element<W_BF16>(part.weights + output * call.rowBytes, k);
  }
  return part.bias ? sum + part.bias[output] : sum;
}

template <int N>
void twin_stream(const TwinStream& call) {
  int at = blockIdx.x * blockDim.x + threadIdx.x, all = gridDim.x * blockDim.x;
  for (int p = 0; p < (call.gates ? 1 : 3); p++) {
    const TwinPart& part = call.parts[p];
    for (int i = at; i < part.outputs * call.rows; i += all) {
      int row = i / part.outputs, output = i % part.outputs;
      float y = twin_product<N>(call, part, row, output);
      if (!call.gates) {
        part.out[(long long)row * part.outStride + output] = y;
        continue;
      }
      y = y / (1 + expf(-y * (call.linear + call.cubic * y * y))) * twin_product<N>(call, call.parts[1], row, output);
      uint16_t* high = (uint16_t*)call.image;
      twin_pack(y, i, high, N > 64 ? nullptr : high + (long long)N * part.outputs);
    }
  }
}

template <int N>
void twin_norm(float* in, const float* delta, float factor, const float* weight, float epsilon, int columns,
               float* out, uint8_t* image) {
  if (threadIdx.x > 0) {
    return;
  }
  long long at = (long long)blockIdx.x * columns;
  float square = 0;
  for (int i = 0; i < columns; i++) {
    in[at + i] += delta ? factor * delta[at + i] : 0;
    square += in[at + i] * in[at + i];
  }
  float scale = 1 / sqrtf(square / columns + epsilon);
  for (int i = 0; i < columns; i++) {
    out[at + i] = in[at + i] * scale * (weight ? weight[i] : 1);
  }
  uint16_t* high = (uint16_t*)image;
  for (int i = 0; i < columns; i++) {
    twin_pack(out[at + i], at + i, high, N > 64 ? nullptr : high + (long long)N * columns);
  }
}

KERNEL gemm_stream_16(const TwinStream call) { twin_stream<16>(call); }
KERNEL gemm_stream_image_16(const float* x, int xStride, int columns, uint8_t* image) {
  twin_image<16>(x + (long long)blockIdx.x * xStride, columns, blockIdx.x, image);
}
KERNEL gemm_stream_norm_16(float* in, const float* delta, float factor, const float* weight, float epsilon,
                          int columns, float* out, uint8_t* image) {
  twin_norm<16>(in, delta, factor, weight, epsilon, columns, out, image);
}

KERNEL gemm_stream_32(const TwinStream call) { twin_stream<32>(call); }
KERNEL gemm_stream_image_32(const float* x, int xStride, int columns, uint8_t* image) {
  twin_image<32>(x + (long long)blockIdx.x * xStride, columns, blockIdx.x, image);
}
KERNEL gemm_stream_norm_32(float* in, const float* delta, float factor, const float* weight, float epsilon,
                          int columns, float* out, uint8_t* image) {
  twin_norm<32>(in, delta, factor, weight, epsilon, columns, out, image);
}

KERNEL gemm_stream_64(const TwinStream call) { twin_stream<64>(call); }
KERNEL gemm_stream_image_64(const float* x, int xStride, int columns, uint8_t* image) {
  twin_image<64>(x + (long long)blockIdx.x * xStride, columns, blockIdx.x, image);
}
KERNEL gemm_stream_norm_64(float* in, const float* delta, float factor, const float* weight, float epsilon,
                          int columns, float* out, uint8_t* image) {
  twin_norm<64>(in, delta, factor, weight, epsilon, columns, out, image);
}

KERNEL gemm_stream_128(const TwinStream call) { twin_stream<128>(call); }
KERNEL gemm_stream_image_128(const float* x, int xStride, int columns, uint8_t* image) {
  twin_image<128>(x + (long long)blockIdx.x * xStride, columns, blockIdx.x, image);
}
KERNEL gemm_stream_norm_128(float* in, const float* delta, float factor, const float* weight, float epsilon,
                          int columns, float* out, uint8_t* image) {
  twin_norm<128>(in, delta, factor, weight, epsilon, columns, out, image);
}

KERNEL gemm_stream_256(const TwinStream call) { twin_stream<256>(call); }
KERNEL gemm_stream_image_256(const float* x, int xStride, int columns, uint8_t* image) {
  twin_image<256>(x + (long long)blockIdx.x * xStride, columns, blockIdx.x, image);
}
KERNEL gemm_stream_norm_256(float* in, const float* delta, float factor, const float* weight, float epsilon,
                          int columns, float* out, uint8_t* image) {
  twin_norm<256>(in, delta, factor, weight, epsilon, columns, out, image);
}
