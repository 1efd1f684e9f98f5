// Checks decode attention against a scalar twin in double, then times it.
//   attention_decode_test check | time | all
#include "attention_decode_list.h"

extern "C" __global__ void attend_merge(const float*, const float2*, const int*, const float*,
                                        void*, int, int);

struct Case {
  int heads, kvHeads, S;
  std::vector<int> lengths;
  std::vector<int> starts;
  int itemTokens;
  float softcap;
  bool slopes, centre, sinks;
};

static int failures = 0;

static std::vector<kvasir::Item> items(const Case& c, int blocksPerRow, std::vector<int>& first) {
  std::vector<kvasir::Item> list;
  first.assign(1, 0);
  for (int r = 0; r < (int)c.lengths.size(); r++) {
    for (int at = c.starts[r]; at < c.lengths[r];) {
      int end = std::min((at + c.itemTokens) / 64 * 64, c.lengths[r]);
      if (end <= at) end = c.lengths[r];
      list.push_back({r, r * blocksPerRow, at, end, (int)list.size(), 0, 0, 0});
      at = end;
    }
    first.push_back((int)list.size());
  }
  return list;
}

static void check(const DecodeEntry& e, const Case& c, uint64_t seed) {
  using namespace twin;
  Random random(seed);
  int D = e.dim, rows = c.lengths.size(), group = c.heads / c.kvHeads;
  int most = *std::max_element(c.lengths.begin(), c.lengths.end());
  int perRow = (most + c.S - 1) / c.S, blocks = perRow * rows + 1;
  long keyBytes = aligned(planeBytes(e.keys, c.S, D)), valueBytes = aligned(planeBytes(e.values, c.S, D));
  long headBytes = keyBytes + valueBytes, offset = 192, blockBytes = offset + headBytes * c.kvHeads + 64;
  std::vector<uint8_t> pool(blocks * blockBytes, e.keys <= F16 ? 0xff : 0);
  std::vector<int> table(perRow * rows), order(blocks - 1);
  for (int i = 0; i < blocks - 1; i++) order[i] = i + 1;
  for (int i = blocks - 2; i > 0; i--) std::swap(order[i], order[random.below(i + 1)]);
  for (int i = 0; i < perRow * rows; i++) table[i] = order[i];
  std::vector<float> x(D), q(rows * c.heads * D), centre(rows * c.heads), slopes(c.heads), sinks(c.heads);
  for (int r = 0; r < rows; r++) {
    for (int p = 0; p < c.lengths[r]; p++) {
      for (int h = 0; h < c.kvHeads; h++) {
        uint8_t* key = pool.data() + table[r * perRow + p / c.S] * blockBytes + offset + h * headBytes;
        for (float& v : x) v = random.normal();
        encode(e.keys, x.data(), key, c.S, D, true, p % c.S);
        for (float& v : x) v = random.normal() * 0.3f;
        encode(e.values, x.data(), key + keyBytes, c.S, D, false, p % c.S);
      }
    }
  }
  for (float& v : q) v = random.normal() * 2;
  for (float& v : centre) v = random.normal();
  for (float& v : slopes) v = random.uniform() * 0.1f;
  for (float& v : sinks) v = random.normal();
  float scale = 1 / sqrtf(D);
  std::vector<double> want(rows * c.heads * D);
  for (int r = 0; r < rows; r++) {
    for (int h = 0; h < c.heads; h++) {
      std::vector<double> s(c.lengths[r]);
      double max = c.sinks ? sinks[h] : -1e300, sum = 0;
      const float* query = q.data() + (r * c.heads + h) * D;
      for (int p = c.starts[r]; p < c.lengths[r]; p++) {
        const uint8_t* key = pool.data() + table[r * perRow + p / c.S] * blockBytes + offset + h / group * headBytes;
        decode(e.keys, key, c.S, D, true, p % c.S, x.data());
        double dot = c.centre ? centre[r * c.heads + h] : 0;
        for (int i = 0; i < D; i++) dot += (double)x[i] * query[i];
        dot *= scale;
        if (c.softcap > 0) dot = c.softcap * tanh(dot / c.softcap);
        if (c.slopes) dot += (double)slopes[h] * (p - (c.lengths[r] - 1));
        s[p] = dot;
        max = std::max(max, dot);
      }
      if (c.sinks) sum = exp(sinks[h] - max);
      double* out = want.data() + (r * c.heads + h) * D;
      for (int p = c.starts[r]; p < c.lengths[r]; p++) {
        const uint8_t* key = pool.data() + table[r * perRow + p / c.S] * blockBytes + offset + h / group * headBytes;
        decode(e.values, key + keyBytes, c.S, D, false, p % c.S, x.data());
        double w = exp(s[p] - max);
        sum += w;
        for (int i = 0; i < D; i++) out[i] += w * x[i];
      }
      for (int i = 0; i < D; i++) out[i] /= sum;
    }
  }
  std::vector<int> first, positions(rows);
  for (int r = 0; r < rows; r++) positions[r] = c.lengths[r] - 1;
  std::vector<kvasir::Item> list = items(c, perRow, first);
  int slots = list.size();
  Device<uint8_t> dPool(pool);
  Device<int> dTable(table), dFirst(first), dCount(std::vector<int>{slots}), dPositions(positions);
  Device<kvasir::Item> dItems(list);
  Device<float> dQ(q), dCentre(centre), dSlopes(slopes), dSinks(sinks), dAcc((size_t)slots * c.heads * D), dOut(q.size());
  Device<float2> dMl((size_t)slots * c.heads);
  CUDA(cudaMemset(dAcc.p, 0xff, dAcc.n * 4));
  CUDA(cudaMemset(dOut.p, 0xff, dOut.n * 4));
  CUDA(cudaFuncSetAttribute(e.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, e.shared));
  e.kernel<<<dim3(c.kvHeads * ((group + 7) / 8), slots + 3), 128, e.shared>>>(
      dQ.p, c.centre ? dCentre.p : nullptr, c.slopes ? dSlopes.p : nullptr, dPositions.p, dPool.p,
      blockBytes, offset, headBytes, keyBytes, dTable.p, dItems.p, dCount.p, dAcc.p, dMl.p, scale,
      c.softcap, c.S / 16, c.heads, c.kvHeads);
  CUDA(cudaGetLastError());
  attend_merge<<<dim3(c.heads, rows), D>>>(dAcc.p, dMl.p, dFirst.p, c.sinks ? dSinks.p : nullptr, dOut.p, 0, 0);
  CUDA(cudaGetLastError());
  CUDA(cudaDeviceSynchronize());
  double error = relativeError(dOut.get(), want);
  double bound = e.keys <= F16 ? 2e-5 : 1e-3;
  bool good = error < bound;
  failures += !good;
  if (!good || seed % 7 == 0) {
    printf("%s %-10s D=%d H=%d/%d S=%d item=%d: error %.2e\n", good ? "ok    " : "FAILED", e.name, D,
           c.heads, c.kvHeads, c.S, c.itemTokens, error);
  }
}

static void checks(bool few) {
  uint64_t seed = 0;
  for (const DecodeEntry& e : decodeEntries()) {
    Case a{32, 8, 64, {1, 15, 16, 17, 33, 64, 65, 700}, {0, 0, 0, 0, 0, 0, 0, 0}, 256, 0, false, true, false};
    Case b{7, 1, 16, {5, 130, 400}, {2, 77, 255}, 128, 30, false, false, true};
    Case c{12, 1, 128, {129, 500}, {0, 100}, 4096, 0, true, true, false};
    Case d{6, 6, 48, {97, 31}, {0, 30}, 64, 0, false, false, false};
    check(e, a, seed++);
    if (few) continue;
    check(e, b, seed++);
    check(e, c, seed++);
    check(e, d, seed++);
  }
  printf("decode attention: %d failures of %d checks\n", failures, (int)seed);
}

static __global__ void fill(uint32_t* p, size_t n, int format) {
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x) {
    uint64_t z = i * 0x9E3779B97F4A7C15ull + 77;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    uint32_t x = (uint32_t)(z ^ (z >> 31)) ^ (uint32_t)(z >> 32);
    // 16 bits: numbers of 1/4 to 2; codes: random bytes that are harmless as halves too.
    if (format == 0) x = (x & 0x80ff80ffu) | 0x3f003f00u;
    if (format == 1) x = (x & 0x87ff87ffu) | 0x38003800u;
    if (format > 1) x = x & 0xbfffbfffu & 0xb7ffb7ffu;
    p[i] = x;
  }
}

static void timing(const char* only) {
  double copy = copyBandwidth();
  printf("copy kernel: %.0f GB/s\n", copy * 1e-9);
  struct Load {
    int batch, length;
    std::vector<int> items;
  };
  std::vector<Load> loads = {{64, 8192, {1024, 2048, 4096, 8192}}, {1, 32768, {512, 1024}}};
  for (const DecodeEntry& e : decodeEntries()) {
    if (e.dim != 128 && !(e.dim == 64 && e.keys == twin::BF16)) continue;
    if (only != nullptr && strcmp(only, e.name) != 0) continue;
    for (const Load& load : loads) {
      int S = 64, H = 32, G = 8, D = e.dim, perRow = load.length / S;
      long keyBytes = twin::aligned(twin::planeBytes(e.keys, S, D)), valueBytes = twin::aligned(twin::planeBytes(e.values, S, D));
      long headBytes = keyBytes + valueBytes, blockBytes = headBytes * G;
      size_t blocks = (size_t)perRow * load.batch;
      double bytes = (double)blocks * blockBytes;
      int copies = load.batch == 1 ? 4 : 1;  // so that the cache does not hold them
      Device<uint8_t> pool(blocks * blockBytes * copies);
      fill<<<132 * 8, 256>>>((uint32_t*)pool.p, pool.n / 4, e.keys);
      std::vector<int> table(blocks * copies);
      for (size_t i = 0; i < table.size(); i++) table[i] = i;
      twin::Random random(3);
      for (int i = (int)table.size() - 1; i > 0; i--) std::swap(table[i], table[random.below(i + 1)]);
      Device<int> dTable(table);
      std::vector<float> q(load.batch * H * D);
      for (float& v : q) v = random.normal();
      Device<float> dQ(q), dOut(q.size());
      CUDA(cudaFuncSetAttribute(e.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, e.shared));
      int resident = 0;
      CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, e.kernel, 128, e.shared));
      for (int itemTokens : load.items) {
        Case c{H, G, S, std::vector<int>(load.batch, load.length), std::vector<int>(load.batch, 0), itemTokens, 0, false, false, false};
        std::vector<int> first;
        std::vector<kvasir::Item> list = items(c, perRow, first);
        Device<kvasir::Item> dItems(list);
        Device<int> dFirst(first), dCount(std::vector<int>{(int)list.size()});
        Device<float> dAcc(list.size() * H * D);
        Device<float2> dMl(list.size() * H);
        int turn = 0;
        double s = seconds([&] {
          const int* t = dTable.p + blocks * (turn++ % copies);
          e.kernel<<<dim3(G, list.size()), 128, e.shared>>>(
              dQ.p, nullptr, nullptr, nullptr, pool.p, blockBytes, 0, headBytes, keyBytes, t, dItems.p, dCount.p,
              dAcc.p, dMl.p, 0.088f, 0, S / 16, H, G);
        });
        double m = seconds([&] { attend_merge<<<dim3(H, load.batch), D>>>(dAcc.p, dMl.p, dFirst.p, nullptr, dOut.p, 0, 0); });
        printf("%-10s D=%d %2dx%-5d item %5d (%d CTA/SM, %4zu): %8.1f us %5.0f GB/s %3.0f%% of copy, merge %.1f us, together %3.0f%%\n", e.name, D,
               load.batch, load.length, itemTokens, resident, list.size() * G, s * 1e6, bytes / s * 1e-9,
               100 * bytes / s / copy, m * 1e6, 100 * bytes / (s + m) / copy);
      }
    }
  }
}

std::vector<DecodeEntry>& decodeEntries() {
  static std::vector<DecodeEntry> list;
  return list;
}

int main(int argc, char** argv) {
  std::string what = argc > 1 ? argv[1] : "all";
  if (what == "few") checks(true);
  if (what == "check" || what == "all") checks(false);
  if (what == "time" || what == "all") timing(argc > 2 ? argv[2] : nullptr);
  return failures > 0;
}
