// Checks what chooses and lists experts and draws tokens, and products of experts on the tensor cores
// against the plain ones. Short, so that compute-sanitizer can watch it.
//   mixture_test
#include "harness.h"

#include "../../main/cuda/experts.cu"
#include "../../main/cuda/experts_few.cu"
#include "../../main/cuda/experts_many.cu"
#include "../../main/cuda/sampling.cu"

namespace mixtures {

using twin::Random;

static int failures;
constexpr int EXPERTS = 16, PER_ROW = 4, COLUMNS = 512, OUTPUTS = 200;

typedef void (*Few)(const ExpertCall);

struct Type {
  const char* name;
  int number;
  int block;
  int bytes;
  Few plain;
  Few few;
  int shared;
};

static const Type TYPES[] = {
    {"bf16", 30, 1, 2, kv_experts_30, experts_bf16, 0},
    {"q8_0", 8, 32, 34, kv_experts_8, experts_q8_0, kvasir::linearSharedBytes<kvasir::Q8_0, 3>()},
    {"q4_0", 2, 32, 18, kv_experts_2, experts_q4_0, kvasir::linearSharedBytes<kvasir::Q4_0, 3>()},
    {"q4_k", 12, 256, 144, kv_experts_12, experts_q4_k, kvasir::linearSharedBytes<kvasir::Q4_K, 3>()},
};

static std::vector<uint8_t> randomWeights(const Type& type, long rows, Random& random) {
  long blocks = rows * COLUMNS / type.block;
  std::vector<uint8_t> all(blocks * type.bytes);
  for (long b = 0; b < blocks; b++) {
    uint8_t* at = &all[b * type.bytes];
    for (int i = 0; i < type.bytes; i++) at[i] = (uint8_t)random.next();
    *(uint16_t*)at = type.block == 1 ? twin::toBf16(random.normal()) : twin::toHalf(0.01f + 0.1f * random.uniform());
    if (type.block == 256) *(uint16_t*)(at + 2) = twin::toHalf(0.01f + 0.1f * random.uniform());
  }
  return all;
}

struct Lists {
  Device<int> picked, slots, rows, starts, count;
  Device<float> weights, factors;
  Device<ExpertTile> tiles;
  int pairs, tile;

  Lists(int n, int tile) : picked(n * PER_ROW), slots(n * PER_ROW), rows(n * PER_ROW), starts(EXPERTS + 1), count(1), weights(n * PER_ROW), factors(n * PER_ROW), tiles(n * PER_ROW + EXPERTS), pairs(n * PER_ROW), tile(tile) {}

  ExpertLists view() { return {slots.p, rows.p, factors.p, starts.p, tiles.p, count.p}; }
};

/// Every pair has a slot of its own, of a tile of its expert.
static void checkLists(Lists& lists, const std::vector<int>& picked, const char* name) {
  std::vector<int> slots = lists.slots.get(), rows = lists.rows.get(), ofSlot(lists.pairs, -1);
  std::vector<ExpertTile> tiles = lists.tiles.get();
  int count = lists.count.get()[0];
  bool good = count > 0 && count <= (int)tiles.size();
  for (int t = 0; good && t < count; t++) {
    good = tiles[t].count > 0 && tiles[t].count <= lists.tile;
    for (int i = 0; good && i < tiles[t].count; i++) ofSlot[tiles[t].first + i] = tiles[t].expert;
  }
  for (int i = 0; good && i < lists.pairs; i++) good = ofSlot[slots[i]] == picked[i] && rows[slots[i]] == i / PER_ROW;
  failures += !good;
  printf("%s %s: %d pairs, %d tiles of %d\n", good ? "ok    " : "FAILED", name, lists.pairs, count, lists.tile);
}

static void list(Lists& lists, int rows, ExpertRouting routing, const Device<float>& logits, bool few) {
  int shared = 4 * (2 * EXPERTS + routing.groups);
  if (few) {
    expert_list_few<<<1, 256, 8 * shared>>>(logits.p, rows, lists.tile, 0, {routing, lists.view()}, lists.weights.p);
    CUDA(cudaDeviceSynchronize());
  }
  Lists planned(rows, lists.tile);
  Lists& into = few ? planned : lists;
  expert_choose<<<rows, 32, shared>>>(logits.p, routing, into.picked.p, into.weights.p);
  expert_plan<<<EXPERTS, 256, 4 * EXPERTS>>>(into.picked.p, nullptr, into.pairs, PER_ROW, into.tile, into.view());
  CUDA(cudaDeviceSynchronize());
  checkLists(into, into.picked.get(), "expert_choose, expert_plan");
  if (few) checkLists(lists, into.picked.get(), "expert_list_few");
}

static void compare(const char* name, const char* type, int rows, const std::vector<float>& a, const std::vector<float>& b, double bound) {
  double worst = 0, most = 0;
  for (size_t i = 0; i < a.size(); i++) {
    double d = fabs((double)a[i] - b[i]);
    worst = d == d ? std::max(worst, d) : INFINITY, most = std::max(most, (double)fabs(a[i]));
  }
  bool good = most > 0 && worst <= bound * most;
  failures += !good;
  printf("%s %s %s, %d rows: %.1e of %.1f\n", good ? "ok    " : "FAILED", name, type, rows, worst, most);
}

static void products(const Type& type, int rows, Lists& lists, int mostTiles, const Device<float>& x, Random& random) {
  Device<uint8_t> weights(randomWeights(type, (long)EXPERTS * 3 * OUTPUTS, random));
  long rowBytes = (long)COLUMNS / type.block * type.bytes;
  std::vector<ExpertPart> parts;
  for (int i = 0; i < EXPERTS * 3; i++) parts.push_back({weights.p + i * OUTPUTS * rowBytes, nullptr, type.number, 0});
  Device<ExpertPart> dParts(parts);
  Device<float> plain(2 * lists.pairs * OUTPUTS), fast(2 * lists.pairs * OUTPUTS), gated(lists.pairs * OUTPUTS);
  ExpertCall call = {dParts.p, lists.tiles.p, lists.count.p, x.p, plain.p, rowBytes, COLUMNS, COLUMNS, OUTPUTS, -1};
  for (int part = 0; part < 2; part++) {
    call.parts = dParts.p + part, call.out = plain.p + (long)part * lists.pairs * OUTPUTS;
    if (lists.tile <= EXPERT_TILE) type.plain<<<dim3(mostTiles, (OUTPUTS + 3) / 4), 128>>>(call);
  }
  CUDA(cudaDeviceSynchronize());
  call.parts = dParts.p;
  if (lists.tile <= EXPERT_TILE) {
    CUDA(cudaFuncSetAttribute(type.few, cudaFuncAttributeMaxDynamicSharedMemorySize, type.shared));
    call.out = fast.p;
    type.few<<<dim3((OUTPUTS + 31) / 32, mostTiles), 256, type.shared>>>(call);
    call.out = gated.p, call.activation = SILU;
    type.few<<<dim3((OUTPUTS + 15) / 16, mostTiles), 256, type.shared>>>(call);
    CUDA(cudaDeviceSynchronize());
    std::vector<float> two = plain.get(), one(two.begin(), two.begin() + lists.pairs * OUTPUTS), all = fast.get(), both(one.size());
    for (size_t i = 0; i < one.size(); i++) both[i] = one[i] / (1 + expf(-one[i])) * two[one.size() + i];
    compare("experts_few", type.name, rows, one, std::vector<float>(all.begin(), all.begin() + one.size()), 1e-4);
    compare("experts_few, gated", type.name, rows, both, gated.get(), 1e-3);
  }
}

template <int N, int PARTS, int STAGES>
static void many(void (*kernel)(const ManyExpertsCall), int rows, ExpertRouting routing, const Device<float>& logits, const Device<float>& in, Random& random) {
  Lists small(rows, EXPERT_TILE), lists(rows, N);
  list(small, rows, routing, logits, false);
  list(lists, rows, routing, logits, false);
  const Type& type = TYPES[0];
  Device<uint8_t> weights(randomWeights(type, (long)EXPERTS * 3 * OUTPUTS, random));
  std::vector<ExpertPart> parts;
  for (int i = 0; i < EXPERTS * 3; i++) parts.push_back({weights.p + (long)i * OUTPUTS * 2 * COLUMNS, nullptr, type.number, 0});
  Device<ExpertPart> dParts(parts);
  Device<uint16_t> high((size_t)lists.pairs * COLUMNS), low(high.n);
  Device<float> fast((size_t)2 * lists.pairs * OUTPUTS), plain(fast.n / 2), gathered((size_t)lists.pairs * COLUMNS);
  experts_pack<<<lists.pairs, 256>>>(in.p, COLUMNS, lists.rows.p, lists.factors.p, (uint2*)high.p, PARTS == 2 ? (uint2*)low.p : nullptr);
  int bytes = kvasir::GemmShared<N, PARTS, STAGES>::BYTES;
  CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  ExpertCall call = {dParts.p, lists.tiles.p, lists.count.p, (const float*)high.p, fast.p, 2 * COLUMNS, COLUMNS, COLUMNS, OUTPUTS, -1};
  kernel<<<dim3((OUTPUTS + 127) / 128, lists.tiles.n, 2), 384, bytes>>>({call, PARTS == 2 ? low.p : nullptr, (long long)lists.pairs * OUTPUTS});
  CUDA(cudaDeviceSynchronize());
  std::vector<float> x = in.get(), rowsOf(gathered.n);
  std::vector<int> ofSlot = lists.rows.get();
  for (int s = 0; s < lists.pairs; s++) memcpy(&rowsOf[(size_t)s * COLUMNS], &x[(size_t)ofSlot[s] * COLUMNS], 4 * COLUMNS);
  CUDA(cudaMemcpy(gathered.p, rowsOf.data(), 4 * rowsOf.size(), cudaMemcpyHostToDevice));
  call = {dParts.p, small.tiles.p, small.count.p, gathered.p, plain.p, 2 * COLUMNS, COLUMNS, COLUMNS, OUTPUTS, -1};
  kv_experts_30<<<dim3(small.tiles.n, (OUTPUTS + 3) / 4), 128>>>(call);
  CUDA(cudaDeviceSynchronize());
  std::vector<float> all = fast.get();
  compare("experts_gemm", "bf16", rows, plain.get(), std::vector<float>(all.begin(), all.begin() + plain.n), PARTS == 2 ? 1e-4 : 1e-2);
  experts_gate_pack<<<lists.pairs, 256>>>(SILU, fast.p, fast.p + (long)lists.pairs * OUTPUTS, OUTPUTS, (uint2*)high.p, PARTS == 2 ? (uint2*)low.p : nullptr);
  CUDA(cudaDeviceSynchronize());
}

static void mixture(int rows, Random& random) {
  std::vector<float> logits(rows * EXPERTS), in((size_t)rows * COLUMNS), bias(EXPERTS);
  for (float& v : logits) v = random.normal();
  for (float& v : in) v = random.normal();
  for (float& v : bias) v = 0.1f * random.normal();
  Device<float> dLogits(logits), dIn(in), dBias(bias);
  ExpertRouting plain = {nullptr, nullptr, EXPERTS, PER_ROW, 0, 1, 1, 1, 1, 1, 0};
  ExpertRouting groups = {dBias.p, nullptr, EXPERTS, PER_ROW, 1, 4, 2, 2, 1, 2.5f, 0};
  ExpertRouting mixer = {nullptr, nullptr, EXPERTS, PER_ROW, 0, 1, 1, 1, 0, 1, 0.2f};
  for (ExpertRouting routing : {plain, groups, mixer}) {
    Lists other(rows, EXPERT_TILE);
    list(other, rows, routing, dLogits, rows <= 8);
  }
  Lists lists(rows, EXPERT_TILE);
  list(lists, rows, plain, dLogits, rows <= 8);
  std::vector<float> x((size_t)lists.pairs * COLUMNS);
  for (float& v : x) v = random.normal();
  Device<float> dX(x);
  for (const Type& type : TYPES) products(type, rows, lists, (int)lists.tiles.n, dX, random);
  if (rows < 9) return;
  many<16, 2, 5>(experts_gemm_16, rows, plain, dLogits, dIn, random);
  many<32, 2, 4>(experts_gemm_32, rows, plain, dLogits, dIn, random);
  many<64, 2, 3>(experts_gemm_64, rows, plain, dLogits, dIn, random);
  many<128, 1, 6>(experts_gemm_128, rows, plain, dLogits, dIn, random);
}

/// Rows of all rules; the drawn token is among those that the rule leaves.
static void sampling(int columns, Random& random) {
  const SampleChoice choices[] = {{0, 0, 1, 0, 0}, {1, 0, 1, 0, 0.3}, {0.7f, 5, 1, 0, 0.9}, {1.2f, 0, 0.8f, 0, 0.5}, {50, 3000, 0.9f, 0.01f, 0.99}, {50, 0, 1, 0, 0.7}};
  int rows = sizeof choices / sizeof *choices;
  std::vector<float> scores((size_t)rows * columns);
  for (float& v : scores) v = 3 * random.normal();
  Device<float> x(scores);
  Device<SamplePeak> peaks(rows * SLICES);
  Device<SampleChoice> rules(std::vector<SampleChoice>(choices, choices + rows));
  Device<int> tokens(rows);
  sample_peaks<<<dim3(SLICES, rows), 256>>>(x.p, columns, columns, peaks.p);
  sample_choose<<<rows, 1024>>>(x.p, columns, columns, peaks.p, rules.p, tokens.p);
  CUDA(cudaDeviceSynchronize());
  std::vector<int> drawn = tokens.get();
  for (int r = 0; r < rows; r++) {
    const float* row = &scores[(size_t)r * columns];
    int better = 0;
    for (int i = 0; i < columns; i++) better += drawn[r] >= 0 && drawn[r] < columns && row[i] > row[drawn[r]];
    int most = choices[r].temperature == 0 ? 1 : choices[r].topK > 0 ? choices[r].topK : columns;
    bool good = drawn[r] >= 0 && drawn[r] < columns && better < most;
    failures += !good;
    printf("%s sampling, %d scores, rule %d: token %d, %d better\n", good ? "ok    " : "FAILED", columns, r, drawn[r], better);
  }
}

}  // namespace mixtures

int main() {
  twin::Random random(5);
  for (int rows : {1, 5, 8, 40}) mixtures::mixture(rows, random);
  mixtures::sampling(1000, random);
  mixtures::sampling(20000, random);
  printf("%d failures\n", mixtures::failures);
  return mixtures::failures > 0;
}
