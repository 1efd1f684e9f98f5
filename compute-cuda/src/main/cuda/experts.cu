// Mixtures of experts: which experts a row takes, lists of rows by expert, and the plain products.
//
// expert_choose   picks and weighs each row's experts, as io.kvasir.compute.ExpertSelection does
// expert_plan     gives each (row, rank) a slot, expert by expert, and lists tiles of a few slots
// expert_list_few both in one launch for up to 8 rows
// kv_experts_T    out[slot] = W[expert] . x[slot] + b[expert] with weights of type T, tile by tile
//
// No number of it comes to the host: grids are as large as any choice could need, and blocks behind
// the end of the list end at once, so that a step is a graph. Between them stand kv_expert_rows, which
// copies rows to their slots, and kv_expert_sum, which adds up a row's parts in the order of their rank
// (elementwise.cu). Sums over columns are those of linear.cu, so a row has the bits of a product of its
// own whatever stands beside it.
//
// Bytes moved: an expert's weights once for every tile of up to 8 slots, from the second one on
// mostly from the L2 cache, since tiles of the same expert are neighbours in the grid.
#include "experts.cuh"
#include "weights.cuh"

/// io.kvasir.compute.Routing; filled by ExpertTable.java.
struct ExpertRouting {
  const float* bias;   // [experts], added to scores to rank them, or null
  const float* scale;  // [experts], factors of weights, or null
  int experts;
  int perRow;
  int sigmoid;
  int groups;
  int keptGroups;
  int groupTop;
  int normalize;
  float factor;
  float mixerRange;
};

struct ExpertBest {
  float value;
  int place;
};

// Whether a comes before b: the higher value, of equal ones the lower place.
__device__ inline bool expert_before(float value, int place, ExpertBest than) {
  return value > than.value || (value == than.value && place < than.place);
}

/// The first of values[from .. to - 1] in the order of expert_before that stands behind `behind`.
__device__ inline ExpertBest expert_next(const float* values, int from, int to, ExpertBest behind,
                                         int step) {
  ExpertBest best = {-INFINITY, 0x7fffffff};
  for (int i = from; i < to; i += step) {
    if (expert_before(behind.value, behind.place, {values[i], i}) &&
        expert_before(values[i], i, best)) {
      best = {values[i], i};
    }
  }
  return best;
}

// A row is a warp's; warps of a block have rows of the same routing and go through the same barriers.
__device__ inline int expert_lane() {
  return threadIdx.x % WARP;
}

/// Takes the largest of `count` values, the first of equal ones, out of the race. All lanes of the
/// row's warp get its place.
__device__ inline int expert_take(float* values, int count) {
  const ExpertBest first = {INFINITY, -1};
  ExpertBest best = expert_next(values, expert_lane(), count, first, WARP);
  for (int mask = WARP / 2; mask > 0; mask /= 2) {
    float value = __shfl_xor_sync(0xffffffffu, best.value, mask);
    int place = __shfl_xor_sync(0xffffffffu, best.place, mask);
    if (expert_before(value, place, best)) {
      best = {value, place};
    }
  }
  int taken = best.place < count ? best.place : 0;  // none of them is a number
  __syncthreads();
  if (expert_lane() == 0) {
    values[taken] = -INFINITY;
  }
  __syncthreads();
  return taken;
}

// Scores of all experts, softmax or sigmoid of their logits.
__device__ inline void expert_scores(const float* logits, const ExpertRouting& routing,
                                     float* scores) {
  float most = -INFINITY;
  for (int e = expert_lane(); e < routing.experts; e += WARP) {
    most = fmaxf(most, logits[e]);
  }
  most = warp_max(most);
  float sum = 0;
  for (int e = expert_lane(); e < routing.experts; e += WARP) {
    scores[e] = routing.sigmoid ? (float)(1 / (1 + exp(-(double)logits[e])))
                                : (float)exp((double)(logits[e] - most));
    sum += scores[e];
  }
  sum = warp_sum(sum);
  if (!routing.sigmoid) {
    for (int e = expert_lane(); e < routing.experts; e += WARP) {
      scores[e] /= sum;
    }
  }
}

// Experts of other than the best groups are out of the race; a group's rank is the sum of its best.
__device__ inline void expert_groups(const ExpertRouting& routing, float* ranked, float* groups) {
  int size = routing.experts / routing.groups;
  for (int g = expert_lane(); g < routing.groups; g += WARP) {
    ExpertBest last = {INFINITY, -1};
    float sum = 0;
    for (int i = 0; i < routing.groupTop && i < size; i++) {
      last = expert_next(ranked, g * size, (g + 1) * size, last, 1);
      sum += last.value;
    }
    groups[g] = sum;
  }
  __syncthreads();
  for (int i = 0; i < routing.keptGroups; i++) {
    expert_take(groups, routing.groups);
  }
  for (int e = expert_lane(); e < routing.experts; e += WARP) {
    // Taking a group left a mark there.
    if (groups[e / size] != -INFINITY) {
      ranked[e] = -INFINITY;
    }
  }
  __syncthreads();
}

// One expert after the other, each weighed by a softmax of its own (SparseMixer, arXiv 2409.12136).
__device__ inline void expert_mix(const float* logits, const ExpertRouting& routing, float* scores,
                                  float* ranked, int* picked, float* weights) {
  for (int e = expert_lane(); e < routing.experts; e += WARP) {
    ranked[e] = logits[e];
  }
  __syncthreads();
  for (int i = 0; i < routing.perRow; i++) {
    for (int e = expert_lane(); e < routing.experts; e += WARP) {
      scores[e] = ranked[e];
    }
    __syncthreads();
    int expert = expert_take(ranked, routing.experts);
    float best = scores[expert];
    float sum = 0;
    for (int e = expert_lane(); e < routing.experts; e += WARP) {
      float distance = (best - logits[e]) / fmaxf(fabsf(logits[e]), best);
      bool out = scores[e] == -INFINITY || distance > routing.mixerRange;
      sum += out ? 0 : (float)exp((double)(scores[e] - best));
    }
    sum = warp_sum(sum);
    if (expert_lane() == 0) {
      picked[i] = expert;
      weights[i] = routing.factor / sum;
    }
    __syncthreads();
  }
}

/// A row's logits [experts] -> picked, weights [perRow], best first; `scores` has room for 2 experts +
/// groups floats.
__device__ inline void expert_pick(const float* row, const ExpertRouting& routing, float* scores,
                                   int* picked, float* weights) {
  float* ranked = scores + routing.experts;
  float* groups = ranked + routing.experts;
  if (routing.mixerRange > 0) {
    expert_mix(row, routing, scores, ranked, picked, weights);
    return;
  }
  expert_scores(row, routing, scores);
  for (int e = expert_lane(); e < routing.experts; e += WARP) {
    ranked[e] = scores[e] + (routing.bias ? routing.bias[e] : 0);
  }
  __syncthreads();
  if (routing.keptGroups < routing.groups) {
    expert_groups(routing, ranked, groups);
  }
  float sum = 0;
  for (int i = 0; i < routing.perRow; i++) {
    int expert = expert_take(ranked, routing.experts);
    sum += scores[expert];
    if (expert_lane() == 0) {
      picked[i] = expert;
      weights[i] = scores[expert];
    }
  }
  if (expert_lane() == 0) {
    float factor = routing.normalize ? routing.factor / (sum + 1e-20f) : routing.factor;
    for (int i = 0; i < routing.perRow; i++) {
      weights[i] *= factor * (routing.scale ? routing.scale[picked[i]] : 1);
    }
  }
}

/// logits [rows, experts] -> picked, weights [rows, perRow]. Grid: rows; one warp; shared memory for 2
/// experts + groups floats.
KERNEL expert_choose(const float* logits, const ExpertRouting routing, int* picked, float* weights) {
  DYNAMIC_SHARED(float, scores);
  long long at = (long long)blockIdx.x * routing.perRow;
  expert_pick(logits + (long long)blockIdx.x * routing.experts, routing, scores, picked + at,
              weights + at);
}

/// What the choices of a step's rows come to.
struct ExpertLists {
  int* slots;        // [pairs] of a row and a rank: where its expert's output stands
  int* rows;         // [slots]
  float* factors;    // [slots] of the experts' inputs
  int* starts;       // [experts + 1]: the first slot of each expert
  ExpertTile* tiles;
  int* tileCount;
};

/// picked [pairs] -> lists; pairs of the same expert keep their order. `weights` are the factors of
/// inputs, or null for 1. Grid: experts; 256 threads; shared memory for experts ints.
KERNEL expert_plan(const int* picked, const float* weights, int pairs, int perRow, int tile,
                   const ExpertLists lists) {
  DYNAMIC_SHARED(int, counts);
  __shared__ int before[256];
  __shared__ int bases[2];
  int expert = blockIdx.x, experts = gridDim.x;
  for (int e = threadIdx.x; e < experts; e += blockDim.x) {
    counts[e] = 0;
  }
  if (threadIdx.x < 2) {
    bases[threadIdx.x] = 0;
  }
  __syncthreads();
  int share = (pairs + blockDim.x - 1) / blockDim.x;
  int from = (int)threadIdx.x * share;
  int to = from + share < pairs ? from + share : pairs;
  int own = 0;
  for (int i = from; i < to; i++) {
    atomicAdd(&counts[picked[i]], 1);
    own += picked[i] == expert;
  }
  before[threadIdx.x] = own;
  __syncthreads();
  for (int e = threadIdx.x; e < expert; e += blockDim.x) {
    atomicAdd(&bases[0], counts[e]);
    atomicAdd(&bases[1], (counts[e] + tile - 1) / tile);
  }
  for (int step = 1; step < (int)blockDim.x; step *= 2) {
    int other = (int)threadIdx.x >= step ? before[threadIdx.x - step] : 0;
    __syncthreads();
    before[threadIdx.x] += other;
    __syncthreads();
  }
  int slot = bases[0] + before[threadIdx.x] - own;
  for (int i = from; i < to; i++) {
    if (picked[i] == expert) {
      lists.slots[i] = slot;
      lists.rows[slot] = i / perRow;
      lists.factors[slot] = weights ? weights[i] : 1;
      slot++;
    }
  }
  int tiles = (counts[expert] + tile - 1) / tile;
  for (int t = threadIdx.x; t < tiles; t += blockDim.x) {
    int left = counts[expert] - t * tile;
    lists.tiles[bases[1] + t] = {expert, bases[0] + t * tile, left < tile ? left : tile};
  }
  if (threadIdx.x == 0) {
    lists.starts[expert] = bases[0];
    if (expert == experts - 1) {
      lists.starts[experts] = bases[0] + counts[expert];
      *lists.tileCount = bases[1] + tiles;
    }
  }
}

struct ExpertFewCall {
  ExpertRouting routing;
  ExpertLists lists;
};

/// Both for up to 8 rows of up to 32 experts each, without starts: logits [rows, experts] -> weights [pairs],
/// lists. `weighs`: weights are the factors of inputs. Grid: 1; 256 threads; shared memory for 8 times
/// 2 experts + groups floats.
KERNEL expert_list_few(const float* logits, int rows, int tile, int weighs,
                       const ExpertFewCall call, float* weights) {
  DYNAMIC_SHARED(float, scores);
  __shared__ int picked[256];
  __shared__ float factors[256];
  __shared__ int places[256];  // of a pair among those of its expert
  const ExpertRouting& routing = call.routing;
  int pairs = rows * routing.perRow;
  int warp = threadIdx.x / WARP, i = threadIdx.x;
  // Warps without a row choose for the last one's again, for nobody.
  int row = warp < rows ? warp : rows - 1;
  expert_pick(logits + (long long)row * routing.experts, routing,
              scores + warp * (2 * routing.experts + routing.groups),
              picked + warp * routing.perRow, factors + warp * routing.perRow);
  __syncthreads();
  int slot = 0, place = 0, all = 0;
  for (int other = 0; other < pairs && i < pairs; other++) {
    bool same = picked[other] == picked[i];
    place += same && other < i;
    slot += picked[other] < picked[i] || (same && other < i);
    all += same;
  }
  places[i] = place;
  __syncthreads();
  int before = 0, count = 0;  // tiles
  for (int other = 0; other < pairs; other++) {
    bool heads = places[other] % tile == 0;
    bool earlier = i < pairs && (picked[other] < picked[i] ||
                                 (picked[other] == picked[i] && places[other] < place));
    before += heads && earlier;
    count += heads;
  }
  if (i < pairs) {
    weights[i] = factors[i];
    call.lists.slots[i] = slot;
    call.lists.rows[slot] = i / routing.perRow;
    call.lists.factors[slot] = weighs ? factors[i] : 1;
    if (place % tile == 0) {
      int left = all - place;
      call.lists.tiles[before] = {picked[i], slot, left < tile ? left : tile};
    }
  }
  if (i == 0) {
    *call.lists.tileCount = count;
  }
}

// A warp computes one output for the slots of a tile; see linear.cu for the order of its sum. Grid:
// (most tiles, ceil(outputs / 4)), 128 threads. Experts of another type are another launch's.
template <int TYPE>
__device__ void expert_products(const ExpertCall& call) {
  int o = blockIdx.y * (blockDim.x / WARP) + threadIdx.x / WARP;
  int lane = threadIdx.x % WARP;
  if ((int)blockIdx.x >= *call.tileCount || o >= call.outputs) {
    return;
  }
  ExpertTile tile = call.tiles[blockIdx.x];
  const ExpertPart& part = call.parts[tile.expert * EXPERT_PARTS];
  if (part.type != TYPE) {
    return;
  }
  const uint8_t* row = part.weights + o * call.rowBytes;
  const float* x = call.x + (long long)tile.first * call.xStep;
  float sums[EXPERT_TILE];
#pragma unroll
  for (int t = 0; t < EXPERT_TILE; t++) {
    sums[t] = 0;
  }
#pragma unroll 4
  for (int k = lane; k < call.columns; k += WARP) {
    float w = weight_element<TYPE>(row, k);
#pragma unroll
    for (int t = 0; t < EXPERT_TILE; t++) {
      if (t < tile.count) {
        sums[t] = fmaf(w, x[(long long)t * call.columns + k], sums[t]);
      }
    }
  }
#pragma unroll
  for (int t = 0; t < EXPERT_TILE; t++) {
    float sum = warp_sum(sums[t]);
    if (lane == 0 && t < tile.count) {
      call.out[(long long)(tile.first + t) * call.outputs + o] =
          part.bias ? sum + part.bias[o] : sum;
    }
  }
}

#define EXPERTS(T)                                        \
  KERNEL kv_experts_##T(const ExpertCall call) {          \
    expert_products<T>(call);                             \
  }

FOR_WEIGHT_TYPES(EXPERTS)
