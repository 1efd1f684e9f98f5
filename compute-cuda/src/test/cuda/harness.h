// What the kernel checks share: scalar twins of the cache's formats, numbers, timing.
#pragma once
#include <cuda_runtime.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#define CUDA(call)                                                                     \
  do {                                                                                 \
    cudaError_t code = (call);                                                         \
    if (code != cudaSuccess) {                                                         \
      printf("FAILED %s:%d %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorString(code)); \
      exit(1);                                                                         \
    }                                                                                  \
  } while (0)

namespace twin {

enum Format { BF16, F16, INT8, FP8, INT4 };
static const char* const NAMES[] = {"bf16", "f16", "int8", "fp8", "int4"};

inline uint32_t bits(float x) {
  uint32_t b;
  memcpy(&b, &x, 4);
  return b;
}
inline float fromBits(uint32_t b) {
  float x;
  memcpy(&x, &b, 4);
  return x;
}
inline uint16_t toHalf(float x) {
  _Float16 h = (_Float16)x;
  uint16_t b;
  memcpy(&b, &h, 2);
  return b;
}
inline float fromHalf(uint16_t b) {
  _Float16 h;
  memcpy(&h, &b, 2);
  return (float)h;
}
inline uint16_t toBf16(float x) {
  uint32_t b = bits(x);
  return (uint16_t)((b + 0x7fff + (b >> 16 & 1)) >> 16);
}
inline float fromBf16(uint16_t b) { return fromBits((uint32_t)b << 16); }

struct Random {
  uint64_t state;
  explicit Random(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15ull + 1) {}
  uint32_t next() {
    state += 0x9E3779B97F4A7C15ull;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return (uint32_t)(z >> 32);
  }
  int below(int n) { return next() % n; }
  float uniform() { return (next() >> 8) * 0x1p-24f; }
  float normal() {
    float s = 0;
    for (int i = 0; i < 6; i++) s += uniform();
    return (s - 3) * 1.41421356f;
  }
};

inline long elementAt(bool keys, int slot, int channel, int dim) {
  return keys ? ((long)(slot / 16) * dim + channel) * 16 + slot % 16 : (long)slot * dim + channel;
}
inline int groups(int dim) { return (dim + 31) / 32; }
inline long planeBytes(Format f, int S, int dim) {
  switch (f) {
    case BF16:
    case F16:
      return 2L * S * dim;
    case INT8:
    case FP8:
      return (long)S * (dim + 2);
    default:
      return (long)S * (dim / 2) + 2L * S * groups(dim);
  }
}
inline long aligned(long bytes) { return (bytes + 63) & -64L; }

inline float finite(float x) { return x != x ? 0 : fminf(fmaxf(x, -65504.f), 65504.f); }
inline int roundTo(float x, int least, int most) {
  return (int)rintf(fminf(fmaxf(x, (float)least), (float)most));
}
inline uint8_t e4m3(float x) {
  float magnitude = fminf(fabsf(x), 448.f);
  int code;
  if (magnitude < 0x1p-6f) {
    code = (int)rintf(magnitude * 0x1p9f);
  } else {
    uint32_t b = bits(magnitude);
    code = (int)((b + 0x7ffff + (b >> 20 & 1)) >> 20) - (120 << 3);
  }
  return (uint8_t)(code | (bits(x) >> 24 & 0x80));
}
inline float fromE4m3(uint8_t c) {
  float m = fromBits((uint32_t)(c & 0x7f) << 20) * 0x1p120f;
  return c & 0x80 ? -m : m;
}

/// Byte of the nibble plane and shift of a channel.
inline void nibbleAt(int dim, int channel, int& byte, int& shift) {
  int group = channel / 32, size = std::min(32, dim - 32 * group), r = size / 2, i = channel % 32;
  byte = group * 16 + i % r;
  shift = i / r * 4;
}

inline float groupScale(const float* group) {
  float largest = 0, smallest = 0;
  for (int i = 0; i < 32; i++) {
    largest = fmaxf(largest, group[i]);
    smallest = fminf(smallest, group[i]);
  }
  float extreme = largest >= -smallest ? largest : smallest;
  if (fabsf(extreme) < 0x1p-24f) return 0;
  float best = 0, gain = -1, terms[32];
  for (int k = 0; k < 4; k++) {
    float inverse = 1 / (-extreme / (8 + 0.5f * k));
    int squares = 0;
    for (int i = 0; i < 32; i++) {
      volatile float scaled = group[i] * inverse;
      int code = roundTo(scaled, -8, 7);
      terms[i] = code * group[i];
      squares += code * code;
    }
    for (int half = 16; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) terms[i] += terms[i + half];
    }
    float sum = terms[0];
    float candidate = sum * sum / squares;
    if (candidate > gain) {
      gain = candidate;
      best = sum / squares;
    }
  }
  return best;
}

/// Writes a row as the format's scalar codec does.
inline void encode(Format f, const float* x, uint8_t* plane, int S, int dim, bool keys, int slot) {
  if (f == BF16 || f == F16) {
    for (int i = 0; i < dim; i++) {
      ((uint16_t*)plane)[elementAt(keys, slot, i, dim)] = f == BF16 ? toBf16(x[i]) : toHalf(x[i]);
    }
  } else if (f == INT8 || f == FP8) {
    float most = 0;
    for (int i = 0; i < dim; i++) most = fmaxf(most, fabsf(finite(x[i])));
    uint16_t h = toHalf(most / (f == INT8 ? 127.f : 448.f));
    ((uint16_t*)(plane + (long)S * dim))[slot] = h;
    float scale = fromHalf(h), inverse = scale == 0 ? 0 : 1 / scale;
    for (int i = 0; i < dim; i++) {
      float y = finite(x[i]) * inverse;
      plane[elementAt(keys, slot, i, dim)] =
          f == INT8 ? (uint8_t)(int8_t)roundTo(y, -127, 127) : e4m3(y);
    }
  } else {
    for (int g = 0; g < groups(dim); g++) {
      float group[32];
      int size = std::min(32, dim - 32 * g);
      for (int i = 0; i < 32; i++) group[i] = i < size ? finite(x[32 * g + i]) : 0;
      uint16_t h = toHalf(groupScale(group));
      ((uint16_t*)(plane + (long)S * dim / 2))[elementAt(true, slot, g, groups(dim))] = h;
      float scale = fromHalf(h), inverse = scale == 0 ? 0 : 1 / scale;
      for (int i = 0; i < size; i++) {
        int code = roundTo(group[i] * inverse, -8, 7) + 8, byte, shift;
        nibbleAt(dim, 32 * g + i, byte, shift);
        uint8_t& at = plane[elementAt(keys, slot, byte, dim / 2)];
        at = (uint8_t)((at & (0xf0 >> shift)) | code << shift);
      }
    }
  }
}

inline void decode(Format f, const uint8_t* plane, int S, int dim, bool keys, int slot, float* x) {
  for (int i = 0; i < dim; i++) {
    long at = elementAt(keys, slot, i, dim);
    if (f == BF16) {
      x[i] = fromBf16(((const uint16_t*)plane)[at]);
    } else if (f == F16) {
      x[i] = fromHalf(((const uint16_t*)plane)[at]);
    } else if (f == INT8 || f == FP8) {
      float scale = fromHalf(((const uint16_t*)(plane + (long)S * dim))[slot]);
      x[i] = scale * (f == INT8 ? (float)(int8_t)plane[at] : fromE4m3(plane[at]));
    } else {
      int byte, shift;
      nibbleAt(dim, i, byte, shift);
      int code = (plane[elementAt(keys, slot, byte, dim / 2)] >> shift & 15) - 8;
      x[i] = fromHalf(((const uint16_t*)(plane + (long)S * dim /
                                                     2))[elementAt(true, slot, i / 32, groups(dim))]) *
             code;
    }
  }
}

inline void hadamard(float* x, int dim, int block) {
  for (int stride = 1; stride < block; stride *= 2) {
    for (int i = 0; i < dim; i += 2 * stride) {
      for (int j = i; j < i + stride; j++) {
        float a = x[j], b = x[j + stride];
        x[j] = a + b;
        x[j + stride] = a - b;
      }
    }
  }
  float factor = (float)(1 / sqrt((double)block));
  for (int i = 0; i < dim; i++) x[i] *= factor;
}

}  // namespace twin

template <class T>
struct Device {
  T* p = nullptr;
  size_t n = 0;
  explicit Device(size_t count) : n(count) { CUDA(cudaMalloc(&p, std::max<size_t>(count, 1) * sizeof(T))); }
  explicit Device(const std::vector<T>& v) : Device(v.size()) {
    CUDA(cudaMemcpy(p, v.data(), n * sizeof(T), cudaMemcpyHostToDevice));
  }
  Device(const Device&) = delete;
  ~Device() { cudaFree(p); }
  std::vector<T> get() const {
    std::vector<T> v(n);
    CUDA(cudaMemcpy(v.data(), p, n * sizeof(T), cudaMemcpyDeviceToHost));
    return v;
  }
};

/// Median seconds of a launch.
inline double seconds(const std::function<void()>& launch, int times = 15) {
  cudaEvent_t a, b;
  CUDA(cudaEventCreate(&a));
  CUDA(cudaEventCreate(&b));
  for (int i = 0; i < 3; i++) launch();
  std::vector<float> ms(times);
  for (int i = 0; i < times; i++) {
    CUDA(cudaEventRecord(a));
    launch();
    CUDA(cudaEventRecord(b));
    CUDA(cudaEventSynchronize(b));
    CUDA(cudaEventElapsedTime(&ms[i], a, b));
  }
  CUDA(cudaGetLastError());
  std::sort(ms.begin(), ms.end());
  CUDA(cudaEventDestroy(a));
  CUDA(cudaEventDestroy(b));
  return ms[times / 2] * 1e-3;
}

inline double relativeError(const std::vector<float>& got, const std::vector<double>& want) {
  double d = 0, n = 0;
  for (size_t i = 0; i < want.size(); i++) {
    if (!(got[i] == got[i])) return NAN;
    d += (got[i] - want[i]) * (got[i] - want[i]);
    n += want[i] * want[i];
  }
  return sqrt(d / n);
}

static __global__ void copyKernel(const uint4* __restrict__ from, uint4* __restrict__ to, size_t n) {
  size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x, step = (size_t)gridDim.x * blockDim.x;
  for (; i + 3 * step < n; i += 4 * step) {
    uint4 a = from[i], b = from[i + step], c = from[i + 2 * step], d = from[i + 3 * step];
    to[i] = a, to[i + step] = b, to[i + 2 * step] = c, to[i + 3 * step] = d;
  }
  for (; i < n; i += step) to[i] = from[i];
}

/// Bytes a second (read plus written) of a plain copy.
inline double copyBandwidth() {
  size_t n = (size_t)1 << 26;  // 1 GiB
  Device<uint4> a(n), b(n);
  CUDA(cudaMemset(a.p, 0x5a, n * 16));
  double best = 0;
  for (int blocks : {132 * 8, 132 * 16, 132 * 32}) {
    double s = seconds([&] { copyKernel<<<blocks, 256>>>(a.p, b.p, n); });
    best = std::max(best, 2.0 * n * 16 / s);
  }
  return best;
}
