// Checks that rows are written to the bit as the scalar codecs write them, then times it.
//   kv_write_test check | time | all
#include "harness.h"

#include "../../main/cuda/kv_write.cu"

namespace rows {

using twin::aligned, twin::encode, twin::Format, twin::planeBytes, twin::Random;

static int failures = 0;

static PlaneView view(Format f, int D, bool keys, long offset, long headBytes) {
  const long long formats[] = {KV_BF16, KV_F16, KV_INT8, KV_FP8, KV_GROUP};
  const long long bits[] = {16, 16, 8, 8, 4};
  return {formats[f], bits[f], D, keys, !keys, offset, headBytes};
}

struct Case {
  Format keys, values;
  int D, G, S, rows;
  bool exact;
};

static void fillRow(float* x, int D, Random& random, int kind) {
  for (int i = 0; i < D; i++) {
    x[i] = random.normal() * (kind % 5 == 1 ? 1e-5f : kind % 5 == 2 ? 300 : 1);
    if (kind % 7 == 3 && i % 16 == 5) x[i] *= 40;
    if (kind % 11 == 4) x[i] = 0;
    if (kind % 11 == 5 && i % 32 < 16) x[i] = 0;
  }
  if (kind % 13 == 6) x[kind % D] = NAN;
  if (kind % 13 == 7) x[kind % D] = INFINITY, x[(kind + 3) % D] = -1e30f;
  if (kind % 13 == 8) for (int i = 0; i < D; i++) x[i] = rintf(x[i] * 4);
}

/// kv_rope as it is compiled for use, with products fused into sums.
static __global__ void turnTwin(float* x, const int* positions, const float* frequencies, int heads, int D, float magnitude, int interleaved) {
  int i = threadIdx.x;
  float angle = (float)positions[blockIdx.x] * frequencies[i];
  float c = (float)cos((double)angle) * magnitude, s = (float)sin((double)angle) * magnitude;
  float* head = x + ((long long)blockIdx.x * heads + blockIdx.y) * D;
  float* first = head + (interleaved ? 2 * i : i);
  float* second = first + (interleaved ? 1 : D / 2);
  float a = *first, b = *second;
  *first = fmaf(a, c, -(b * s));
  *second = fmaf(b, c, a * s);
}

/// kv_prepare against the turns and kv_write apart.
static void prepared(const KvView& apart, size_t poolBytes, const Device<float>& dK, const Device<float>& dV, int D, int G, int rows, int interleaved, bool timed) {
  Random random(3);
  int H = 4 * G;
  std::vector<float> q((size_t)rows * H * D), frequencies(D / 2);
  for (float& x : q) x = random.normal();
  for (int i = 0; i < D / 2; i++) frequencies[i] = powf(10000, -2.0f * i / D);
  Device<float> q1(q), q2(q), k1(dK.n), out(q.size()), centre((size_t)rows * H), dF(frequencies);
  Device<uint8_t> pool1(poolBytes), pool2(poolBytes);
  CUDA(cudaMemset(pool1.p, 0, poolBytes));
  CUDA(cudaMemset(pool2.p, 0, poolBytes));
  CUDA(cudaMemcpy(k1.p, dK.p, dK.n * 4, cudaMemcpyDeviceToDevice));
  KvView one = apart, two = apart;
  one.heads = two.heads = H, one.pool = pool1.p, two.pool = pool2.p;
  turnTwin<<<dim3(rows, H), D / 2>>>(q1.p, one.positions, dF.p, H, D, 1.25f, interleaved);
  turnTwin<<<dim3(rows, G), D / 2>>>(k1.p, one.positions, dF.p, G, D, 1.25f, interleaved);
  kv_write<<<dim3((rows * G + 3) / 4, 2), 128>>>(one, k1.p, dV.p, 0);
  bool basis = one.keyRotation > 1 || one.centres != nullptr;
  auto launch = [&] { kv_prepare<<<(rows * (H + 2 * G) + 3) / 4, 128>>>(two, q2.p, dK.p, dV.p, basis ? out.p : nullptr, centre.p, dF.p, 1.25f, interleaved, 0); };
  launch();
  CUDA(cudaGetLastError());
  CUDA(cudaDeviceSynchronize());
  if (timed) {
    printf("kv_prepare D=%d, %d rows of %d + 2 x %d heads: %.1f us\n", D, rows, H, G, seconds(launch) * 1e6);
    return;
  }
  std::vector<uint8_t> want = pool1.get(), got = pool2.get();
  std::vector<float> wantQ = q1.get(), gotQ = q2.get(), gotOut = out.get(), gotCentre = centre.get(), centres(G * D, 0);
  if (one.centres != nullptr) CUDA(cudaMemcpy(centres.data(), one.centres, G * D * 4, cudaMemcpyDeviceToHost));
  size_t other = 0;
  for (size_t i = 0; i < want.size(); i++) other += want[i] != got[i];
  for (size_t i = 0; i < wantQ.size(); i++) other += wantQ[i] != gotQ[i];
  double worst = 0;
  for (int i = 0; basis && i < rows * H; i++) {
    std::vector<float> x(wantQ.begin() + (size_t)i * D, wantQ.begin() + (size_t)(i + 1) * D);
    if (one.keyRotation > 1) twin::hadamard(x.data(), D, (int)one.keyRotation);
    double sum = 0;
    for (int j = 0; j < D; j++) {
      worst = std::max(worst, (double)fabsf(x[j] - gotOut[(size_t)i * D + j]));
      sum += (double)x[j] * centres[i % H / 4 * D + j];
    }
    if (one.centres != nullptr) worst = std::max(worst, fabs(sum - gotCentre[i]));
  }
  bool good = other == 0 && worst < 1e-4;
  failures += !good;
  printf("%s kv_prepare D=%d%s: %zu bytes or queries differ, queries in their basis by %.1e\n", good ? "ok    " : "FAILED", D, interleaved ? " interleaved" : "", other, worst);
}

static void run(const Case& c, bool timed) {
  Random random(c.D + c.rows);
  int D = c.D, G = c.G, S = c.S, sequences = 3, perSequence = (c.rows / 3 + 40) / S + 2;
  long keyBytes = aligned(planeBytes(c.keys, S, D)), headBytes = keyBytes + aligned(planeBytes(c.values, S, D));
  long exactKey = aligned(planeBytes(twin::F16, S, D)), exactHead = 2 * exactKey;
  long blockBytes = std::max(headBytes, exactHead) * G;
  int blocks = perSequence * sequences * 3;
  bool coded = c.keys >= twin::INT8;
  int rotation = coded && c.keys != twin::FP8 ? D & -D : 0;
  std::vector<int> positions, sequenceOf, tables(blocks), starts;
  for (int s = 0; s < sequences; s++) {
    for (int i = 0; i < (s < 2 ? c.rows / 3 : c.rows - c.rows / 3 * 2); i++) positions.push_back(s * 13 + i), sequenceOf.push_back(s);
  }
  for (int i = 0; i < blocks; i++) tables[i] = i;
  for (int i = blocks - 1; i > 0; i--) std::swap(tables[i], tables[random.below(i + 1)]);
  for (int i = 0; i < sequences * 3; i++) starts.push_back(i * perSequence);
  std::vector<float> k((size_t)c.rows * G * D), v(k.size()), centres(G * D);
  for (int i = 0; i < c.rows * G; i++) fillRow(&k[(size_t)i * D], D, random, i), fillRow(&v[(size_t)i * D], D, random, i + 3);
  for (float& x : centres) x = random.normal();
  Device<uint8_t> pool((size_t)blocks * blockBytes);
  CUDA(cudaMemset(pool.p, 0, pool.n));
  Device<int> dPositions(positions), dSequences(sequenceOf), dTables(tables), dStarts(starts);
  Device<float> dK(k), dV(v), dCentres(centres);
  KvView kv{pool.p, blockBytes, S, dPositions.p, dSequences.p, c.rows, G, G, D, D, rotation, rotation, coded ? dCentres.p : nullptr,
            {dTables.p, dStarts.p, view(c.keys, D, true, 0, headBytes), view(c.values, D, false, keyBytes, headBytes), 1, 1 << 30},
            {dTables.p, dStarts.p + 3, view(twin::F16, D, true, 0, exactHead), view(twin::F16, D, false, exactKey, exactHead), c.exact, 1 << 30},
            {dTables.p, dStarts.p + 6, view(twin::F16, D, true, 0, exactHead), view(twin::F16, D, false, exactKey, exactHead), c.exact, 64}};
  dim3 grid((c.rows * G + 3) / 4, 2);
  kv_write<<<grid, 128>>>(kv, dK.p, dV.p, 0);
  CUDA(cudaGetLastError());
  CUDA(cudaDeviceSynchronize());
  if (timed) {
    double s = seconds([&] { kv_write<<<grid, 128>>>(kv, dK.p, dV.p, 0); });
    printf("kv_write %s/%s D=%d, %d rows of %d heads%s: %.1f us\n", twin::NAMES[c.keys], twin::NAMES[c.values], D, c.rows, G, c.exact ? ", exact copies" : "", s * 1e6);
    prepared(kv, pool.n, dK, dV, D, G, c.rows, 0, true);
    return;
  }
  if (D != 96) prepared(kv, pool.n, dK, dV, D, G, c.rows, c.exact, false);
  std::vector<uint8_t> want(pool.n, 0);
  std::vector<float> x(D);
  for (int r = 0; r < c.rows; r++) {
    for (int h = 0; h < G; h++) {
      for (int side = 0; side < 2; side++) {
        memcpy(x.data(), &(side ? v : k)[((size_t)r * G + h) * D], D * 4);
        if (rotation > 1) twin::hadamard(x.data(), D, rotation);
        if (!side && coded) for (int i = 0; i < D; i++) x[i] -= centres[h * D + i];
        for (float& y : x) y = y != y ? NAN : y;  // of one sign
        for (int g = 0; g < (c.exact ? 3 : 1); g++) {
          if (g == 2 && positions[r] >= 64) continue;
          int block = tables[starts[g * 3 + sequenceOf[r]] + positions[r] / S];
          Format f = g > 0 ? twin::F16 : side ? c.values : c.keys;
          uint8_t* plane = want.data() + (size_t)block * blockBytes + h * (g ? exactHead : headBytes) + side * (g ? exactKey : keyBytes);
          encode(f, x.data(), plane, S, D, side == 0, positions[r] % S);
        }
      }
    }
  }
  std::vector<uint8_t> got = pool.get();
  size_t other = 0;
  for (size_t i = 0; i < got.size(); i++) {
    if (got[i] != want[i] && other++ < 6) {
      long at = i % blockBytes, inHead = at % headBytes;
      printf("  block %zu head %ld side %d at %ld: %02x instead of %02x\n", i / blockBytes, at / headBytes, inHead >= keyBytes, inHead >= keyBytes ? inHead - keyBytes : inHead, got[i], want[i]);
    }
  }
  failures += other > 0;
  printf("%s kv_write %s/%s D=%d S=%d: %zu of %zu bytes differ\n", other ? "FAILED" : "ok    ", twin::NAMES[c.keys], twin::NAMES[c.values], D, S, other, got.size());
}

static int all(bool check, bool time) {
  for (int D : {64, 96, 128, 256}) {
    if (!check) break;
    run({twin::INT8, twin::INT8, D, 2, 64, 300, false}, false);
    run({twin::INT4, twin::INT4, D, 2, 64, 300, true}, false);
    run({twin::FP8, twin::FP8, D, 2, 16, 300, false}, false);
    run({twin::INT8, twin::INT4, D, 3, 128, 299, true}, false);
  }
  for (int n : {64, 256, 8192}) {
    if (!time) break;
    run({twin::BF16, twin::BF16, 128, 8, 64, n, false}, true);
    run({twin::INT8, twin::INT8, 128, 8, 64, n, false}, true);
    run({twin::INT4, twin::INT4, 128, 8, 64, n, true}, true);
  }
  return failures > 0;
}

}  // namespace rows

int main(int argc, char** argv) {
  std::string what = argc > 1 ? argv[1] : "all";
  return rows::all(what != "time", what != "check");
}
