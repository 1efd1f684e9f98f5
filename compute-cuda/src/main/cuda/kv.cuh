// Cached keys and values on the device: the same bytes as on the host, where the formats' classes in
// io.kvasir.kvcache.format describe them. Structures are filled by KvArguments.java; each field
// takes 8 bytes.
#pragma once
#include "common.cuh"

// Order of KvArguments.FORMATS.
enum KvFormat { KV_F32, KV_F16, KV_BF16, KV_INT8, KV_FP8, KV_GROUP, KV_LEVELS, KV_BYTE, KV_SIGNED, KV_AFFINE, KV_KIVI, KV_KVARN };

// Where the rows of one side (keys or values) of a layer lie in the blocks of a group.
struct PlaneView {
  long long format;
  long long bits;
  long long dim;
  long long keys;        // 1: channel-major tiles of 16 tokens; 0: row after row
  long long values;      // 1: a plane of values, for formats that treat keys otherwise
  long long offset;      // of head 0 in a block, bytes
  long long headStride;  // bytes from head to head
};

// A layer group: which blocks hold the positions of each sequence.
struct GroupView {
  const int* tables;  // block ids of all sequences
  const int* starts;  // [sequences]: tables[starts[s] + p / blockTokens] holds position p
  PlaneView key;
  PlaneView value;
  long long present;
  long long limit;  // positions below it are kept
};

struct KvView {
  uint8_t* pool;
  long long blockBytes;
  long long blockTokens;
  const int* positions;    // [rows]
  const int* sequences;    // [rows]
  long long rows;
  long long heads;
  long long kvHeads;
  long long keyDim;
  long long valueDim;
  long long keyRotation;
  long long valueRotation;
  const float* centres;  // [kvHeads, keyDim], rotated, or null
  GroupView codes;
  GroupView tail;
  GroupView sinks;
};

struct AttendView {
  KvView kv;
  const float* q;
  float* out;
  const float* sinkLogits;  // [heads] or null
  const float* slopes;      // [heads] or null
  double scale;
  double softcap;
  long long window;
  long long exactSinks;
  long long exactTail;  // -1 for none
  // Pruned sequences: [sequences * kvHeads] places in `pruned`, -1 where nothing is pruned; there
  // tokens, count, then the positions of the kept rows, then for each page of them pool offsets of
  // its key and value plane.
  const long long* prunedPlaces;
  const long long* pruned;
};

static_assert(sizeof(PlaneView) == 56 && sizeof(GroupView) == 144, "KvArguments.java counts bytes");
static_assert(sizeof(KvView) == 104 + 3 * 144, "KvArguments.java counts bytes");
static_assert(sizeof(AttendView) == sizeof(KvView) + 88, "KvArguments.java counts bytes");

constexpr int TILE_TOKENS = 16;
constexpr int CODE_GROUP = 32;

// Place of a channel of a row among the elements of a plane.
__device__ inline long long plane_element(const PlaneView& p, int slot, int channel, int dim) {
  return p.keys ? ((long long)(slot / TILE_TOKENS) * dim + channel) * TILE_TOKENS + slot % TILE_TOKENS
                : (long long)slot * dim + channel;
}

// Byte offset of the half of group g of a row, tiled by 16 rows whatever the plane is.
__device__ inline long long group_half(int slot, int g, int groups) {
  return 2 * (((long long)(slot / TILE_TOKENS) * groups + g) * TILE_TOKENS + slot % TILE_TOKENS);
}

__device__ inline int code_row_bytes(int width, int dim) {
  return (dim * width + 7) / 8;
}

__device__ inline int low_bits(int bits) {
  return bits == 8 ? 8 : bits >= 4 ? 4 : 2;
}

__device__ inline long long code_bytes(int bits, int blockTokens, int dim) {
  int low = low_bits(bits);
  return (long long)blockTokens * (code_row_bytes(low, dim) + code_row_bytes(bits - low, dim));
}

// Bits of one sub-plane of a row's channel.
__device__ inline int sub_code(const PlaneView& p, const uint8_t* base, int width, int slot, int channel) {
  int dim = (int)p.dim;
  int first = channel / CODE_GROUP * CODE_GROUP;
  int size = dim - first < CODE_GROUP ? dim - first : CODE_GROUP;
  int bytes = code_row_bytes(width, size);
  int i = channel - first;
  int at = code_row_bytes(width, first) + i % bytes;
  int packed = base[plane_element(p, slot, at, code_row_bytes(width, dim))];
  return packed >> (i / bytes * width) & ((1 << width) - 1);
}

__device__ inline int plane_code(const PlaneView& p, const uint8_t* plane, int blockTokens, int slot, int channel) {
  int low = low_bits((int)p.bits);
  int high = (int)p.bits - low;
  int code = sub_code(p, plane, low, slot, channel);
  if (high > 0) {
    const uint8_t* second = plane + (long long)blockTokens * code_row_bytes(low, (int)p.dim);
    code |= sub_code(p, second, high, slot, channel) << low;
  }
  return code;
}

__device__ inline float half_at(const uint8_t* at) {
  return half_float(*(const uint16_t*)at);
}

__device__ inline float level_of(int bits, int code) {
  constexpr float four[8] = {0.1284f, 0.3881f, 0.6568f, 0.9424f, 1.2562f, 1.6181f, 2.0690f, 2.7326f};
  constexpr float three[4] = {0.2451f, 0.7560f, 1.3439f, 2.1519f};
  constexpr float two[2] = {0.4528f, 1.5104f};
  int top = 1 << (bits - 1);
  int i = code >= top ? code - top : top - 1 - code;
  float level = bits == 4 ? four[i] : bits == 3 ? three[i] : two[i];
  return code >= top ? level : -level;
}

__device__ inline float e4m3_value(int code) {
  float magnitude = __uint_as_float((uint32_t)(code & 0x7f) << 20) * 0x1p120f;
  return code & 0x80 ? -magnitude : magnitude;
}

// Product and sum rounded one by one, as codecs have it.
__device__ inline float affine(float scale, float code, float minimum) {
#ifdef __CUDA_ARCH__
  return __fadd_rn(__fmul_rn(scale, code), minimum);
#else
  return scale * code + minimum;
#endif
}

// Bytes of the steps of KIVI and KVarN, which the minima follow.
__device__ inline long long tile_halves(int blockTokens, int dim, int tile) {
  return 2ll * ((blockTokens + tile - 1) / tile) * dim;
}

// An element of a row, decoded.
__device__ inline float kv_element(const PlaneView& p, const uint8_t* plane, int S, int slot, int channel) {
  int D = (int)p.dim;
  switch (p.format) {
    case KV_F32:
      return ((const float*)plane)[plane_element(p, slot, channel, D)];
    case KV_F16:
      return half_float(((const uint16_t*)plane)[plane_element(p, slot, channel, D)]);
    case KV_BF16:
      return bf16_float(((const uint16_t*)plane)[plane_element(p, slot, channel, D)]);
    case KV_INT8:
      return half_at(plane + (long long)S * D + 2 * slot) *
             (int8_t)plane[plane_element(p, slot, channel, D)];
    case KV_FP8:
      return half_at(plane + (long long)S * D + 2 * slot) *
             e4m3_value(plane[plane_element(p, slot, channel, D)]);
  }
  int bits = (int)p.bits;
  int code = plane_code(p, plane, S, slot, channel);
  const uint8_t* behind = plane + code_bytes(bits, S, D);
  int groups = (D + CODE_GROUP - 1) / CODE_GROUP;
  long long half = group_half(slot, channel / CODE_GROUP, groups);
  switch (p.format) {
    case KV_GROUP:
    case KV_SIGNED:
      return half_at(behind + half) * (code - (1 << (bits - 1)));
    case KV_LEVELS:
      return half_at(behind + 2 * slot) * level_of(bits, code);
    case KV_BYTE:
      return half_at(behind + half) * (int8_t)code;
    case KV_AFFINE:
      return affine(half_at(behind + half), code, half_at(behind + 2ll * S * groups + half));
    case KV_KIVI: {
      long long at = p.values ? half : 2 * ((long long)(slot / 32) * D + channel);
      long long minima = p.values ? 2ll * S * groups : tile_halves(S, D, 32);
      return affine(half_at(behind + at), code, half_at(behind + minima + at));
    }
    default: {
      long long tile = 2 * ((long long)(slot / 64) * D + channel);
      long long at = p.values ? 2 * slot : tile;
      long long minima = p.values ? 2ll * S : tile_halves(S, D, 64);
      float factor = half_at(behind + 2 * minima + (p.values ? tile : 2 * slot));
      return affine(half_at(behind + at), code, half_at(behind + minima + at)) * factor;
    }
  }
}

// Where a head's plane begins in the block that holds a position.
__device__ inline uint8_t* plane_of(const KvView& kv, const GroupView& group, const PlaneView& plane,
                                    int sequence, int position, int head) {
  int block = group.tables[group.starts[sequence] + position / (int)kv.blockTokens];
  return kv.pool + block * kv.blockBytes + plane.offset + head * plane.headStride;
}

// The Walsh-Hadamard transform of x[0 .. dim) in shared memory, in the order of Hadamard.java.
// Called by all threads of a block.
__device__ inline void hadamard(float* x, int dim, int block) {
  if (block <= 1) {
    return;
  }
  for (int stride = 1; stride < block; stride *= 2) {
    for (int i = threadIdx.x; i < dim / 2; i += blockDim.x) {
      int at = i / stride * 2 * stride + i % stride;
      float a = x[at];
      float b = x[at + stride];
      x[at] = a + b;
      x[at + stride] = a - b;
    }
    __syncthreads();
  }
  float factor = (float)(1 / sqrt((double)block));
  for (int i = threadIdx.x; i < dim; i += blockDim.x) {
    x[i] *= factor;
  }
  __syncthreads();
}
