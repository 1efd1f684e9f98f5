// Attention of single query rows over the paged cache (decode), read as it is stored.
//
// Computes, for each item (a run of positions of one sequence) and kv head, for the G query heads
// that read it:  m = max y_j,  l = sum 2^(y_j - m),  acc = sum 2^(y_j - m) v_j   with
// y_j = log2(e) (cap(scale (q . k_j + centre)) + slope (j - position)); attention_merge.cu adds the
// runs up. Splitting runs over blocks of threads is FlashDecoding's idea (Dao et al. 2023), the list
// of items FlashInfer's (arXiv 2501.01005), online softmax FlashAttention's (arXiv 2205.14135).
//
// Launch: grid (kvHeads * ceil(G / 8), item capacity), 128 threads, and as many bytes of dynamic
// shared memory as the device constant NAME_shared says.
//
// A warp works alone: it takes every fourth stage of an item (16 positions in 16-bit formats, 32 in
// codes), copies it with cp.async into its own ring of STAGES stages, and keeps m, l and acc of its
// positions; no barrier until the four meet at the end. All G query heads are the 8 columns of a
// product on the tensor cores whose rows are positions (scores) or channels (values):
//   S^T [positions, heads]  = K [positions, channels] Q^T
//   O^T [channels, heads]  += V^T [channels, positions] P^T,   P^T is S^T turned by movmatrix.
// In both the memory's contiguous direction (positions of a tile of keys, channels of values) is
// the rows of A, so one way of unpacking serves both: a lane reads 32-bit words at several
// contraction indices, weaves them bytewise and turns bytes or nibbles into halves by placing them
// into the fraction of 1024 (the trick of FasterTransformer's int4 kernels, Kim et al. 2022), 1 to
// 1.75 instructions an element. The order of the contraction does not matter as long as Q and P
// follow it, so nothing moves across lanes.
//
// 16-bit formats use two products, for the upper and lower 8 (11) bits of q and of the weights, so
// the error is that of f32 sums. Codes use halves; scales of keys meet the products in f32.
//
// What was measured (H100, 8 kv heads of 128, 32 query heads, 64 sequences of 8192, runs of 4096, a
// plain copy moving 2.84 TB/s read plus write): bf16 2.97 TB/s of keys and values, int8 2.85, fp8
// 2.8, int4 2.63, int8 keys with int4 values 2.75: 93 to 105 % of the copy. What brought int4 there
// from 72 %: nibbles of keys multiplied as they are (see Queries), no divisions on the way to the
// next tile, no positions compared inside of a run. Fewer and deeper stages (5 x 2 blocks of threads)
// were slower than two stages in four blocks: a warp unpacks while fifteen others wait for memory.
//
// Bytes moved: codes and scales of each position once for all G heads; partial sums 4 (D + 2) H
// bytes an item. Memory of slots that were never written must be zero once (pool cleared when it is
// made): positions outside an item get weight 0, which needs finite values. 16-bit values outside
// are not read at all, since they may hold anything.
#pragma once
#include "attention_stage.cuh"

namespace kvasir {

/// The query heads of a warp as B of the products: 16 channels a step, rounded and the rest.
///
/// Nibbles of keys are multiplied as they are: u at the lowest bits of a half is u 2^-24, which the
/// tensor cores take exactly, and at bits 4 to 7 it is 16 u 2^-24, for which the query is divided
/// by 16. Products of a group start at -8 sum(q) 2^-24, which turns u into u - 8.
template <int KF, int D>
struct Queries {
  static constexpr bool BRAIN = KF == BF16;
  static constexpr bool REST = KF != INT4;  // far below what 4 bits lose
  static constexpr int STEPS = D / 16;
  static constexpr int GROUPS = KF == INT4 ? (D + 31) / 32 : 1;
  uint32_t high[STEPS][2];
  uint32_t low[REST ? STEPS : 1][2];
  float bias[GROUPS][2];  // of heads 2t, 2t + 1

  /// Whether pair `i` of step `s` meets upper nibbles.
  static constexpr __device__ bool meetsUpper(int s, int i) {
    return KF == INT4 && ((s & 1) != 0 || (s == STEPS - 1 && i == 1));
  }

  /// Reads row `q` of head g, if any. @return the power of two that it was divided by
  __device__ __forceinline__ float read(const float* q, bool there, int t) {
    float x[STEPS][4];
    float most = 0;
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
#pragma unroll
      for (int j = 0; j < 4; j++) {
        int channel = KF >= INT8 ? 16 * s + t + 4 * j : 16 * s + 2 * t + (j & 1) + (j >> 1) * 8;
        x[s][j] = there ? q[channel] : 0.0f;
        most = fmaxf(most, fabsf(x[s][j]));
      }
    }
    float inverse = 1;
    float factor = 1;
    if constexpr (!BRAIN) {
      most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
      most = fmaxf(most, __shfl_xor_sync(~0u, most, 2));
      int exponent = most > 0 ? min(max((int)(__float_as_uint(most) >> 23) - 127, -100), 100) : 0;
      factor = __uint_as_float((uint32_t)(exponent + 127) << 23);
      inverse = __uint_as_float((uint32_t)(127 - exponent) << 23);
    }
    float sums[GROUPS] = {};
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float unit = inverse * (meetsUpper(s, i) ? 0.0625f : 1.0f);
        float a = x[s][2 * i] * unit;
        float b = x[s][2 * i + 1] * unit;
        high[s][i] = pack<BRAIN>(a, b);
        if constexpr (REST) {
          low[s][i] = packRest<BRAIN>(a, b, high[s][i]);
        }
        if constexpr (KF == INT4) {
          float2 r = halves(high[s][i]);
          sums[s / 2] += (r.x + r.y) * (meetsUpper(s, i) ? 16.0f : 1.0f);
        }
      }
    }
    if constexpr (KF == INT4) {
#pragma unroll
      for (int group = 0; group < GROUPS; group++) {
        float sum = sums[group];
        sum += __shfl_xor_sync(~0u, sum, 1);
        sum += __shfl_xor_sync(~0u, sum, 2);
        bias[group][0] = __shfl_sync(~0u, sum, 8 * t) * -0x1p-21f;
        bias[group][1] = __shfl_sync(~0u, sum, 8 * t + 4) * -0x1p-21f;
      }
      factor *= 0x1p24f;
    }
    return factor;
  }

  /// c += K q for 16 channels.
  __device__ __forceinline__ void times(float c[4], const uint32_t a[4], int s) const {
    multiply<BRAIN>(c, a, high[s][0], high[s][1]);
    if constexpr (REST) {
      multiply<BRAIN>(c, a, low[s][0], low[s][1]);
    }
  }
};

/// Scores of 16 positions in a 16-bit format, the `n`th tile of `s`, for C times 8 columns.
template <int KF, int D, int C, int N>
__device__ __forceinline__ void scores16(float (&s)[C][N][4], int n, uint32_t keys,
                                         const Queries<KF, D> (&q)[C], int lane) {
  int row = (lane & 7) + (lane >> 4) * 8;
  int chunk = row * 2 + (lane >> 3 & 1);
  uint32_t address = keys + (chunk ^ (chunk >> 3 & 1)) * 16;
#pragma unroll
  for (int step = 0; step < D / 16; step++) {
    uint32_t a[4];
    loadTransposed(a, address + step * 512);
#pragma unroll
    for (int c = 0; c < C; c++) {
      q[c].times(s[c][n], a, step);
    }
  }
}

/// Adds products of 8-bit keys: s[c][0] positions 4g, 4g + 1, s[c][1] positions 4g + 2, 4g + 3.
template <int KF, int D, int C>
__device__ __forceinline__ void scores8(float (&s)[C][2][4], uint32_t stage,
                                        const Queries<KF, D> (&q)[C], int lane) {
  using S = DecodeShape<KF, INT8, D>;
  int g = lane >> 2;
  uint32_t address = stage + (g >> 2) * S::KEY_STRIDE + (lane & 3) * 16 + (g & 3) * 4;
  constexpr uint32_t flip = KF == INT8 ? 0x80808080u : 0;
#pragma unroll
  for (int step = 0; step < D / 16; step++) {
    uint32_t w[4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
      w[j] = load32(address + step * 256 + j * 64) ^ flip;
    }
    uint32_t z0 = weaveLow(w[0], w[1]);
    uint32_t z1 = weaveLow(w[2], w[3]);
    uint32_t a[4] = {bytesToHalves<KF, 0>(z0), bytesToHalves<KF, 1>(z0), bytesToHalves<KF, 0>(z1),
                     bytesToHalves<KF, 1>(z1)};
#pragma unroll
    for (int c = 0; c < C; c++) {
      q[c].times(s[c][0], a, step);
    }
    z0 = weaveHigh(w[0], w[1]);
    z1 = weaveHigh(w[2], w[3]);
    uint32_t b[4] = {bytesToHalves<KF, 0>(z0), bytesToHalves<KF, 1>(z0), bytesToHalves<KF, 0>(z1),
                     bytesToHalves<KF, 1>(z1)};
#pragma unroll
    for (int c = 0; c < C; c++) {
      q[c].times(s[c][1], b, step);
    }
  }
}

/// The same for nibbles, scales included.
template <int D, int C>
__device__ __forceinline__ void scores4(float (&s)[C][2][4], uint32_t stage, uint32_t scales,
                                        const Queries<INT4, D> (&q)[C], int lane) {
  using S = DecodeShape<INT4, INT4, D>;
  int g = lane >> 2;
  uint32_t address = stage + (g >> 2) * S::KEY_STRIDE + (lane & 3) * 16 + (g & 3) * 4;
  constexpr uint32_t LOWER = 0x000f000fu, UPPER = 0x00f000f0u;
  uint32_t scaleAt = scales + (g >> 2) * S::KEY_SCALES + (g & 3) * 8;
#pragma unroll
  for (int group = 0; group < S::GROUPS; group++) {
    uint2 factors = load64(scaleAt + group * 32);
    float part[C][2][4];
#pragma unroll
    for (int i = 0; i < 4 * C; i++) {
      part[i / 4][0][i % 4] = part[i / 4][1][i % 4] = q[i / 4].bias[group][i & 1];
    }
    if (32 * group + 32 <= D) {
      uint32_t w[4];
#pragma unroll
      for (int j = 0; j < 4; j++) {
        w[j] = load32(address + group * 256 + j * 64);
      }
#pragma unroll
      for (int pair = 0; pair < 2; pair++) {
        uint32_t z0 = __byte_perm(w[0], w[1], pair == 0 ? 0x5410 : 0x7632);
        uint32_t z1 = __byte_perm(w[2], w[3], pair == 0 ? 0x5410 : 0x7632);
        uint32_t low[4] = {z0 & LOWER, z0 >> 8 & LOWER, z1 & LOWER, z1 >> 8 & LOWER};
#pragma unroll
        for (int c = 0; c < C; c++) {
          q[c].times(part[c][pair], low, 2 * group);
        }
        uint32_t high[4] = {z0 & UPPER, z0 >> 8 & UPPER, z1 & UPPER, z1 >> 8 & UPPER};
#pragma unroll
        for (int c = 0; c < C; c++) {
          q[c].times(part[c][pair], high, 2 * group + 1 < D / 16 ? 2 * group + 1 : 0);
        }
      }
    } else {  // 16 channels left: 8 bytes a position
      uint32_t w0 = load32(address + group * 256);
      uint32_t w1 = load32(address + group * 256 + 64);
#pragma unroll
      for (int pair = 0; pair < 2; pair++) {
        uint32_t z = __byte_perm(w0, w1, pair == 0 ? 0x5410 : 0x7632);
        uint32_t both[4] = {z & LOWER, z >> 8 & LOWER, z & UPPER, z >> 8 & UPPER};
#pragma unroll
        for (int c = 0; c < C; c++) {
          q[c].times(part[c][pair], both, 2 * group);
        }
      }
    }
    float2 f0 = halves(factors.x);
    float2 f1 = halves(factors.y);
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        s[c][0][i] += part[c][0][i] * (i < 2 ? f0.x : f0.y);
        s[c][1][i] += part[c][1][i] * (i < 2 ? f1.x : f1.y);
      }
    }
  }
}

/// acc += V^T p of 16 positions in a 16-bit format; the `n`th tile of `p` are weights of columns 2t,
/// 2t + 1 at positions g and g + 8.
template <int VF, int D, int C, int N, class Sums>
__device__ __forceinline__ void values16(Sums (&own)[C], uint32_t values,
                                         const float (&p)[C][N][4], int n, int lane) {
  using S = DecodeShape<VF, VF, D>;
  constexpr bool BRAIN = VF == BF16;
  uint32_t high[C][2], low[C][2];
#pragma unroll
  for (int c = 0; c < C; c++) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      uint32_t of = pack<BRAIN>(p[c][n][2 * i], p[c][n][2 * i + 1]);
      low[c][i] = transpose8(packRest<BRAIN>(p[c][n][2 * i], p[c][n][2 * i + 1], of));
      high[c][i] = transpose8(of);
    }
  }
  uint32_t address =
      values + ((lane & 7) + (lane >> 4) * 8) * S::VALUE_LINE + (lane >> 3 & 1) * 16;
#pragma unroll
  for (int m = 0; m < D / 16; m++) {
    uint32_t a[4];
    loadTransposed(a, address + m * 32);
#pragma unroll
    for (int c = 0; c < C; c++) {
      multiply<BRAIN>(own[c].acc[m], a, high[c][0], high[c][1]);
      multiply<BRAIN>(own[c].acc[m], a, low[c][0], low[c][1]);
    }
  }
}

/// Words of rows of value codes, `N` at a time.
template <int N>
__device__ __forceinline__ void loadWords(uint32_t w[N], uint32_t address) {
  if constexpr (N == 1) {
    w[0] = load32(address);
  } else if constexpr (N == 2) {
    uint2 x = load64(address);
    w[0] = x.x, w[1] = x.y;
  } else {
#pragma unroll
    for (int i = 0; i < N; i += 4) {
      uint4 x = load128(address + 4 * i);
      w[i] = x.x, w[i + 1] = x.y, w[i + 2] = x.z, w[i + 3] = x.w;
    }
  }
}

/// acc += V^T p of 32 positions of codes; `b` are the weights as B of two products of 16: positions
/// 8t, 8t+4 | 8t+1, 8t+5 and 8t+2, 8t+6 | 8t+3, 8t+7.
template <int VF, int D, int C, class Sums>
__device__ __forceinline__ void valuesCoded(Sums (&own)[C], uint32_t values, uint32_t scales,
                                            const uint32_t (&b)[C][2][2], int lane) {
  using S = DecodeShape<INT8, VF, D>;
  constexpr int N = S::LANE_WORDS;
  int g = lane >> 2;
  int t = lane & 3;
  uint32_t address = values + t * S::VALUE_GROUP + g * (4 * N);
  uint32_t factors[4] = {};
  if constexpr (VF == INT4) {
    int group = min(g * N / 4, S::GROUPS - 1);
    uint4 x = load128(scales + (t >> 1) * S::VALUE_SCALES + group * 32 + (t & 1) * 16);
    factors[0] = __byte_perm(x.x, x.z, 0x5410);  // positions 8t, 8t + 4
    factors[1] = __byte_perm(x.x, x.z, 0x7632);  // 8t + 1, 8t + 5
    factors[2] = __byte_perm(x.y, x.w, 0x5410);
    factors[3] = __byte_perm(x.y, x.w, 0x7632);
  }
#pragma unroll
  for (int half = 0; half < 2; half++) {
    constexpr int W = N < 4 ? N : 4;
#pragma unroll
    for (int from = 0; from < N; from += W) {
      uint32_t w[4][W];  // positions 8t + 2 half, + 4, + 1, + 5
#pragma unroll
      for (int i = 0; i < 4; i++) {
        int row = 2 * half + (i & 1) * 4 + (i >> 1);
        loadWords<W>(w[i], address + row * S::VALUE_ROW + 4 * from);
      }
#pragma unroll
      for (int n = 0; n < W; n++) {
        if constexpr (VF == INT4) {
#pragma unroll
          for (int pair = 0; pair < 2; pair++) {
            uint32_t z0 = __byte_perm(w[0][n], w[1][n], pair == 0 ? 0x5410 : 0x7632);
            uint32_t z1 = __byte_perm(w[2][n], w[3][n], pair == 0 ? 0x5410 : 0x7632);
            uint32_t f0 = factors[2 * half];
            uint32_t f1 = factors[2 * half + 1];
            uint32_t low[4] = {half2Mul(lowNibbles(z0), f0), half2Mul(lowNibbles(z0 >> 8), f0),
                               half2Mul(lowNibbles(z1), f1), half2Mul(lowNibbles(z1 >> 8), f1)};
#pragma unroll
            for (int c = 0; c < C; c++) {
              multiply<false>(own[c].acc[4 * (from + n) + 2 * pair], low, b[c][half][0], b[c][half][1]);
            }
            uint32_t high[4] = {half2Mul(highNibbles(z0), f0), half2Mul(highNibbles(z0 >> 8), f0),
                                half2Mul(highNibbles(z1), f1), half2Mul(highNibbles(z1 >> 8), f1)};
#pragma unroll
            for (int c = 0; c < C; c++) {
              multiply<false>(own[c].acc[4 * (from + n) + 2 * pair + 1], high, b[c][half][0], b[c][half][1]);
            }
          }
        } else {
          constexpr uint32_t flip = VF == INT8 ? 0x80808080u : 0;
          uint32_t w0 = w[0][n] ^ flip, w1 = w[1][n] ^ flip;
          uint32_t w2 = w[2][n] ^ flip, w3 = w[3][n] ^ flip;
          uint32_t z0 = weaveLow(w0, w1), z1 = weaveLow(w2, w3);
          uint32_t first[4] = {bytesToHalves<VF, 0>(z0), bytesToHalves<VF, 1>(z0),
                               bytesToHalves<VF, 0>(z1), bytesToHalves<VF, 1>(z1)};
#pragma unroll
          for (int c = 0; c < C; c++) {
            multiply<false>(own[c].acc[2 * (from + n)], first, b[c][half][0], b[c][half][1]);
          }
          z0 = weaveHigh(w0, w1), z1 = weaveHigh(w2, w3);
          uint32_t second[4] = {bytesToHalves<VF, 0>(z0), bytesToHalves<VF, 1>(z0),
                                bytesToHalves<VF, 0>(z1), bytesToHalves<VF, 1>(z1)};
#pragma unroll
          for (int c = 0; c < C; c++) {
            multiply<false>(own[c].acc[2 * (from + n) + 1], second, b[c][half][0], b[c][half][1]);
          }
        }
      }
    }
  }
}

/// m, l and acc of a lane: heads 2t and 2t + 1.
template <int OUT_TILES>
struct Running {
  float m[2];
  float l[2];
  float acc[OUT_TILES][4];

  __device__ __forceinline__ void clear() {
    m[0] = m[1] = -INFINITY;
    l[0] = l[1] = 0;
#pragma unroll
    for (int i = 0; i < OUT_TILES; i++) {
      acc[i][0] = acc[i][1] = acc[i][2] = acc[i][3] = 0;
    }
  }

  /// Takes in scores (in powers of two) and turns them into weights.
  template <int N>
  __device__ __forceinline__ void weigh(float s[N][4]) {
    float most[2] = {m[0], m[1]};
#pragma unroll
    for (int n = 0; n < N; n++) {
      most[0] = fmaxf(most[0], fmaxf(s[n][0], s[n][2]));
      most[1] = fmaxf(most[1], fmaxf(s[n][1], s[n][3]));
    }
#pragma unroll
    for (int lane = 4; lane < 32; lane *= 2) {
      most[0] = fmaxf(most[0], __shfl_xor_sync(~0u, most[0], lane));
      most[1] = fmaxf(most[1], __shfl_xor_sync(~0u, most[1], lane));
    }
    if (__any_sync(~0u, most[0] > m[0] || most[1] > m[1])) {
      float f0 = exp2Fast(m[0] - most[0]);
      float f1 = exp2Fast(m[1] - most[1]);
      m[0] = most[0], m[1] = most[1];
      l[0] *= f0, l[1] *= f1;
#pragma unroll
      for (int i = 0; i < OUT_TILES; i++) {
        acc[i][0] *= f0, acc[i][1] *= f1, acc[i][2] *= f0, acc[i][3] *= f1;
      }
    }
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        s[n][i] = exp2Fast(s[n][i] - m[i & 1]);
        l[i & 1] += s[n][i];
      }
    }
  }
};

/// What turns products into scores in powers of two, for the lane's two columns, which are of
/// `ROWS` rows.
template <int ROWS>
struct Scoring {
  float factor[2];  // without cap and slopes: score = dot factor + centre
  float centre[2];
  float slope[2];
  int last[ROWS];
  float softcap;
  bool plain;

  __device__ __forceinline__ float score(float dot, int i, int position) const {
    float y = dot * factor[i] + centre[i];
    if (!plain) {
      if (softcap > 0) {
        y = softcap * tanhf(y / softcap);
      }
      y = (y + slope[i] * (position - last[i % ROWS])) * LOG2E;
    }
    return y;
  }
};

/// The four warps' results become one.
template <int VF, int D, bool CODED, int OUT_TILES>
__device__ __forceinline__ void mergeWarps(Running<OUT_TILES>& own, float* shared,
                                           const DecodeCall& call, int slot, int firstHead,
                                           int headCount) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane >> 2, t = lane & 3;
#pragma unroll
  for (int step = 4; step < 32; step *= 2) {
    own.l[0] += __shfl_xor_sync(~0u, own.l[0], step);
    own.l[1] += __shfl_xor_sync(~0u, own.l[1], step);
  }
  copyWait<0>();
  __syncthreads();
  float* sums = shared + warp * COLUMNS * D;
  float* ml = shared + WARPS * COLUMNS * D;
#pragma unroll
  for (int i = 0; i < OUT_TILES; i++) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
      int channel = CODED ? channelOf<VF, D>(g, i, r) : 16 * i + g + 8 * r;
      if (channel < D) {
        sums[2 * t * D + channel] = own.acc[i][2 * r];
        sums[(2 * t + 1) * D + channel] = own.acc[i][2 * r + 1];
      }
    }
  }
  if (g == 0) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      ml[(warp * COLUMNS + 2 * t + i) * 2] = own.m[i];
      ml[(warp * COLUMNS + 2 * t + i) * 2 + 1] = own.l[i];
    }
  }
  __syncthreads();
  for (int at = threadIdx.x; at < headCount * D; at += WARPS * 32) {
    int column = at / D;
    float m = -INFINITY;
#pragma unroll
    for (int w = 0; w < WARPS; w++) {
      m = fmaxf(m, ml[(w * COLUMNS + column) * 2]);
    }
    float l = 0, sum = 0;
#pragma unroll
    for (int w = 0; w < WARPS; w++) {
      float of = ml[(w * COLUMNS + column) * 2];
      float factor = of == -INFINITY ? 0.0f : exp2Fast(of - m);
      l += factor * ml[(w * COLUMNS + column) * 2 + 1];
      sum += factor * shared[(w * COLUMNS + column) * D + at - column * D];
    }
    long long head = (long long)slot * call.heads + firstHead + column;
    constexpr float unit = VF == INT8 ? 1 / 64.0f : 1.0f;
    call.acc[head * D + at - column * D] = sum * unit;
    if (at == column * D) {
      call.ml[head] = make_float2(m, l);
    }
  }
}

template <int KF, int VF, int D, int STAGES>
__device__ __forceinline__ void attendDecode(const DecodeCall& call) {
  using S = DecodeShape<KF, VF, D>;
  extern __shared__ __align__(128) unsigned char shared[];
  // Lists and tables are there before the kernel in front begins; what that writes is not.
  bool any = (int)blockIdx.y < *call.itemCount;
  if (!any) {
    waitForInputs();
    return;
  }
  Item item = call.items[blockIdx.y];
  int kvHead = blockIdx.x % call.kvHeads;
  int part = blockIdx.x / call.kvHeads * COLUMNS;
  int groupSize = call.heads / call.kvHeads;
  int headCount = min(groupSize - part, COLUMNS);
  int firstHead = kvHead * groupSize + part;
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane >> 2, t = lane & 3;

  const int* table = call.tables + item.table + (long long)kvHead * item.headTable;
  const unsigned char* planes = call.pool + call.keyOffset + kvHead * call.headBytes;
  int firstTile = item.start / 16;
  int endTile = item.end > item.start ? (item.end + 15) / 16 : firstTile;
  int stages = (endTile - firstTile + S::TILES - 1) / S::TILES;
  uint32_t ring = sharedAddress(shared) + warp * STAGES * S::BYTES;

  // The cursors stand at the next stage to copy, whose block ids are already here.
  TileCursor ahead[S::TILES];
  int ids[S::TILES];
  int stepBlocks = WARPS * S::TILES / call.tilesPerBlock;
  int stepWithin = WARPS * S::TILES - stepBlocks * call.tilesPerBlock;
#pragma unroll
  for (int n = 0; n < S::TILES; n++) {
    ahead[n].open(table, firstTile + warp * S::TILES + n, endTile, call.tilesPerBlock);
    ids[n] = ahead[n].id();
  }
  waitForInputs();
  auto copyAhead = [&](uint32_t to, bool any) {
#pragma unroll
    for (int n = 0; n < S::TILES; n++) {
      if (any) {
        copyStageTile<KF, VF, D>(call, planes, item.start, item.end, to, n, ids[n], ahead[n].tile,
                                 ahead[n].within, lane);
      }
      ahead[n].tile += WARPS * S::TILES;
      ahead[n].within += stepWithin;
      ahead[n].block += stepBlocks;
      if (ahead[n].within >= call.tilesPerBlock) {
        ahead[n].within -= call.tilesPerBlock;
        ahead[n].block++;
      }
      ids[n] = ahead[n].id();
    }
    copyCommit();
  };
#pragma unroll
  for (int i = 0; i < STAGES - 1; i++) {
    copyAhead(ring + i * S::BYTES, warp + i * WARPS < stages);
  }

  Queries<KF, D> queries[1];
  const float* q = call.q + ((long long)item.row * call.heads + firstHead + g) * D;
  float factor = queries[0].read(q, g < headCount, t);
  Scoring<1> scoring;
  scoring.plain = call.softcap <= 0 && call.slopes == nullptr;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    int head = firstHead + 2 * t + i;
    bool there = 2 * t + i < headCount;
    float unit = call.scale * (scoring.plain ? LOG2E : 1.0f);
    scoring.factor[i] =
        __shfl_sync(~0u, factor, (2 * t + i) * 4) * (KF == FP8 ? 256.0f : 1.0f) * unit;
    scoring.centre[i] =
        there && call.centre ? call.centre[item.row * call.heads + head] * unit : 0.0f;
    scoring.slope[i] = there && call.slopes ? call.slopes[head] : 0.0f;
  }
  scoring.last[0] = call.slopes ? call.positions[item.row] : 0;
  scoring.softcap = call.softcap;

  Running<S::OUT_TILES> own[1];
  own[0].clear();
  int slot = 0;
  for (int stage = warp; stage < stages; stage += WARPS) {
    copyWait<STAGES - 2>();
    __syncwarp();
    uint32_t at = ring + slot * S::BYTES;
    copyAhead(ring + (slot == 0 ? STAGES - 1 : slot - 1) * S::BYTES,
              stage + (STAGES - 1) * WARPS < stages);
    slot = slot == STAGES - 1 ? 0 : slot + 1;

    int first = (firstTile + stage * S::TILES) * 16;
    bool whole = first >= item.start && first + S::TOKENS <= item.end;
    if constexpr (!S::CODED) {
      float s[1][1][4] = {};
      scores16(s, 0, at, queries, lane);
#pragma unroll
      for (int i = 0; i < 4; i++) {
        int position = first + g + (i >> 1) * 8;
        bool seen = whole || (position >= item.start && position < item.end);
        s[0][0][i] = seen ? scoring.score(s[0][0][i], i & 1, position) : -INFINITY;
      }
      own[0].template weigh<1>(s[0]);
      values16<VF, D>(own, at + S::VALUES_AT, s, 0, lane);
    } else {
      float s[1][2][4] = {};
      uint2 keyScales = make_uint2(0, 0);
      if constexpr (KF == INT4) {
        scores4(s, at, at + S::KEY_SCALES_AT, queries, lane);
      } else {
        scores8(s, at, queries, lane);
        keyScales = load64(at + S::KEY_SCALES_AT + g * 8);
      }
#pragma unroll
      for (int n = 0; n < 2; n++) {
        float2 f = KF == INT4 ? make_float2(1, 1) : halves(n == 0 ? keyScales.x : keyScales.y);
#pragma unroll
        for (int i = 0; i < 4; i++) {
          int position = first + 4 * g + 2 * n + (i >> 1);
          bool seen = whole || (position >= item.start && position < item.end);
          float dot = s[0][n][i] * (i < 2 ? f.x : f.y);
          s[0][n][i] = seen ? scoring.score(dot, i & 1, position) : -INFINITY;
        }
      }
      own[0].template weigh<2>(s[0]);
      float2 v[2] = {make_float2(1, 1), make_float2(1, 1)};
      if constexpr (VF != INT4) {
        constexpr float unit = VF == INT8 ? 64.0f : 256.0f;
        uint2 valueScales = load64(at + S::VALUE_SCALES_AT + g * 8);
        v[0] = halves(valueScales.x);
        v[1] = halves(valueScales.y);
        v[0].x *= unit, v[0].y *= unit, v[1].x *= unit, v[1].y *= unit;
      }
      uint32_t b[1][2][2];
#pragma unroll
      for (int n = 0; n < 2; n++) {
        b[0][n][0] = transpose8(pack<false>(s[0][n][0] * v[n].x, s[0][n][1] * v[n].x));
        b[0][n][1] = transpose8(pack<false>(s[0][n][2] * v[n].y, s[0][n][3] * v[n].y));
      }
      valuesCoded<VF, D>(own, at + S::VALUES_AT, at + S::VALUE_SCALES_AT, b, lane);
    }
  }
  letNextStart();
  mergeWarps<VF, D, S::CODED>(own[0], reinterpret_cast<float*>(shared), call, item.slot, firstHead,
                              headCount);
}

}  // namespace kvasir

// Checks put more into KVASIR_DECODE, to have a list of kernels.
#ifndef KVASIR_DECODE
#define KVASIR_DECODE KVASIR_DECODE_KERNEL
#endif
#define KVASIR_DECODE_KERNEL(NAME, KF, VF, D, STAGES, BLOCKS)                                    \
  extern "C" {                                                                                    \
  __constant__ int NAME##_shared =                                                                \
      kvasir::decodeSharedBytes<kvasir::KF, kvasir::VF, D, STAGES>();                             \
  }                                                                                               \
  extern "C" __global__ void __launch_bounds__(128, BLOCKS) NAME(                                 \
      const float* q, const float* centre, const float* slopes, const int* positions,             \
      const unsigned char* pool, long long blockBytes, long long keyOffset, long long headBytes,  \
      long long valueOffset, const int* tables, const kvasir::Item* items, const int* itemCount,  \
      float* acc, float2* ml, float scale, float softcap, int tilesPerBlock, int heads,           \
      int kvHeads) {                                                                              \
    kvasir::attendDecode<kvasir::KF, kvasir::VF, D, STAGES>(                                      \
        {q, centre, slopes, positions, pool, blockBytes, keyOffset, headBytes, valueOffset,       \
         tables, items, itemCount, acc, ml, scale, softcap, tilesPerBlock, heads, kvHeads});      \
  }
