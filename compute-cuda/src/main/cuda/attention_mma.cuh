// Instructions of the tensor cores and of asynchronous copies that the attention kernels share.
//
// Lanes of a warp are numbered 4 g + t, g in 0 .. 7 and t in 0 .. 3. A product of 16 x 16 by 16 x 8:
//   A  a[0] = (row g,     columns 2t, 2t+1)   a[1] = (row g + 8, columns 2t, 2t+1)
//      a[2] = (row g,     columns 2t+8, +9)   a[3] = (row g + 8, columns 2t+8, +9)
//   B  b0   = (rows 2t, 2t+1, column g)       b1   = (rows 2t+8, 2t+9, column g)
//   C  c[0], c[1] = (row g, columns 2t, 2t+1) c[2], c[3] = (row g + 8, columns 2t, 2t+1)
// as the PTX manual has it under "matrix fragments for mma.m16n8k16".
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

namespace kvasir {

enum Format { BF16 = 0, F16 = 1, INT8 = 2, FP8 = 3, INT4 = 4 };

constexpr float LOG2E = 1.4426950408889634f;

__device__ __forceinline__ uint32_t sharedAddress(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

/// 16 bytes from global to shared memory, or 16 zeros where `bytes` is 0.
__device__ __forceinline__ void copy16(uint32_t to, const void* from, int bytes) {
  asm volatile("cp.async.cg.shared.global.L2::256B [%0], [%1], 16, %2;\n" ::"r"(to), "l"(from),
               "r"(bytes));
}

__device__ __forceinline__ void copyCommit() { asm volatile("cp.async.commit_group;\n" ::); }

template <int LEFT>
__device__ __forceinline__ void copyWait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(LEFT) : "memory");
}

/// Where launched with programmatic stream serialization: waits for the kernel before.
__device__ __forceinline__ void waitForInputs() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}

/// Lets the kernel behind start its part that waits for nothing.
__device__ __forceinline__ void letNextStart() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

/// Four 8 x 8 matrices of 16-bit elements, each transposed on its way.
__device__ __forceinline__ void loadTransposed(uint32_t a[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3])
               : "r"(address)
               : "memory");
}

/// Four 8 x 8 matrices of 16-bit elements.
__device__ __forceinline__ void loadMatrices(uint32_t a[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3])
               : "r"(address)
               : "memory");
}

/// Transposes an 8 x 8 matrix of 16-bit elements, of which each lane holds (row g, columns 2t, +1).
__device__ __forceinline__ uint32_t transpose8(uint32_t x) {
  uint32_t y;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;\n" : "=r"(y) : "r"(x));
  return y;
}

template <bool BRAIN>
__device__ __forceinline__ void multiply(float c[4], const uint32_t a[4], uint32_t b0,
                                         uint32_t b1) {
  if constexpr (BRAIN) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
        "{%8,%9}, {%0,%1,%2,%3};\n"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
        "{%8,%9}, {%0,%1,%2,%3};\n"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}

/// Two floats as 16-bit numbers, `x` in the low half.
template <bool BRAIN>
__device__ __forceinline__ uint32_t pack(float x, float y) {
  uint32_t r;
  if constexpr (BRAIN) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(r) : "f"(y), "f"(x));
  } else {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;\n" : "=r"(r) : "f"(y), "f"(x));
  }
  return r;
}

template <bool BRAIN>
__device__ __forceinline__ float2 unpack(uint32_t x) {
  if constexpr (BRAIN) {
    return make_float2(__uint_as_float(x << 16), __uint_as_float(x & 0xffff0000u));
  } else {
    return __half22float2(*reinterpret_cast<__half2*>(&x));
  }
}

/// What rounding to 16 bits took from two floats, as 16-bit numbers.
template <bool BRAIN>
__device__ __forceinline__ uint32_t packRest(float x, float y, uint32_t rounded) {
  float2 r = unpack<BRAIN>(rounded);
  return pack<BRAIN>(x - r.x, y - r.y);
}

__device__ __forceinline__ float2 halves(uint32_t x) { return unpack<false>(x); }

__device__ __forceinline__ float exp2Fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ uint32_t load32(uint32_t address) {
  uint32_t x;
  asm volatile("ld.shared.b32 %0, [%1];\n" : "=r"(x) : "r"(address) : "memory");
  return x;
}

__device__ __forceinline__ uint2 load64(uint32_t address) {
  uint2 x;
  asm volatile("ld.shared.v2.b32 {%0,%1}, [%2];\n"
               : "=r"(x.x), "=r"(x.y)
               : "r"(address)
               : "memory");
  return x;
}

__device__ __forceinline__ uint4 load128(uint32_t address) {
  uint4 x;
  asm volatile("ld.shared.v4.b32 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
               : "r"(address)
               : "memory");
  return x;
}

__device__ __forceinline__ uint32_t half2Sub(uint32_t x, uint32_t y) {
  __half2 r = __hsub2(*reinterpret_cast<__half2*>(&x), *reinterpret_cast<__half2*>(&y));
  return *reinterpret_cast<uint32_t*>(&r);
}

__device__ __forceinline__ uint32_t half2Mul(uint32_t x, uint32_t y) {
  __half2 r = __hmul2(*reinterpret_cast<__half2*>(&x), *reinterpret_cast<__half2*>(&y));
  return *reinterpret_cast<uint32_t*>(&r);
}

__device__ __forceinline__ uint32_t half2Fma(uint32_t x, uint32_t y, uint32_t z) {
  __half2 r = __hfma2(*reinterpret_cast<__half2*>(&x), *reinterpret_cast<__half2*>(&y),
                      *reinterpret_cast<__half2*>(&z));
  return *reinterpret_cast<uint32_t*>(&r);
}

/// `x & mask | 0x64006400`: the masked integers in the fractions of two halves, plus 1024.
__device__ __forceinline__ uint32_t biased(uint32_t x, uint32_t mask) {
  uint32_t y;
  asm("lop3.b32 %0, %1, %2, %3, 0xea;\n" : "=r"(y) : "r"(x), "r"(mask), "r"(0x64006400u));
  return y;
}

/// The low nibbles at bits 0 and 16 as two halves, less 8.
__device__ __forceinline__ uint32_t lowNibbles(uint32_t x) {
  return half2Sub(biased(x, 0x000f000fu), 0x64086408u);
}

/// The nibbles at bits 4 and 20 as two halves, less 8: (1024 + 16 u) / 16 - 72.
__device__ __forceinline__ uint32_t highNibbles(uint32_t x) {
  return half2Fma(biased(x, 0x00f000f0u), 0x2c002c00u, 0xd480d480u);
}

/// Bytes of `a` and `b` by turns: the first two of each, or the last two.
__device__ __forceinline__ uint32_t weaveLow(uint32_t a, uint32_t b) {
  return __byte_perm(a, b, 0x5140);
}

__device__ __forceinline__ uint32_t weaveHigh(uint32_t a, uint32_t b) {
  return __byte_perm(a, b, 0x7362);
}

/// Two woven bytes, the pair `PAIR` of `z`, as two halves: signed integers (whose sign bit was
/// flipped before), or e4m3 numbers divided by 256.
template <int F, int PAIR>
__device__ __forceinline__ uint32_t bytesToHalves(uint32_t z) {
  if constexpr (F == INT8) {
    return half2Sub(__byte_perm(z, 0x64646464u, PAIR == 0 ? 0x4140 : 0x4342), 0x64806480u);
  } else {
    uint32_t v = __byte_perm(z, 0, PAIR == 0 ? 0x1404 : 0x3424);
    return (v & 0x80008000u) | ((v >> 1) & 0x3f803f80u);
  }
}

}  // namespace kvasir
