// Products of 9 to 256 rows; see gemm_stream.cuh.
//
// gemm_stream_N        N = 16, 32, 64, 128, 256 rows at most; grid: multiprocessors (an even number of
//                      blocks), 288 threads, NAME_shared bytes
// gemm_stream_image_N  x [rows, xStride] f32 -> the image of its rows; grid: rows, 256 threads
// gemm_stream_norm_N   in += factor delta where there is one, then its RMS norm to out (f32) and to
//                      the image; grid: rows, 512 threads
//
// The order of a sum depends on columns, outputs and the number of multiprocessors alone, so a row's
// bits depend on no other row, as long as N has the same number of parts (9 .. 64, 65 .. 256).
// targets: 90a
#include "gemm_stream.cuh"

#ifdef KVASIR_WGMMA
#define STREAM(N, PARTS, STAGES, CLUSTER)                                                          \
  extern "C" {                                                                                     \
  __constant__ int gemm_stream_##N##_shared = kvasir::StreamShared<N, PARTS, STAGES>::BYTES;       \
  }                                                                                                \
  extern "C" __global__ void __launch_bounds__(288, 1) __cluster_dims__(CLUSTER, 1, 1)             \
      gemm_stream_##N(const __grid_constant__ kvasir::StreamCall call) {                           \
    kvasir::gemmStream<N, PARTS, STAGES, CLUSTER>(call);                                           \
  }                                                                                                \
  extern "C" __global__ void __launch_bounds__(256)                                                \
      gemm_stream_image_##N(const float* x, int xStride, int columns, unsigned char* image) {      \
    kvasir::letNextStart();                                                                        \
    kvasir::waitForInputs();                                                                       \
    kvasir::writeImage<N, PARTS>(x + (long long)blockIdx.x * xStride, columns, blockIdx.x, image); \
  }                                                                                                \
  extern "C" __global__ void __launch_bounds__(512)                                                \
      gemm_stream_norm_##N(float* in, const float* delta, float factor, const float* weight,       \
                           float epsilon, int columns, float* out, unsigned char* image) {         \
    kvasir::normImage<N, PARTS>(in, delta, factor, weight, epsilon, columns, out, image);          \
  }

namespace kvasir {

template <int N, int PARTS>
__device__ __forceinline__ void normImage(float* in, const float* delta, float factor,
                                          const float* weight, float epsilon, int columns,
                                          float* out, unsigned char* image) {
  __shared__ float scratch[32];
  letNextStart();
  waitForInputs();
  long long at = (long long)blockIdx.x * columns;
  float4* x = reinterpret_cast<float4*>(in + at);
  float square = 0;
  for (int i = threadIdx.x; i < columns / 4; i += blockDim.x) {
    float4 v = x[i];
    if (delta != nullptr) {
      float4 d = reinterpret_cast<const float4*>(delta + at)[i];
      v = make_float4(v.x + factor * d.x, v.y + factor * d.y, v.z + factor * d.z,
                      v.w + factor * d.w);
      x[i] = v;
    }
    square += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
  }
  float scale = 1 / sqrtf(block_sum(square, scratch) / columns + epsilon);
  float4* y = reinterpret_cast<float4*>(out + at);
  for (int i = threadIdx.x; i < columns / 4; i += blockDim.x) {
    float4 v = x[i];
    float4 w = weight == nullptr ? make_float4(1, 1, 1, 1) : reinterpret_cast<const float4*>(weight)[i];
    y[i] = make_float4(v.x * scale * w.x, v.y * scale * w.y, v.z * scale * w.z, v.w * scale * w.w);
  }
  // A thread needs what its neighbour wrote.
  __syncthreads();
  writeImage<N, PARTS>(out + at, columns, blockIdx.x, image);
}

}  // namespace kvasir

STREAM(16, 2, 9, 1)
STREAM(32, 2, 8, 1)
STREAM(64, 2, 6, 1)
STREAM(128, 1, 6, 2)
STREAM(256, 1, 4, 2)
#endif
