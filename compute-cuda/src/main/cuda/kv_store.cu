// Writes new key and value rows into the cache: rotation, centring and encoding in one pass, to all
// places that keep them. Bytes are those that the host's codecs write, hence without contraction.
//
// Grid: (rows, kv heads, keys and values), 128 threads; a block brings one row into shared memory.
// nvcc: -fmad=false
#include "kv.cuh"

__device__ inline float finite(float x) {
  return x != x ? 0 : fminf(fmaxf(x, -65504.f), 65504.f);
}

__device__ inline float inverse(float scale) {
  return scale == 0 ? 0 : 1 / scale;
}

__device__ inline int round_to(float x, int least, int most) {
  return (int)rintf(fminf(fmaxf(x, (float)least), (float)most));
}

__device__ inline void put_half(uint8_t* at, float x) {
  *(uint16_t*)at = float_half(x);
}

// Writes the bytes of one sub-plane from a row's codes in shared memory.
__device__ void put_codes(const PlaneView& p, uint8_t* base, int width, int shift, int slot, const int* codes) {
  int dim = (int)p.dim;
  int rowBytes = code_row_bytes(width, dim);
  int groupBytes = code_row_bytes(width, CODE_GROUP);
  for (int b = threadIdx.x; b < rowBytes; b += blockDim.x) {
    int first = b / groupBytes * CODE_GROUP;
    int size = dim - first < CODE_GROUP ? dim - first : CODE_GROUP;
    int bytes = code_row_bytes(width, size);
    int packed = 0;
    for (int i = b % groupBytes, bit = 0; i < size; i += bytes, bit += width) {
      packed |= (codes[first + i] >> shift & ((1 << width) - 1)) << bit;
    }
    base[plane_element(p, slot, b, rowBytes)] = (uint8_t)packed;
  }
}

__device__ void put_row_codes(const PlaneView& p, uint8_t* plane, int S, int slot, const int* codes) {
  int low = low_bits((int)p.bits);
  put_codes(p, plane, low, 0, slot, codes);
  if (p.bits > low) {
    uint8_t* second = plane + (long long)S * code_row_bytes(low, (int)p.dim);
    put_codes(p, second, (int)p.bits - low, low, slot, codes);
  }
}

// The sum of 2^k terms, the upper half added to the lower until one is left.
__device__ inline float tree_sum(float* terms, int count) {
  for (int half = count / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) {
      terms[i] += terms[i + half];
    }
  }
  return terms[0];
}

// GroupFormat: the scale of a group of up to 32 channels.
__device__ float group_scale(const float* x, int size, int top) {
  float y[CODE_GROUP];
  float largest = 0;
  float smallest = 0;
  for (int i = 0; i < CODE_GROUP; i++) {
    y[i] = i < size ? finite(x[i]) : 0;
    largest = fmaxf(largest, y[i]);
    smallest = fminf(smallest, y[i]);
  }
  float extreme = largest >= -smallest ? largest : smallest;
  if (fabsf(extreme) < 0x1p-24f) {
    return 0;
  }
  float best = 0;
  float gain = -1;
  for (int k = 0; k < 4; k++) {
    float inv = 1 / (-extreme / (top + 0.5f * k));
    int squares = 0;
    float terms[CODE_GROUP];
    for (int i = 0; i < CODE_GROUP; i++) {
      int code = round_to(y[i] * inv, -top, top - 1);
      terms[i] = code * y[i];
      squares += code * code;
    }
    float sum = tree_sum(terms, CODE_GROUP);
    float candidate = sum * sum / squares;
    if (candidate > gain) {
      gain = candidate;
      best = sum / squares;
    }
  }
  return best;
}

// Formats with a half for each group: codes of group g into shared memory, its halves into the plane.
__device__ void encode_group(const PlaneView& p, uint8_t* behind, int S, int slot, const float* x, int* codes, int g) {
  int D = (int)p.dim;
  int groups = (D + CODE_GROUP - 1) / CODE_GROUP;
  int first = g * CODE_GROUP;
  int size = D - first < CODE_GROUP ? D - first : CODE_GROUP;
  int top = 1 << (p.bits - 1);
  x += first;
  codes += first;
  uint8_t* at = behind + group_half(slot, g, groups);
  if (p.format == KV_GROUP) {
    float scale = half_float(float_half(group_scale(x, size, top)));
    put_half(at, scale);
    float inv = inverse(scale);
    for (int i = 0; i < size; i++) {
      codes[i] = round_to(finite(x[i]) * inv, -top, top - 1) + top;
    }
    return;
  }
  float most = 0;
  float extreme = 0;
  float low = INFINITY;
  float high = -INFINITY;
  for (int i = 0; i < size; i++) {
    float y = finite(x[i]);
    most = fmaxf(most, fabsf(y));
    extreme = fabsf(y) > fabsf(extreme) ? y : extreme;
    low = fminf(low, y);
    high = fmaxf(high, y);
  }
  if (p.format == KV_BYTE) {
    float scale = most / 127;
    float inv = inverse(scale);
    put_half(at, scale);
    for (int i = 0; i < size; i++) {
      float moved = finite(x[i]) * inv;
      float magnitude = fminf(fabsf(moved), 127);
      int whole = (int)magnitude;
      int rounded = whole + (magnitude - whole >= 0.5f ? 1 : 0);
      codes[i] = (moved < 0 ? -rounded : rounded) & 255;
    }
  } else if (p.format == KV_SIGNED) {
    float scale = extreme / -top;
    float inv = inverse(scale);
    put_half(at, scale);
    for (int i = 0; i < size; i++) {
      int code = (int)fmaf(finite(x[i]), inv, top + 0.5f);
      codes[i] = code < 0 ? 0 : code > 2 * top - 1 ? 2 * top - 1 : code;
    }
  } else if (p.format == KV_AFFINE) {
    float scale = (high - low) / 31;
    float inv = inverse(scale);
    put_half(at, scale);
    put_half(at + 2ll * S * groups, low);
    for (int i = 0; i < size; i++) {
      int code = (int)((finite(x[i]) - low) * inv + 0.5f);
      codes[i] = code < 0 ? 0 : code > 31 ? 31 : code;
    }
  } else {  // values of KIVI
    int most_code = (1 << p.bits) - 1;
    float least = half_float(float_half(low));
    float step = half_float(float_half((high - least) / most_code));
    put_half(at, step);
    put_half(at + 2ll * S * groups, least);
    float inv = inverse(step);
    for (int i = 0; i < size; i++) {
      codes[i] = round_to((finite(x[i]) - least) * inv, 0, most_code);
    }
  }
}

// LloydMaxFormat, by one thread: its sums have an order.
__device__ void encode_levels(const PlaneView& p, uint8_t* behind, int slot, const float* x, int* codes) {
  int D = (int)p.dim;
  int bits = (int)p.bits;
  float sums[16];
  for (int i = 0; i < 16; i++) {
    sums[i] = 0;
  }
  for (int i = 0; i < D; i++) {
    float y = finite(x[i]);
    sums[i % 16] += y * y;
  }
  float norm = (float)sqrt((double)tree_sum(sums, 16));
  float stretch = norm == 0 ? 0 : (float)sqrt((double)D) / norm;
  for (int i = 0; i < 16; i++) {
    sums[i] = 0;
  }
  for (int i = 0; i < D; i++) {
    float u = finite(x[i]) * stretch;
    int code = 0;
    for (int c = 1; c < 1 << bits; c++) {
      code += u > (level_of(bits, c - 1) + level_of(bits, c)) / 2 ? 1 : 0;
    }
    codes[i] = code;
    float level = level_of(bits, code);
    sums[i % 16] += level * level;
  }
  float factor = norm / (float)sqrt((double)tree_sum(sums, 16));
  put_half(behind + 2 * slot, fminf(factor, 65504.f));
}

__device__ inline uint8_t e4m3_code(float x) {
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

// Encodes the row in shared memory into a slot of a plane.
__device__ void encode_row(const PlaneView& p, uint8_t* plane, int S, int slot, const float* x, int* codes, float* scratch) {
  int D = (int)p.dim;
  if (p.format == KV_INT8 || p.format == KV_FP8) {
    float most = 0;
    for (int i = threadIdx.x; i < D; i += blockDim.x) {
      most = fmaxf(most, fabsf(finite(x[i])));
    }
    most = block_max(most, scratch);
    bool bytes = p.format == KV_INT8;
    float scale = half_float(float_half(most / (bytes ? 127.f : 448.f)));
    float inv = inverse(scale);
    for (int i = threadIdx.x; i < D; i += blockDim.x) {
      float y = finite(x[i]) * inv;
      plane[plane_element(p, slot, i, D)] = bytes ? (uint8_t)round_to(y, -127, 127) : e4m3_code(y);
    }
    if (threadIdx.x == 0) {
      put_half(plane + (long long)S * D + 2 * slot, scale);
    }
    return;
  }
  if (p.format <= KV_BF16) {
    for (int i = threadIdx.x; i < D; i += blockDim.x) {
      long long at = plane_element(p, slot, i, D);
      if (p.format == KV_F32) {
        ((float*)plane)[at] = x[i];
      } else {
        ((uint16_t*)plane)[at] = p.format == KV_F16 ? float_half(x[i]) : float_bf16(x[i]);
      }
    }
    return;
  }
  uint8_t* behind = plane + code_bytes((int)p.bits, S, D);
  __syncthreads();
  if (p.format == KV_LEVELS) {
    if (threadIdx.x == 0) {
      encode_levels(p, behind, slot, x, codes);
    }
  } else {
    for (int g = threadIdx.x; g < (D + CODE_GROUP - 1) / CODE_GROUP; g += blockDim.x) {
      encode_group(p, behind, S, slot, x, codes, g);
    }
  }
  __syncthreads();
  put_row_codes(p, plane, S, slot, codes);
}

// `skipCodes`: bit 0 keys, bit 1 values are encoded later, a tile at once.
KERNEL kv_store(const __grid_constant__ KvView kv, const float* k, const float* v, int skipCodes) {
  DYNAMIC_SHARED(float, shared);
  __shared__ float scratch[32];
  int row = blockIdx.x;
  int head = blockIdx.y;
  bool value = blockIdx.z == 1;
  int dim = (int)(value ? kv.valueDim : kv.keyDim);
  float* x = shared;
  int* codes = (int*)(shared + dim);
  const float* source = (value ? v : k) + ((long long)row * kv.kvHeads + head) * dim;
  for (int i = threadIdx.x; i < dim; i += blockDim.x) {
    x[i] = source[i];
  }
  __syncthreads();
  hadamard(x, dim, (int)(value ? kv.valueRotation : kv.keyRotation));
  if (!value && kv.centres) {
    for (int i = threadIdx.x; i < dim; i += blockDim.x) {
      x[i] -= kv.centres[(long long)head * dim + i];
    }
    __syncthreads();
  }
  int position = kv.positions[row];
  int sequence = kv.sequences[row];
  int slot = position % (int)kv.blockTokens;
  int S = (int)kv.blockTokens;
  if (!(skipCodes >> value & 1)) {
    const PlaneView& p = value ? kv.codes.value : kv.codes.key;
    encode_row(p, plane_of(kv, kv.codes, p, sequence, position, head), S, slot, x, codes, scratch);
  }
  if (kv.tail.present) {
    const PlaneView& p = value ? kv.tail.value : kv.tail.key;
    encode_row(p, plane_of(kv, kv.tail, p, sequence, position, head), S, slot, x, codes, scratch);
  }
  if (kv.sinks.present && position < kv.sinks.limit) {
    const PlaneView& p = value ? kv.sinks.value : kv.sinks.key;
    encode_row(p, plane_of(kv, kv.sinks, p, sequence, position, head), S, slot, x, codes, scratch);
  }
}
