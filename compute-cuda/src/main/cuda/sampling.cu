// Chooses a token of each row of scores: the likeliest, or one drawn with temperature, min-p, top-k
// and top-p (arXiv 1904.09751), as io.kvasir.engine.Sampler does, from the same random number.
//
// Launch: sample_peaks grid (SLICES, rows), 256 threads; then sample_choose grid (rows), 1024 threads.
//
// Candidates are the scores within reach of the best; their order is by score, then by id, which is a
// 64-bit number. Nothing is sorted: the candidate at which the sum of what comes before passes a goal
// (the k-th, the end of the nucleus, the draw) is found digit by digit, 256 sums at a time. Sums are
// integers, probabilities times 2^44, so they do not depend on the order in which threads add.
// Candidates stand in shared memory where they fit (all but flat distributions do), else the row is
// read again for each digit.
//
// Bytes moved: all scores once (sample_peaks); those of rows that are drawn once more, mostly from the L2
// cache (sample_choose); where more than LISTED of a row are candidates, once more for each digit: up to
// eight for each of the two to four places that are looked for.
#include "common.cuh"

#define SLICES 16
#define LISTED 4096

// How a row is chosen; filled by CudaSampler.java.
struct SampleChoice {
  float temperature;  // 0: the likeliest
  int topK;           // 0: all
  float topP;         // 1: all
  float minP;         // 0: all
  double uniform;     // in [0, 1)
};

struct SamplePeak {
  float score;
  int token;
};

// Whether a score is better than the best so far; a NaN never is, and loses against anything.
__device__ inline bool sample_better(float score, int token, float best, int bestToken) {
  return score > best || (best != best && score == score) ||
         ((score == best || (score != score && best != best)) && token < bestToken);
}

// Best of a block's threads, in values[0] and places[0].
__device__ inline void sample_reduce(float best, int place, float* values, int* places) {
  values[threadIdx.x] = best;
  places[threadIdx.x] = place;
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if ((int)threadIdx.x < half &&
        sample_better(values[threadIdx.x + half], places[threadIdx.x + half], values[threadIdx.x],
                      places[threadIdx.x])) {
      values[threadIdx.x] = values[threadIdx.x + half];
      places[threadIdx.x] = places[threadIdx.x + half];
    }
  }
  __syncthreads();
}

/// x [rows, stride], of which the first `columns` count -> peaks [rows, SLICES].
KERNEL sample_peaks(const float* x, int stride, int columns, SamplePeak* peaks) {
  __shared__ float values[256];
  __shared__ int places[256];
  int share = (columns + SLICES - 1) / SLICES;
  int from = (int)blockIdx.x * share;
  int to = from + share < columns ? from + share : columns;
  const float* row = x + (long long)blockIdx.y * stride;
  float best = NAN;
  int place = 0x7fffffff;
#pragma unroll 8
  for (int i = from + (int)threadIdx.x; i < to; i += blockDim.x) {
    float score = row[i];
    if (sample_better(score, i, best, place)) {
      best = score;
      place = i;
    }
  }
  sample_reduce(best, place, values, places);
  if (threadIdx.x == 0) {
    peaks[blockIdx.y * SLICES + blockIdx.x] = {values[0], places[0]};
  }
}

typedef unsigned long long SampleKey;

// Ascending keys are descending scores, then ascending tokens.
__device__ inline SampleKey sample_key(float score, int token) {
  int bits = (int)__float_as_uint(score);
  int ordered = bits ^ (bits >> 31 & 0x7fffffff);
  return (SampleKey)((unsigned)~ordered ^ 0x80000000u) << 32 | (unsigned)token;
}

__device__ inline float sample_score(SampleKey key) {
  int ordered = (int)~((unsigned)(key >> 32) ^ 0x80000000u);
  return __uint_as_float((unsigned)(ordered ^ (ordered >> 31 & 0x7fffffff)));
}

struct SampleRow {
  const float* scores;
  int columns;
  float floor;
  float most;
  float temperature;
  const SampleKey* list;  // of candidates, null where they are the row's scores from the floor on
  int count;
};

__device__ inline bool sample_candidate(const SampleRow& row, int i, SampleKey& key) {
  if (row.list) {
    key = row.list[i];
    return true;
  }
  float score = row.scores[i];
  key = sample_key(score, i);
  return score >= row.floor;
}

__device__ inline unsigned long long sample_weight(const SampleRow& row, SampleKey key) {
  float x = (sample_score(key) - row.most) / row.temperature;
  return x <= 0 ? (unsigned long long)(exp((double)x) * 0x1p44) : 0;
}

struct SampleSums {
  unsigned long long sums[256];
  int counts[256];
  SampleKey keys[256];  // one of the digit's
  unsigned long long groups[32];  // sums of eight digits each
  int members[32];
  unsigned long long before;
  SampleKey prefix;
  int alone;
};

// The first of some sums with which `sum` reaches the goal, or the last with members; `sum` becomes what
// is before it.
__device__ inline int sample_reaching(const unsigned long long* sums, const int* members, int count,
                                      unsigned long long goal, unsigned long long& sum) {
  int last = 0;
  unsigned long long before = sum;
  for (int i = 0; i < count; i++) {
    if (members[i] > 0) {
      last = i;
      before = sum;
      sum += sums[i];
      if (sum >= goal) {
        break;
      }
    }
  }
  sum = before;
  return last;
}

// The first candidate, in their order and not behind `bound`, with which the sum of weights (or, where
// `counts`, their number) reaches the goal, at least 1 and at most the sum of all; `reached` is it.
__device__ inline SampleKey sample_find(const SampleRow& row, SampleKey bound, bool counts,
                                        unsigned long long goal, SampleSums& s,
                                        unsigned long long& reached) {
  SampleKey prefix = 0;
  unsigned long long before = 0;
  int alone = 0;
  for (int shift = 56; shift >= 0 && !alone; shift -= 8) {
    for (int i = threadIdx.x; i < 256; i += blockDim.x) {
      s.sums[i] = 0;
      s.counts[i] = 0;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < row.count; i += blockDim.x) {
      SampleKey key;
      if (sample_candidate(row, i, key) && key <= bound &&
          (shift == 56 || key >> (shift + 8) == prefix)) {
        int digit = (int)(key >> shift & 255);
        atomicAdd(&s.sums[digit], counts ? 1ull : sample_weight(row, key));
        if (atomicAdd(&s.counts[digit], 1) == 0) {
          s.keys[digit] = key;
        }
      }
    }
    __syncthreads();
    if (threadIdx.x < 32) {
      unsigned long long sum = 0;
      int members = 0;
      for (int i = 0; i < 8; i++) {
        sum += s.sums[threadIdx.x * 8 + i];
        members += s.counts[threadIdx.x * 8 + i];
      }
      s.groups[threadIdx.x] = sum;
      s.members[threadIdx.x] = members;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      // The group, then the digit, that reaches the goal, or the last that has a candidate.
      unsigned long long sum = before;
      int group = sample_reaching(s.groups, s.members, 32, goal, sum);
      int digit = 8 * group +
                  sample_reaching(s.sums + 8 * group, s.counts + 8 * group, 8, goal, sum);
      s.before = sum;
      s.alone = s.counts[digit] == 1;
      s.prefix = s.alone ? s.keys[digit] : prefix << 8 | (SampleKey)digit;
      s.groups[0] = s.sums[digit];
    }
    __syncthreads();
    prefix = s.prefix;
    before = s.before;
    alone = s.alone;
    reached = before + s.groups[0];
    __syncthreads();
  }
  return prefix;
}

/// x [rows, stride], peaks [rows, SLICES], choices [rows] -> tokens [rows].
KERNEL sample_choose(const float* x, int stride, int columns, const SamplePeak* peaks,
                     const SampleChoice* choices, int* tokens) {
  __shared__ SampleKey list[LISTED];
  __shared__ SampleSums sums;
  __shared__ int listed;
  SampleChoice choice = choices[blockIdx.x];
  float most = NAN;
  int best = 0x7fffffff;
  for (int i = 0; i < SLICES; i++) {
    SamplePeak peak = peaks[blockIdx.x * SLICES + i];
    if (sample_better(peak.score, peak.token, most, best)) {
      most = peak.score;
      best = peak.token;
    }
  }
  best = best < columns ? best : 0;
  if (threadIdx.x == 0) {
    tokens[blockIdx.x] = best;
    listed = 0;
  }
  if (choice.temperature == 0 || choice.topK == 1) {
    return;
  }
  // Products are rounded before they are added, as on the host.
  float floor = most - __fmul_rn(21.0f, choice.temperature);
  if (choice.minP > 0) {
    floor = fmaxf(floor, most + __fmul_rn(choice.temperature, (float)log((double)choice.minP)));
  }
  const float* scores = x + (long long)blockIdx.x * stride;
  __syncthreads();
#pragma unroll 8
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    float score = scores[i];
    if (score >= floor) {
      int at = atomicAdd(&listed, 1);
      if (at < LISTED) {
        list[at] = sample_key(score, i);
      }
    }
  }
  __syncthreads();
  int count = listed;
  if (count == 0) {
    return;
  }
  SampleRow row = {scores, columns, floor, most, choice.temperature,
                   count <= LISTED ? list : nullptr, count <= LISTED ? count : columns};
  SampleKey bound = ~0ull;
  unsigned long long reached = 0;
  if (choice.topK > 0 && choice.topK < count) {
    bound = sample_find(row, bound, true, choice.topK, sums, reached);
  }
  // The last candidate's sum is that of all.
  sample_find(row, bound, false, ~0ull, sums, reached);
  if (reached == 0) {
    return;
  }
  if (choice.topP < 1) {
    unsigned long long goal = (unsigned long long)ceil((double)reached * (double)choice.topP);
    bound = sample_find(row, bound, false, goal < 1 ? 1 : goal, sums, reached);
  }
  unsigned long long goal = (unsigned long long)((double)reached * choice.uniform) + 1;
  SampleKey chosen =
      sample_find(row, bound, false, goal < reached ? goal : reached, sums, reached);
  if (threadIdx.x == 0) {
    tokens[blockIdx.x] = (int)(unsigned)chosen;
  }
}
