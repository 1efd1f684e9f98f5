// Products of one to eight rows with weights read once, in place: out[r, o] = W[o] . x[r] + b[o].
//
// Launch: grid (sum of ceil(outputs / 32) over the parts, of gate and up ceil(outputs / 16)), 256
// threads, NAME_shared bytes of dynamic shared memory (0 for bf16). x [rows, xStride] f32, rows 1 .. 8.
// Columns: a multiple of 32 (bf16), of 256 (block formats). Weights start at multiples of 16 bytes
// and so do rows.
//
// One launch computes up to three products of the same rows (queries, keys, values), or gate and up
// of a network with its activation: rows 0 .. 7 of a tile of 16 are then gates, 8 .. 15 what they
// gate. bf16 can take the RMS norm of x on the way: the sum of squares comes from the same reads, its
// root scales the results. And it can add its results to another matrix besides writing them.
//
// A block computes 32 outputs; its eight warps share the columns out among them, 128 or 256 at a
// time. A warp multiplies on the tensor cores, outputs being rows and rows of x columns of the
// product, so weights are read once for all rows of x and the bits of a row depend on no other. A
// row of x is taken as two bf16 numbers, the second being what rounding took from the first, so
// terms are right to 2^-17; sums are f32. Codes become bf16 numbers exactly (the fraction of 128
// holds them) and each block of 32 is summed apart, then scaled in f32.
//
// Bytes moved: the weights once. bf16 comes straight into registers, 8 to 16 loads of 16 bytes a
// lane in flight; block formats come through shared memory with cp.async, since their blocks start
// at even addresses only. Which columns a lane takes is chosen such that 16 (4) neighbouring bytes
// of a row are what it needs: the order of a sum over columns is free.
//
// Where launched with programmatic stream serialization, the first weights are read while the
// kernel before still runs (griddepcontrol.wait stands before the first read of x).
#pragma once
#include "products.cuh"

namespace kvasir {

struct LinearCall {
  ProductPart parts[3];
  long long rowBytes;
  const float* x;
  const float* norm;  // [columns] or null: weights of x's norm
  float* normed;      // [rows, xStride] or null: gets the normalized rows
  float* sums;        // [rows, sumStride] or null: gets factor times the results added
  int columns;
  int xStride;
  int rows;
  int activation;  // of gate and up; -1 for separate products
  int sumStride;
  float epsilon;
  float factor;
};

constexpr int LINEAR_WARPS = 8;
constexpr int LINEAR_TILES = 2;  // of 16 outputs a block of threads

/// What a block of threads computes.
struct LinearBlock {
  const unsigned char* weights[2];  // of rows 0 .. 7 and 8 .. 15 of a tile
  int part;
  int first;  // output
  int last;   // of the part
  bool gates;

  __device__ __forceinline__ explicit LinearBlock(const LinearCall& call) {
    gates = call.activation >= 0;
    part = 0;
    first = blockIdx.x * (gates ? 8 : 16) * LINEAR_TILES;
    if (!gates) {
#pragma unroll
      for (int p = 0; p < 2; p++) {
        int all = (call.parts[p].outputs + 31) / 32 * 32;
        if (part == p && first >= all) {
          first -= all;
          part++;
        }
      }
    }
    weights[0] = part == 0 ? call.parts[0].weights
                           : part == 1 ? call.parts[1].weights : call.parts[2].weights;
    weights[1] = gates ? call.parts[1].weights : weights[0];
    last = (part == 0 ? call.parts[0].outputs
                      : part == 1 ? call.parts[1].outputs : call.parts[2].outputs) - 1;
  }

  /// Row `g` (0 .. 7) of half `i` of tile `m`; rows behind the last are the last.
  __device__ __forceinline__ const unsigned char* row(const LinearCall& call, int m, int i,
                                                      int g) const {
    int output = gates ? first + 8 * m + g : first + 16 * m + 8 * i + g;
    return (i == 0 ? weights[0] : weights[1]) + min(output, last) * call.rowBytes;
  }
};

__device__ __forceinline__ uint4 loadOnce(const void* p) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p));
  return v;
}

/// Four numbers of a row of x as B of a product of 16: two pairs, rounded, and the rest.
struct Pairs {
  uint32_t high[2];
  uint32_t low[2];

  __device__ __forceinline__ void set(float a, float b, float c, float d) {
    high[0] = pack<true>(a, b);
    high[1] = pack<true>(c, d);
    low[0] = packRest<true>(a, b, high[0]);
    low[1] = packRest<true>(c, d, high[1]);
  }

  __device__ __forceinline__ void times(float c[4], const uint32_t a[4]) const {
    multiply<true>(c, a, high[0], high[1]);
    multiply<true>(c, a, low[0], low[1]);
  }
};

constexpr int LINEAR_SQUARES = LINEAR_WARPS * 8 * (16 * LINEAR_TILES + 1);
constexpr int LINEAR_SUMS = LINEAR_SQUARES + LINEAR_WARPS * 8;  // floats of shared memory

/// Adds the warps' sums in their order and writes the outputs. acc: rows g, g + 8 of each tile;
/// square: the lane's share of row g's.
template <int TILES>
__device__ __forceinline__ void finishLinear(const LinearCall& call, const LinearBlock& block,
                                             float* shared, float (&acc)[TILES][4], float square) {
  constexpr int OUTPUTS = 16 * LINEAR_TILES;
  // Where a warp has one tile, the first half of the warps has the first.
  constexpr int WARPS = LINEAR_WARPS * TILES / LINEAR_TILES;
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane >> 2, t = lane & 3;
#pragma unroll
  for (int m = 0; m < TILES; m++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      shared[(warp * 8 + 2 * t + (i & 1)) * (16 * TILES + 1) + 16 * m + g + (i >> 1) * 8] =
          acc[m][i];
    }
  }
  square += __shfl_xor_sync(~0u, square, 1);
  square += __shfl_xor_sync(~0u, square, 2);
  if (t == 0) {
    shared[LINEAR_SQUARES + warp * 8 + g] = square;
  }
  __syncthreads();
  int row = threadIdx.x / OUTPUTS, at = threadIdx.x % OUTPUTS;
  if (row >= call.rows) {
    return;
  }
  float scale = 1;
  if (call.norm != nullptr) {
    float sum = 0;
    for (int w = 0; w < WARPS; w++) {
      sum += shared[LINEAR_SQUARES + w * 8 + row];
    }
    scale = 1 / sqrtf(sum / call.columns + call.epsilon);
    if (call.normed != nullptr) {
      int share = (call.columns + gridDim.x - 1) / gridDim.x;
      int to = min(call.columns, ((int)blockIdx.x + 1) * share);
      for (int k = blockIdx.x * share + at; k < to; k += OUTPUTS) {
        long long i = (long long)row * call.xStride + k;
        call.normed[i] = call.x[i] * scale * call.norm[k];
      }
    }
  }
  auto sumOf = [&](int of) {
    int from = of / (16 * TILES) * WARPS;
    float sum = 0;
#pragma unroll
    for (int w = 0; w < WARPS; w++) {
      sum += shared[((from + w) * 8 + row) * (16 * TILES + 1) + of % (16 * TILES)];
    }
    return sum * scale;
  };
  const ProductPart& part = call.parts[block.part];
  int output = block.first + at;
  if (output > block.last || (block.gates && at >= OUTPUTS / 2)) {
    return;
  }
  float y;
  if (block.gates) {
    const ProductPart& up = call.parts[1];
    int of = at / 8 * 16 + at % 8;
    float gate = sumOf(of) + (part.bias == nullptr ? 0 : part.bias[output]);
    y = gated(call.activation, gate, sumOf(of + 8) + (up.bias == nullptr ? 0 : up.bias[output]));
  } else {
    y = sumOf(at) + (part.bias == nullptr ? 0 : part.bias[output]);
  }
  part.out[(long long)row * part.outStride + output] = y;
  if (call.sums != nullptr) {
    call.sums[(long long)row * call.sumStride + output] += call.factor * y;
  }
}

__device__ __forceinline__ float4 weighed(float4 x, float4 w, float& square) {
  square += x.x * x.x + x.y * x.y + x.z * x.z + x.w * x.w;
  return make_float4(x.x * w.x, x.y * w.y, x.z * w.z, x.w * w.w);
}

/// `NORM`: x takes its norm on the way.
template <bool NORM>
__device__ __forceinline__ void linearBf16(const LinearCall& call) {
  constexpr int CHUNKS = 4;  // of 32 columns a turn
  __shared__ float sums[LINEAR_SUMS];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane >> 2, t = lane & 3;
  letNextStart();
  LinearBlock block(call);
  const unsigned char* rows[LINEAR_TILES][2];
#pragma unroll
  for (int m = 0; m < LINEAR_TILES; m++) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      rows[m][i] = block.row(call, m, i, g) + t * 16;
    }
  }
  const float* x = call.x + (long long)g * call.xStride + 8 * t;
  float acc[LINEAR_TILES][4] = {};
  float square = 0;
  bool waited = false;
  for (int from = warp * 32 * CHUNKS; from < call.columns; from += LINEAR_WARPS * 32 * CHUNKS) {
    uint4 w[CHUNKS][LINEAR_TILES][2];
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
#pragma unroll
      for (int m = 0; m < LINEAR_TILES; m++) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
          w[c][m][i] = from + 32 * c < call.columns
                           ? loadOnce(rows[m][i] + (from + 32 * c) * 2)
                           : make_uint4(0, 0, 0, 0);
        }
      }
    }
    if (!waited) {
      waitForInputs();
      waited = true;
    }
    float4 in[CHUNKS][2];
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
      bool there = g < call.rows && from + 32 * c < call.columns;
#pragma unroll
      for (int i = 0; i < 2; i++) {
        in[c][i] = there ? *reinterpret_cast<const float4*>(x + from + 32 * c + 4 * i)
                         : make_float4(0, 0, 0, 0);
      }
    }
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
      if constexpr (NORM) {
        const float4* w = reinterpret_cast<const float4*>(
            call.norm + min(from + 32 * c, call.columns - 32) + 8 * t);
        in[c][0] = weighed(in[c][0], __ldg(w), square);
        in[c][1] = weighed(in[c][1], __ldg(w + 1), square);
      }
      Pairs first, second;
      first.set(in[c][0].x, in[c][0].y, in[c][0].z, in[c][0].w);
      second.set(in[c][1].x, in[c][1].y, in[c][1].z, in[c][1].w);
#pragma unroll
      for (int m = 0; m < LINEAR_TILES; m++) {
        uint32_t a[4] = {w[c][m][0].x, w[c][m][1].x, w[c][m][0].y, w[c][m][1].y};
        first.times(acc[m], a);
        uint32_t b[4] = {w[c][m][0].z, w[c][m][1].z, w[c][m][0].w, w[c][m][1].w};
        second.times(acc[m], b);
      }
    }
  }
  if (!waited) {
    waitForInputs();
  }
  finishLinear(call, block, sums, acc, square);
}

enum BlockType { Q8_0, Q4_0, Q4_K };

/// 256 columns of a row: 8 blocks of 34 or 18 bytes, or one of 144.
template <int TYPE>
struct Segment {
  static constexpr int BYTES = TYPE == Q8_0 ? 272 : 144;  // odd multiples of 16: no bank conflicts
  static constexpr int CHUNKS = BYTES / 16;
  // Tiles of a warp: both, so that x is prepared once for them, or one, where stages are large and
  // half as much shared memory lets another block of threads in.
  static constexpr int TILES = TYPE == Q8_0 ? 1 : LINEAR_TILES;
  static constexpr int WARPS = LINEAR_WARPS * TILES / LINEAR_TILES;  // that share a tile's columns
  static constexpr int STAGE = 16 * TILES * BYTES;
};

__device__ __forceinline__ uint32_t biasedBrain(uint32_t x) {
  uint32_t y;
  asm("lop3.b32 %0, %1, %2, %3, 0xea;\n" : "=r"(y) : "r"(x), "r"(0x000f000fu), "r"(0x43004300u));
  return y;
}

__device__ __forceinline__ uint32_t brainSub(uint32_t x, uint32_t y) {
  __nv_bfloat162 r = __hsub2(*reinterpret_cast<__nv_bfloat162*>(&x),
                             *reinterpret_cast<__nv_bfloat162*>(&y));
  return *reinterpret_cast<uint32_t*>(&r);
}

/// Nibbles at bits 0 and 16 less `ZERO` (0 or 8) as two bf16 numbers.
template <int ZERO>
__device__ __forceinline__ uint32_t nibbles(uint32_t x) {
  return brainSub(biasedBrain(x), 0x43004300u + ZERO * 0x00010001u);
}

/// Signed bytes `FIRST` and `FIRST + 1` of a word whose sign bits were flipped, as bf16 numbers.
template <int FIRST>
__device__ __forceinline__ uint32_t bytesToBrains(uint32_t x) {
  float a = __uint_as_float(__byte_perm(x, 0x4b000000u, 0x7440 + FIRST)) - 8388736.0f;
  float b = __uint_as_float(__byte_perm(x, 0x4b000000u, 0x7440 + FIRST + 1)) - 8388736.0f;
  return pack<true>(a, b);
}

__device__ __forceinline__ float loadHalf(uint32_t address) {
  unsigned short h;
  asm volatile("ld.shared.u16 %0, [%1];\n" : "=h"(h) : "r"(address) : "memory");
  return __half2float(__ushort_as_half(h));
}

/// A word at an address that is a multiple of 4, or 2 more where `ODD`.
template <bool ODD>
__device__ __forceinline__ uint32_t loadWord(uint32_t address) {
  if constexpr (ODD) {
    return __byte_perm(load32(address - 2), load32(address + 2), 0x5432);
  } else {
    return load32(address);
  }
}

__device__ __forceinline__ float byteFloat(uint32_t x, int byte) {
  return __uint_as_float(__byte_perm(x, 0x4b000000u, 0x7440 + byte)) - 8388608.0f;
}

/// Scales and minimums of the eight blocks of a Q4_K segment: four bytes a word.
struct BlockScales {
  uint32_t scale[2];
  uint32_t minimum[2];
  float d;
  float least;

  __device__ __forceinline__ void load(uint32_t segment) {
    uint4 x = load128(segment);
    float2 f = halves(x.x);
    d = f.x, least = f.y;
    scale[0] = x.y & 0x3f3f3f3fu;
    minimum[0] = x.z & 0x3f3f3f3fu;
    scale[1] = (x.w & 0x0f0f0f0fu) | (x.y >> 2 & 0x30303030u);
    minimum[1] = (x.w >> 4 & 0x0f0f0f0fu) | (x.z >> 2 & 0x30303030u);
  }
};

/// Adds a block of 32 columns of Q8_0 or Q4_0 to acc. `at` is the segment of output g of the tile.
template <int TYPE, int BLOCK>
__device__ __forceinline__ void addBlock(float acc[4], uint32_t at, const Pairs& first,
                                         const Pairs& second, int t) {
  constexpr int SIZE = TYPE == Q8_0 ? 34 : 18;
  constexpr bool ODD = (SIZE * BLOCK + 2) % 4 != 0;
  uint32_t block = at + SIZE * BLOCK;
  uint32_t below = block + 8 * Segment<TYPE>::BYTES;
  float part[4] = {};
  if constexpr (TYPE == Q8_0) {
    uint32_t a0 = loadWord<ODD>(block + 2 + 8 * t) ^ 0x80808080u;
    uint32_t a1 = loadWord<ODD>(block + 6 + 8 * t) ^ 0x80808080u;
    uint32_t b0 = loadWord<ODD>(below + 2 + 8 * t) ^ 0x80808080u;
    uint32_t b1 = loadWord<ODD>(below + 6 + 8 * t) ^ 0x80808080u;
    uint32_t a[4] = {bytesToBrains<0>(a0), bytesToBrains<0>(b0), bytesToBrains<2>(a0),
                     bytesToBrains<2>(b0)};
    first.times(part, a);
    uint32_t b[4] = {bytesToBrains<0>(a1), bytesToBrains<0>(b1), bytesToBrains<2>(a1),
                     bytesToBrains<2>(b1)};
    second.times(part, b);
  } else {
    uint32_t a0 = loadWord<ODD>(block + 2 + 4 * t);
    uint32_t b0 = loadWord<ODD>(below + 2 + 4 * t);
    uint32_t a[4] = {nibbles<8>(a0), nibbles<8>(b0), nibbles<8>(a0 >> 8), nibbles<8>(b0 >> 8)};
    first.times(part, a);
    uint32_t b[4] = {nibbles<8>(a0 >> 4), nibbles<8>(b0 >> 4), nibbles<8>(a0 >> 12),
                     nibbles<8>(b0 >> 12)};
    second.times(part, b);
  }
  float d0 = loadHalf(block), d1 = loadHalf(below);
  acc[0] += part[0] * d0, acc[1] += part[1] * d0, acc[2] += part[2] * d1, acc[3] += part[3] * d1;
}

/// Adds a block of 32 columns of Q4_K; `sums` are the sums of x over it.
template <int BLOCK>
__device__ __forceinline__ void addSuperBlock(float acc[4], uint32_t at, const BlockScales s[2],
                                              const Pairs& first, const Pairs& second,
                                              const float sums[4], int t) {
  uint32_t codes = at + 16 + BLOCK / 2 * 32 + 8 * t;
  uint2 a0 = load64(codes);
  uint2 b0 = load64(codes + 8 * Segment<Q4_K>::BYTES);
  if constexpr (BLOCK % 2 == 1) {
    a0.x >>= 4, a0.y >>= 4, b0.x >>= 4, b0.y >>= 4;
  }
  float part[4] = {};
  uint32_t a[4] = {nibbles<0>(a0.x), nibbles<0>(b0.x), nibbles<0>(a0.x >> 8),
                   nibbles<0>(b0.x >> 8)};
  first.times(part, a);
  uint32_t b[4] = {nibbles<0>(a0.y), nibbles<0>(b0.y), nibbles<0>(a0.y >> 8),
                   nibbles<0>(b0.y >> 8)};
  second.times(part, b);
#pragma unroll
  for (int i = 0; i < 2; i++) {
    float d = s[i].d * byteFloat(s[i].scale[BLOCK / 4], BLOCK % 4);
    float m = s[i].least * byteFloat(s[i].minimum[BLOCK / 4], BLOCK % 4);
    acc[2 * i] += part[2 * i] * d - sums[0] * m;
    acc[2 * i + 1] += part[2 * i + 1] * d - sums[1] * m;
  }
}

template <int TYPE, int BLOCK>
__device__ __forceinline__ void addBlocks(float (&acc)[Segment<TYPE>::TILES][4], uint32_t at,
                                          const LinearCall& call, int k, int g,
                                          const BlockScales (&scales)[Segment<TYPE>::TILES][2], int t) {
  if constexpr (BLOCK < 8) {
    const float4 zero = make_float4(0, 0, 0, 0);
    // Columns 4t .. 4t + 3 and 16 more for Q4_0, else 8t .. 8t + 7.
    constexpr int NEXT = TYPE == Q4_0 ? 16 : 4;
    int first4 = k + 32 * BLOCK + (TYPE == Q4_0 ? 4 : 8) * t;
    const float* from = call.x + (long long)g * call.xStride + first4;
    bool there = g < call.rows;
    float4 u = there ? *reinterpret_cast<const float4*>(from) : zero;
    float4 v = there ? *reinterpret_cast<const float4*>(from + NEXT) : zero;
    Pairs first, second;
    if constexpr (TYPE == Q8_0) {
      first.set(u.x, u.y, u.z, u.w);
      second.set(v.x, v.y, v.z, v.w);
    } else {  // nibbles of bytes 0, 2 and 1, 3 come in pairs
      first.set(u.x, u.z, u.y, u.w);
      second.set(v.x, v.z, v.y, v.w);
    }
    float sums[4] = {};
    if constexpr (TYPE == Q4_K) {
      const uint32_t ones[4] = {0x3f803f80u, 0x3f803f80u, 0x3f803f80u, 0x3f803f80u};
      first.times(sums, ones);
      second.times(sums, ones);
    }
#pragma unroll
    for (int m = 0; m < Segment<TYPE>::TILES; m++) {
      uint32_t tile = at + m * 16 * Segment<TYPE>::BYTES;
      if constexpr (TYPE == Q4_K) {
        addSuperBlock<BLOCK>(acc[m], tile, scales[m], first, second, sums, t);
      } else {
        addBlock<TYPE, BLOCK>(acc[m], tile, first, second, t);
      }
    }
    addBlocks<TYPE, BLOCK + 1>(acc, at, call, k, g, scales, t);
  }
}

template <int TYPE, int STAGES>
constexpr int linearSharedBytes() {
  return LINEAR_WARPS * STAGES * Segment<TYPE>::STAGE;
}

template <int TYPE, int STAGES>
__device__ __forceinline__ void linearBlocks(const LinearCall& call) {
  using S = Segment<TYPE>;
  extern __shared__ __align__(128) unsigned char shared[];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane >> 2, t = lane & 3;
  letNextStart();
  uint32_t ring = sharedAddress(shared) + warp * STAGES * S::STAGE;
  int first = warp % S::WARPS;  // segment of the warp
  LinearBlock block(call);
  int firstTile = warp / S::WARPS;
  int segments = call.columns / 256;
  auto copy = [&](int segment, int slot) {
    if (segment < segments) {
#pragma unroll
      for (int i = 0; i < (S::STAGE / 16 + 31) / 32; i++) {
        int chunk = lane + 32 * i;
        if (S::STAGE / 16 % 32 != 0 && chunk >= S::STAGE / 16) {
          break;
        }
        int row = chunk / S::CHUNKS;
        copy16(ring + slot * S::STAGE + chunk * 16,
               block.row(call, firstTile + row / 16, row / 8 % 2, row % 8) +
                   (long long)segment * S::BYTES + (chunk - row * S::CHUNKS) * 16,
               16);
      }
    }
    copyCommit();
  };
#pragma unroll
  for (int i = 0; i < STAGES - 1; i++) {
    copy(first + i * S::WARPS, i);
  }
  waitForInputs();
  float acc[S::TILES][4] = {};
  int slot = 0;
  for (int segment = first; segment < segments; segment += S::WARPS) {
    copyWait<STAGES - 2>();
    __syncwarp();
    copy(segment + (STAGES - 1) * S::WARPS, slot == 0 ? STAGES - 1 : slot - 1);
    uint32_t at = ring + slot * S::STAGE + g * S::BYTES;
    BlockScales scales[S::TILES][2];
    if constexpr (TYPE == Q4_K) {
#pragma unroll
      for (int m = 0; m < S::TILES; m++) {
        scales[m][0].load(at + 16 * m * S::BYTES);
        scales[m][1].load(at + (16 * m + 8) * S::BYTES);
      }
    }
    addBlocks<TYPE, 0>(acc, at, call, segment * 256, g, scales, t);
    slot = slot == STAGES - 1 ? 0 : slot + 1;
  }
  copyWait<0>();
  __syncthreads();
  finishLinear(call, block, reinterpret_cast<float*>(shared), acc, 0);
}

}  // namespace kvasir
