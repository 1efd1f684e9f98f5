// Checks products of many rows against a scalar twin in double, then times them.
//   gemm_test check | time PEAK_TFLOPS | all
#include "harness.h"

#include "../../main/cuda/gemm.cu"

typedef void (*Gemm)(const unsigned char*, long long, int, int, const unsigned char*, const unsigned char*, int, const float*, float*, int);

struct Entry {
  int n, parts;
  Gemm kernel;
  int shared;
};

static const Entry ENTRIES[] = {
    {16, 2, gemm_bf16_16, kvasir::GemmShared<16, 2, 5>::BYTES},
    {32, 2, gemm_bf16_32, kvasir::GemmShared<32, 2, 4>::BYTES},
    {64, 2, gemm_bf16_64, kvasir::GemmShared<64, 2, 3>::BYTES},
    {128, 1, gemm_bf16_128, kvasir::GemmShared<128, 1, 6>::BYTES},
    {256, 1, gemm_bf16_256, kvasir::GemmShared<256, 1, 4>::BYTES},
};

static int failures = 0;

static void launch(const Entry& e, int splits, cudaStream_t stream, const uint8_t* w, int columns, int outputs, const float* x, int rows, uint8_t* high, uint8_t* low, const float* bias, float* scratch, float* out) {
  gemm_pack<<<rows, 256, 0, stream>>>(x, columns, columns, (uint32_t*)high, e.parts == 2 ? (uint32_t*)low : nullptr);
  dim3 grid((outputs + 127) / 128, (rows + e.n - 1) / e.n, splits);
  e.kernel<<<grid, 384, e.shared, stream>>>(w, 2ll * columns, columns, outputs, high, low, rows, splits == 1 ? bias : nullptr, splits == 1 ? out : scratch, outputs);
  if (splits > 1) gemm_sum<<<dim3((outputs + 255) / 256, rows), 256, 0, stream>>>(scratch, splits, rows, outputs, bias, out, outputs);
  CUDA(cudaGetLastError());
}

static void checks() {
  using namespace twin;
  Random random(9);
  for (const Entry& e : ENTRIES) {
    CUDA(cudaFuncSetAttribute(e.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, e.shared));
    for (int columns : {64, 200, 2048}) {
      for (int rows : {e.n / 2 + 1, e.n, e.n * 2 + 3}) {
        int outputs = 331, splits = rows == e.n ? 3 : 1;
        std::vector<uint16_t> weights((size_t)columns * outputs);
        for (uint16_t& w : weights) w = toBf16(random.normal());
        std::vector<float> x((size_t)rows * columns), bias(outputs);
        for (float& v : x) v = e.parts == 2 ? random.normal() : fromBf16(toBf16(random.normal()));
        for (float& v : bias) v = random.normal();
        std::vector<double> want((size_t)rows * outputs);
        for (int o = 0; o < outputs; o++) {
          for (int r = 0; r < rows; r++) {
            double sum = bias[o];
            for (int k = 0; k < columns; k++) sum += (double)fromBf16(weights[(size_t)o * columns + k]) * x[(size_t)r * columns + k];
            want[(size_t)r * outputs + o] = sum;
          }
        }
        Device<uint16_t> dW(weights);
        Device<uint8_t> high(2 * x.size()), low(2 * x.size());
        Device<float> dX(x), dB(bias), dOut(want.size()), scratch(want.size() * splits);
        CUDA(cudaMemset(dOut.p, 0xff, want.size() * 4));
        launch(e, splits, 0, (uint8_t*)dW.p, columns, outputs, dX.p, rows, high.p, low.p, dB.p, scratch.p, dOut.p);
        CUDA(cudaDeviceSynchronize());
        double error = relativeError(dOut.get(), want);
        bool good = error < 2e-5;
        failures += !good;
        if (!good || columns == 200) printf("%s gemm %d columns %d rows %d splits %d: error %.2e\n", good ? "ok    " : "FAILED", e.n, columns, rows, splits, error);
      }
    }
  }
}

static __global__ void fill(uint32_t* p, size_t n) {
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x) {
    uint64_t z = i * 0x9E3779B97F4A7C15ull + 77;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    uint32_t x = (uint32_t)(z ^ (z >> 31)) ^ (uint32_t)(z >> 32);
    p[i] = (x & 0x80ff80ffu) | 0x3f003f00u;
  }
}

static void timing(double peak) {
  double copy = copyBandwidth();
  printf("copy kernel: %.0f GB/s, matrix peak given %.0f TFLOP/s\n", copy * 1e-9, peak);
  const int shapes[][2] = {{6144, 4096}, {4096, 4096}, {28672, 4096}, {4096, 14336}, {128256, 4096}};
  size_t capacity = (size_t)1600 << 20;
  Device<uint8_t> pool(capacity), high((size_t)8192 * 14336 * 2), low((size_t)256 * 14336 * 2);
  Device<float> x((size_t)8192 * 14336), out((size_t)8192 * 28672), scratch((size_t)8 * 256 * 28672);
  fill<<<1056, 256>>>((uint32_t*)pool.p, capacity / 4);
  fill<<<1056, 256>>>((uint32_t*)x.p, x.n);
  cudaStream_t stream;
  CUDA(cudaStreamCreate(&stream));
  for (auto& shape : shapes) {
    for (int rows : {16, 32, 64, 128, 256, 2048, 8192}) {
      if (shape[0] > 100000 && rows > 256) continue;
      const Entry& e = ENTRIES[rows <= 16 ? 0 : rows <= 32 ? 1 : rows <= 64 ? 2 : rows <= 128 ? 3 : 4];
      CUDA(cudaFuncSetAttribute(e.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, e.shared));
      for (int splits : {1, 2, 4, 8}) {
        if (splits > 1 && (rows > 256 || shape[0] > 20000)) continue;
        cudaGraph_t graph;
        cudaGraphExec_t exec;
        CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
        size_t size = (size_t)shape[0] * shape[1] * 2;
        int count = std::min<int>(capacity / size, rows > 256 ? 2 : 16);
        for (int i = 0; i < count; i++) launch(e, splits, stream, pool.p + i * size, shape[1], shape[0], x.p, rows, high.p, low.p, nullptr, scratch.p, out.p);
        CUDA(cudaStreamEndCapture(stream, &graph));
        CUDA(cudaGraphInstantiate(&exec, graph, 0));
        double s = seconds([&] { CUDA(cudaGraphLaunch(exec, 0)); }, 5) / count;
        double flops = 2.0 * shape[0] * shape[1] * rows;
        printf("gemm %6dx%-5d rows %4d splits %d: %8.1f us, %5.0f GB/s of weights %3.0f%% of copy, %4.0f TFLOP/s %3.0f%% of peak\n", shape[0], shape[1], rows, splits, s * 1e6, size / s * 1e-9, 100 * size / s / copy, flops / s * 1e-12, 100 * flops / s * 1e-12 / peak);
        CUDA(cudaGraphExecDestroy(exec));
        CUDA(cudaGraphDestroy(graph));
      }
    }
  }
}

int main(int argc, char** argv) {
  std::string what = argc > 1 ? argv[1] : "all";
  if (what != "time") checks();
  if (what != "check") timing(argc > 2 ? atof(argv[2]) : 787);
  return failures > 0;
}
