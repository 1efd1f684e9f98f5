// Prepares attention of a step on the device, so that a captured step needs nothing but new lengths:
// which runs of positions each row reads, from where, and where partial results go; queries in the
// layer's basis; coded tiles as f16 for prefill.
//
//   attend_plan    once a step and kind of layer (window, exact rows): lists of items
//   attend_query   once a layer whose cache is rotated or centred
//   attend_expand  once a layer whose cache is coded, if the step has prefill items
//
// A step of a layer then is: attend_query, attend_shared_F_D over the host's list of runs that rows
// share, attend_decode_F_D over each list of runs (codes, tail, sinks), attend_expand and
// attend_prefill_F_D over the list of many rows, attend_merge.
#include "attention_decode.cuh"
#include "attention_prefill.cuh"

namespace kvasir {

/// A sequence with many rows whose tiles are expanded, 4 ints.
struct ExpandItem {
  int table;  // index in the tables of position 0's block
  int tiles;
  int first;  // tile of the scratch
  int unused;
};

/// Counters that the lists of a step end at.
enum Count { RUNS_OF_CODES, RUNS_OF_TAIL, RUNS_OF_SINKS, PREFILLS, EXPANSIONS, EXPANDED_TILES, COUNTS };

struct PlanCall {
  const int* positions;   // [rows]
  const int* sequences;   // [rows], rows of a sequence being neighbours
  const int* codeStarts;  // [sequences]: index in the tables of position 0's block, by group
  const int* tailStarts;  // read where tail >= 0
  const int* sinkStarts;  // read where sinks > 0
  Item* codes;            // lists, of capacity rows * (runs of the longest + 1) and less
  Item* tail;
  Item* sinks;
  PrefillItem* prefills;
  ExpandItem* expansions;
  int* counts;     // [COUNTS]
  int* firstSlot;  // [rows + 1]
  const int* sharedTo;    // [rows] or null: codes before it are read for several rows at once, by
  const int* sharedRuns;  // [rows] runs that the host lists; their slots are a row's first
  int rows;
  int window;       // 0 for none
  int exactSinks;   // ExactRows.sinks
  int exactTail;    // ExactRows.tail, -1 for none
  int runTokens;    // of a run of rows below 2048, a multiple of 32; see runOf
  int many;         // rows of a sequence from which on it is prefill; a large number for never
  int expand;       // whether prefill reads expanded tiles
};

}  // namespace kvasir

namespace {

using namespace kvasir;

struct Ranges {
  int sinksTo, from, exactFrom, to;
  __device__ Ranges(const PlanCall& call, int position) {
    to = position + 1;
    from = call.window > 0 ? max(0, to - call.window) : 0;
    sinksTo = min(call.exactSinks, to);
    exactFrom = call.exactTail < 0 ? to : max(0, position / 64 * 64 - call.exactTail);
    exactFrom = min(max(exactFrom, max(from, sinksTo)), to);
  }
};

__device__ void listRuns(Item* list, int at, int row, int start, int from, int to, int tokens,
                         int slot) {
  for (int run = 0; from < to; run++) {
    // Runs end at multiples of 32, where stages of codes begin.
    int end = min((from + tokens) / 32 * 32, to);
    list[at + run] = {row, start, from, end, slot + run, 0, 0, 0};
    from = end;
  }
}

/// Positions of a run: more for rows far behind, whose launch has blocks of threads enough anyway, so
/// that partial results cost less. By the row's position alone, so its bits know no company.
__device__ int runOf(const PlanCall& call, int position) {
  return call.runTokens << (position >= 2048) << (position >= 4096) << (position >= 16384);
}

__device__ int countRuns(int from, int to, int tokens) {
  int count = 0;
  for (; from < to; count++) {
    from = min((from + tokens) / 32 * 32, to);
  }
  return count;
}

/// Exclusive sums over a block of 256 of four numbers a thread; `totals` gets the sums of all.
__device__ int4 scan(int4 x, int4* shared, int4& totals) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int4 sum = x;
  for (int step = 1; step < 32; step *= 2) {
    int4 y = make_int4(__shfl_up_sync(~0u, sum.x, step), __shfl_up_sync(~0u, sum.y, step),
                       __shfl_up_sync(~0u, sum.z, step), __shfl_up_sync(~0u, sum.w, step));
    if (lane >= step) {
      sum.x += y.x, sum.y += y.y, sum.z += y.z, sum.w += y.w;
    }
  }
  if (lane == 31) {
    shared[warp] = sum;
  }
  __syncthreads();
  sum.x -= x.x, sum.y -= x.y, sum.z -= x.z, sum.w -= x.w;
  totals = make_int4(0, 0, 0, 0);
  for (int w = 0; w < 8; w++) {
    int4 y = shared[w];
    if (w < warp) {
      sum.x += y.x, sum.y += y.y, sum.z += y.z, sum.w += y.w;
    }
    totals.x += y.x, totals.y += y.y, totals.z += y.z, totals.w += y.w;
  }
  __syncthreads();
  return sum;
}

}  // namespace

/// Launch: 1 block of 256 threads.
extern "C" __global__ void attend_plan(const __grid_constant__ kvasir::PlanCall call) {
  __shared__ int4 shared[8];
  int4 base = make_int4(0, 0, 0, 0);   // runs of codes, tail, sinks; slots
  int4 many = make_int4(0, 0, 0, 0);   // prefill items, expansions, expanded tiles
  int passes = 1 + (call.exactTail >= 0) + (call.exactSinks > 0);
  for (int first = 0; first < call.rows; first += blockDim.x) {
    int row = first + threadIdx.x;
    int4 own = make_int4(0, 0, 0, 0), begun = own;
    int sequence = row < call.rows ? call.sequences[row] : -1, position = 0, ofRow = 0, count = 0;
    int sharedTo = 0, sharedRuns = 0;
    bool prefill = false;
    if (row < call.rows) {
      position = call.positions[row];
      if (call.sharedTo != nullptr) {
        sharedTo = call.sharedTo[row];
        sharedRuns = call.sharedRuns[row];
      }
      int begin = row, end = row + 1;
      while (begin > 0 && call.sequences[begin - 1] == sequence && row - begin < call.many) begin--;
      while (end < call.rows && call.sequences[end] == sequence && end - begin < call.many) end++;
      prefill = end - begin >= call.many;
      if (prefill) {
        own.w = passes;
        bool starts = row == 0 || call.sequences[row - 1] != sequence;
        if (starts || position % 64 == 0) {  // candidates; items begin at the start or on the grid
          int from = row;
          while (from > 0 && call.sequences[from - 1] == sequence) from--;
          int offset = position - call.positions[from];
          int head = 128 - call.positions[from] % 64;  // rows of the first item
          if (starts || (offset >= head && (offset - head) % 128 == 0)) {
            int last = row + 1, most = starts ? head : 128;
            while (last < call.rows && call.sequences[last] == sequence && last - row < most) last++;
            count = last - row;
            begun.x = 1;
          }
          if (starts && call.expand) {
            int last = row + 1;
            while (last < call.rows && call.sequences[last] == sequence) last++;
            begun.y = 1;
            begun.z = (call.positions[last - 1] + 16) / 16;
          }
        }
      } else {
        Ranges r(call, position);
        int tokens = runOf(call, position);
        own.x = countRuns(max(max(r.from, r.sinksTo), sharedTo), r.exactFrom, tokens);
        own.y = countRuns(r.exactFrom, r.to, tokens);
        own.z = countRuns(r.from, r.sinksTo, tokens);
        own.w = sharedRuns + own.x + own.y + own.z;
        ofRow = 1;
      }
    }
    int4 totals, manyTotals;
    int4 at = scan(own, shared, totals);
    int4 manyAt = scan(begun, shared, manyTotals);
    if (row < call.rows) {
      int slot = base.w + at.w;
      call.firstSlot[row] = slot;
      if (ofRow) {
        Ranges r(call, position);
        int tokens = runOf(call, position);
        slot += sharedRuns;
        if (own.z > 0) {
          listRuns(call.sinks, base.z + at.z, row, call.sinkStarts[sequence], r.from, r.sinksTo,
                   tokens, slot);
        }
        listRuns(call.codes, base.x + at.x, row, call.codeStarts[sequence],
                 max(max(r.from, r.sinksTo), sharedTo), r.exactFrom, tokens, slot + own.z);
        if (own.y > 0) {
          listRuns(call.tail, base.y + at.y, row, call.tailStarts[sequence], r.exactFrom, r.to,
                   tokens, slot + own.z + own.x);
        }
      }
      if (begun.x) {
        call.prefills[many.x + manyAt.x] = {row, count, position, sequence, 0, 0, 0, 0};
      }
      if (begun.y) {
        call.expansions[many.y + manyAt.y] = {call.codeStarts[sequence], begun.z,
                                              many.z + manyAt.z, sequence};
      }
    }
    base.x += totals.x, base.y += totals.y, base.z += totals.z, base.w += totals.w;
    many.x += manyTotals.x, many.y += manyTotals.y, many.z += manyTotals.z;
  }
  __syncthreads();
  // Prefill items: where each place keeps its sequence; those with most to read come first.
  for (int i = threadIdx.x; i < many.x; i += blockDim.x) {
    PrefillItem item = call.prefills[i];
    int sequence = item.table;
    item.table = call.codeStarts[sequence];
    item.tailTable = call.exactTail >= 0 ? call.tailStarts[sequence] : 0;
    item.sinkTable = call.exactSinks > 0 ? call.sinkStarts[sequence] : 0;
    for (int e = 0; e < many.y; e++) {
      if (call.expansions[e].unused == sequence) {
        item.table = call.expansions[e].first;
      }
    }
    call.prefills[i] = item;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < many.x / 2; i += blockDim.x) {
    PrefillItem a = call.prefills[i], b = call.prefills[many.x - 1 - i];
    call.prefills[i] = b;
    call.prefills[many.x - 1 - i] = a;
  }
  if (threadIdx.x == 0) {
    call.firstSlot[call.rows] = base.w;
    call.counts[RUNS_OF_CODES] = base.x;
    call.counts[RUNS_OF_TAIL] = base.y;
    call.counts[RUNS_OF_SINKS] = base.z;
    call.counts[PREFILLS] = many.x;
    call.counts[EXPANSIONS] = many.y;
    call.counts[EXPANDED_TILES] = many.z;
  }
}

/// q [rows, H, D] -> turned [rows, H, D] in the basis of the cache, and what the keys' centre adds.
/// centres [G, D], rotated, or null; then `centre` is not written. Launch: grid (rows), 32 * H
/// threads (up to 1024: heads are taken by turns), D up to 256.
extern "C" __global__ void attend_query(const float* __restrict__ q, float* __restrict__ turned,
                                        const float* __restrict__ centres,
                                        float* __restrict__ centre, int heads, int kvHeads, int D,
                                        int rotation) {
  int lane = threadIdx.x % 32;
  float factor = static_cast<float>(1 / sqrt(static_cast<double>(rotation < 1 ? 1 : rotation)));
  for (int head = threadIdx.x / 32; head < heads; head += blockDim.x / 32) {
    long long at = ((long long)blockIdx.x * heads + head) * D;
    float x[8];
#pragma unroll
    for (int i = 0; i < 8; i++) {
      x[i] = lane + 32 * i < D ? q[at + lane + 32 * i] : 0.0f;
    }
    for (int stride = 1; stride < rotation && stride < 32; stride *= 2) {
#pragma unroll
      for (int i = 0; i < 8; i++) {
        float other = __shfl_xor_sync(~0u, x[i], stride);
        x[i] = lane & stride ? other - x[i] : x[i] + other;
      }
    }
#pragma unroll
    for (int stride = 1; stride < 8; stride *= 2) {
      if (32 * stride < rotation) {
#pragma unroll
        for (int i = 0; i < 8; i++) {
          if (!(i & stride)) {
            float a = x[i], b = x[i + stride];
            x[i] = a + b;
            x[i + stride] = a - b;
          }
        }
      }
    }
    float sum = 0;
    const float* of = centres == nullptr ? nullptr : centres + head / (heads / kvHeads) * D;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      if (lane + 32 * i < D) {
        x[i] *= factor;
        turned[at + lane + 32 * i] = x[i];
        sum += of == nullptr ? 0.0f : x[i] * of[lane + 32 * i];
      }
    }
    if (of != nullptr) {
      for (int mask = 16; mask > 0; mask /= 2) {
        sum += __shfl_xor_sync(~0u, sum, mask);
      }
      if (lane == 0) {
        centre[(long long)blockIdx.x * heads + head] = sum;
      }
    }
  }
}

namespace {

/// Element `at` of a coded tile of 16 rows: of keys channel-major, of values row-major.
template <int F>
__device__ __forceinline__ float element(const unsigned char* plane, int tile, int tiles, int D,
                                         bool keys, int at) {
  int token = keys ? at % 16 : at / D, channel = keys ? at / 16 : at % D;
  if constexpr (F == INT4) {
    int group = channel / 32, size = min(32, D - 32 * group), within = channel - 32 * group;
    int byte = 16 * group + within % (size / 2);
    const unsigned char* codes = plane + (long long)tile * (8 * D);
    int packed = codes[keys ? byte * 16 + token : token * (D / 2) + byte];
    int code = (within < size / 2 ? packed & 15 : packed >> 4) - 8;
    const __half* scales = reinterpret_cast<const __half*>(plane + (long long)tiles * (8 * D));
    int groups = (D + 31) / 32;
    return __half2float(scales[(tile * groups + group) * 16 + token]) * code;
  } else {
    int code = plane[(long long)tile * (16 * D) + at];
    const __half* scales = reinterpret_cast<const __half*>(plane + (long long)tiles * (16 * D));
    float scale = __half2float(scales[tile * 16 + token]);
    if constexpr (F == INT8) {
      return scale * (signed char)code;
    } else {
      float magnitude = __uint_as_float((uint32_t)(code & 127) << 20) * 0x1p120f;
      return scale * (code & 128 ? -magnitude : magnitude);
    }
  }
}

template <int F>
__device__ void expandTile(const unsigned char* plane, __half* to, int tile, int tiles, int D,
                           bool keys) {
  for (int at = threadIdx.x; at < 16 * D; at += blockDim.x) {
    to[at] = __float2half_rn(element<F>(plane, tile, tiles, D, keys, at));
  }
}

__device__ void expandAny(int format, const unsigned char* plane, __half* to, int tile, int tiles,
                          int D, bool keys) {
  if (format == INT8) {
    expandTile<INT8>(plane, to, tile, tiles, D, keys);
  } else if (format == FP8) {
    expandTile<FP8>(plane, to, tile, tiles, D, keys);
  } else {
    expandTile<INT4>(plane, to, tile, tiles, D, keys);
  }
}

}  // namespace

/// Coded tiles of the sequences of a list as f16: to [tiles, G][keys 16 D | values 16 D], which
/// attend_prefill_f16_D reads as blocks of one tile with `tables` null. Formats: INT8 2, FP8 3, INT4
/// 4. Launch: grid (G, tile capacity), 256 threads.
extern "C" __global__ void attend_expand(const kvasir::ExpandItem* __restrict__ items,
                                         const int* __restrict__ counts,
                                         const unsigned char* __restrict__ pool,
                                         long long blockBytes, long long keyOffset,
                                         long long headBytes, long long valueOffset,
                                         const int* __restrict__ tables, int tilesPerBlock,
                                         int keyFormat, int valueFormat, int D,
                                         __half* __restrict__ to) {
  int tile = blockIdx.y;
  if (tile >= counts[kvasir::EXPANDED_TILES]) {
    return;
  }
  int i = 0;
  while (tile >= items[i].first + items[i].tiles) {
    i++;
  }
  int own = tile - items[i].first;
  int block = tables[items[i].table + own / tilesPerBlock];
  const unsigned char* keys = pool + block * blockBytes + keyOffset + blockIdx.x * headBytes;
  __half* target = to + ((long long)tile * gridDim.x + blockIdx.x) * (32 * D);
  expandAny(keyFormat, keys, target, own % tilesPerBlock, tilesPerBlock, D, true);
  expandAny(valueFormat, keys + valueOffset, target + 16 * D, own % tilesPerBlock, tilesPerBlock, D,
            false);
}
