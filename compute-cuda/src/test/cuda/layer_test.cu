// Times layers of decoding rows as a step has them: products, attention, norms, one after the other in
// a graph, shape of Llama 3.1 8B, distinct weights and caches; see Variant for what is varied.
//   layer_test ROWS:CONTEXT:RUN...
#include "attention_decode_list.h"

#include "../../main/cuda/gemm_stream.cu"
#include "../../main/cuda/gemv.cu"
#include "../../main/cuda/kv.cuh"
#include "tensor_maps.h"

extern "C" __global__ void attend_merge(const float*, const float2*, const int*, const float*, void*, int, int);
extern "C" __global__ void kv_prepare(const __grid_constant__ KvView kv, float* q, const float* k, const float* v, float* out, float* centre, const float* frequencies, float magnitude, int interleaved, int skipCodes);

std::vector<DecodeEntry>& decodeEntries() {
  static std::vector<DecodeEntry> list;
  return list;
}

namespace layers {

using kvasir::LinearCall, kvasir::StreamCall;

static cudaStream_t stream;

/// `carve`: percent of shared memory that the kernel prefers its multiprocessors to have, -1 as it comes.
template <class... A, class... B>
static void launch(bool early, int carve, void (*kernel)(A...), dim3 grid, int threads, int shared, B... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  cudaLaunchAttribute attributes[2];
  config.attrs = attributes;
  if (early) {
    attributes[config.numAttrs].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[config.numAttrs++].val.programmaticStreamSerializationAllowed = 1;
  }
  if (carve >= 0) {
    attributes[config.numAttrs].id = cudaLaunchAttributePreferredSharedMemoryCarveout;
    attributes[config.numAttrs++].val.sharedMemCarveout = carve;
  }
  CUDA(cudaLaunchKernelEx(&config, kernel, (A)arguments...));
}

static __global__ void fill(uint32_t* p, size_t n) {
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x) {
    uint64_t z = i * 0x9E3779B97F4A7C15ull + 77;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    uint32_t x = (uint32_t)(z ^ (z >> 31)) ^ (uint32_t)(z >> 32);
    p[i] = (x & 0x807f807fu) | 0x3c003c00u;
  }
}

constexpr int LAYERS = 8;
constexpr int D = 4096, KV = 1024, F = 14336, H = 32, G = 8, S = 64;

/// What is tried: what starts early (1 kv_prepare, 2 decode, 4 merge), percent of shared memory that
/// decoding, products of few rows and other kernels prefer.
struct Variant {
  int early;
  int decode, few, others;
};

template <int N, int PARTS, int STAGES>
static int sharedOf() { return kvasir::StreamShared<N, PARTS, STAGES>::BYTES; }

struct Streams {
  int n, parts, cluster, shared;
  void (*kernel)(const StreamCall);
  void (*image)(const float*, int, int, unsigned char*);
  void (*norm)(float*, const float*, float, const float*, float, int, float*, unsigned char*);
};

#define ENTRY(N, PARTS, STAGES, CLUSTER) {N, PARTS, CLUSTER, sharedOf<N, PARTS, STAGES>(), gemm_stream_##N, gemm_stream_image_##N, gemm_stream_norm_##N}

static void time(int rows, int context, int run) {
  const Streams entries[] = {ENTRY(16, 2, 9, 1), ENTRY(32, 2, 8, 1), ENTRY(64, 2, 6, 1), ENTRY(128, 1, 6, 2), ENTRY(256, 1, 4, 2)};
  int size = 0;
  while (entries[size].n < rows) size++;
  const Streams& e = entries[size];
  CUDA(cudaFuncSetAttribute(e.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, e.shared));
  const DecodeEntry* decode = nullptr;
  for (const DecodeEntry& of : decodeEntries()) if (of.keys == twin::BF16 && of.dim == 128) decode = &of;
  CUDA(cudaFuncSetAttribute(decode->kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, decode->shared));
  const size_t layer = 2 * ((size_t)D * (D + 2 * KV) + (size_t)D * D + 3 * (size_t)D * F);
  Device<unsigned char> weights(LAYERS * layer);
  fill<<<1056, 256>>>((uint32_t*)weights.p, weights.n / 4);
  int perRow = (context + S) / S;
  long headBytes = 2l * 2 * S * 128, blockBytes = headBytes * G * LAYERS;
  Device<unsigned char> pool((size_t)rows * perRow * blockBytes);
  fill<<<1056, 256>>>((uint32_t*)pool.p, pool.n / 4);
  std::vector<int> tables(rows * perRow), starts, positions(rows, context - 1), sequences, first;
  twin::Random random(4);
  for (int i = 0; i < rows * perRow; i++) tables[i] = i;
  for (int i = rows * perRow - 1; i > 0; i--) std::swap(tables[i], tables[random.below(i + 1)]);
  std::vector<kvasir::Item> items;
  for (int r = 0; r < rows; r++) {
    starts.push_back(r * perRow), sequences.push_back(r), first.push_back(items.size());
    for (int from = 0; from < context; from += run) items.push_back({r, r * perRow, from, std::min(from + run, context), (int)items.size(), 0, 0, 0});
  }
  first.push_back(items.size());
  int slots = items.size();
  Device<int> dTables(tables), dStarts(starts), dPositions(positions), dSequences(sequences), dFirst(first), dCount(std::vector<int>{slots}), counters(8192);
  CUDA(cudaMemset(counters.p, 0, counters.n * 4));
  Device<kvasir::Item> dItems(items);
  Device<float> x((size_t)rows * D), normed((size_t)rows * D), q((size_t)rows * D), k((size_t)rows * KV), v((size_t)rows * KV), attended((size_t)rows * D), inner((size_t)rows * F), out((size_t)rows * D), norm(D), acc((size_t)slots * D), frequencies(64), partial((size_t)132 * 2 * 128 * 256);
  Device<float2> ml((size_t)slots * H);
  Device<unsigned char> image(256 * D * 4), image2(256 * F * 4);
  fill<<<132, 256>>>((uint32_t*)x.p, x.n);
  fill<<<132, 256>>>((uint32_t*)norm.p, norm.n);
  fill<<<1, 64>>>((uint32_t*)frequencies.p, 64);
  CUDA(cudaMemset(out.p, 0, out.n * 4));
  CUDA(cudaDeviceSynchronize());
  bool few = rows <= 8;
  auto at = [&](int l, size_t offset) { return (const unsigned char*)weights.p + l % LAYERS * layer + offset; };
  const size_t O = 2ull * D * (D + 2 * KV), GATE = O + 2ull * D * D, UP = GATE + 2ull * D * F, DOWN = UP + 2ull * D * F;

  auto step = [&](const Variant& variant, bool attention) {
    for (int l = 0; l < LAYERS; l++) {
      auto multiply = [&](LinearCall call, bool norms, bool adds) {
        int blocks = 0;
        for (auto& part : call.parts) blocks += (part.outputs + 31) / 32;
        call.rows = rows, call.xStride = call.columns, call.rowBytes = 2 * call.columns;
        if (call.activation >= 0) blocks = (F + 15) / 16;
        call.norm = norms ? norm.p : nullptr, call.epsilon = 1e-5f;
        call.sums = adds ? x.p : nullptr, call.sumStride = D, call.factor = 1e-6f;
        launch(true, variant.few, gemv_bf16, dim3(blocks), 256, 0, call);
      };
      auto streams = [&](StreamCall call, int splits) {
        int tiles = 0;
        for (auto& part : call.parts) tiles += (part.outputs + 127) / 128;
        if (call.gates) tiles = F / 64;
        call.tiles = tiles, call.splits = splits, call.rowBytes = 2 * call.columns, call.rows = rows;
        call.partial = partial.p, call.counters = counters.p, call.linear = 1;
        encodeMaps(call);
        launch(true, -1, e.kernel, dim3(132), 288, e.shared, call);
      };
      auto normalize = [&] { launch(true, variant.others, e.norm, dim3(rows), 512, 0, x.p, out.p, 1e-6f, norm.p, 1e-5f, D, normed.p, image.p); };
      if (few) {
        LinearCall call = {};
        call.parts[0] = {at(l, 0), nullptr, q.p, D, D}, call.parts[1] = {at(l, 2ull * D * D), nullptr, k.p, KV, KV}, call.parts[2] = {at(l, 2ull * D * (D + KV)), nullptr, v.p, KV, KV};
        call.columns = D, call.x = x.p, call.activation = -1;
        multiply(call, true, false);
      } else {
        StreamCall call = {};
        normalize();
        call.parts[0] = {at(l, 0), nullptr, q.p, D, D}, call.parts[1] = {at(l, 2ull * D * D), nullptr, k.p, KV, KV}, call.parts[2] = {at(l, 2ull * D * (D + KV)), nullptr, v.p, KV, KV};
        call.columns = D, call.x = image.p;
        streams(call, 2);
      }
      if (attention) {
        PlaneView keys = {KV_BF16, 16, 128, 1, 0, (long long)l * G * headBytes, headBytes}, values = {KV_BF16, 16, 128, 0, 1, (long long)l * G * headBytes + headBytes / 2, headBytes};
        KvView kv = {pool.p, blockBytes, S, dPositions.p, dSequences.p, rows, H, G, 128, 128, 0, 0, nullptr, {dTables.p, dStarts.p, keys, values, 1, 1 << 30}, {}, {}};
        launch(variant.early & 1, variant.others, kv_prepare, dim3((rows * (H + 2 * G) + 3) / 4), 128, 0, kv, q.p, k.p, v.p, nullptr, nullptr, frequencies.p, 1.0f, 0, 0);
        launch(variant.early >> 1 & 1, variant.decode, decode->kernel, dim3(G, slots + 3 * rows), 128, decode->shared, q.p, nullptr, nullptr, dPositions.p, pool.p, blockBytes, (long long)l * G * headBytes, headBytes, headBytes / 2, dTables.p, dItems.p, dCount.p, acc.p, ml.p,
               0.088f, 0.0f, S / 16, H, G);
        launch(variant.early >> 2 & 1, variant.others, attend_merge, dim3(H, rows), 128, 0, acc.p, ml.p, dFirst.p, nullptr, attended.p, 0, 0);
      }
      if (few) {
        LinearCall o = {}, gates = {}, down = {};
        o.parts[0] = {at(l, O), nullptr, out.p, D, D}, o.columns = D, o.x = attended.p, o.activation = -1;
        multiply(o, false, true);
        gates.parts[0] = {at(l, GATE), nullptr, inner.p, F, F}, gates.parts[1] = {at(l, UP), nullptr, inner.p, F, F}, gates.columns = D, gates.x = x.p, gates.activation = SILU;
        multiply(gates, true, false);
        down.parts[0] = {at(l, DOWN), nullptr, out.p, D, D}, down.columns = F, down.x = inner.p, down.activation = -1;
        multiply(down, false, true);
      } else {
        StreamCall o = {}, gates = {}, down = {};
        launch(true, variant.others, e.image, dim3(rows), 256, 0, attended.p, D, D, image.p);
        o.parts[0] = {at(l, O), nullptr, out.p, D, D}, o.columns = D, o.x = image.p;
        streams(o, 4);
        normalize();
        gates.parts[0] = {at(l, GATE), nullptr, nullptr, F, F}, gates.parts[1] = {at(l, UP), nullptr, nullptr, F, F}, gates.columns = D, gates.x = image.p, gates.image = image2.p, gates.gates = 1;
        streams(gates, 1);
        down.parts[0] = {at(l, DOWN), nullptr, out.p, D, D}, down.columns = F, down.x = image2.p;
        streams(down, 4);
      }
    }
  };
  const Variant ofFew[] = {{0, -1, -1, -1}, {1, -1, -1, -1}, {7, -1, -1, -1}, {1, 44, 44, 44}, {7, 44, 44, 44}, {7, 44, -1, -1}};
  const Variant ofMany[] = {{0, -1, -1, -1}, {1, -1, -1, -1}, {3, -1, -1, -1}, {7, -1, -1, -1}, {0, 100, -1, 100}, {7, 100, -1, 100}};
  const Variant* variants = few ? ofFew : ofMany;
  for (int i = 0; i < 6; i++) {
    const Variant& variant = variants[i];
    for (int attention = 1; attention >= 0; attention--) {
      if (!attention && i > 0) continue;
      cudaGraph_t graph;
      cudaGraphExec_t exec;
      CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
      step(variant, attention);
      CUDA(cudaStreamEndCapture(stream, &graph));
      CUDA(cudaGraphInstantiate(&exec, graph, 0));
      double s = seconds([&] { CUDA(cudaGraphLaunch(exec, 0)); }, 15) / LAYERS;
      if (attention) printf("rows %3d context %5d runs %4d early %d decode %3d few %3d others %3d: %7.1f us a layer", rows, context, run, variant.early, variant.decode, variant.few, variant.others, s * 1e6);
      else printf(", without attention %7.1f", s * 1e6);
      CUDA(cudaGraphExecDestroy(exec));
      CUDA(cudaGraphDestroy(graph));
    }
    printf("\n");
  }
}

}  // namespace layers

int main(int argc, char** argv) {
  CUDA(cudaStreamCreate(&layers::stream));
  for (int i = 1; i < argc; i++) {
    int rows = 1, context = 1000, run = 512;
    sscanf(argv[i], "%d:%d:%d", &rows, &context, &run);
    layers::time(rows, context, run);
  }
}
