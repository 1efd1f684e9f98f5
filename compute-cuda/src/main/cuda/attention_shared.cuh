// Attention of decoding rows over positions that several of them hold in the same blocks, which are
// read once for all (cascade attention: Hydragen, Juravsky et al., arXiv 2402.05099; FlashInfer,
// arXiv 2501.01005).
//
// Computes, for each item (a run of positions, and neighbouring rows that share its blocks) and kv
// head, for every query head that reads it, what attention_decode.cuh computes for a row:
// m = max y_j,  l = sum 2^(y_j - m),  acc = sum 2^(y_j - m) v_j, to slot firstSlot[row] + shift.
//
// Launch: grid (kvHeads * ceil(rows of an item * G / NAME_columns), item capacity), 128 threads, and
// as many bytes of dynamic shared memory as the device constant NAME_shared says.
//
// The (row, head) pairs of a kv head are the columns of the products of attention_decode.cuh, 8 to
// a tile, tile after tile to the four warps by turns, C tiles each: 64 columns, 16 rows of 4 heads.
// All warps copy a stage together, each its quarter, into the ring that decode has for each of them,
// and after a barrier each multiplies all of the stage by its own columns. So a code is unpacked
// once for C tiles instead of one, positions need no merging among warps, and results go from
// registers to memory.
//
// Bytes moved: codes and scales of a position once for NAME_columns queries; 4 (D + 2) an item and
// query head of partial results. Products: 16-bit formats 4 for each 16 x 16 x 8 (halves and rests
// of queries and weights), 8-bit codes 3, int4 2; with more than 16 columns these are the limit, not
// the memory.
#pragma once
#include "attention_decode.cuh"

namespace kvasir {

/// A run of positions that neighbouring rows share; 8 ints on the host.
struct SharedItem {
  int row;    // the first
  int rows;   // how many
  int table;  // index in `tables` of the block that holds position 0
  int start;  // first position
  int end;    // one past the last
  int shift;  // of its partial results behind those of a row's first slot
  int unused0;
  int unused1;
};

struct SharedCall {
  DecodeCall decode;  // but for the items
  const SharedItem* __restrict__ items;
  const int* __restrict__ firstSlot;
  int exactSinks;  // positions that are not read from codes
};

/// Tiles of 8 columns of a warp: as many as registers hold queries and sums for.
template <int D>
constexpr int COLUMN_TILES = D <= 128 ? 2 : 1;

/// Scores and sums of one stage's part of 16 (two of 16-bit formats) or 32 positions.
template <int KF, int VF, int D, int C, int STEP, class Sums>
__device__ __forceinline__ void attendPart(const Queries<KF, D> (&queries)[C],
                                           const Scoring<2> (&scoring)[C], Sums (&own)[C],
                                           const uint32_t (&at)[STEP], int first, int start,
                                           int end, int lane) {
  using S = DecodeShape<KF, VF, D>;
  int g = lane >> 2;
  bool whole = first >= start && first + STEP * S::TOKENS <= end;
  float s[C][2][4] = {};
  if constexpr (!S::CODED) {
#pragma unroll
    for (int n = 0; n < STEP; n++) {
      scores16(s, n, at[n], queries, lane);
    }
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int i = 0; i < 8; i++) {
        int position = first + i / 4 * 16 + g + (i >> 1 & 1) * 8;
        bool seen = whole || (position >= start && position < end);
        float y = scoring[c].score(s[c][i / 4][i % 4], i & 1, position);
        s[c][i / 4][i % 4] = seen ? y : -INFINITY;
      }
      own[c].template weigh<2>(s[c]);
    }
#pragma unroll
    for (int n = 0; n < STEP; n++) {
      values16<VF, D>(own, at[n] + S::VALUES_AT, s, n, lane);
    }
  } else {
    uint2 keyScales = make_uint2(0, 0);
    if constexpr (KF == INT4) {
      scores4(s, at[0], at[0] + S::KEY_SCALES_AT, queries, lane);
    } else {
      scores8(s, at[0], queries, lane);
      keyScales = load64(at[0] + S::KEY_SCALES_AT + g * 8);
    }
    float2 v[2] = {make_float2(1, 1), make_float2(1, 1)};
    if constexpr (VF != INT4) {
      constexpr float unit = VF == INT8 ? 64.0f : 256.0f;
      uint2 valueScales = load64(at[0] + S::VALUE_SCALES_AT + g * 8);
      v[0] = halves(valueScales.x);
      v[1] = halves(valueScales.y);
      v[0].x *= unit, v[0].y *= unit, v[1].x *= unit, v[1].y *= unit;
    }
    uint32_t b[C][2][2];
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int n = 0; n < 2; n++) {
        float2 f = KF == INT4 ? make_float2(1, 1) : halves(n == 0 ? keyScales.x : keyScales.y);
#pragma unroll
        for (int i = 0; i < 4; i++) {
          int position = first + 4 * g + 2 * n + (i >> 1);
          bool seen = whole || (position >= start && position < end);
          float y = scoring[c].score(s[c][n][i] * (i < 2 ? f.x : f.y), i & 1, position);
          s[c][n][i] = seen ? y : -INFINITY;
        }
      }
      own[c].template weigh<2>(s[c]);
#pragma unroll
      for (int n = 0; n < 2; n++) {
        b[c][n][0] = transpose8(pack<false>(s[c][n][0] * v[n].x, s[c][n][1] * v[n].x));
        b[c][n][1] = transpose8(pack<false>(s[c][n][2] * v[n].y, s[c][n][3] * v[n].y));
      }
    }
    valuesCoded<VF, D>(own, at[0] + S::VALUES_AT, at[0] + S::VALUE_SCALES_AT, b, lane);
  }
}

/// Writes the sums of a column, which a lane holds at `at` of each four: 4 neighbouring channels at
/// a time of codes, whose rows of products are apart by as much as a lane reads at once.
template <int VF, int D, bool CODED, int OUT_TILES>
__device__ __forceinline__ void storeColumn(const Running<OUT_TILES>& own, int at, int g,
                                            float* to) {
  constexpr float unit = VF == INT8 ? 1 / 64.0f : 1.0f;
  if constexpr (!CODED) {
#pragma unroll
    for (int i = 0; i < OUT_TILES; i++) {
      to[16 * i + g] = own.acc[i][at];
      to[16 * i + g + 8] = own.acc[i][at + 2];
    }
  } else {
    constexpr int NEXT = VF == INT4 ? 2 : 1;  // tiles from the first two channels to the others
#pragma unroll
    for (int i = 0; i < OUT_TILES / 2; i++) {
      int first = VF == INT4 ? i / 2 * 4 + i % 2 : 2 * i;
      int channel = channelOf<VF, D>(g, first, 0);
      if (channel < D) {
        *reinterpret_cast<float4*>(to + channel) =
            make_float4(own.acc[first][at] * unit, own.acc[first][at + 2] * unit,
                        own.acc[first + NEXT][at] * unit, own.acc[first + NEXT][at + 2] * unit);
      }
    }
  }
}

template <int KF, int VF, int D, int STAGES>
__device__ __forceinline__ void attendShared(const SharedCall& shares) {
  using S = DecodeShape<KF, VF, D>;
  constexpr int C = COLUMN_TILES<D>;
  constexpr int STEP = S::CODED ? 1 : 2;  // parts at a time
  extern __shared__ __align__(128) unsigned char shared[];
  const DecodeCall& call = shares.decode;
  int groupSize = call.heads / call.kvHeads;
  int kvHead = blockIdx.x % call.kvHeads;
  int before = blockIdx.x / call.kvHeads * (WARPS * C * COLUMNS);
  bool any = (int)blockIdx.y < *call.itemCount;
  int columns = any ? shares.items[blockIdx.y].rows * groupSize - before : 0;
  if (columns <= 0) {
    waitForInputs();
    return;
  }
  SharedItem item = shares.items[blockIdx.y];
  int start = max(item.start, shares.exactSinks);
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane >> 2, t = lane & 3;

  const int* table = call.tables + item.table;
  const unsigned char* planes = call.pool + call.keyOffset + kvHead * call.headBytes;
  int firstTile = start / 16;
  int endTile = item.end > start ? (item.end + 15) / 16 : firstTile;
  int turns = (endTile - firstTile + WARPS * S::TILES - 1) / (WARPS * S::TILES);
  uint32_t base = sharedAddress(shared), ring = base + warp * STAGES * S::BYTES;

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
  // Behind the last tile zeros are written: their scores are passed over, but they are multiplied.
  auto copyAhead = [&](uint32_t to, bool more) {
#pragma unroll
    for (int n = 0; n < S::TILES; n++) {
      if (more) {
        copyStageTile<KF, VF, D>(call, planes, start, item.end, to, n, ids[n], ahead[n].tile,
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
    copyAhead(ring + i * S::BYTES, i < turns);
  }

  Queries<KF, D> queries[C];
  Scoring<2> scoring[C];
  Running<S::OUT_TILES> own[C];
#pragma unroll
  for (int c = 0; c < C; c++) {
    own[c].clear();
    int tile = (c * WARPS + warp) * COLUMNS;
    int column = before + tile + g;
    int row = item.row + column / groupSize;
    int head = kvHead * groupSize + column % groupSize;
    const float* q = call.q + ((long long)row * call.heads + head) * D;
    float factor = queries[c].read(q, tile + g < columns, t);
    scoring[c].softcap = call.softcap;
    scoring[c].plain = call.softcap <= 0 && call.slopes == nullptr;
    float unit = call.scale * (scoring[c].plain ? LOG2E : 1.0f);
#pragma unroll
    for (int i = 0; i < 2; i++) {
      bool there = tile + 2 * t + i < columns;
      int of = before + tile + 2 * t + i;
      int ofRow = item.row + of / groupSize;
      int ofHead = kvHead * groupSize + of % groupSize;
      scoring[c].factor[i] =
          __shfl_sync(~0u, factor, (2 * t + i) * 4) * (KF == FP8 ? 256.0f : 1.0f) * unit;
      scoring[c].centre[i] =
          there && call.centre ? call.centre[(long long)ofRow * call.heads + ofHead] * unit : 0.0f;
      scoring[c].slope[i] = there && call.slopes ? call.slopes[ofHead] : 0.0f;
      scoring[c].last[i] = there && call.slopes ? call.positions[ofRow] : 0;
    }
  }

  bool active = warp * COLUMNS < columns;
  int slot = 0;
  for (int turn = 0; turn < turns; turn++) {
    copyWait<STAGES - 2>();
    __syncthreads();  // all of the stage is here, and all have left the one before
    copyAhead(ring + (slot == 0 ? STAGES - 1 : slot - 1) * S::BYTES, turn + STAGES - 1 < turns);
    if (active) {
      uint32_t stage = base + slot * S::BYTES;
      int first = (firstTile + turn * (WARPS * S::TILES)) * 16;
#pragma unroll 1
      for (int part = 0; part < WARPS && first < item.end; part += STEP) {
        uint32_t at[STEP];
#pragma unroll
        for (int n = 0; n < STEP; n++) {
          at[n] = stage + (part + n) * (STAGES * S::BYTES);
        }
        attendPart<KF, VF, D>(queries, scoring, own, at, first, start, item.end, lane);
        first += STEP * S::TOKENS;
      }
    }
    slot = slot == STAGES - 1 ? 0 : slot + 1;
  }
  copyWait<0>();
  letNextStart();
#pragma unroll
  for (int c = 0; c < C; c++) {
    int tile = (c * WARPS + warp) * COLUMNS;
#pragma unroll
    for (int i = 0; i < 2; i++) {
      float l = own[c].l[i];
#pragma unroll
      for (int step = 4; step < 32; step *= 2) {
        l += __shfl_xor_sync(~0u, l, step);
      }
      int of = tile + 2 * t + i;
      if (of < columns) {
        int row = item.row + (before + of) / groupSize;
        int head = kvHead * groupSize + (before + of) % groupSize;
        long long at = (long long)(shares.firstSlot[row] + item.shift) * call.heads + head;
        storeColumn<VF, D, S::CODED>(own[c], i, g, call.acc + at * D);
        if (g == 0) {
          call.ml[at] = make_float2(own[c].m[i], l);
        }
      }
    }
  }
}

}  // namespace kvasir

// Checks put more into KVASIR_SHARED, to have a list of kernels.
#ifndef KVASIR_SHARED
#define KVASIR_SHARED KVASIR_SHARED_KERNEL
#endif
#define KVASIR_SHARED_KERNEL(NAME, KF, VF, D, STAGES, BLOCKS)                                    \
  extern "C" {                                                                                    \
  __constant__ int NAME##_shared =                                                                \
      kvasir::WARPS * STAGES * kvasir::DecodeShape<kvasir::KF, kvasir::VF, D>::BYTES;             \
  }                                                                                               \
  extern "C" __global__ void __launch_bounds__(128, BLOCKS)                                       \
      NAME(const __grid_constant__ kvasir::SharedCall call) {                                     \
    kvasir::attendShared<kvasir::KF, kvasir::VF, D, STAGES>(call);                                \
  }
