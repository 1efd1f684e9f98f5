// Checks products of few rows against a scalar twin in double, then times them.
//   gemv_test check | time | all
#include "harness.h"

#include "../../main/cuda/gemv.cu"

using kvasir::LinearCall;
typedef void (*Linear)(const LinearCall);

struct Type {
  const char* name;
  int block;  // columns
  int bytes;
  Linear kernel;
  int shared;
};

static const Type TYPES[] = {
    {"bf16", 1, 2, gemv_bf16, 0},
    {"q8_0", 32, 34, gemv_q8_0, kvasir::linearSharedBytes<kvasir::Q8_0, 3>()},
    {"q4_0", 32, 18, gemv_q4_0, kvasir::linearSharedBytes<kvasir::Q4_0, 3>()},
    {"q4_k", 256, 144, gemv_q4_k, kvasir::linearSharedBytes<kvasir::Q4_K, 3>()},
};

static void randomRow(const Type& type, uint8_t* row, int columns, twin::Random& random) {
  using namespace twin;
  int blocks = columns / type.block;
  for (int b = 0; b < blocks; b++, row += type.bytes) {
    if (type.block == 1) {
      *(uint16_t*)row = toBf16(random.normal());
      continue;
    }
    for (int i = 0; i < type.bytes; i++) row[i] = (uint8_t)random.next();
    *(uint16_t*)row = toHalf(0.01f + random.uniform() * 0.1f);
    if (type.block == 256) *(uint16_t*)(row + 2) = toHalf(0.01f + random.uniform() * 0.1f);
  }
}

static void decodeRow(const Type& type, const uint8_t* row, int columns, double* w) {
  using namespace twin;
  for (int k = 0; k < columns; k++) {
    const uint8_t* b = row + (long)(k / type.block) * type.bytes;
    int i = k % type.block;
    if (type.block == 1) {
      w[k] = fromBf16(*(const uint16_t*)b);
    } else if (type.bytes == 34) {
      w[k] = fromHalf(*(const uint16_t*)b) * (int8_t)b[2 + i];
    } else if (type.bytes == 18) {
      w[k] = fromHalf(*(const uint16_t*)b) * ((i < 16 ? b[2 + i] & 15 : b[2 + i - 16] >> 4) - 8);
    } else {
      int j = i / 32;
      const uint8_t* p = b + 4;
      int scale = j < 4 ? p[j] & 63 : (p[j + 4] & 15) | (p[j - 4] >> 6) << 4;
      int least = j < 4 ? p[j + 4] & 63 : p[j + 4] >> 4 | (p[j] >> 6) << 4;
      int code = b[16 + j / 2 * 32 + i % 32] >> (j % 2 * 4) & 15;
      w[k] = (double)fromHalf(*(const uint16_t*)b) * scale * code -
             (double)fromHalf(*(const uint16_t*)(b + 2)) * least;
    }
  }
}

static int failures = 0;

enum Kind { ALONE, THREE, GATED };

static void check(const Type& type, int columns, int rows, Kind kind, twin::Random& random) {
  int stride = columns + 12, outStride = 90;
  int sizes[3] = {77, kind == ALONE ? 0 : kind == GATED ? 77 : 40, kind == THREE ? 33 : 0};
  long rowBytes = (long)columns / type.block * type.bytes;
  std::vector<float> x(rows * stride), norm(columns);
  for (float& v : x) v = random.normal();
  for (float& v : norm) v = 0.5f + random.uniform();
  bool normalizes = kind != ALONE && type.block == 1;  // others have no norm
  std::vector<double> in(x.begin(), x.end());
  for (int r = 0; normalizes && r < rows; r++) {
    double square = 0;
    for (int k = 0; k < columns; k++) square += in[r * stride + k] * in[r * stride + k];
    for (int k = 0; k < columns; k++) in[r * stride + k] *= norm[k] / sqrt(square / columns + 1e-5);
  }
  Device<float> dX(x), dNorm(norm), normed(x.size()), sums((size_t)rows * outStride);
  CUDA(cudaMemset(sums.p, 0, sums.n * 4));
  CUDA(cudaMemset(normed.p, 0xff, normed.n * 4));
  Device<uint8_t> w0((size_t)rowBytes * sizes[0]), w1((size_t)rowBytes * sizes[1]), w2((size_t)rowBytes * sizes[2]);
  Device<float> b0(sizes[0]), b1(sizes[1]), b2(sizes[2]), o0(rows * outStride), o1(rows * outStride), o2(rows * outStride);
  uint8_t* dW[] = {w0.p, w1.p, w2.p};
  float *dB[] = {b0.p, b1.p, b2.p}, *dO[] = {o0.p, o1.p, o2.p};
  std::vector<double> want[3], w(columns);
  LinearCall call = {};
  for (int p = 0; p < 3; p++) {
    std::vector<uint8_t> weights(rowBytes * sizes[p]);
    std::vector<float> bias(sizes[p]);
    for (float& v : bias) v = random.normal();
    want[p].assign((size_t)rows * sizes[p], 0);
    for (int o = 0; o < sizes[p]; o++) {
      randomRow(type, &weights[o * rowBytes], columns, random);
      decodeRow(type, &weights[o * rowBytes], columns, w.data());
      for (int r = 0; r < rows; r++) {
        double sum = bias[o];
        for (int k = 0; k < columns; k++) sum += w[k] * in[r * stride + k];
        want[p][r * sizes[p] + o] = sum;
      }
    }
    CUDA(cudaMemcpy(dW[p], weights.data(), weights.size(), cudaMemcpyHostToDevice));
    CUDA(cudaMemcpy(dB[p], bias.data(), bias.size() * 4, cudaMemcpyHostToDevice));
    CUDA(cudaMemset(dO[p], 0xff, rows * outStride * 4));
    call.parts[p] = {dW[p], dB[p], dO[p], sizes[p], outStride};
  }
  if (kind == GATED) {
    for (size_t i = 0; i < want[0].size(); i++) want[0][i] *= want[1][i] / (1 + exp(-want[0][i]));
  }
  call.rowBytes = rowBytes, call.x = dX.p, call.columns = columns, call.xStride = stride, call.rows = rows;
  call.activation = kind == GATED ? SILU : -1;
  call.norm = normalizes ? dNorm.p : nullptr, call.normed = normed.p, call.epsilon = 1e-5f;
  call.sums = kind == ALONE ? sums.p : nullptr, call.sumStride = outStride, call.factor = 0.5f;
  int blocks = kind == GATED ? (77 + 15) / 16 : (sizes[0] + 31) / 32 + (sizes[1] + 31) / 32 + (sizes[2] + 31) / 32;
  type.kernel<<<blocks, 256, type.shared>>>(call);
  CUDA(cudaGetLastError());
  CUDA(cudaDeviceSynchronize());
  double error = 0;
  for (int p = 0; p < (kind == THREE ? 3 : 1); p++) {
    std::vector<float> got(want[p].size()), all = p == 0 ? o0.get() : p == 1 ? o1.get() : o2.get(), added = sums.get();
    for (int r = 0; r < rows; r++) {
      for (int o = 0; o < sizes[p]; o++) {
        got[r * sizes[p] + o] = all[r * outStride + o];
        if (kind == ALONE && added[r * outStride + o] != 0.5f * all[r * outStride + o]) error = 1;
      }
    }
    error = std::max(error, relativeError(got, want[p]));
  }
  if (normalizes) {
    std::vector<float> all = normed.get(), got;
    std::vector<double> wanted;
    for (int r = 0; r < rows; r++) {
      for (int k = 0; k < columns; k++) got.push_back(all[r * stride + k]), wanted.push_back(in[r * stride + k]);
    }
    error = std::max(error, relativeError(got, wanted));
  }
  bool good = error < 2e-5;
  failures += !good;
  const char* kinds[] = {"alone", "three", "gated"};
  if (!good || (rows == 3 && columns == 4096)) printf("%s gemv %s columns %d rows %d %s: error %.2e\n", good ? "ok    " : "FAILED", type.name, columns, rows, kinds[kind], error);
}

static void checks() {
  twin::Random random(5);
  for (const Type& type : TYPES) {
    CUDA(cudaFuncSetAttribute(type.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, type.shared));
    for (int columns : {256, 4096, 14336, type.block == 1 ? 1120 : 768}) {
      for (int rows : {1, 3, 8}) {
        for (Kind kind : {ALONE, THREE, GATED}) check(type, columns, rows, kind, random);
      }
    }
  }
}

static __global__ void fill(uint32_t* p, size_t n) {
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x) {
    uint64_t z = i * 0x9E3779B97F4A7C15ull + 77;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    uint32_t x = (uint32_t)(z ^ (z >> 31)) ^ (uint32_t)(z >> 32);
    p[i] = x & 0xbfffbfffu & 0xb7ffb7ffu;  // finite as halves and as bf16
  }
}

static void launch(const Type& type, bool early, cudaStream_t stream, const LinearCall& call) {
  int blocks = 0;
  for (auto& part : call.parts) blocks += (part.outputs + 31) / 32;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(call.activation >= 0 ? (call.parts[0].outputs + 15) / 16 : blocks);
  config.blockDim = dim3(256);
  config.dynamicSmemBytes = type.shared;
  config.stream = stream;
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &attribute;
  config.numAttrs = early ? 1 : 0;
  CUDA(cudaLaunchKernelEx(&config, type.kernel, call));
}

static void timing() {
  double copy = copyBandwidth();
  printf("copy kernel: %.0f GB/s\n", copy * 1e-9);
  // Rows of the parts; gated where the second is the first and there is no third.
  struct Shape { const char* name; int columns; int parts[3]; bool gated, norm, sum; };
  const Shape shapes[] = {
      {"qkv", 4096, {4096, 1024, 1024}, false, true, false},
      {"o", 4096, {4096, 0, 0}, false, false, true},
      {"gate, up", 4096, {14336, 14336, 0}, true, true, false},
      {"down", 14336, {4096, 0, 0}, false, false, true},
      {"head", 4096, {128256, 0, 0}, false, false, false},
      {"layer", 0, {0, 0, 0}, false, false, false}};
  size_t capacity = (size_t)2600 << 20;
  Device<uint8_t> pool(capacity);
  fill<<<132 * 8, 256>>>((uint32_t*)pool.p, capacity / 4);
  Device<float> x(8 * 28672), out(8 * 128256), norm(28672), sums(8 * 4096);
  fill<<<132, 256>>>((uint32_t*)norm.p, norm.n);
  fill<<<132, 256>>>((uint32_t*)x.p, x.n);
  cudaStream_t stream;
  CUDA(cudaStreamCreate(&stream));
  for (const Type& type : TYPES) {
    CUDA(cudaFuncSetAttribute(type.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, type.shared));
    for (auto& shape : shapes) {
      for (int rows : {1, 8}) {
        for (int early = type.block > 1 ? 1 : 0; early < 2; early++) {
          // A graph of products with weights that no cache holds; "layer" is its four by turns.
          cudaGraph_t graph;
          cudaGraphExec_t exec;
          CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
          size_t at = 0;
          double bytes = 0;
          int count = 0;
          for (bool more = true; more && count < 64; ) {
            for (int s = 0; s < (shape.columns == 0 ? 4 : 1); s++) {
              const Shape& of = shape.columns == 0 ? shapes[s] : shape;
              LinearCall call = {};
              call.rowBytes = (long)of.columns / type.block * type.bytes;
              size_t size = 0;
              for (int p = 0; p < 3; p++) {
                call.parts[p] = {pool.p + at + size, nullptr, out.p + 8 * 14336 * p, of.parts[p], of.parts[p]};
                size += call.rowBytes * of.parts[p];
              }
              if (at + size > capacity) { more = false; break; }
              call.x = x.p, call.columns = of.columns, call.xStride = of.columns, call.rows = rows;
              call.activation = of.gated ? SILU : -1;
              call.norm = of.norm && type.block == 1 ? norm.p : nullptr, call.epsilon = 1e-5f;
              call.sums = of.sum ? sums.p : nullptr, call.sumStride = 4096, call.factor = 0;
              launch(type, early, stream, call);
              at += (size + 255) & ~(size_t)255;
              bytes += size;
              count++;
            }
          }
          CUDA(cudaStreamEndCapture(stream, &graph));
          CUDA(cudaGraphInstantiate(&exec, graph, 0));
          cudaEvent_t a, b;
          CUDA(cudaEventCreate(&a));
          CUDA(cudaEventCreate(&b));
          std::vector<float> ms(7);
          for (int i = 0; i < 9; i++) {
            CUDA(cudaEventRecord(a, stream));
            CUDA(cudaGraphLaunch(exec, stream));
            CUDA(cudaEventRecord(b, stream));
            CUDA(cudaEventSynchronize(b));
            if (i >= 2) CUDA(cudaEventElapsedTime(&ms[i - 2], a, b));
          }
          std::sort(ms.begin(), ms.end());
          double s = ms[3] * 1e-3;
          printf("gemv %-5s %-8s rows %d %s: %7.1f us each, %5.0f GB/s %3.0f%% of copy\n", type.name, shape.name, rows, early ? "early" : "     ", s / count * 1e6, bytes / s * 1e-9, 100 * bytes / s / copy);
          CUDA(cudaGraphExecDestroy(exec));
          CUDA(cudaGraphDestroy(graph));
        }
      }
    }
  }
}

int main(int argc, char** argv) {
  std::string what = argc > 1 ? argv[1] : "all";
  if (what != "time") checks();
  if (what != "check") timing();
  return failures > 0;
}
