// Products of 9 to 256 rows with bf16 weights on Hopper, weights read once at the memory's rate:
// up to three products of the same rows in one launch, or gate and up with their activation.
//
// Work is counted in steps of 64 columns of a tile of 128 outputs. Each block of threads (a cluster
// of two from 65 rows on, which takes two tiles at a time) gets an equal run of steps, whatever tiles
// they fall into, so that all multiprocessors end together; those whose runs share a tile each add up
// a slice of it in the end, in the order of the columns (after stream-K, Osama et al., PPoPP 2023).
// They wait for each other, so no launch may have more blocks than fit at once: one a multiprocessor.
//
// Rows x come as an image: for each 64 columns the bf16 numbers of N rows (up to 64 rows what rounding
// took from them, too) in the order in which shared memory has them, so one bulk copy brings a
// step's; a cluster shares each copy. Weights come through the copy engine, too, from where they lie in
// their file's layout. One thread keeps all stages on their way; two warpgroups multiply 64 outputs
// each.
//
// Bytes moved: weights once; the image once for every tile (128 rows and more: every two) from the
// L2 cache; parts of tiles, 512 N bytes, written and read at most twice for every multiprocessor.
#pragma once
#include "gemm_wgmma.cuh"
#include "products.cuh"

namespace kvasir {

/// What the copy engine knows of weights: a CUtensorMap.
struct alignas(64) TensorMap {
  unsigned long long words[16];
};

struct StreamCall {
  // Of each part [outputs, columns] in boxes of 128 by 64; of a gated network one, [outputs / 8]
  // [gate and up, in the order of their addresses][8][columns] in boxes of 8 by 2 by 8 by 64. All of
  // 128 bytes swizzled.
  TensorMap maps[3];
  ProductPart parts[3];  // one behind the other in tiles of 128; of a gated network gate and up
  long long rowBytes;
  const unsigned char* x;  // image of the rows
  unsigned char* image;    // gated: image of the results for the product behind it, or null
  float* partial;          // grid * 2 * 128 N floats
  int* counters;           // two zeros for each tile; zero again afterwards
  int columns;             // a multiple of 64
  int rows;
  int tiles;       // an even number for clusters of two
  int splits;      // parts of a tile, by turns (several: all at once); 0 for equal runs
  int gates;       // 1 for gate and up, of which x sigmoid(x (linear + cubic x x)) up remains; 2 where
                   // up stands before gate
  float linear;
  float cubic;
};

/// What a group (a block of threads, or a cluster) does, step by step, of the tiles of a cluster.
struct StreamRun {
  unsigned steps;   // of a tile
  unsigned splits;  // 0 where runs are equal
  unsigned piece;   // steps of a part of a tile, where they are split
  unsigned all;     // times the groups below 2^32
  unsigned groups;
  unsigned group;
  unsigned from;
  unsigned count;  // of this group's steps

  __device__ __forceinline__ StreamRun(const StreamCall& call, int cluster) {
    steps = call.columns / 64;
    splits = call.splits;
    groups = gridDim.x / cluster;
    group = blockIdx.x / cluster;
    unsigned tiles = call.tiles / cluster;
    if (splits > 0) {
      piece = steps / splits;
      unsigned units = tiles * splits;
      from = 0;
      count = group < units ? ((units - 1 - group) / groups + 1) * piece : 0;
    } else {
      all = steps * tiles;
      groups = min(groups, all);
      from = group < groups ? begin(group) : 0;
      count = group < groups ? begin(group + 1) - from : 0;
    }
  }

  __device__ __forceinline__ unsigned begin(unsigned of) const { return all * of / groups; }

  /// Where the group's i-th step is: of which tile of the cluster, and which of the tile's.
  __device__ __forceinline__ void locate(unsigned i, unsigned& tile, unsigned& step) const {
    if (splits > 0) {
      unsigned unit = group + i / piece * groups;
      tile = unit / splits;
      step = unit % splits * piece + i % piece;
    } else {
      tile = (from + i) / steps;
      step = (from + i) % steps;
    }
  }

  /// Steps from the i-th on that are of the same part of a tile.
  __device__ __forceinline__ unsigned together(unsigned i, unsigned step) const {
    return splits > 0 ? piece : min(count - i, steps - step);
  }
};

/// The groups that share a tile and where they leave their parts, in slots.
struct StreamShare {
  unsigned parts;
  unsigned own;
  unsigned first;   // slot of the first part
  unsigned others;  // slot of the second less `stride`
  unsigned stride;

  __device__ __forceinline__ StreamShare(const StreamRun& run, unsigned tile, unsigned step) {
    if (run.splits > 0) {
      parts = run.splits;
      own = step / run.piece;
      first = others = tile * run.splits;
      stride = 1;
    } else {
      // Of the groups that share a tile all but the first begin in it; a group has two slots, for the
      // tile that it begins with and the one that it ends with.
      unsigned begin = tile * run.steps;
      unsigned firstGroup = ((begin + 1) * run.groups - 1) / run.all;
      parts = ((begin + run.steps) * run.groups - 1) / run.all - firstGroup + 1;
      own = run.group - firstGroup;
      others = 2 * firstGroup;
      first = others + (run.begin(firstGroup) < begin ? 1 : 0);
      stride = 2;
    }
  }

  __device__ __forceinline__ unsigned slot(unsigned part) const {
    return part == 0 ? first : others + part * stride;
  }
};

template <int N, int PARTS, int STAGES>
struct StreamShared {
  static constexpr int WEIGHTS = 128 * 128;
  static constexpr int X = N * 128 * PARTS;
  static constexpr int STAGE = WEIGHTS + X;
  static constexpr int START = 1024;  // before it: full and empty barriers
  static constexpr int BYTES = START + STAGES * STAGE + 1024;
};

__device__ __forceinline__ void expectBytes(uint32_t barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;\n" ::"r"(barrier), "r"(bytes)
               : "memory");
}

__device__ __forceinline__ uint32_t clusterRank() {
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;\n" : "=r"(rank));
  return rank;
}

__device__ __forceinline__ void clusterSync() {
  asm volatile(
      "barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;\n" ::
          : "memory");
}

__device__ __forceinline__ void arriveAt(uint32_t barrier, uint32_t rank) {
  asm volatile(
      "{\n.reg .b32 there;\n"
      "mapa.shared::cluster.u32 there, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [there];\n}\n" ::"r"(barrier),
      "r"(rank)
      : "memory");
}

/// Bytes from global to shared memory, of all blocks of a cluster where there are two.
template <int CLUSTER>
__device__ __forceinline__ void copyBulk(uint32_t to, const void* from, int bytes,
                                         uint32_t barrier) {
  if constexpr (CLUSTER == 1) {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];\n" ::
            "r"(to), "l"(from), "r"(bytes), "r"(barrier)
        : "memory");
  } else {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
        "[%0], [%1], %2, [%3], %4;\n" ::"r"(to),
        "l"(from), "r"(bytes), "r"(barrier), "h"((unsigned short)((1 << CLUSTER) - 1))
        : "memory");
  }
}

__device__ __forceinline__ void storesToCopies() {
  asm volatile("fence.proxy.async;\n" ::: "memory");
}

/// First output of a tile and what it belongs to.
struct StreamTile {
  int part;
  int first;

  __device__ __forceinline__ StreamTile(const StreamCall& call, int tile) {
    part = 0;
    first = tile * 128;
    if (call.gates) {
      first = tile * 64;
      return;
    }
    while (part < 2) {
      int tiles = (call.parts[part].outputs + 127) / 128;
      if (first < tiles * 128 || call.parts[part + 1].outputs == 0) {
        return;
      }
      first -= tiles * 128;
      part++;
    }
  }
};

constexpr uint64_t READ_ONCE = 0x12F0000000000000ull;  // to the L2 cache: leave these first

/// A box of weights: 128 rows of 64 columns from `column` on.
__device__ __forceinline__ void copyWeights(uint32_t to, const TensorMap* map, int column, int row,
                                            uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%2, %3}], [%4], %5;\n" ::"r"(to),
      "l"(map), "r"(column), "r"(row), "r"(barrier), "l"(READ_ONCE)
      : "memory");
}

/// The same of gate and up: eight times eight rows of each by turns.
__device__ __forceinline__ void copyGates(uint32_t to, const TensorMap* map, int column, int row,
                                          uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%2, %3, %3, %4}], [%5], %6;\n" ::"r"(to),
      "l"(map), "r"(column), "r"(0), "r"(row / 8), "r"(barrier), "l"(READ_ONCE)
      : "memory");
}

/// One thread's work: keeps all stages on their way.
template <int N, int PARTS, int STAGES, int CLUSTER>
__device__ __forceinline__ void produceStream(const StreamCall& call, uint32_t shared, int rank) {
  using S = StreamShared<N, PARTS, STAGES>;
  StreamRun run(call, CLUSTER);
  int count = run.count, tileNow = -1, output = 0;
  const TensorMap* map = call.maps;
  auto weights = [&](int i) {
    unsigned group, step;
    run.locate(i, group, step);
    int tile = group * CLUSTER + rank;
    if (tile != tileNow) {
      tileNow = tile;
      StreamTile at(call, tile);
      output = at.first;
      map = call.maps + at.part;
    }
    uint32_t barrier = shared + 8 * (i % STAGES);
    uint32_t to = shared + S::START + i % STAGES * S::STAGE;
    expectBytes(barrier, S::STAGE);
    if (call.gates) {
      copyGates(to, map, step * 64, output, barrier);
    } else {
      copyWeights(to, map, step * 64, output, barrier);
    }
  };
  auto rows = [&](int i) {
    constexpr int SHARE = S::X / CLUSTER;
    unsigned group, step;
    run.locate(i, group, step);
    copyBulk<CLUSTER>(shared + S::START + i % STAGES * S::STAGE + S::WEIGHTS + rank * SHARE,
                      call.x + (long long)step * S::X + rank * SHARE, SHARE,
                      shared + 8 * (i % STAGES));
  };
  int early = min(count, STAGES);
  for (int i = 0; i < early; i++) {
    weights(i);
  }
  waitForInputs();
  storesToCopies();
  for (int i = 0; i < early; i++) {
    rows(i);
  }
  for (int i = early; i < count; i++) {
    barrierWait(shared + 8 * (STAGES + i % STAGES), (i / STAGES & 1) ^ 1);
    weights(i);
    rows(i);
  }
}

__device__ __forceinline__ void consumersMeet() { asm volatile("bar.sync 1, 256;\n" ::: "memory"); }

/// Byte of an image where output `o` of a row stands.
template <int N, int PARTS>
__device__ __forceinline__ long long imageAt(int row, int o) {
  return (long long)(o / 64) * (N * 128 * PARTS) + row * 128 + ((o / 8 % 8) ^ (row & 7)) * 16 +
         o % 8 * 2;
}

/// Where a lane's sums of a tile go.
template <int N, int PARTS>
struct StreamStore {
  const StreamCall& call;
  float* out;
  unsigned char* image;
  float bias[2];  // of outputs g and g + 8 of the warp's 16, or of gate and up
  int left[2];    // rows of it that are there, behind the lane's first
  int stride;

  __device__ __forceinline__ StreamStore(const StreamCall& call, int tile, int group)
      : call(call) {
    int lane = threadIdx.x % 32, g = lane >> 2, t = lane & 3, warp = threadIdx.x % 128 / 32;
    StreamTile at(call, tile);
    const ProductPart& part = call.parts[at.part];
    int o = at.first + (call.gates ? group * 32 + warp * 8 + g : group * 64 + warp * 16 + g);
    stride = part.outStride;
    out = part.out == nullptr ? nullptr : part.out + (long long)(2 * t) * stride + o;
#pragma unroll
    for (int r = 0; r < 2; r++) {
      int of = call.gates ? o : o + 8 * r;
      const float* from = call.gates ? call.parts[call.gates == 2 ? 1 - r : r].bias : part.bias;
      bool there = of < part.outputs;
      left[r] = there ? call.rows - 2 * t : 0;
      bias[r] = from == nullptr || !there ? 0.0f : from[of];
    }
    int first = o - g;  // the warp's first
    image = call.image == nullptr || first >= part.outputs
                ? nullptr
                : call.image + imageAt<N, PARTS>(g, first) + t * 4;
  }

  /// Rows 8 j + 2 t and + 1 of both outputs.
  __device__ __forceinline__ void store(int j, float a0, float a1, float b0, float b1) const {
    a0 += bias[0], a1 += bias[0], b0 += bias[1], b1 += bias[1];
    float* to = out + 8ll * j * stride;
    if (call.gates) {
      bool turned = call.gates == 2;
      a0 = gate(turned ? b0 : a0) * (turned ? a0 : b0);
      a1 = gate(turned ? b1 : a1) * (turned ? a1 : b1);
      if (image != nullptr) {
        uint32_t high = pack<true>(a0, a1), low = packRest<true>(a0, a1, high);
        bool there = 8 * j + threadIdx.x % 32 / 4 < call.rows;
        high = transpose8(high);
        if (there) {
          *reinterpret_cast<uint32_t*>(image + j * 1024) = high;
        }
        if constexpr (PARTS == 2) {
          low = transpose8(low);
          if (there) {
            *reinterpret_cast<uint32_t*>(image + N * 128 + j * 1024) = low;
          }
        }
      }
    } else if (left[1] > 8 * j) {
      to[8] = b0;
      if (left[1] > 8 * j + 1) {
        to[stride + 8] = b1;
      }
    }
    if (out != nullptr && left[0] > 8 * j) {
      to[0] = a0;
      if (left[0] > 8 * j + 1) {
        to[stride] = a1;
      }
    }
  }

  __device__ __forceinline__ float gate(float x) const {
    return __fdividef(x, 1 + __expf(-x * (call.linear + call.cubic * x * x)));
  }
};

/// Where a part of a tile lies, of its lane's first sums.
template <int N, int CLUSTER>
__device__ __forceinline__ float* partAt(const StreamCall& call, unsigned slot, int rank) {
  return call.partial + ((long long)slot * CLUSTER + rank) * (128 * N) + 4 * threadIdx.x;
}

/// Adds up a slice of a tile whose steps went to several groups, when all have written their parts.
template <int N, int PARTS, int CLUSTER>
__device__ __forceinline__ void joinStream(const StreamCall& call, const StreamRun& run,
                                           unsigned pair, unsigned step, int rank) {
  StreamShare share(run, pair, step);
  int tile = pair * CLUSTER + rank, parts = share.parts;
  if (threadIdx.x == 0) {
    int* counter = call.counters + 2 * tile;
    int there;
    do {
      asm volatile("ld.acquire.gpu.global.s32 %0, [%1];\n" : "=r"(there) : "l"(counter) : "memory");
    } while (there < parts);
    if (atomicAdd(counter + 1, 1) == parts - 1) {
      counter[0] = 0;
      counter[1] = 0;
    }
  }
  consumersMeet();
  StreamStore<N, PARTS> store(call, tile, threadIdx.x / 128);
  const float* first = partAt<N, CLUSTER>(call, share.first, rank);
  const float* others = partAt<N, CLUSTER>(call, share.others, rank);
  long long stride = (long long)share.stride * CLUSTER * 128 * N;
  int to = N / 8 * ((int)share.own + 1) / parts;
#pragma unroll 4
  for (int j = N / 8 * (int)share.own / parts; j < to; j++) {
    float4 sum = __ldcg(reinterpret_cast<const float4*>(first + j * 1024));
#pragma unroll 2
    for (int i = 1; i < parts; i++) {
      float4 v = __ldcg(reinterpret_cast<const float4*>(others + i * stride + j * 1024));
      sum = make_float4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w);
    }
    store.store(j, sum.x, sum.y, sum.z, sum.w);
  }
}

template <int N, int PARTS, int STAGES, int CLUSTER>
__device__ __forceinline__ void consumeStream(const StreamCall& call, uint32_t shared, int rank) {
  using S = StreamShared<N, PARTS, STAGES>;
  StreamRun run(call, CLUSTER);
  int group = threadIdx.x / 128;
  auto release = [&](unsigned i) {
    if (threadIdx.x % 32 < CLUSTER) {
      uint32_t barrier = shared + 8 * (STAGES + i % STAGES);
      if constexpr (CLUSTER == 1) {
        barrierArrive(barrier);
      } else {
        arriveAt(barrier, threadIdx.x % 32);
      }
    }
  };
  float c[N / 2];
  // The tiles that others have steps of, too: the run's first, its last.
  constexpr unsigned NO = ~0u;
  unsigned firstShare = NO, lastShare = NO, firstStep = 0, lastStep = 0;
  for (unsigned i = 0; i < run.count;) {
    unsigned pair, step;
    run.locate(i, pair, step);
    unsigned begin = i, end = i + run.together(i, step);
    for (; i < end; i++) {
      barrierWait(shared + 8 * (i % STAGES), i / STAGES & 1);
      uint32_t from = shared + S::START + i % STAGES * S::STAGE;
      productsFence();
#pragma unroll
      for (int part = 0; part < PARTS; part++) {
#pragma unroll
        for (int k = 0; k < 4; k++) {
          uint64_t a = matrixAt<SWIZZLE_128>(from + group * 8192 + k * 32, 16, 1024);
          uint64_t b =
              matrixAt<SWIZZLE_128>(from + S::WEIGHTS + part * N * 128 + k * 32, 16, 1024);
          productRows<N>(c, a, b, part + k > 0 ? 1 : i > begin);
        }
      }
      productsCommit();
      if (i > begin) {
        productsWait<1>();
        release(i - 1);
      }
    }
    productsWait<0>();
    pin(c);
    release(end - 1);
    int tile = pair * CLUSTER + rank;
    if (end - begin == run.steps) {
      StreamStore<N, PARTS> store(call, tile, group);
#pragma unroll
      for (int j = 0; j < N / 8; j++) {
        store.store(j, c[4 * j], c[4 * j + 1], c[4 * j + 2], c[4 * j + 3]);
      }
    } else {
      StreamShare share(run, pair, step);
      float* to = partAt<N, CLUSTER>(call, share.slot(share.own), rank);
#pragma unroll
      for (int j = 0; j < N / 8; j++) {
        __stcg(reinterpret_cast<float4*>(to + j * 1024),
               make_float4(c[4 * j], c[4 * j + 1], c[4 * j + 2], c[4 * j + 3]));
      }
      __threadfence();
      consumersMeet();
      if (threadIdx.x == 0) {
        atomicAdd(call.counters + 2 * tile, 1);
      }
      if (begin == 0) {
        firstShare = pair, firstStep = step;
      } else {
        lastShare = pair, lastStep = step;
      }
    }
  }
  if (firstShare != NO) {
    joinStream<N, PARTS, CLUSTER>(call, run, firstShare, firstStep, rank);
  }
  if (lastShare != NO) {
    joinStream<N, PARTS, CLUSTER>(call, run, lastShare, lastStep, rank);
  }
}

template <int N, int PARTS, int STAGES, int CLUSTER>
__device__ __forceinline__ void gemmStream(const StreamCall& call) {
  extern __shared__ unsigned char bytes[];
  uint32_t shared = (sharedAddress(bytes) + 1023) & ~1023u;
  int rank = CLUSTER == 1 ? 0 : clusterRank();
  letNextStart();
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < STAGES; stage++) {
      barrierInit(shared + 8 * stage, 1);
      barrierInit(shared + 8 * (STAGES + stage), 8 * CLUSTER);
    }
    asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory");
  }
  if constexpr (CLUSTER == 1) {
    __syncthreads();
  } else {
    clusterSync();
  }
  if (threadIdx.x < 256) {
    consumeStream<N, PARTS, STAGES, CLUSTER>(call, shared, rank);
  } else if (threadIdx.x == 256) {
    produceStream<N, PARTS, STAGES, CLUSTER>(call, shared, rank);
  }
  __syncwarp();
  if constexpr (CLUSTER > 1) {
    // Nobody leaves before all that others copy or say to it has come.
    clusterSync();
  }
}

/// x [rows, xStride] -> image; a block of threads for each row.
template <int N, int PARTS>
__device__ __forceinline__ void writeImage(const float* x, int columns, int row,
                                           unsigned char* image) {
  for (int i = threadIdx.x; i < columns / 8; i += blockDim.x) {
    float4 u = reinterpret_cast<const float4*>(x)[2 * i];
    float4 v = reinterpret_cast<const float4*>(x)[2 * i + 1];
    uint4 high = make_uint4(pack<true>(u.x, u.y), pack<true>(u.z, u.w), pack<true>(v.x, v.y),
                            pack<true>(v.z, v.w));
    unsigned char* at = image + imageAt<N, PARTS>(row, 8 * i);
    *reinterpret_cast<uint4*>(at) = high;
    if constexpr (PARTS == 2) {
      *reinterpret_cast<uint4*>(at + N * 128) = make_uint4(
          packRest<true>(u.x, u.y, high.x), packRest<true>(u.z, u.w, high.y),
          packRest<true>(v.x, v.y, high.z), packRest<true>(v.z, v.w, high.w));
    }
  }
}

}  // namespace kvasir
