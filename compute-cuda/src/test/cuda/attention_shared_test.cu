// Times decode attention of sequences that begin alike, their beginning read once for all and once
// for each. attention_shared_test time [FORMAT] | small | runs
#include "attention_decode_list.h"
#include "attention_shared_list.h"

extern "C" __global__ void attend_merge(const float*, const float2*, const int*, const float*,
                                        void*, int, int);

std::vector<DecodeEntry>& decodeEntries() {
  static std::vector<DecodeEntry> list;
  return list;
}

std::vector<SharedEntry>& sharedEntries() {
  static std::vector<SharedEntry> list;
  return list;
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

struct Times {
  double alone, cached, shared, own, merge, together;
  double error;  // of the shared way against the other
};

static int runOf(int position) {
  return 256 << (position >= 2048) << (position >= 4096) << (position >= 16384);
}

/// Sequences of `length` positions of which all have the first `common` in the same blocks.
static Times measure(const DecodeEntry& e, int sequences, int length, int common, int& sharedRun, bool alone) {
  int S = 64, H = 32, G = 8, D = e.dim, perRow = (length + S - 1) / S, run = runOf(length - 1);
  const SharedEntry* found = nullptr;
  for (const SharedEntry& s : sharedEntries()) {
    if (s.keys == e.keys && s.values == e.values && s.dim == D) found = &s;
  }
  long keyBytes = twin::aligned(twin::planeBytes(e.keys, S, D)), valueBytes = twin::aligned(twin::planeBytes(e.values, S, D));
  long headBytes = keyBytes + valueBytes, blockBytes = headBytes * G;
  size_t blocks = (size_t)perRow * sequences;
  Device<uint8_t> pool(blocks * blockBytes);
  fill<<<132 * 8, 256>>>((uint32_t*)pool.p, pool.n / 4, e.keys);
  std::vector<int> table(blocks), positions(sequences, length - 1);
  for (size_t i = 0; i < blocks; i++) table[i] = i;
  twin::Random random(3);
  for (int i = (int)blocks - 1; i > 0; i--) std::swap(table[i], table[random.below(i + 1)]);
  std::vector<int> whole = table;
  for (int s = 1; s < sequences; s++) {
    for (int b = 0; b < common / S; b++) table[s * perRow + b] = table[b];
  }
  std::vector<float> q((size_t)sequences * H * D);
  for (float& v : q) v = random.normal();
  Device<float> dQ(q), out(q.size()), want(q.size());
  Device<int> dTable(table), dPositions(positions), dWhole(whole);

  struct List {
    std::vector<kvasir::Item> items;
    std::vector<int> first;
  };
  auto list = [&](int from, int reserved) {
    List l;
    int slot = 0;
    for (int s = 0; s < sequences; s++) {
      l.first.push_back(slot);
      slot += reserved;
      for (int at = from; at < length; slot++) {
        int end = std::min((at + run) / 32 * 32, length);
        l.items.push_back({s, s * perRow, at, end, slot, 0, 0, 0});
        at = end;
      }
    }
    l.first.push_back(slot);
    return l;
  };
  if (sharedRun == 0) {  // as SharedRuns.java chooses
    long least = 1l << 60;
    for (int tokens : {256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 8192}) {
      long threads = (long)G * ((sequences + 15) / 16) * ((common + tokens - 1) / tokens), cost = (threads + 263) / 264 * (tokens + 96);
      if (cost < least) least = cost, sharedRun = tokens;
    }
  }
  SharedLists lists({{0, sequences, 0, common}}, sequences, sharedRun, 16, [&](int row) { return row * perRow; });
  List all = list(0, 0), rest = list(common, lists.sharedRuns[0]);
  int slots = std::max(all.first.back(), rest.first.back());
  Device<kvasir::Item> dAll(all.items), dRest(rest.items);
  Device<kvasir::SharedItem> dShared(lists.items);
  Device<int> allFirst(all.first), restFirst(rest.first), allCount(std::vector<int>{(int)all.items.size()}), restCount(std::vector<int>{(int)rest.items.size()}), sharedCount(std::vector<int>{(int)lists.items.size()});
  Device<float> acc((size_t)slots * H * D);
  Device<float2> ml((size_t)slots * H);
  CUDA(cudaFuncSetAttribute(e.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, e.shared));
  CUDA(cudaFuncSetAttribute(found->kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, found->shared));
  float scale = 1 / sqrtf(D);
  auto decode = [&](const int* t, const Device<kvasir::Item>& items, const Device<int>& count) {
    e.kernel<<<dim3(G, items.n), 128, e.shared>>>(dQ.p, nullptr, nullptr, dPositions.p, pool.p, blockBytes, 0, headBytes, keyBytes, t, items.p, count.p, acc.p, ml.p, scale, 0, S / 16, H, G);
  };
  auto together = [&](const int* t) {
    kvasir::SharedCall call{{dQ.p, nullptr, nullptr, dPositions.p, pool.p, blockBytes, 0, headBytes, keyBytes, t, nullptr, sharedCount.p, acc.p, ml.p, scale, 0, S / 16, H, G}, dShared.p, restFirst.p, 0};
    found->kernel<<<dim3(G * sharedParts(16, H / G, D), lists.items.size()), 128, found->shared>>>(call);
  };
  auto merge = [&](const Device<int>& first, Device<float>& to) { attend_merge<<<dim3(H, sequences), D>>>(acc.p, ml.p, first.p, nullptr, to.p, 0, 0); };
  CUDA(cudaMemset(acc.p, 0xff, acc.n * 4));
  decode(dTable.p, dAll, allCount);
  merge(allFirst, want);
  CUDA(cudaMemset(acc.p, 0xff, acc.n * 4));
  together(dTable.p);
  decode(dTable.p, dRest, restCount);
  merge(restFirst, out);
  CUDA(cudaGetLastError());
  std::vector<float> wanted = want.get();
  Times t;
  t.error = relativeError(out.get(), std::vector<double>(wanted.begin(), wanted.end()));
  t.alone = alone ? seconds([&] { decode(dWhole.p, dAll, allCount); merge(allFirst, want); }, 9) : NAN;
  t.cached = seconds([&] { decode(dTable.p, dAll, allCount); merge(allFirst, want); }, 9);
  t.shared = seconds([&] { together(dTable.p); }, 9);
  t.own = rest.items.empty() ? 0 : seconds([&] { decode(dTable.p, dRest, restCount); }, 9);
  t.merge = seconds([&] { merge(restFirst, out); }, 9);
  t.together = seconds([&] { together(dTable.p); decode(dTable.p, dRest, restCount); merge(restFirst, out); }, 9);
  return t;
}

static int failures = 0;

static void line(const DecodeEntry& e, int sequences, int length, int common, int sharedRun, const Times& t) {
  bool good = t.error < (e.keys <= twin::F16 ? 2e-5 : 1e-3);
  failures += !good;
  printf("%s %-10s %3d x %5d, shared %5d run %4d: each from memory %7.1f us, same blocks %7.1f | shared %6.1f own %6.1f merge %5.1f, together %7.1f us | %5.2f x, %5.2f x, differs %.1e\n", good ? "ok    " : "FAILED", e.name, sequences, length, common, sharedRun, t.alone * 1e6, t.cached * 1e6, t.shared * 1e6, t.own * 1e6, t.merge * 1e6, t.together * 1e6, t.alone / t.together, t.cached / t.together, t.error);
}

int main(int argc, char** argv) {
  std::string what = argc > 1 ? argv[1] : "time";
  for (const DecodeEntry& e : decodeEntries()) {
    if (e.dim != 128 || (argc > 2 && strcmp(argv[2], e.name) != 0)) continue;
    bool main = e.keys == e.values && (e.keys == twin::BF16 || e.keys == twin::INT8 || e.keys == twin::INT4);
    if (what == "time" && (main || argc > 2)) {
      for (int sequences : {64, 256}) {
        double alone = 0;
        for (int common : {1024, 4096, 8192}) {
          int run = 0;
          Times t = measure(e, sequences, 8704, common, run, alone == 0);
          alone = t.alone = alone == 0 ? t.alone : alone;
          line(e, sequences, 8704, common, run, t);
        }
      }
    }
    if (what == "small" && main) {
      for (int length : {1536, 8704}) {
        for (int sequences : {2, 4, 8, 16, 32}) {
          int run = 0;
          Times t = measure(e, sequences, length, length - 512, run, true);
          line(e, sequences, length, length - 512, run, t);
        }
      }
    }
    if (what == "runs" && main) {
      for (int run : {512, 1024, 2048}) {
        for (int sequences : {16, 64, 256}) line(e, sequences, 8704, 8192, run, measure(e, sequences, 8704, 8192, run, false));
      }
    }
  }
  printf("shared %s: %d failures\n", what.c_str(), failures);
  return failures > 0;
}
