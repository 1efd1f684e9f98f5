// Attention of many rows of a sequence over its paged cache (prefill) on Hopper's tensor cores.
//
// A block of threads computes 128 consecutive rows of one query head: out = softmax(cap(scale q k^T))
// v over the positions that each row sees, online over tiles of 128 positions (FlashAttention-2 and
// -3, arXiv 2307.08691 and 2407.08608: a producer, two warpgroups that multiply, products of the
// next tile's scores running beside the softmax of this one's).
//
// Launch: grid (H, item capacity), 384 threads, NAME_shared bytes. Items with many positions should
// stand first. Query heads of a kv head are neighbours and read its tiles from the L2 cache.
//   warpgroup 0  copies tiles with cp.async, 16 bytes at a time, to where the products want them
//   1 and 2      64 rows each: S = Q K^T, softmax, O += P V with wgmma; P stays in registers
// Keys are stored in tiles of 16 positions, channel after channel: 32 bytes of one channel are the
// contiguous direction of B, so a cached tile becomes the 32-byte swizzle layout by moving 16 bytes
// of every second group of four channels; two such tiles stand a whole tile apart. Values stand row
// after row and become two halves of 64 channels in the 128-byte layout. Nothing is transposed.
//
// What a row at position p sees, by `mode`: 0: j <= p; 1: j < p / 64 * 64 - tail (codes before an
// exact tail, all where tail < 0); 2: p / 64 * 64 - tail <= j <= p (the tail); 3: j < exactSinks (exact
// first positions). In each, j > p - window where window > 0, and in 1 and 2 j >= exactSinks. With
// several passes over a row each writes partial results to slot firstSlot[row] + pass, which
// attention_merge.cu adds up; ml null: out [rows, H, D] f32 at once.
//
// Q and P are rounded to the cache's 16-bit type; sums are f32. Positions outside an item's rows are
// never read as values. Shapes: D 64 or 128. Operations: 4 D for each row, head and position seen.
//
// What was measured (H100, 32 query heads, 8 kv heads, 8192 rows, causal; a product of 8192^3 in
// bf16 at 787 TFLOP/s): D = 128 534 TFLOP/s (68 %), 2048 rows behind 6144 547, 32768 rows 543; D = 64
// 352, where the softmax is half of the time. Short prompts leave multiprocessors without items:
// 8 x 1024 rows 237.
// targets: 90a
#include "attention_prefill.cuh"

namespace kvasir {

#ifdef KVASIR_WGMMA

constexpr int ROWS = 128;
constexpr int COLUMNS = 128;  // positions of a tile
constexpr int STAGES = 2;

template <int D>
struct PrefillShared {
  static constexpr int TILE = COLUMNS * D * 2;
  static constexpr int Q = 1024;
  static constexpr int KEYS = Q + ROWS * D * 2;
  static constexpr int VALUES = KEYS + STAGES * TILE;
  static constexpr int BYTES = VALUES + STAGES * TILE + 1024;  // the start is moved to 1024
  // Barriers of 8 bytes at the start: full and empty keys, full and empty values.
  static constexpr int FULL_KEYS = 0, EMPTY_KEYS = 16, FULL_VALUES = 32, EMPTY_VALUES = 48;
};

/// The positions that a row sees: from .. to - 1.
struct Sight {
  int from, to;
  __device__ __forceinline__ Sight(const PrefillCall& call, int position) {
    int grid = call.tail < 0 ? position + 1 : max(position / 64 * 64 - call.tail, 0);
    from = call.mode == 0 || call.mode == 3 ? 0 : call.exactSinks;
    from = call.mode == 2 ? max(grid, from) : from;
    to = call.mode == 1 ? grid : position + 1;
    to = call.mode == 3 ? min(to, call.exactSinks) : to;
    if (call.window > 0) {
      from = max(from, position + 1 - call.window);
    }
  }
};

/// Copies the tiles of keys and values, all threads of a warpgroup taking part.
template <int D>
__device__ __forceinline__ void produce(const PrefillCall& call, const PrefillItem& item,
                                        uint32_t shared, int kvHead, int firstTile, int turns,
                                        int end) {
  using S = PrefillShared<D>;
  constexpr int CHUNKS = D * 2;  // of 16 bytes in 16 positions
  int thread = threadIdx.x;
  int start = call.mode == 2 ? item.tailTable : call.mode == 3 ? item.sinkTable : item.table;
  const unsigned char* planes = call.pool + call.keyOffset + kvHead * call.headBytes;
  int block = firstTile / call.tilesPerBlock;
  int within = firstTile - block * call.tilesPerBlock;
  int endTile = (end + 15) / 16;
  uint32_t last = 0;
  for (int turn = 0; turn < turns; turn++) {
    int stage = turn % STAGES;
    uint32_t phase = (turn / STAGES & 1) ^ 1;
    const unsigned char* tiles[COLUMNS / 16];
    int tile = firstTile + turn * (COLUMNS / 16);
#pragma unroll
    for (int n = 0; n < COLUMNS / 16; n++) {
      bool there = tile + n < endTile;
      int id = there ? call.tables == nullptr ? start + block : __ldg(call.tables + start + block) : 0;
      tiles[n] = there ? planes + id * call.blockBytes + within * (32 * D) : nullptr;
      if (++within == call.tilesPerBlock) {
        within = 0;
        block++;
      }
    }
#pragma unroll
    for (int side = 0; side < 2; side++) {
      barrierWait(shared + (side == 0 ? S::EMPTY_KEYS : S::EMPTY_VALUES) + 8 * stage, phase);
      uint32_t to = shared + (side == 0 ? S::KEYS : S::VALUES) + stage * S::TILE;
#pragma unroll
      for (int n = 0; n < COLUMNS / 16; n++) {
        const unsigned char* from =
            tiles[n] == nullptr ? planes : tiles[n] + (side == 0 ? 0 : call.valueOffset);
#pragma unroll
        for (int i = 0; i < CHUNKS / 128; i++) {
          int chunk = thread + 128 * i;
          if (side == 0) {
            copy16(to + n * (32 * D) + (chunk ^ (chunk >> 3 & 1)) * 16, from + chunk * 16,
                   tiles[n] == nullptr ? 0 : 16);
          } else {
            int row = chunk / (D / 8);
            int column = chunk % (D / 8);
            bool there = tiles[n] != nullptr && (tile + n) * 16 + row < end;
            copy16(to + (column >> 3) * (COLUMNS * 128) + (n * 16 + row) * 128 +
                       ((column & 7) ^ (row & 7)) * 16,
                   from + chunk * 16, there ? 16 : 0);
          }
        }
      }
      copyCommit();
      if (turn + side > 0) {  // what was begun before is here
        copyWait<1>();
        storesToProducts();
        barrierArrive(last);
      }
      last = shared + (side == 0 ? S::FULL_KEYS : S::FULL_VALUES) + 8 * stage;
    }
  }
  copyWait<0>();
  storesToProducts();
  barrierArrive(last);
}

/// Writes the rows of Q as 16-bit numbers in the 128-byte layout, 64 rows a warpgroup.
template <bool BRAIN, int D>
__device__ __forceinline__ void placeQueries(const PrefillCall& call, const PrefillItem& item,
                                             uint32_t shared, int head, int group, int thread) {
  uint32_t to = shared + PrefillShared<D>::Q + group * (64 * D * 2);
  for (int at = thread; at < 64 * D / 8; at += 128) {
    int row = at / (D / 8), column = at % (D / 8);
    uint32_t x[4] = {0, 0, 0, 0};
    if (group * 64 + row < item.rows) {
      const float4* from = reinterpret_cast<const float4*>(
          call.q + ((long long)(item.row + group * 64 + row) * call.heads + head) * D + column * 8);
      float4 a = from[0], b = from[1];
      x[0] = pack<BRAIN>(a.x, a.y), x[1] = pack<BRAIN>(a.z, a.w);
      x[2] = pack<BRAIN>(b.x, b.y), x[3] = pack<BRAIN>(b.z, b.w);
    }
    uint32_t address =
        to + (column >> 3) * (64 * 128) + row * 128 + ((column & 7) ^ (row & 7)) * 16;
    asm volatile("st.shared.v4.b32 [%0], {%1,%2,%3,%4};\n" ::"r"(address), "r"(x[0]), "r"(x[1]),
                 "r"(x[2]), "r"(x[3])
                 : "memory");
  }
}

/// S = Q K^T of one stage.
template <bool BRAIN, int D>
__device__ __forceinline__ void beginScores(float (&s)[COLUMNS / 2], uint32_t queries,
                                            uint32_t keys) {
#pragma unroll
  for (int step = 0; step < D / 16; step++) {
    uint64_t a = matrixAt<SWIZZLE_128>(queries + step / 4 * (64 * 128) + step % 4 * 32, 16, 1024);
    uint64_t b = matrixAt<SWIZZLE_32>(keys + step * 512, 32 * D, 256);
    productShared<BRAIN, COLUMNS>(s, a, b, step > 0);
  }
  productsCommit();
}

/// O += P V of one stage.
template <bool BRAIN, int D>
__device__ __forceinline__ void beginValues(float (&o)[D / 2], const uint32_t (&p)[COLUMNS / 4],
                                            uint32_t values) {
#pragma unroll
  for (int step = 0; step < COLUMNS / 16; step++) {
    uint64_t b = matrixAt<SWIZZLE_128>(values + step * 2048, COLUMNS * 128, 1024);
    productRegisters<BRAIN, D>(o, &p[4 * step], b, 1);
  }
  productsCommit();
}

/// The softmax of two rows of a lane: g and g + 8 of a warp's 16.
struct Rows {
  float m[2];
  float l[2];
  float centre[2];
  Sight sight[2];
  float factor;  // of products, in powers of two where there is no cap
  float softcap;

  /// Turns products into weights. @return in `shrink` what the sums so far are to be multiplied by
  __device__ __forceinline__ void weigh(float (&s)[COLUMNS / 2], int first, bool masked, int t,
                                        float shrink[2]) {
    if (softcap > 0) {
#pragma unroll
      for (int i = 0; i < COLUMNS / 2; i++) {
        s[i] = LOG2E * softcap * tanhf((s[i] + centre[i >> 1 & 1]) * factor / softcap);
      }
    }
    if (masked) {
#pragma unroll
      for (int i = 0; i < COLUMNS / 2; i++) {
        int position = first + i / 4 * 8 + 2 * t + (i & 1);
        const Sight& of = sight[i >> 1 & 1];
        s[i] = position >= of.from && position < of.to ? s[i] : -INFINITY;
      }
    }
    float unit = softcap > 0 ? 1 : factor;
#pragma unroll
    for (int r = 0; r < 2; r++) {
      float most = s[2 * r];
#pragma unroll
      for (int i = 0; i < COLUMNS / 2; i += 4) {
        most = fmaxf(most, fmaxf(s[i + 2 * r], s[i + 2 * r + 1]));
      }
      most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
      most = fmaxf(most, __shfl_xor_sync(~0u, most, 2));
      most = fmaxf(m[r], most * unit);
      float base = most == -INFINITY ? 0.0f : most;
      shrink[r] = exp2Fast(m[r] - base);
      m[r] = most;
      l[r] *= shrink[r];
#pragma unroll
      for (int i = 0; i < COLUMNS / 2; i += 4) {
        float a = exp2Fast(s[i + 2 * r] * unit - base);
        float b = exp2Fast(s[i + 2 * r + 1] * unit - base);
        l[r] += a + b;
        s[i + 2 * r] = a, s[i + 2 * r + 1] = b;
      }
    }
  }
};

template <bool BRAIN>
__device__ __forceinline__ void packWeights(uint32_t (&p)[COLUMNS / 4],
                                            const float (&s)[COLUMNS / 2]) {
#pragma unroll
  for (int i = 0; i < COLUMNS / 4; i++) {
    p[i] = pack<BRAIN>(s[2 * i], s[2 * i + 1]);
  }
}

template <bool BRAIN, int D>
__device__ __forceinline__ void consume(const PrefillCall& call, const PrefillItem& item,
                                        uint32_t shared, int head, int group, int firstTile,
                                        int turns) {
  using S = PrefillShared<D>;
  int thread = threadIdx.x % 128, warp = thread / 32, lane = thread % 32, g = lane >> 2,
      t = lane & 3;
  placeQueries<BRAIN, D>(call, item, shared, head, group, thread);
  storesToProducts();
  asm volatile("bar.sync %0, 128;\n" ::"r"(group + 1) : "memory");
  uint32_t queries = shared + S::Q + group * (64 * D * 2);

  int row = group * 64 + warp * 16 + g;  // of the item; and row + 8
  int firstPosition = item.position + group * 64, lastPosition = firstPosition + 63;
  Rows rows{{-INFINITY, -INFINITY},
            {0, 0},
            {0, 0},
            {Sight(call, item.position + row), Sight(call, item.position + row + 8)},
            call.scale * (call.softcap > 0 ? 1.0f : LOG2E),
            call.softcap};
#pragma unroll
  for (int r = 0; r < 2; r++) {
    bool there = call.centre != nullptr && row + 8 * r < item.rows;
    rows.centre[r] = there ? call.centre[(item.row + row + 8 * r) * call.heads + head] : 0.0f;
  }
  Sight shortest(call, firstPosition), longest(call, lastPosition);

  float o[D / 2];
#pragma unroll
  for (int i = 0; i < D / 2; i++) {
    o[i] = 0;
  }
  uint32_t p[COLUMNS / 4];
  float shrink[2];
  for (int turn = 0; turn < turns; turn++) {
    int stage = turn % STAGES;
    float s[COLUMNS / 2];
    barrierWait(shared + S::FULL_KEYS + 8 * stage, turn / STAGES & 1);
    pin(s);
    productsFence();
    beginScores<BRAIN, D>(s, queries, shared + S::KEYS + stage * S::TILE);
    if (turn > 0) {
      int before = (turn - 1) % STAGES;
      barrierWait(shared + S::FULL_VALUES + 8 * before, (turn - 1) / STAGES & 1);
      beginValues<BRAIN, D>(o, p, shared + S::VALUES + before * S::TILE);
      productsWait<1>();
    } else {
      productsWait<0>();
    }
    pin(s);
    barrierArrive(shared + S::EMPTY_KEYS + 8 * stage);
    int first = (firstTile + turn * (COLUMNS / 16)) * 16;
    bool masked = first < longest.from || first + COLUMNS > shortest.to;
    rows.weigh(s, first, masked, t, shrink);
    productsWait<0>();
    pin(o);
    if (turn > 0) {
      barrierArrive(shared + S::EMPTY_VALUES + 8 * ((turn - 1) % STAGES));
    }
    packWeights<BRAIN>(p, s);
#pragma unroll
    for (int i = 0; i < D / 2; i++) {
      o[i] *= shrink[i >> 1 & 1];
    }
  }
  if (turns > 0) {
    int stage = (turns - 1) % STAGES;
    barrierWait(shared + S::FULL_VALUES + 8 * stage, (turns - 1) / STAGES & 1);
    pin(o);
    productsFence();
    beginValues<BRAIN, D>(o, p, shared + S::VALUES + stage * S::TILE);
    productsWait<0>();
    pin(o);
  }
#pragma unroll
  for (int r = 0; r < 2; r++) {
    float l = rows.l[r];
    l += __shfl_xor_sync(~0u, l, 1);
    l += __shfl_xor_sync(~0u, l, 2);
    float m = rows.m[r];
    if (call.softcap <= 0 && m != -INFINITY) {
      m += rows.centre[r] * rows.factor;
    }
    int of = row + 8 * r;
    if (of >= item.rows) {
      continue;
    }
    int slot = item.row + of;
    if (call.ml != nullptr) {
      slot = call.firstSlot[slot] + call.pass;
    }
    long long at = (long long)slot * call.heads + head;
    float unit = 1;
    if (call.ml == nullptr) {
      if (call.sinks != nullptr) {
        float sink = call.sinks[head] * LOG2E;
        float most = fmaxf(sink, m);
        unit = exp2f(m - most);
        l = l * unit + exp2f(sink - most);
      }
      unit = l > 0 ? unit / l : 0.0f;
    } else if (t == 0) {
      call.ml[at] = make_float2(m, l);
    }
    float* out = call.out + at * D + 2 * t;
#pragma unroll
    for (int j = 0; j < D / 8; j++) {
      *reinterpret_cast<float2*>(out + 8 * j) =
          make_float2(o[4 * j + 2 * r] * unit, o[4 * j + 2 * r + 1] * unit);
    }
  }
}

template <bool BRAIN, int D>
__device__ __forceinline__ void attendPrefill(const PrefillCall& call) {
  using S = PrefillShared<D>;
  extern __shared__ unsigned char bytes[];
  if ((int)blockIdx.y >= *call.itemCount) {
    return;
  }
  PrefillItem item = call.items[blockIdx.y];
  int head = blockIdx.x;
  int kvHead = head / (call.heads / call.kvHeads);
  uint32_t shared = (sharedAddress(bytes) + 1023) & ~1023u;
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < STAGES; stage++) {
      barrierInit(shared + S::FULL_KEYS + 8 * stage, 128);
      barrierInit(shared + S::EMPTY_KEYS + 8 * stage, 256);
      barrierInit(shared + S::FULL_VALUES + 8 * stage, 128);
      barrierInit(shared + S::EMPTY_VALUES + 8 * stage, 256);
    }
    asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory");
  }
  __syncthreads();
  Sight first(call, item.position), last(call, item.position + item.rows - 1);
  int firstTile = first.from / 16;
  int turns = last.to > first.from ? (last.to - firstTile * 16 + COLUMNS - 1) / COLUMNS : 0;
  if (threadIdx.x < 128) {
    keepRegisters<40>();
    if (turns > 0) {
      produce<D>(call, item, shared, kvHead, firstTile, turns, last.to);
    }
  } else {
    takeRegisters<232>();
    consume<BRAIN, D>(call, item, shared, head, threadIdx.x / 128 - 1, firstTile, turns);
  }
}

#endif

}  // namespace kvasir

#ifdef KVASIR_WGMMA
#define KVASIR_PREFILL(NAME, BRAIN, D)                                                            \
  extern "C" {                                                                                    \
  __constant__ int NAME##_shared = kvasir::PrefillShared<D>::BYTES;                               \
  }                                                                                               \
  extern "C" __global__ void __launch_bounds__(384, 1)                                            \
      NAME(const __grid_constant__ kvasir::PrefillCall call) {                                    \
    kvasir::attendPrefill<BRAIN, D>(call);                                                        \
  }
#else
#define KVASIR_PREFILL(NAME, BRAIN, D)
#endif

KVASIR_PREFILL(attend_prefill_bf16_64, true, 64)
KVASIR_PREFILL(attend_prefill_bf16_128, true, 128)
KVASIR_PREFILL(attend_prefill_f16_64, false, 64)
KVASIR_PREFILL(attend_prefill_f16_128, false, 128)
