// Attention over the paged cache, any format, any mask: the plain version. A query row of a head
// reads first what pruning kept, then each later position up to its own; exact copies where the
// layer has them. Softmax is online over tiles of 128 rows, all sums in f32 in an order fixed by the
// query's position, so company and chunks do not matter.
//
// Grid: (rows, heads), 128 threads. Scores: a thread per cached row; values: a thread per channel.
#include "kv.cuh"

constexpr int THREADS = 128;
constexpr int MOST_CHANNELS = 8;  // of a thread: value rows of up to 1024 elements

KERNEL kv_attend(const __grid_constant__ AttendView a) {
  DYNAMIC_SHARED(float, query);
  __shared__ float scratch[32];
  __shared__ float weights[THREADS];
  __shared__ const uint8_t* planes[THREADS];
  __shared__ int slots[THREADS];
  __shared__ char from[THREADS];

  const KvView& kv = a.kv;
  int row = blockIdx.x;
  int head = blockIdx.y;
  int kvHead = head / (int)(kv.heads / kv.kvHeads);
  int keyDim = (int)kv.keyDim;
  int valueDim = (int)kv.valueDim;
  int S = (int)kv.blockTokens;
  int sequence = kv.sequences[row];
  int last = kv.positions[row];

  for (int i = threadIdx.x; i < keyDim; i += THREADS) {
    query[i] = a.q[((long long)row * kv.heads + head) * keyDim + i];
  }
  __syncthreads();
  hadamard(query, keyDim, (int)kv.keyRotation);
  float centre = 0;
  if (kv.centres) {
    for (int i = threadIdx.x; i < keyDim; i += THREADS) {
      centre += query[i] * kv.centres[(long long)kvHead * keyDim + i];
    }
    centre = block_sum(centre, scratch);
  }

  // The rows to read: `sinks` from position 0, `kept` of the pruned ones, then live .. last.
  int live = a.window > 0 && last - (int)a.window + 1 > 0 ? last - (int)a.window + 1 : 0;
  int sinks = 0;
  int kept = 0;
  const long long* pruned = nullptr;
  if (a.prunedPlaces && a.prunedPlaces[sequence * kv.kvHeads + kvHead] >= 0) {
    pruned = a.pruned + a.prunedPlaces[sequence * kv.kvHeads + kvHead];
    live = (int)pruned[0];
    kept = (int)pruned[1];
    sinks = (int)(a.exactSinks < live ? a.exactSinks : live);
  }
  int exactFrom = last + 1;
  if (a.exactTail >= 0) {
    exactFrom = last / 64 * 64 - (int)a.exactTail;
  }
  int count = sinks + kept + (last - live + 1);

  float most = a.sinkLogits ? a.sinkLogits[head] : -INFINITY;
  float sum = a.sinkLogits ? 1 : 0;
  float slope = a.slopes ? a.slopes[head] : 0;
  float acc[MOST_CHANNELS];
#pragma unroll
  for (int c = 0; c < MOST_CHANNELS; c++) {
    acc[c] = 0;
  }
  for (int first = 0; first < count; first += THREADS) {
    int tile = count - first < THREADS ? count - first : THREADS;
    float score = -INFINITY;
    if ((int)threadIdx.x < tile) {
      int i = first + threadIdx.x;
      int position;
      const GroupView* group = &kv.codes;
      const uint8_t* keys;
      int slot;
      if (i >= sinks && i < sinks + kept) {
        int n = i - sinks;
        position = (int)pruned[2 + n];
        const long long* page = pruned + 2 + kept + 2 * (n / S);
        keys = kv.pool + page[0];
        planes[threadIdx.x] = kv.pool + page[1];
        slot = n % S;
        from[threadIdx.x] = 0;
      } else {
        position = i < sinks ? i : live + i - sinks - kept;
        bool first_rows = kv.sinks.present && position < a.exactSinks;
        bool newest = !first_rows && kv.tail.present && position >= exactFrom;
        group = first_rows ? &kv.sinks : newest ? &kv.tail : &kv.codes;
        from[threadIdx.x] = first_rows ? 2 : newest ? 1 : 0;
        keys = plane_of(kv, *group, group->key, sequence, position, kvHead);
        planes[threadIdx.x] = plane_of(kv, *group, group->value, sequence, position, kvHead);
        slot = position % S;
      }
      slots[threadIdx.x] = slot;
      float dot = 0;
      for (int d = 0; d < keyDim; d++) {
        dot += query[d] * kv_element(group->key, keys, S, slot, d);
      }
      score = (dot + centre) * (float)a.scale;
      if (a.softcap != 0) {
        score = (float)a.softcap * tanhf(score / (float)a.softcap);
      }
      score += slope * (position - last);
    }
    float best = fmaxf(most, block_max(score, scratch));
    float weight = (int)threadIdx.x < tile ? expf(score - best) : 0;
    weights[threadIdx.x] = weight;
    float shrink = expf(most - best);
    sum = sum * shrink + block_sum(weight, scratch);
    most = best;
#pragma unroll
    for (int c = 0; c < MOST_CHANNELS; c++) {
      int d = threadIdx.x + c * THREADS;
      if (d < valueDim) {
        float total = acc[c] * shrink;
        for (int i = 0; i < tile; i++) {
          const GroupView& group = from[i] == 2 ? kv.sinks : from[i] == 1 ? kv.tail : kv.codes;
          total += weights[i] * kv_element(group.value, planes[i], S, slots[i], d);
        }
        acc[c] = total;
      }
    }
    __syncthreads();
  }
  __syncthreads();
  float* result = query;  // room for max(keyDim, valueDim)
#pragma unroll
  for (int c = 0; c < MOST_CHANNELS; c++) {
    int d = threadIdx.x + c * THREADS;
    if (d < valueDim) {
      result[d] = acc[c] / sum;
    }
  }
  __syncthreads();
  hadamard(result, valueDim, (int)kv.valueRotation);
  for (int d = threadIdx.x; d < valueDim; d += THREADS) {
    a.out[((long long)row * kv.heads + head) * valueDim + d] = result[d];
  }
}
