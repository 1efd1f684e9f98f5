// Writes new key and value rows into the cache, a warp for each row of each head: rotation, centring,
// rounding and packing in registers, to all places that keep the row. What kv_store.cu does for any
// format and size, this does for those that models are served with: f16, bf16, int8, fp8 and int4,
// rows of 64, 96, 128 or 256 elements; exact copies are f16.
//
// Bytes are those of the host's codecs, hence no contraction, divisions as IEEE has them, sums as the
// codecs' tree: lane i holds elements i, i + 32, ... so that a group of 32 channels is one register
// across the lanes and the tree's steps are exchanges with lanes 16, 8, 4, 2, 1 away.
//
// Launch: grid (ceil(rows G / 4), 1 or 2 for keys and values), 128 threads. Reads 4 D bytes a row,
// writes its codes: of keys a byte for each channel to another 16 bytes, which meet in the L2 cache
// with those of the tile's other rows.
// nvcc: -fmad=false
#include "attention_mma.cuh"
#include "kv.cuh"

namespace {

constexpr unsigned ALL = 0xffffffffu;

__device__ __forceinline__ float finite(float x) {
  return x != x ? 0 : fminf(fmaxf(x, -65504.f), 65504.f);
}

__device__ __forceinline__ int rounded(float x, int least, int most) {
  return (int)rintf(fminf(fmaxf(x, (float)least), (float)most));
}

__device__ __forceinline__ float inverseOf(float scale) { return scale == 0 ? 0 : 1 / scale; }

__device__ __forceinline__ uint8_t e4m3(float x) {
  float magnitude = fminf(fabsf(x), 448);
  int code;
  if (magnitude < 0x1p-6f) {
    code = (int)rintf(magnitude * 0x1p9f);
  } else {
    uint32_t bits = __float_as_uint(magnitude);
    code = (int)((bits + 0x7ffff + (bits >> 20 & 1)) >> 20) - (120 << 3);
  }
  return (uint8_t)(code | (__float_as_uint(x) >> 24 & 0x80));
}

/// The transform of Hadamard.java: strides 1, 2, 4, ..., then the factor.
template <int R>
__device__ __forceinline__ void rotate(float (&x)[R], int lane, int rotation) {
  if (rotation <= 1) {
    return;
  }
#pragma unroll
  for (int stride = 1; stride < 32; stride *= 2) {
    if (stride < rotation) {
#pragma unroll
      for (int i = 0; i < R; i++) {
        float other = __shfl_xor_sync(ALL, x[i], stride);
        x[i] = lane & stride ? other - x[i] : x[i] + other;
      }
    }
  }
#pragma unroll
  for (int stride = 1; stride < R; stride *= 2) {
    if (32 * stride < rotation) {
#pragma unroll
      for (int i = 0; i < R; i++) {
        if (!(i & stride) && i + stride < R) {
          float a = x[i], b = x[i + stride];
          x[i] = a + b;
          x[i + stride] = a - b;
        }
      }
    }
  }
  float factor = (float)(1 / sqrt((double)rotation));
#pragma unroll
  for (int i = 0; i < R; i++) {
    x[i] *= factor;
  }
}

/// GroupFormat.scale for 4 bits of a group whose element `y` this lane holds.
__device__ __forceinline__ float groupScale(float y) {
  float largest = fmaxf(y, 0.0f), smallest = fminf(y, 0.0f);
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    largest = fmaxf(largest, __shfl_xor_sync(ALL, largest, step));
    smallest = fminf(smallest, __shfl_xor_sync(ALL, smallest, step));
  }
  float extreme = largest >= -smallest ? largest : smallest;
  if (fabsf(extreme) < 0x1p-24f) {
    return 0;
  }
  float best = 0, gain = -1;
#pragma unroll
  for (int k = 0; k < 4; k++) {
    float inverse = 1 / (-extreme / (8 + 0.5f * k));
    int code = rounded(y * inverse, -8, 7);
    float sum = code * y;
    int squares = code * code;
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
      sum += __shfl_xor_sync(ALL, sum, step);
      squares += __shfl_xor_sync(ALL, squares, step);
    }
    float candidate = sum * sum / squares;
    if (candidate > gain) {
      gain = candidate;
      best = sum / squares;
    }
  }
  return best;
}

/// Where byte `at` of a row of `rowBytes` stands in a plane.
__device__ __forceinline__ long long placeOf(bool keys, int slot, int at, int rowBytes) {
  return keys ? ((long long)(slot / 16) * rowBytes + at) * 16 + slot % 16
              : (long long)slot * rowBytes + at;
}

template <int R>
__device__ __forceinline__ void put(const PlaneView& p, uint8_t* plane, int S, int slot,
                                    const float (&x)[R], int lane) {
  constexpr int D = 32 * R;
  bool keys = p.keys;
  if (p.format == KV_F16 || p.format == KV_BF16) {
#pragma unroll
    for (int i = 0; i < R; i++) {
      ((uint16_t*)plane)[placeOf(keys, slot, lane + 32 * i, D)] =
          p.format != KV_F16 ? float_bf16(x[i]) : x[i] != x[i] ? 0x7e00 : float_half(x[i]);
    }
  } else if (p.format == KV_INT8 || p.format == KV_FP8) {
    bool bytes = p.format == KV_INT8;
    float most = 0;
#pragma unroll
    for (int i = 0; i < R; i++) {
      most = fmaxf(most, fabsf(finite(x[i])));
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
      most = fmaxf(most, __shfl_xor_sync(ALL, most, step));
    }
    uint16_t half = float_half(most / (bytes ? 127.f : 448.f));
    float inverse = inverseOf(half_float(half));
#pragma unroll
    for (int i = 0; i < R; i++) {
      float y = finite(x[i]) * inverse;
      plane[placeOf(keys, slot, lane + 32 * i, D)] =
          bytes ? (uint8_t)rounded(y, -127, 127) : e4m3(y);
    }
    if (lane == 0) {
      ((uint16_t*)(plane + (long long)S * D))[slot] = half;
    }
  } else {
    uint16_t* scales = (uint16_t*)(plane + (long long)S * (D / 2));
#pragma unroll
    for (int i = 0; i < R; i++) {
      float y = finite(x[i]);
      uint16_t half = float_half(groupScale(y));
      int code = rounded(y * inverseOf(half_float(half)), -8, 7) + 8;
      int upper = __shfl_down_sync(ALL, code, 16);
      if (lane < 16) {
        plane[placeOf(keys, slot, 16 * i + lane, D / 2)] = (uint8_t)(code | upper << 4);
      }
      if (lane == 0) {
        scales[((slot / 16) * R + i) * 16 + slot % 16] = half;
      }
    }
  }
}

template <int R>
__device__ __forceinline__ void load(float (&x)[R], const float* source, int lane) {
#pragma unroll
  for (int i = 0; i < R; i++) {
    x[i] = source[lane + 32 * i];
  }
}

/// Where a row of a head goes: planes of its codes and of exact copies, null where there are none.
struct Places {
  uint8_t* codes;
  uint8_t* tail;
  uint8_t* sinks;
  int slot;

  __device__ __forceinline__ Places(const KvView& kv, bool value, int row, int head, bool coded) {
    int position = kv.positions[row], sequence = kv.sequences[row];
    slot = position % (int)kv.blockTokens;
    codes = tail = sinks = nullptr;
    if (coded) {
      codes = plane_of(kv, kv.codes, value ? kv.codes.value : kv.codes.key, sequence, position, head);
    }
    if (kv.tail.present) {
      tail = plane_of(kv, kv.tail, value ? kv.tail.value : kv.tail.key, sequence, position, head);
    }
    if (kv.sinks.present && position < kv.sinks.limit) {
      sinks = plane_of(kv, kv.sinks, value ? kv.sinks.value : kv.sinks.key, sequence, position, head);
    }
  }
};

template <int R>
__device__ __forceinline__ void writeRow(const KvView& kv, float (&x)[R], bool value, int head,
                                         int lane, const Places& to) {
  constexpr int D = 32 * R;
  rotate(x, lane, (int)(value ? kv.valueRotation : kv.keyRotation));
  if (!value && kv.centres) {
#pragma unroll
    for (int i = 0; i < R; i++) {
      x[i] -= kv.centres[(long long)head * D + lane + 32 * i];
    }
  }
  int S = (int)kv.blockTokens;
  if (to.codes) {
    put(value ? kv.codes.value : kv.codes.key, to.codes, S, to.slot, x, lane);
  }
  if (to.tail) {
    put(value ? kv.tail.value : kv.tail.key, to.tail, S, to.slot, x, lane);
  }
  if (to.sinks) {
    put(value ? kv.sinks.value : kv.sinks.key, to.sinks, S, to.slot, x, lane);
  }
}

template <int R>
__device__ __forceinline__ void storeRow(const KvView& kv, const float* source, bool value, int row,
                                         int head, int lane, bool codes) {
  float x[R];
  Places to(kv, value, row, head, codes);
  load(x, source + ((long long)row * kv.kvHeads + head) * (32 * R), lane);
  writeRow(kv, x, value, head, lane, to);
}

/// How positions turn queries and keys; of whole heads.
struct Turns {
  const float* frequencies;  // [D / 2]
  float magnitude;
  int interleaved;
};

/// From here on all that the product before wrote is there. Whoever starts behind this kernel has all
/// but these rows, since it says so only now.
__device__ __forceinline__ void rowsAreThere() {
  kvasir::waitForInputs();
  kvasir::letNextStart();
}

/// Loads a head and turns it as kv_rope does, to the bit.
template <int R>
__device__ __forceinline__ void loadTurned(float (&x)[R], const float* source, const Turns& turns,
                                           int position, int lane) {
  // Neighbours share a pair where they are interleaved, else x[i] and x[i + R / 2] are one.
  float c[R], s[R];
#pragma unroll
  for (int i = 0; i < R; i++) {
    if (turns.interleaved || i < R / 2) {
      int pair = turns.interleaved ? (lane + 32 * i) / 2 : lane + 32 * i;
      double sine, cosine;
      sincos((double)((float)position * turns.frequencies[pair]), &sine, &cosine);
      c[i] = (float)cosine * turns.magnitude;
      s[i] = (float)sine * turns.magnitude;
    }
  }
  rowsAreThere();
  load(x, source, lane);
  if (turns.interleaved) {
#pragma unroll
    for (int i = 0; i < R; i++) {
      float other = __shfl_xor_sync(ALL, x[i], 1);
      x[i] = lane & 1 ? fmaf(x[i], c[i], other * s[i]) : fmaf(x[i], c[i], -(other * s[i]));
    }
  } else {
#pragma unroll
    for (int i = 0; i < R / 2; i++) {
      float a = x[i], b = x[i + R / 2];
      x[i] = fmaf(a, c[i], -(b * s[i]));
      x[i + R / 2] = fmaf(b, c[i], a * s[i]);
    }
  }
}

/// Queries in the layer's basis, and what the centre of keys adds to their products.
template <int R>
__device__ __forceinline__ void writeQuery(const KvView& kv, float (&x)[R], int row, int head,
                                           int lane, float* q, float* out, float* centre) {
  constexpr int D = 32 * R;
  long long at = ((long long)row * kv.heads + head) * D + lane;
#pragma unroll
  for (int i = 0; i < R; i++) {
    q[at + 32 * i] = x[i];
  }
  if (!out) {
    return;
  }
  rotate(x, lane, (int)kv.keyRotation);
#pragma unroll
  for (int i = 0; i < R; i++) {
    out[at + 32 * i] = x[i];
  }
  if (kv.centres) {
    const float* of = kv.centres + head / (kv.heads / kv.kvHeads) * D;
    float sum = 0;
#pragma unroll
    for (int i = 0; i < R; i++) {
      sum += x[i] * of[lane + 32 * i];
    }
    sum = warp_sum(sum);
    if (lane == 0) {
      centre[(long long)row * kv.heads + head] = sum;
    }
  }
}

/// A head of a row: a query (`head` < H), a key (< H + G) or a value.
template <int R>
__device__ __forceinline__ void prepareRow(const KvView& kv, float* q, const float* k,
                                           const float* v, float* out, float* centre,
                                           const Turns& turns, int row, int head, int lane,
                                           int skipCodes) {
  constexpr int D = 32 * R;
  int H = (int)kv.heads, G = (int)kv.kvHeads;
  float x[R];
  if (head < H) {
    loadTurned(x, q + ((long long)row * H + head) * D, turns, kv.positions[row], lane);
    writeQuery(kv, x, row, head, lane, q, out, centre);
  } else if (head < H + G) {
    Places to(kv, false, row, head - H, !(skipCodes & 1));
    loadTurned(x, k + ((long long)row * G + head - H) * D, turns, kv.positions[row], lane);
    writeRow(kv, x, false, head - H, lane, to);
  } else {
    Places to(kv, true, row, head - H - G, !(skipCodes & 2));
    rowsAreThere();
    load(x, v + ((long long)row * G + head - H - G) * D, lane);
    writeRow(kv, x, true, head - H - G, lane, to);
  }
}

}  // namespace

/// k [rows, G, keyDim], v [rows, G, valueDim]; `skipCodes`: bit 0 keys, bit 1 values go only to exact
/// copies.
KERNEL kv_write(const __grid_constant__ KvView kv, const float* k, const float* v, int skipCodes) {
  int unit = blockIdx.x * 4 + threadIdx.x / 32, lane = threadIdx.x % 32;
  int row = unit / (int)kv.kvHeads, head = unit % (int)kv.kvHeads;
  if (row >= kv.rows) {
    return;
  }
  bool value = blockIdx.y == 1;
  const float* source = value ? v : k;
  bool codes = !(skipCodes >> value & 1);
  switch ((int)(value ? kv.valueDim : kv.keyDim)) {
    case 64:
      storeRow<2>(kv, source, value, row, head, lane, codes);
      break;
    case 96:
      storeRow<3>(kv, source, value, row, head, lane, codes);
      break;
    case 128:
      storeRow<4>(kv, source, value, row, head, lane, codes);
      break;
    case 256:
      storeRow<8>(kv, source, value, row, head, lane, codes);
      break;
  }
}

/// All that comes between the products of a layer and its attention, in one pass: turns queries and
/// keys by their positions (whole heads, pairs D / 2), queries in place, keys and values into the cache
/// as kv_write does; where `out` is not null it gets queries in the layer's basis and `centre` what the
/// centre adds. q [rows, H, D], k, v [rows, G, D]; D 64, 128 or 256 on all sides. Grid: ceil(rows (H + 2 G) / 4);
/// 128 threads.
KERNEL kv_prepare(const __grid_constant__ KvView kv, float* q, const float* k, const float* v,
                  float* out, float* centre, const float* frequencies, float magnitude,
                  int interleaved, int skipCodes) {
  int unit = blockIdx.x * 4 + threadIdx.x / 32, lane = threadIdx.x % 32;
  int heads = (int)(kv.heads + 2 * kv.kvHeads);
  int row = unit / heads, head = unit % heads;
  if (row >= kv.rows) {
    kvasir::waitForInputs();
    return;
  }
  Turns turns = {frequencies, magnitude, interleaved};
  switch ((int)kv.keyDim) {
    case 64:
      prepareRow<2>(kv, q, k, v, out, centre, turns, row, head, lane, skipCodes);
      break;
    case 128:
      prepareRow<4>(kv, q, k, v, out, centre, turns, row, head, lane, skipCodes);
      break;
    case 256:
      prepareRow<8>(kv, q, k, v, out, centre, turns, row, head, lane, skipCodes);
      break;
  }
}
