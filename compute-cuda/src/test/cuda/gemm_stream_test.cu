// Checks products of 9 to 256 rows against a scalar twin in double, then times those of a layer.
//   gemm_stream_test check | time | all
#include "harness.h"

#include "../../main/cuda/gemm_stream.cu"
#include "tensor_maps.h"

using kvasir::ProductPart;
using kvasir::StreamCall;

struct Entry {
  int n, parts, stages, cluster, blocks;
  void (*kernel)(const StreamCall);
  void (*image)(const float*, int, int, unsigned char*);
  void (*norm)(float*, const float*, float, const float*, float, int, float*, unsigned char*);
  int shared;
};

#define VARIANT(N, PARTS, STAGES, CLUSTER)                                              \
  static __global__ void __launch_bounds__(288, 1) __cluster_dims__(CLUSTER, 1, 1)      \
      variant_##N##_##STAGES##_##CLUSTER(const __grid_constant__ StreamCall call) {     \
    kvasir::gemmStream<N, PARTS, STAGES, CLUSTER>(call);                                \
  }
#define ENTRY(N, PARTS, STAGES, CLUSTER, KERNEL) \
  {N, PARTS, STAGES, CLUSTER, 132, KERNEL, gemm_stream_image_##N, gemm_stream_norm_##N, kvasir::StreamShared<N, PARTS, STAGES>::BYTES},
#define KEPT(N, PARTS, STAGES, CLUSTER) ENTRY(N, PARTS, STAGES, CLUSTER, gemm_stream_##N)
#define TRIED(N, PARTS, STAGES, CLUSTER) ENTRY(N, PARTS, STAGES, CLUSTER, variant_##N##_##STAGES##_##CLUSTER)
// More to try, each as X(rows, parts, stages, cluster).
#ifndef MORE
#define MORE(X)
#endif
MORE(VARIANT)
static Entry ENTRIES[] = {KEPT(16, 2, 9, 1) KEPT(32, 2, 8, 1) KEPT(64, 2, 6, 1) KEPT(128, 1, 6, 2) KEPT(256, 1, 4, 2) MORE(TRIED)};

/// Clusters that fit at once; all of a launch must.
static void prepare(Entry& e) {
  CUDA(cudaFuncSetAttribute(e.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, e.shared));
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(132 / e.cluster * e.cluster);
  config.blockDim = dim3(288);
  config.dynamicSmemBytes = e.shared;
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = e.cluster, attribute.val.clusterDim.y = 1, attribute.val.clusterDim.z = 1;
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = 0;
  CUDA(cudaOccupancyMaxActiveClusters(&clusters, e.kernel, &config));
  e.blocks = std::min(132 / e.cluster, clusters) * e.cluster;
}

static int failures = 0;
static cudaStream_t stream;

template <class... A, class... B>
static void launch(void (*kernel)(A...), dim3 grid, int threads, int shared, B... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &attribute;
  config.numAttrs = 1;
  CUDA(cudaLaunchKernelEx(&config, kernel, (A)arguments...));
}

static int tilesOf(const StreamCall& call, int cluster) {
  int tiles = 0;
  if (call.gates) {
    tiles = (call.parts[0].outputs + 63) / 64;
  } else {
    for (const ProductPart& part : call.parts) tiles += (part.outputs + 127) / 128;
  }
  return (tiles + cluster - 1) / cluster * cluster;
}

static int splits;  // of products

static void multiply(const Entry& e, StreamCall call) {
  call.splits = splits;
  call.tiles = tilesOf(call, e.cluster);
  encodeMaps(call);
  launch(e.kernel, dim3(e.blocks), 288, e.shared, call);
}

static void checks() {
  using namespace twin;
  Random random(9);
  Device<float> partial((size_t)132 * 2 * 128 * 256);
  Device<int> counters(4096);
  CUDA(cudaMemset(counters.p, 0, 4096 * 4));
  for (Entry& e : ENTRIES) {
    prepare(e);
    for (int columns : {64, 320, 2048}) {
      for (int rows : {e.n / 2 + 1, e.n}) {
        for (int gatedOne = 0; gatedOne < 2; gatedOne++) {
          // Groups by turns with one part or several, or equal runs.
          splits = columns == 64 ? rows % 2 : columns == 320 ? (rows % 2 ? 5 : 0) : (rows % 2 ? 4 : 0);
          int sizes[3] = {gatedOne ? 328 : 331, gatedOne ? 328 : 130, gatedOne ? 0 : 64};
          std::vector<uint16_t> weights[3];
          std::vector<float> bias[3];
          for (int p = 0; p < 3; p++) {
            weights[p].resize((size_t)sizes[p] * columns);
            for (uint16_t& w : weights[p]) w = toBf16(random.normal());
            bias[p].resize(sizes[p]);
            for (float& v : bias[p]) v = random.normal();
          }
          std::vector<float> x((size_t)rows * columns), delta(x.size()), norm(columns);
          for (float& v : norm) v = 0.5f + random.uniform();
          for (float& v : x) v = random.normal();
          for (float& v : delta) v = random.normal();
          // Inputs: rows with the norm of x + 0.5 delta, as the device has them in f32.
          Device<float> dX(x), dDelta(delta), dNorm(norm), normed(x.size());
          Device<unsigned char> image((size_t)columns / 64 * e.n * 128 * e.parts), image2((size_t)512 / 64 * e.n * 128 * e.parts);
          CUDA(cudaMemset(image.p, 0x7f, image.n));
          launch(e.norm, dim3(rows), 512, 0, dX.p, dDelta.p, 0.5f, dNorm.p, 1e-5f, columns, normed.p, image.p);
          CUDA(cudaDeviceSynchronize());
          std::vector<float> in = normed.get();
          std::vector<double> wantNorm(x.size());
          for (int r = 0; r < rows; r++) {
            double square = 0;
            for (int k = 0; k < columns; k++) square += pow(x[r * columns + k] + 0.5 * delta[r * columns + k], 2);
            for (int k = 0; k < columns; k++) wantNorm[r * columns + k] = (x[r * columns + k] + 0.5 * delta[r * columns + k]) / sqrt(square / columns + 1e-5) * norm[k];
          }
          double normError = relativeError(in, wantNorm);
          Device<uint16_t> w0(weights[0]), w1(weights[1]), w2(weights[2]);
          Device<float> b0(bias[0]), b1(bias[1]), b2(bias[2]);
          Device<float> o0((size_t)rows * 340), o1((size_t)rows * 340), o2((size_t)rows * 340);
          uint16_t* w[] = {w0.p, w1.p, w2.p};
          float* b[] = {b0.p, b1.p, b2.p};
          float* o[] = {o0.p, o1.p, o2.p};
          StreamCall call = {};
          for (int p = 0; p < 3; p++) {
            CUDA(cudaMemset(o[p], 0xff, (size_t)rows * 340 * 4));
            call.parts[p] = {(unsigned char*)w[p], b[p], o[p], sizes[p], 340};
          }
          call.rowBytes = 2 * columns, call.x = image.p, call.image = gatedOne ? image2.p : nullptr;
          call.partial = partial.p, call.counters = counters.p, call.columns = columns, call.rows = rows;
          call.gates = gatedOne, call.linear = 1;
          for (int again = 0; again < 2; again++) multiply(e, call);
          CUDA(cudaDeviceSynchronize());
          double worst = 0;
          std::vector<double> gate;
          for (int p = 0; p < 3; p++) {
            std::vector<double> want((size_t)rows * sizes[p]);
            std::vector<float> got(want.size()), all = p == 0 ? o0.get() : p == 1 ? o1.get() : o2.get();
            for (int r = 0; r < rows; r++) {
              for (int i = 0; i < sizes[p]; i++) {
                double sum = bias[p][i];
                for (int k = 0; k < columns; k++) {
                  double v = e.parts == 2 ? in[r * columns + k] : fromBf16(toBf16(in[r * columns + k]));
                  sum += (double)fromBf16(weights[p][(size_t)i * columns + k]) * v;
                }
                want[(size_t)r * sizes[p] + i] = sum;
                got[(size_t)r * sizes[p] + i] = all[(size_t)r * 340 + i];
              }
            }
            if (gatedOne && p == 0) gate = want;
            if (gatedOne && p == 1) {
              for (size_t i = 0; i < want.size(); i++) want[i] *= gate[i] / (1 + exp(-gate[i]));
              all = o0.get();
              for (int r = 0; r < rows; r++) for (int i = 0; i < sizes[0]; i++) got[(size_t)r * sizes[0] + i] = all[(size_t)r * 340 + i];
              // The image for the next product.
              std::vector<unsigned char> bytes = image2.get();
              for (int r = 0; r < rows; r++) {
                for (int i = 0; i < sizes[0]; i++) {
                  size_t at = (size_t)(i / 64) * e.n * 128 * e.parts + r * 128 + ((i / 8 % 8) ^ (r & 7)) * 16 + i % 8 * 2;
                  float v = fromBf16(*(uint16_t*)&bytes[at]);
                  if (e.parts == 2) v += fromBf16(*(uint16_t*)&bytes[at + e.n * 128]);
                  float y = all[(size_t)r * 340 + i];
                  if (!(fabsf(v - y) <= fabsf(y) * (e.parts == 2 ? 1e-5f : 5e-3f) + 1e-30f)) worst = 1;
                }
              }
            }
            if (sizes[p] > 0 && !(gatedOne && p == 0)) {
              double error = relativeError(got, want);
              if (!(error <= worst)) worst = error;
            }
          }
          bool good = worst > 0 && worst < 2e-5 && normError < 1e-5;
          failures += !good;
          if (!good || columns == 320) printf("%s gemm_stream %d, clusters of %d, %d blocks, columns %d rows %d %s: error %.2e, norm %.2e\n", good ? "ok    " : "FAILED", e.n, e.cluster, e.blocks, columns, rows, gatedOne ? "gated" : "three", worst, normError);
        }
      }
    }
  }
  for (int c : counters.get()) failures += c != 0;
}

static __global__ void fill(uint32_t* p, size_t n) {
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x) {
    uint64_t z = i * 0x9E3779B97F4A7C15ull + 77;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    uint32_t x = (uint32_t)(z ^ (z >> 31)) ^ (uint32_t)(z >> 32);
    p[i] = (x & 0x807f807fu) | 0x3c003c00u;
  }
}

static double timed(const std::function<void()>& work) {
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  work();
  CUDA(cudaStreamEndCapture(stream, &graph));
  CUDA(cudaGraphInstantiate(&exec, graph, 0));
  double s = seconds([&] { CUDA(cudaGraphLaunch(exec, 0)); }, 5);
  CUDA(cudaGraphExecDestroy(exec));
  CUDA(cudaGraphDestroy(graph));
  return s;
}

static void timing() {
  double copy = copyBandwidth();
  printf("copy kernel: %.0f GB/s\n", copy * 1e-9);
  constexpr int LAYERS = 6;
  const size_t D = 4096, KV = 1024, F = 14336, V = 128256;
  const size_t layer = 2 * (D * (D + 2 * KV) + D * D + 3 * D * F);
  Device<unsigned char> pool(LAYERS * layer), image(256 * D * 4), image2(256 * F * 4);
  Device<float> x(256 * D), normed(256 * D), q(256 * D), k(256 * KV), v(256 * KV), attended(256 * D), h(256 * F), out(256 * D), norm(D), logits((size_t)256 * V);
  Device<float> partial((size_t)132 * 2 * 128 * 256);
  Device<int> counters(4096);
  CUDA(cudaMemset(counters.p, 0, 4096 * 4));
  fill<<<1056, 256>>>((uint32_t*)pool.p, pool.n / 4);
  fill<<<1056, 256>>>((uint32_t*)x.p, x.n);
  fill<<<1056, 256>>>((uint32_t*)attended.p, x.n);
  fill<<<1056, 256>>>((uint32_t*)norm.p, D);
  CUDA(cudaMemset(out.p, 0, out.n * 4));
  for (Entry& e : ENTRIES) {
    int rows = e.n;
    prepare(e);
    printf("clusters of %d, %d stages, %d blocks\n", e.cluster, e.stages, e.blocks);
    StreamCall base = {};
    base.partial = partial.p, base.counters = counters.p, base.rows = rows, base.linear = 1;
    auto at = [&](int l, size_t offset) { return pool.p + l * layer + offset; };
    auto qkv = [&](int l) {
      StreamCall call = base;
      call.parts[0] = {at(l, 0), nullptr, q.p, (int)D, (int)D};
      call.parts[1] = {at(l, 2 * D * D), nullptr, k.p, (int)KV, (int)KV};
      call.parts[2] = {at(l, 2 * D * (D + KV)), nullptr, v.p, (int)KV, (int)KV};
      call.rowBytes = 2 * D, call.columns = D, call.x = image.p;
      multiply(e, call);
    };
    auto o = [&](int l) {
      StreamCall call = base;
      call.parts[0] = {at(l, 2 * D * (D + 2 * KV)), nullptr, out.p, (int)D, (int)D};
      call.rowBytes = 2 * D, call.columns = D, call.x = image.p;
      multiply(e, call);
    };
    auto gateUp = [&](int l) {
      StreamCall call = base;
      size_t from = 2 * D * (D + 2 * KV) + 2 * D * D;
      call.parts[0] = {at(l, from), nullptr, nullptr, (int)F, (int)F};
      call.parts[1] = {at(l, from + 2 * D * F), nullptr, nullptr, (int)F, (int)F};
      call.rowBytes = 2 * D, call.columns = D, call.x = image.p, call.image = image2.p, call.gates = 1;
      multiply(e, call);
    };
    auto down = [&](int l) {
      StreamCall call = base;
      call.parts[0] = {at(l, 2 * D * (D + 2 * KV) + 2 * D * D + 4 * D * F), nullptr, out.p, (int)D, (int)D};
      call.rowBytes = 2 * F, call.columns = F, call.x = image2.p;
      multiply(e, call);
    };
    auto head = [&] {
      StreamCall call = base;
      call.parts[0] = {at(0, 0), nullptr, logits.p, (int)V, (int)V};
      call.rowBytes = 2 * D, call.columns = D, call.x = image.p;
      multiply(e, call);
    };
    auto normalize = [&] { launch(e.norm, dim3(rows), 512, 0, x.p, out.p, 1e-6f, norm.p, 1e-5f, (int)D, normed.p, image.p); };
    normalize();
    auto report = [&](const char* name, double s, size_t bytes) {
      double flops = (double)bytes * rows;
      printf("rows %3d %-10s %7.1f us, %5.0f GB/s of weights %3.0f%% of copy, %4.0f TFLOP/s\n", rows, name, s * 1e6, bytes / s * 1e-9, 100 * bytes / s / copy, flops / s * 1e-12);
    };
    auto each = [&](const char* name, size_t bytes, const std::function<void(int)>& one) {
      report(name, timed([&] { for (int l = 0; l < LAYERS; l++) one(l); }) / LAYERS, bytes);
    };
    int best[4] = {}, number = 0;
    auto vary = [&](const char* name, size_t bytes, int tiles, const std::function<void(int)>& one) {
      double least = 1;
      printf("rows %3d %-10s", rows, name);
      for (splits = 0; splits <= 7; splits = splits == 4 ? 7 : splits + 1) {
        if (splits > 1 && tiles * splits > 132) continue;
        if (splits == 3 || (splits == 7 && std::string(name) != "down")) continue;
        double s = timed([&] { for (int l = 0; l < LAYERS; l++) one(l); }) / LAYERS;
        printf("  %d: %.1f us %.0f%%", splits, s * 1e6, 100 * bytes / s / copy);
        if (s < least) least = s, best[number] = splits;
      }
      printf("\n");
      number++;
    };
    vary("qkv", 2 * D * (D + 2 * KV), 48, qkv);
    vary("o", 2 * D * D, 32, o);
    vary("gate, up", 4 * D * F, 224, gateUp);
    vary("down", 2 * D * F, 32, down);
    splits = 0;
    report("head", timed(head), 2 * D * V);
    each("layer", layer, [&](int l) {
      normalize();
      splits = best[0];
      qkv(l);
      launch(e.image, dim3(rows), 256, 0, attended.p, (int)D, (int)D, image.p);
      splits = best[1];
      o(l);
      normalize();
      splits = best[2];
      gateUp(l);
      splits = best[3];
      down(l);
    });
  }
}

int main(int argc, char** argv) {
  std::string what = argc > 1 ? argv[1] : "all";
  CUDA(cudaStreamCreate(&stream));
  if (what != "time") checks();
  if (what != "check") timing();
  printf("%d failures\n", failures);
  return failures > 0;
}
