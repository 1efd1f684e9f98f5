// Checks products of few rows against a scalar twin in double, then times them.
//   gemv_test check | time | all
#include "harness.h"

#include "../../main/cuda/gemv.cu"

typedef void (*Linear)(const unsigned char*, long long, int, int, const float*, int, int,
                       const float*, float*, int);

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

static void checks() {
  twin::Random random(5);
  for (const Type& type : TYPES) {
    CUDA(cudaFuncSetAttribute(type.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, type.shared));
    for (int columns : {256, 4096, 14336, type.block == 1 ? 1120 : 768}) {
      for (int rows : {1, 3, 8}) {
        int outputs = 77, stride = columns + 12;
        long rowBytes = (long)columns / type.block * type.bytes;
        std::vector<uint8_t> weights(rowBytes * outputs);
        for (int o = 0; o < outputs; o++) randomRow(type, &weights[o * rowBytes], columns, random);
        std::vector<float> x(rows * stride), bias(outputs);
        for (float& v : x) v = random.normal();
        for (float& v : bias) v = random.normal();
        std::vector<double> want(rows * outputs), w(columns);
        for (int o = 0; o < outputs; o++) {
          decodeRow(type, &weights[o * rowBytes], columns, w.data());
          for (int r = 0; r < rows; r++) {
            double sum = bias[o];
            for (int k = 0; k < columns; k++) sum += w[k] * x[r * stride + k];
            want[r * outputs + o] = sum;
          }
        }
        Device<uint8_t> dW(weights);
        Device<float> dX(x), dB(bias), dOut(want.size());
        CUDA(cudaMemset(dOut.p, 0xff, want.size() * 4));
        type.kernel<<<(outputs + 31) / 32, 256, type.shared>>>(dW.p, rowBytes, columns, outputs, dX.p, stride, rows, dB.p, dOut.p, outputs);
        CUDA(cudaGetLastError());
        CUDA(cudaDeviceSynchronize());
        double error = relativeError(dOut.get(), want);
        bool good = error < 1e-5;
        failures += !good;
        if (!good || rows == 3) printf("%s gemv %s columns %d rows %d: error %.2e\n", good ? "ok    " : "FAILED", type.name, columns, rows, error);
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

static void launch(const Type& type, bool early, cudaStream_t stream, const uint8_t* w, long rowBytes, int columns, int outputs, const float* x, int rows, float* out) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3((outputs + 31) / 32);
  config.blockDim = dim3(256);
  config.dynamicSmemBytes = type.shared;
  config.stream = stream;
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &attribute;
  config.numAttrs = early ? 1 : 0;
  CUDA(cudaLaunchKernelEx(&config, type.kernel, w, (long long)rowBytes, columns, outputs, x, columns, rows, (const float*)nullptr, out, outputs));
}

static void timing() {
  double copy = copyBandwidth();
  printf("copy kernel: %.0f GB/s\n", copy * 1e-9);
  const int shapes[][2] = {{6144, 4096}, {4096, 4096}, {28672, 4096}, {4096, 14336}, {128256, 4096}, {0, 0}};
  size_t capacity = (size_t)2600 << 20;
  Device<uint8_t> pool(capacity);
  fill<<<132 * 8, 256>>>((uint32_t*)pool.p, capacity / 4);
  Device<float> x(8 * 28672), out(8 * 128256);
  fill<<<132, 256>>>((uint32_t*)x.p, x.n);
  cudaStream_t stream;
  CUDA(cudaStreamCreate(&stream));
  for (const Type& type : TYPES) {
    CUDA(cudaFuncSetAttribute(type.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, type.shared));
    for (auto& shape : shapes) {
      for (int rows : {1, 8}) {
        for (int early = 0; early < 2; early++) {
          // A graph of products with weights that no cache holds; {0, 0} is a layer's four by turns.
          cudaGraph_t graph;
          cudaGraphExec_t exec;
          CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
          size_t at = 0;
          double bytes = 0;
          int count = 0;
          for (bool more = true; more && count < 64; ) {
            for (int s = 0; s < (shape[0] == 0 ? 4 : 1); s++) {
              const int* of = shape[0] == 0 ? shapes[s] : shape;
              long rowBytes = (long)of[1] / type.block * type.bytes;
              size_t size = (size_t)rowBytes * of[0];
              if (at + size > capacity) { more = false; break; }
              launch(type, early, stream, pool.p + at, rowBytes, of[1], of[0], x.p, rows, out.p);
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
          printf("gemv %-5s %6dx%-5d rows %d %s: %7.1f us each, %5.0f GB/s %3.0f%% of copy\n", type.name, shape[0], shape[1], rows, early ? "early" : "     ", s / count * 1e6, bytes / s * 1e-9, 100 * bytes / s / copy);
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
