// Products of one to eight rows with weights read once, in place: out[r, o] = W[o] . x[r] + b[o].
//
// Launch: grid (ceil(outputs / 32)), 256 threads, NAME_shared bytes of dynamic shared memory (0 for
// bf16). x [rows, xStride] f32, out [rows, outStride] f32, bias [outputs] or null, rows 1 .. 8.
// Columns: a multiple of 32 (bf16), of 256 (block formats). Weights start at multiples of 16 bytes
// and so do rows.
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
#include "attention_mma.cuh"

namespace kvasir {

struct LinearCall {
  const unsigned char* __restrict__ weights;
  long long rowBytes;
  int columns;
  int outputs;
  const float* __restrict__ x;
  int xStride;
  int rows;
  const float* __restrict__ bias;
  float* __restrict__ out;
  int outStride;
};

constexpr int LINEAR_WARPS = 8;
constexpr int LINEAR_TILES = 2;  // of 16 outputs a block of threads

__device__ __forceinline__ void waitForInputs() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}

__device__ __forceinline__ void letNextStart() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

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

/// Adds the warps' sums in their order and writes the outputs. acc: rows g, g + 8 of each tile.
template <int TILES>
__device__ __forceinline__ void finishLinear(const LinearCall& call, float* shared,
                                             float (&acc)[TILES][4]) {
  constexpr int OUTPUTS = 16 * LINEAR_TILES;
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane >> 2, t = lane & 3;
#pragma unroll
  for (int m = 0; m < TILES; m++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      shared[(warp * 8 + 2 * t + (i & 1)) * (16 * TILES + 1) + 16 * m + g + (i >> 1) * 8] =
          acc[m][i];
    }
  }
  __syncthreads();
  int row = threadIdx.x / OUTPUTS, at = threadIdx.x % OUTPUTS;
  int output = blockIdx.x * OUTPUTS + at;
  if (row < call.rows && output < call.outputs) {
    // Where a warp has one tile, the first half of the warps has the first.
    constexpr int WARPS = LINEAR_WARPS * TILES / LINEAR_TILES;
    int from = at / (16 * TILES) * WARPS;
    float sum = 0;
#pragma unroll
    for (int w = 0; w < WARPS; w++) {
      sum += shared[((from + w) * 8 + row) * (16 * TILES + 1) + at % (16 * TILES)];
    }
    call.out[(long long)row * call.outStride + output] =
        call.bias == nullptr ? sum : sum + call.bias[output];
  }
}

__device__ __forceinline__ void linearBf16(const LinearCall& call) {
  constexpr int CHUNKS = 4;  // of 32 columns a turn
  __shared__ float sums[LINEAR_WARPS * 8 * (16 * LINEAR_TILES + 1)];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane >> 2, t = lane & 3;
  letNextStart();
  const unsigned char* rows[LINEAR_TILES][2];
#pragma unroll
  for (int m = 0; m < LINEAR_TILES; m++) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      int output = min((int)blockIdx.x * 16 * LINEAR_TILES + 16 * m + g + 8 * i, call.outputs - 1);
      rows[m][i] = call.weights + output * call.rowBytes + t * 16;
    }
  }
  const float* x = call.x + (long long)g * call.xStride + 8 * t;
  float acc[LINEAR_TILES][4] = {};
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
  finishLinear(call, sums, acc);
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
                                          const float* x,
                                          bool there, const BlockScales (&scales)[Segment<TYPE>::TILES][2], int t) {
  if constexpr (BLOCK < 8) {
    const float4 zero = make_float4(0, 0, 0, 0);
    // Columns 4t .. 4t + 3 and 16 more for Q4_0, else 8t .. 8t + 7.
    const float* from = x + 32 * BLOCK + (TYPE == Q4_0 ? 4 : 8) * t;
    float4 u = there ? *reinterpret_cast<const float4*>(from) : zero;
    float4 v = there ? *reinterpret_cast<const float4*>(from + (TYPE == Q4_0 ? 16 : 4)) : zero;
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
    addBlocks<TYPE, BLOCK + 1>(acc, at, x, there, scales, t);
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
  int firstOutput = blockIdx.x * 16 * LINEAR_TILES + warp / S::WARPS * 16;
  int segments = call.columns / 256;
  auto copy = [&](int segment, int slot) {
    if (segment < segments) {
      const unsigned char* from = call.weights + (long long)segment * S::BYTES;
#pragma unroll
      for (int i = 0; i < (S::STAGE / 16 + 31) / 32; i++) {
        int chunk = lane + 32 * i;
        if (S::STAGE / 16 % 32 != 0 && chunk >= S::STAGE / 16) {
          break;
        }
        int row = chunk / S::CHUNKS;
        int output = min(firstOutput + row, call.outputs - 1);
        copy16(ring + slot * S::STAGE + chunk * 16,
               from + output * call.rowBytes + (chunk - row * S::CHUNKS) * 16, 16);
      }
    }
    copyCommit();
  };
#pragma unroll
  for (int i = 0; i < STAGES - 1; i++) {
    copy(first + i * S::WARPS, i);
  }
  waitForInputs();
  const float* x = call.x + (long long)g * call.xStride;
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
    addBlocks<TYPE, 0>(acc, at, x + segment * 256, g < call.rows, scales, t);
    slot = slot == STAGES - 1 ? 0 : slot + 1;
  }
  copyWait<0>();
  __syncthreads();
  finishLinear(call, reinterpret_cast<float*>(shared), acc);
}

}  // namespace kvasir

#define KVASIR_LINEAR_ARGUMENTS                                                                   \
  const unsigned char *weights, long long rowBytes, int columns, int outputs, const float *x,     \
      int xStride, int rows, const float *bias, float *out, int outStride

#define KVASIR_LINEAR_CALL \
  { weights, rowBytes, columns, outputs, x, xStride, rows, bias, out, outStride }
