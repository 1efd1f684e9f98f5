// Checks a whole layer's attention, decoding rows and prompts in one batch, over codes with exact
// rows, rotated and centred: plan, queries, runs, expansion, prefill, merge against a scalar twin.
#include "attention_decode_list.h"
#include "attention_shared_list.h"

#include "../../main/cuda/attention_merge.cu"
#include "../../main/cuda/attention_plan.cu"
#define COLUMNS PREFILL_COLUMNS
#include "../../main/cuda/attention_prefill.cu"
#undef COLUMNS

std::vector<DecodeEntry>& decodeEntries() {
  static std::vector<DecodeEntry> list;
  return list;
}

std::vector<SharedEntry>& sharedEntries() {
  static std::vector<SharedEntry> list;
  return list;
}

namespace layers {

using twin::aligned, twin::BF16, twin::decode, twin::encode, twin::F16, twin::Format, twin::FP8,
    twin::fromBf16, twin::hadamard, twin::INT4, twin::INT8, twin::NAMES, twin::planeBytes,
    twin::Random, twin::toBf16;

struct Case {
  Format keys, values;
  int D, heads, kvHeads, S;
  std::vector<int> lengths, rows;  // cached after the step, and new in it
  int sinks, tail, window, run, many;
  std::vector<SharedNode> nodes = {};  // of decoding sequences; their rows are found below
  int rowsOfItem = 16;
  float softcap = 0;
  bool slopes = false;
};

static int failures = 0;

static const DecodeEntry& find(Format keys, Format values, int D) {
  for (const DecodeEntry& e : decodeEntries()) {
    if (e.keys == keys && e.values == values && e.dim == D) return e;
  }
  exit(2);
}

static const SharedEntry& findShared(Format keys, Format values, int D) {
  for (const SharedEntry& e : sharedEntries()) {
    if (e.keys == keys && e.values == values && e.dim == D) return e;
  }
  exit(2);
}

/// Blocks of one group: codes, tail or sinks.
struct Group {
  Format keys, values;
  long keyBytes, headBytes, blockBytes;
  std::vector<uint8_t> pool;
  std::vector<int> tables, starts;
};

static void check(const Case& c, uint64_t seed) {
  Random random(seed);
  int D = c.D, n = c.lengths.size(), G = c.kvHeads, H = c.heads, rows = 0;
  int rotation = c.keys >= INT8 && c.keys != FP8 ? D & -D : 0;
  Group groups[3];
  for (int g = 0; g < 3; g++) {
    Group& of = groups[g];
    of.keys = g == 0 ? c.keys : F16, of.values = g == 0 ? c.values : F16;
    of.keyBytes = aligned(planeBytes(of.keys, c.S, D));
    of.headBytes = of.keyBytes + aligned(planeBytes(of.values, c.S, D));
    of.blockBytes = of.headBytes * G;
    for (int s = 0; s < n; s++) {
      of.starts.push_back(of.tables.size());
      for (int b = 0; b * c.S < c.lengths[s]; b++) of.tables.push_back(0);
    }
    for (size_t i = 0; i < of.tables.size(); i++) of.tables[i] = i;
    for (int i = (int)of.tables.size() - 1; i > 0; i--) std::swap(of.tables[i], of.tables[random.below(i + 1)]);
    for (const SharedNode& node : c.nodes) {
      for (int s = node.first + 1; g == 0 && s < node.first + node.rows; s++) {
        for (int b = node.from / c.S; b < node.to / c.S; b++) of.tables[of.starts[s] + b] = of.tables[of.starts[node.first] + b];
      }
    }
    of.pool.assign(of.tables.size() * of.blockBytes, g == 0 && c.keys >= INT8 ? 0 : 0xff);
  }
  // [group][sequence][position][head][D] as they are read
  std::vector<std::vector<float>> keys[3], values[3];
  std::vector<float> x(D), centres(G * D);
  for (float& v : centres) v = c.keys >= INT8 ? random.normal() : 0;
  for (int g = 0; g < 3; g++) keys[g].resize(n), values[g].resize(n);
  for (int s = 0; s < n; s++) {
    rows += c.rows[s];
    for (int g = 0; g < 3; g++) {
      keys[g][s].resize((size_t)c.lengths[s] * G * D);
      values[g][s].resize((size_t)c.lengths[s] * G * D);
    }
    for (int p = 0; p < c.lengths[s]; p++) {
      for (int h = 0; h < G; h++) {
        for (int side = 0; side < 2; side++) {
          for (float& v : x) v = random.normal();
          for (int g = 0; g < 3; g++) {
            if ((g == 1 && c.tail < 0) || (g == 2 && c.sinks == 0)) continue;
            Group& of = groups[g];
            uint8_t* plane = of.pool.data() + of.tables[of.starts[s] + p / c.S] * of.blockBytes + h * of.headBytes + side * of.keyBytes;
            Format f = side == 0 ? of.keys : of.values;
            bool held = false;  // by a sequence before, in the same block
            for (const SharedNode& node : c.nodes) held |= g == 0 && s > node.first && s < node.first + node.rows && p >= node.from && p < node.to;
            if (!held) encode(f, x.data(), plane, c.S, D, side == 0, p % c.S);
            decode(f, plane, c.S, D, side == 0, p % c.S, &(side == 0 ? keys : values)[g][s][((size_t)p * G + h) * D]);
          }
        }
      }
    }
  }
  std::vector<float> q((size_t)rows * H * D);
  for (float& v : q) v = fromBf16(toBf16(random.normal() * 2));
  std::vector<int> positions, sequences;
  for (int s = 0; s < n; s++) {
    for (int i = 0; i < c.rows[s]; i++) positions.push_back(c.lengths[s] - c.rows[s] + i), sequences.push_back(s);
  }
  std::vector<SharedNode> nodes;
  for (const SharedNode& node : c.nodes) {
    int first = std::find(sequences.begin(), sequences.end(), node.first) - sequences.begin();
    nodes.push_back({first, node.rows, node.from, node.to});
  }
  int tokens = c.run;
  for (const SharedNode& node : nodes) {
    for (int r = node.first; r < node.first + node.rows; r++) tokens = std::max(tokens, c.run << (positions[r] >= 2048) << (positions[r] >= 4096) << (positions[r] >= 16384));
  }
  SharedLists lists(nodes, rows, tokens, c.rowsOfItem, [&](int row) { return groups[0].starts[sequences[row]]; });
  std::vector<float> slopes(H);
  for (float& v : slopes) v = random.uniform() * 0.1f;
  float scale = 1 / sqrtf(D);
  std::vector<double> want((size_t)rows * H * D);
  std::vector<float> turned = q;
  for (int r = 0; r < rows; r++) {
    int s = sequences[r], p = positions[r];
    int exactFrom = c.tail < 0 ? p + 1 : std::max(0, p / 64 * 64 - c.tail);
    for (int h = 0; h < H; h++) {
      float* query = &turned[((size_t)r * H + h) * D];
      if (rotation > 1) hadamard(query, D, rotation);
      double most = -1e300, sum = 0;
      std::vector<double> score(p + 1);
      int from = c.window > 0 ? std::max(0, p + 1 - c.window) : 0;
      auto group = [&](int j) { return j < c.sinks ? 2 : j >= exactFrom ? 1 : 0; };
      for (int j = from; j <= p; j++) {
        const float* k = &keys[group(j)][s][((size_t)j * G + h / (H / G)) * D];
        double dot = 0;
        for (int d = 0; d < D; d++) dot += (double)query[d] * ((double)k[d] + centres[h / (H / G) * D + d]);
        score[j] = dot * scale;
        if (c.softcap > 0) score[j] = c.softcap * tanh(score[j] / c.softcap);
        if (c.slopes) score[j] += (double)slopes[h] * (j - p);
        most = std::max(most, score[j]);
      }
      std::vector<double> out(D);
      for (int j = from; j <= p; j++) {
        double w = exp(score[j] - most);
        sum += w;
        const float* v = &values[group(j)][s][((size_t)j * G + h / (H / G)) * D];
        for (int d = 0; d < D; d++) out[d] += w * v[d];
      }
      std::vector<float> back(D);
      for (int d = 0; d < D; d++) back[d] = (float)(out[d] / sum);
      if (rotation > 1) hadamard(back.data(), D, rotation);
      for (int d = 0; d < D; d++) want[((size_t)r * H + h) * D + d] = back[d];
    }
  }

  int most = *std::max_element(c.lengths.begin(), c.lengths.end()), capacity = rows * (most / c.run + 3 + 2 * (int)c.nodes.size());
  int tileCapacity = 0;
  for (int l : c.lengths) tileCapacity += (l + 15) / 16;
  Device<int> dPositions(positions), dSequences(sequences), counts(kvasir::COUNTS), firstSlot(rows + 1);
  Device<int> starts0(groups[0].starts), starts1(groups[1].starts), starts2(groups[2].starts);
  Device<int> tables0(groups[0].tables), tables1(groups[1].tables), tables2(groups[2].tables);
  Device<uint8_t> pool0(groups[0].pool), pool1(groups[1].pool), pool2(groups[2].pool);
  const Device<int>* tables[] = {&tables0, &tables1, &tables2};
  const Device<uint8_t>* pools[] = {&pool0, &pool1, &pool2};
  Device<kvasir::Item> runs0(capacity), runs1(capacity), runs2(capacity);
  const Device<kvasir::Item>* runs[] = {&runs0, &runs1, &runs2};
  Device<kvasir::PrefillItem> prefills(rows);
  Device<kvasir::ExpandItem> expansions(n);
  bool coded = c.keys >= INT8;
  Device<int> dSharedTo(lists.sharedTo), dSharedRuns(lists.sharedRuns), sharedCount(std::vector<int>{(int)lists.items.size()});
  Device<kvasir::SharedItem> dShared(lists.items);
  Device<float> dSlopes(slopes);
  const float* slopesAt = c.slopes ? dSlopes.p : nullptr;
  kvasir::PlanCall plan{dPositions.p, dSequences.p, starts0.p, starts1.p, starts2.p, runs0.p, runs1.p, runs2.p, prefills.p, expansions.p, counts.p, firstSlot.p, c.nodes.empty() ? nullptr : dSharedTo.p, dSharedRuns.p, rows, c.window, c.sinks, c.tail, c.run, c.many, coded};
  attend_plan<<<1, 256>>>(plan);
  CUDA(cudaGetLastError());
  Device<float> dQ(q), dTurned(q.size()), dCentres(centres), dCentre(rows * H), out(q.size());
  Device<float> acc((size_t)capacity * H * D);
  Device<float2> ml((size_t)capacity * H);
  CUDA(cudaMemset(acc.p, 0xff, acc.n * 4));
  CUDA(cudaMemset(ml.p, 0xff, ml.n * 8));
  CUDA(cudaMemset(out.p, 0xff, out.n * 4));
  attend_query<<<rows, std::min(32 * H, 1024)>>>(dQ.p, dTurned.p, dCentres.p, dCentre.p, H, G, D, rotation);
  CUDA(cudaGetLastError());
  Device<__half> scratch((size_t)tileCapacity * G * 32 * D);
  bool prefill = D == 64 || D == 128;
  if (coded && prefill) {
    attend_expand<<<dim3(G, tileCapacity), 256>>>(expansions.p, counts.p, pool0.p, groups[0].blockBytes, 0, groups[0].headBytes, groups[0].keyBytes, tables0.p, c.S / 16, c.keys, c.values, D, scratch.p);
    CUDA(cudaGetLastError());
  }
  for (int g = 0; g < 3; g++) {
    if ((g == 1 && c.tail < 0) || (g == 2 && c.sinks == 0)) continue;
    const DecodeEntry& e = find(groups[g].keys, groups[g].values, D);
    CUDA(cudaFuncSetAttribute(e.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, e.shared));
    e.kernel<<<dim3(G * ((H / G + 7) / 8), capacity), 128, e.shared>>>(dTurned.p, dCentre.p, slopesAt, dPositions.p, pools[g]->p, groups[g].blockBytes, 0, groups[g].headBytes, groups[g].keyBytes, tables[g]->p, runs[g]->p, counts.p + g, acc.p, ml.p, scale, c.softcap, c.S / 16, H, G);
    CUDA(cudaGetLastError());
    if (g == 0 && !lists.items.empty()) {
      const SharedEntry& shared = findShared(c.keys, c.values, D);
      CUDA(cudaFuncSetAttribute(shared.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared.shared));
      kvasir::SharedCall call{{dTurned.p, dCentre.p, slopesAt, dPositions.p, pools[g]->p, groups[g].blockBytes, 0, groups[g].headBytes, groups[g].keyBytes, tables[g]->p, nullptr, sharedCount.p, acc.p, ml.p, scale, c.softcap, c.S / 16, H, G}, dShared.p, firstSlot.p, c.sinks};
      shared.kernel<<<dim3(G * sharedParts(c.rowsOfItem, H / G, D), lists.items.size() + 2), 128, shared.shared>>>(call);
      CUDA(cudaGetLastError());
    }
    if (!prefill) continue;
    bool brain = c.keys == BF16 && g == 0;
    auto kernel = D == 64 ? (brain ? attend_prefill_bf16_64 : attend_prefill_f16_64) : (brain ? attend_prefill_bf16_128 : attend_prefill_f16_128);
    int shared = D == 64 ? kvasir::PrefillShared<64>::BYTES : kvasir::PrefillShared<128>::BYTES;
    CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
    bool expanded = coded && g == 0;
    int pass = g == 0 ? 0 : g == 1 ? 1 : 1 + (c.tail >= 0);
    kvasir::PrefillCall call{dTurned.p, dCentre.p, nullptr, expanded ? (const unsigned char*)scratch.p : pools[g]->p, expanded ? 64ll * D * G : groups[g].blockBytes, 0, expanded ? 64ll * D : groups[g].headBytes, expanded ? 32ll * D : groups[g].keyBytes,
                             expanded ? nullptr : tables[g]->p, prefills.p, counts.p + kvasir::PREFILLS, firstSlot.p, acc.p, ml.p, scale, 0, expanded ? 1 : c.S / 16, H, G, c.window, g + 1, c.tail, c.sinks, pass};
    kernel<<<dim3(H, rows), 384, shared>>>(call);
    CUDA(cudaGetLastError());
  }
  attend_merge<<<dim3(H, rows), D>>>(acc.p, ml.p, firstSlot.p, nullptr, out.p, 0, rotation);
  CUDA(cudaGetLastError());
  CUDA(cudaDeviceSynchronize());
  std::vector<int> got = counts.get();
  double error = relativeError(out.get(), want);
  // Prompts round queries and weights to the cache's 16 bits.
  bool rounds = *std::max_element(c.rows.begin(), c.rows.end()) >= c.many;
  bool good = error < (rounds ? 4e-3 : c.keys <= F16 ? 2e-5 : 1e-3);
  failures += !good;
  printf("%s layer %s/%s D=%d H=%d/%d S=%d sinks %d tail %d window %d: %d runs, %d + %d exact, %d prompts' items, %d tiles, %d shared runs, error %.2e\n", good ? "ok    " : "FAILED", NAMES[c.keys], NAMES[c.values], D, H, G, c.S, c.sinks, c.tail, c.window, got[0], got[1], got[2], got[3], got[5], (int)lists.items.size(), error);
}

/// Decoding sequences that begin alike, in all formats and sizes.
static void shares(const char* only) {
  const int never = 1 << 30;
  std::vector<int> ones(24, 1), lengths, uneven;
  for (int s = 0; s < 24; s++) lengths.push_back(385 + 17 * s % 101), uneven.push_back(s < 20 ? 900 + 37 * s : 60 + s);
  uint64_t seed = 100;
  for (const SharedEntry& e : sharedEntries()) {
    if (only != nullptr && strcmp(only, e.name) != 0) continue;
    // One beginning for all; two, of which one is shared further by some, beside others alone.
    check({e.keys, e.values, e.dim, 8, 2, 64, lengths, ones, 0, -1, 0, 128, never, {{0, 24, 0, 384}}}, seed++);
    check({e.keys, e.values, e.dim, 10, 2, 32, uneven, ones, 0, -1, 0, 128, never, {{0, 9, 0, 320}, {0, 5, 320, 640}, {5, 4, 320, 416}, {9, 2, 0, 896}}, 16}, seed++);
  }
  if (only != nullptr) return;
  // Exact rows, a head or many for each kv head, few rows, caps and slopes, and prompts beside them.
  check({INT4, INT4, 128, 8, 2, 64, lengths, ones, 64, 0, 0, 128, never, {{0, 24, 0, 320}}}, seed++);
  check({INT4, INT4, 128, 8, 2, 64, lengths, ones, 128, 64, 0, 96, never, {{1, 7, 0, 128}, {8, 16, 0, 256}}}, seed++);
  check({INT8, INT8, 64, 3, 3, 64, lengths, ones, 64, 64, 0, 128, never, {{0, 24, 0, 256}}, 64}, seed++);
  check({BF16, BF16, 128, 40, 1, 64, lengths, ones, 0, -1, 0, 128, never, {{0, 24, 0, 384}}, 1}, seed++);
  check({BF16, BF16, 128, 71, 1, 64, lengths, ones, 0, -1, 0, 128, never, {{0, 24, 0, 384}}, 16}, seed++);
  check({F16, F16, 64, 14, 2, 16, lengths, ones, 0, -1, 0, 64, never, {{0, 2, 0, 368}, {3, 21, 0, 16}}, 9, 20}, seed++);
  check({BF16, BF16, 128, 8, 2, 48, lengths, ones, 0, -1, 0, 128, never, {{0, 24, 0, 384}}, 16, 30, true}, seed++);
  check({INT8, INT8, 128, 8, 2, 64, lengths, ones, 0, -1, 0, 128, never, {{0, 24, 0, 384}}, 16, 0, true}, seed++);
  std::vector<int> mixed = {700, 701, 702, 333, 750, 740}, rows = {1, 1, 1, 130, 1, 1};
  check({BF16, BF16, 128, 8, 2, 64, mixed, rows, 0, -1, 0, 128, 32, {{0, 3, 0, 640}, {4, 2, 0, 704}}}, seed++);
  check({INT4, INT4, 128, 8, 2, 64, mixed, rows, 64, 0, 0, 128, 32, {{0, 3, 0, 640}, {4, 2, 0, 704}}}, seed++);
  std::vector<int> far(6, 8800), one(6, 1);
  check({INT8, INT8, 128, 8, 2, 64, far, one, 0, -1, 0, 256, never, {{0, 6, 0, 8192}}}, seed++);
}

static int all() {
  std::vector<int> lengths = {1, 300, 64, 65, 700, 200, 333}, rows = {1, 1, 1, 1, 400, 1, 130};
  const int never = 1 << 30;
  check({BF16, BF16, 128, 8, 2, 64, lengths, rows, 0, -1, 0, 128, 32}, 1);
  check({BF16, BF16, 128, 8, 2, 64, lengths, rows, 0, -1, 0, 128, never}, 2);
  check({F16, F16, 64, 4, 1, 16, lengths, rows, 0, -1, 100, 64, 32}, 3);
  check({INT8, INT8, 128, 8, 2, 64, lengths, rows, 0, -1, 0, 128, 32}, 4);
  check({INT4, INT4, 128, 8, 2, 64, lengths, rows, 0, 0, 0, 128, 32}, 5);
  check({INT4, INT4, 128, 8, 2, 64, lengths, rows, 64, 64, 0, 96, 32}, 6);
  check({INT4, INT4, 64, 8, 2, 128, lengths, rows, 128, 0, 0, 96, 32}, 7);
  check({INT8, INT4, 128, 4, 4, 32, lengths, rows, 64, 0, 150, 256, 32}, 8);
  check({FP8, FP8, 128, 4, 2, 64, lengths, rows, 0, -1, 0, 256, 32}, 9);
  check({INT4, INT4, 96, 6, 2, 64, lengths, rows, 0, 0, 0, 128, never}, 10);
  check({INT4, INT4, 256, 4, 1, 64, lengths, rows, 64, 0, 0, 512, never}, 11);
  std::vector<int> far = {4095, 4097, 9000, 17000}, one = {1, 2, 1, 20};
  check({INT4, INT4, 128, 4, 1, 64, far, one, 64, 0, 0, 512, 16}, 12);
  check({BF16, BF16, 64, 2, 1, 64, far, one, 0, -1, 0, 512, 32}, 13);
  shares(nullptr);
  printf("layers: %d failures\n", failures);
  return failures > 0;
}

}  // namespace layers

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "shared") == 0) {
    layers::shares(argc > 2 ? argv[2] : nullptr);
    printf("shared: %d failures\n", layers::failures);
    return layers::failures > 0;
  }
  return layers::all();
}
