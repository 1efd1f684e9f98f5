// Checks prefill attention against a scalar twin in double, then times it.
//   attention_prefill_test check | time PEAK_TFLOPS | all
#include "harness.h"

#include "../../main/cuda/attention_merge.cu"
#include "../../main/cuda/attention_prefill.cu"

typedef void (*Prefill)(const kvasir::PrefillCall);

struct Entry {
  const char* name;
  twin::Format format;
  int dim;
  Prefill kernel;
  int shared;
};

static const Entry ENTRIES[] = {
    {"bf16", twin::BF16, 64, attend_prefill_bf16_64, kvasir::PrefillShared<64>::BYTES},
    {"bf16", twin::BF16, 128, attend_prefill_bf16_128, kvasir::PrefillShared<128>::BYTES},
    {"f16", twin::F16, 64, attend_prefill_f16_64, kvasir::PrefillShared<64>::BYTES},
    {"f16", twin::F16, 128, attend_prefill_f16_128, kvasir::PrefillShared<128>::BYTES},
};

struct Case {
  int heads, kvHeads, S;
  std::vector<int> starts, counts;  // of each sequence
  int window;
  float softcap;
  bool centre, sinks;
  int tail;  // -1: one pass; else codes and an exact tail, here from the same blocks
};

static int failures = 0;

static std::vector<kvasir::PrefillItem> items(const Case& c, int perRow) {
  std::vector<kvasir::PrefillItem> list;
  int row = 0;
  for (size_t s = 0; s < c.starts.size(); s++) {
    for (int at = 0; at < c.counts[s];) {
      // Items end on the grid of 64, where exact rows begin.
      int position = c.starts[s] + at;
      int count = std::min(c.counts[s] - at, 128 - position % 64);
      list.push_back({row + at, count, position, (int)s * perRow, (int)s * perRow, 0, 0, 0});
      at += count;
    }
    row += c.counts[s];
  }
  std::stable_sort(list.begin(), list.end(), [](const kvasir::PrefillItem& a, const kvasir::PrefillItem& b) { return a.position > b.position; });
  return list;
}

static void check(const Entry& e, const Case& c, uint64_t seed) {
  using namespace twin;
  Random random(seed);
  int D = e.dim, sequences = c.starts.size(), group = c.heads / c.kvHeads, rows = 0, most = 0;
  for (int s = 0; s < sequences; s++) {
    rows += c.counts[s];
    most = std::max(most, c.starts[s] + c.counts[s]);
  }
  int perRow = (most + c.S - 1) / c.S, blocks = perRow * sequences;
  long keyBytes = aligned(planeBytes(e.format, c.S, D)), headBytes = 2 * keyBytes, offset = 128;
  long blockBytes = offset + headBytes * c.kvHeads;
  std::vector<uint8_t> pool(blocks * blockBytes, 0xff);
  std::vector<int> table(blocks);
  for (int i = 0; i < blocks; i++) table[i] = i;
  for (int i = blocks - 1; i > 0; i--) std::swap(table[i], table[random.below(i + 1)]);
  std::vector<float> x(D), q((size_t)rows * c.heads * D), centre(rows * c.heads), sinks(c.heads);
  std::vector<float> keys((size_t)sequences * most * c.kvHeads * D), values(keys.size());
  for (int s = 0; s < sequences; s++) {
    for (int p = 0; p < c.starts[s] + c.counts[s]; p++) {
      for (int h = 0; h < c.kvHeads; h++) {
        uint8_t* key = pool.data() + table[s * perRow + p / c.S] * blockBytes + offset + h * headBytes;
        size_t at = (((size_t)s * most + p) * c.kvHeads + h) * D;
        for (float& v : x) v = random.normal();
        encode(e.format, x.data(), key, c.S, D, true, p % c.S);
        decode(e.format, key, c.S, D, true, p % c.S, &keys[at]);
        for (float& v : x) v = random.normal();
        encode(e.format, x.data(), key + keyBytes, c.S, D, false, p % c.S);
        decode(e.format, key + keyBytes, c.S, D, false, p % c.S, &values[at]);
      }
    }
  }
  for (float& v : q) v = fromBf16(toBf16(random.normal() * 2));
  for (float& v : centre) v = random.normal();
  for (float& v : sinks) v = random.normal();
  float scale = 1 / sqrtf(D);
  std::vector<double> want((size_t)rows * c.heads * D);
  int row = 0;
  for (int s = 0; s < sequences; s++) {
    for (int i = 0; i < c.counts[s]; i++, row++) {
      int position = c.starts[s] + i, from = c.window > 0 ? std::max(0, position + 1 - c.window) : 0;
      for (int h = 0; h < c.heads; h++) {
        std::vector<double> score(position + 1);
        const float* query = &q[((size_t)row * c.heads + h) * D];
        double max = c.sinks ? sinks[h] : -1e300, sum = 0;
        for (int p = from; p <= position; p++) {
          const float* k = &keys[(((size_t)s * most + p) * c.kvHeads + h / group) * D];
          double dot = c.centre ? centre[row * c.heads + h] : 0;
          for (int d = 0; d < D; d++) dot += (double)query[d] * k[d];
          dot *= scale;
          score[p] = c.softcap > 0 ? c.softcap * tanh(dot / c.softcap) : dot;
          max = std::max(max, score[p]);
        }
        if (c.sinks) sum = exp(sinks[h] - max);
        double* out = &want[((size_t)row * c.heads + h) * D];
        for (int p = from; p <= position; p++) {
          const float* v = &values[(((size_t)s * most + p) * c.kvHeads + h / group) * D];
          double w = exp(score[p] - max);
          sum += w;
          for (int d = 0; d < D; d++) out[d] += w * v[d];
        }
        for (int d = 0; d < D; d++) out[d] /= sum;
      }
    }
  }
  std::vector<kvasir::PrefillItem> list = items(c, perRow);
  Device<uint8_t> dPool(pool);
  Device<int> dTable(table), dCount(std::vector<int>{(int)list.size()});
  Device<kvasir::PrefillItem> dItems(list);
  int passes = c.tail >= 0 ? 2 : 1;
  Device<float> dQ(q), dCentre(centre), dSinks(sinks), dOut(q.size()), dAcc(q.size() * passes);
  Device<float2> dMl(rows * c.heads * passes);
  std::vector<int> first(rows + 1);
  for (int r = 0; r <= rows; r++) first[r] = r * passes;
  Device<int> dFirst(first);
  CUDA(cudaMemset(dOut.p, 0xff, dOut.n * 4));
  CUDA(cudaMemset(dAcc.p, 0xff, dAcc.n * 4));
  CUDA(cudaFuncSetAttribute(e.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, e.shared));
  for (int pass = 0; pass < passes; pass++) {
    kvasir::PrefillCall call{dQ.p, c.centre ? dCentre.p : nullptr, c.sinks ? dSinks.p : nullptr, dPool.p, blockBytes, offset, headBytes, keyBytes,
                             dTable.p, dItems.p, dCount.p, dFirst.p, passes == 1 ? dOut.p : dAcc.p, passes == 1 ? nullptr : dMl.p, scale, c.softcap, c.S / 16,
                             c.heads, c.kvHeads, c.window, passes == 1 ? 0 : pass + 1, passes == 1 ? -1 : c.tail, 0, pass};
    e.kernel<<<dim3(c.heads, list.size() + 2), 384, e.shared>>>(call);
    CUDA(cudaGetLastError());
  }
  if (passes == 2) {
    attend_merge<<<dim3(c.heads, rows), D>>>(dAcc.p, dMl.p, dFirst.p, c.sinks ? dSinks.p : nullptr, dOut.p, 0, 0);
    CUDA(cudaGetLastError());
  }
  CUDA(cudaDeviceSynchronize());
  double error = relativeError(dOut.get(), want);
  bool good = error < (e.format == BF16 ? 4e-3 : 6e-4);
  failures += !good;
  printf("%s prefill %s D=%d H=%d/%d S=%d window %d tail %d: error %.2e\n", good ? "ok    " : "FAILED", e.name, D, c.heads, c.kvHeads, c.S, c.window, c.tail, error);
}

static void checks() {
  uint64_t seed = 40;
  for (const Entry& e : ENTRIES) {
    check(e, {4, 2, 64, {0, 0, 0}, {1, 130, 300}, 0, 0, false, false, -1}, seed++);
    check(e, {4, 1, 16, {37, 200, 128}, {64, 129, 17}, 0, 20, true, true, -1}, seed++);
    check(e, {2, 2, 128, {10, 0, 333}, {200, 500, 3}, 100, 0, true, true, -1}, seed++);
    check(e, {2, 1, 48, {64, 0, 333}, {100, 400, 128}, 0, 0, true, true, 64}, seed++);
    check(e, {2, 1, 64, {0, 320}, {200, 90}, 0, 0, true, false, 0}, seed++);
  }
}

static __global__ void fill(uint32_t* p, size_t n, int bfloat) {
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x) {
    uint64_t z = i * 0x9E3779B97F4A7C15ull + 77;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    uint32_t x = (uint32_t)(z ^ (z >> 31)) ^ (uint32_t)(z >> 32);
    p[i] = bfloat ? (x & 0x80ff80ffu) | 0x3f003f00u : (x & 0x87ff87ffu) | 0x38003800u;
  }
}

static void timing(double peak) {
  printf("matrix peak given: %.0f TFLOP/s\n", peak);
  for (const Entry& e : ENTRIES) {
    const int loads[][3] = {{1, 0, 8192}, {1, 0, 2048}, {8, 0, 1024}, {1, 6144, 2048}, {1, 0, 32768}};
    for (auto& load : loads) {
      int H = 32, G = 8, S = 64, D = e.dim, length = load[1] + load[2], perRow = length / S;
      Case c{H, G, S, std::vector<int>(load[0], load[1]), std::vector<int>(load[0], load[2]), 0, 0, false, false, -1};
      long keyBytes = twin::planeBytes(e.format, S, D), headBytes = 2 * keyBytes, blockBytes = headBytes * G;
      Device<uint8_t> pool((size_t)perRow * load[0] * blockBytes);
      fill<<<1056, 256>>>((uint32_t*)pool.p, pool.n / 4, e.format == twin::BF16);
      std::vector<int> table(perRow * load[0]);
      for (size_t i = 0; i < table.size(); i++) table[i] = i;
      twin::Random random(3);
      for (int i = (int)table.size() - 1; i > 0; i--) std::swap(table[i], table[random.below(i + 1)]);
      std::vector<kvasir::PrefillItem> list = items(c, perRow);
      size_t rows = (size_t)load[0] * load[2];
      std::vector<float> q(rows * H * D);
      for (float& v : q) v = random.normal();
      Device<float> dQ(q), dOut(q.size());
      Device<int> dTable(table), dCount(std::vector<int>{(int)list.size()});
      Device<kvasir::PrefillItem> dItems(list);
      CUDA(cudaFuncSetAttribute(e.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, e.shared));
      kvasir::PrefillCall call{dQ.p, nullptr, nullptr, pool.p, blockBytes, 0, headBytes, keyBytes, dTable.p, dItems.p, dCount.p, nullptr, dOut.p, nullptr, 0.088f, 0, S / 16, H, G, 0, 0, -1, 0, 0};
      double s = seconds([&] { e.kernel<<<dim3(H, list.size()), 384, e.shared>>>(call); }, 9);
      double pairs = 0;
      for (int i = 0; i < load[2]; i++) pairs += load[1] + i + 1;
      double flops = 4.0 * D * H * pairs * load[0];
      printf("prefill %-5s D=%-3d %dx(%d behind %d): %8.1f us %5.0f TFLOP/s %3.0f%% of peak\n", e.name, D, load[0], load[2], load[1], s * 1e6, flops / s * 1e-12, 100 * flops / s * 1e-12 / peak);
    }
  }
}

int main(int argc, char** argv) {
  std::string what = argc > 1 ? argv[1] : "all";
  if (what != "time") checks();
  if (what != "check") timing(argc > 2 ? atof(argv[2]) : 798);
  return failures > 0;
}
