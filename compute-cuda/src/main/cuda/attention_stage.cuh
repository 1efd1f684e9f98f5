// What a block of threads of decode attention is given, and how stages of tiles come to shared memory;
// see attention_decode.cuh.
#pragma once
#include "attention_mma.cuh"

namespace kvasir {

/// A run of positions that a block of threads reads for one row; 8 ints on the host.
struct Item {
  int row;       // of q
  int table;     // index in `tables` of the block that holds position 0 (may lie before the array)
  int start;     // first position
  int end;       // one past the last
  int slot;      // of the partial results
  int headTable; // how much further the table of the next kv head stands; 0 for a shared one
  int unused0;
  int unused1;
};

/// What all formats' kernels take.
struct DecodeCall {
  const float* __restrict__ q;               // [rows, H, D] in the layer's basis
  const float* __restrict__ centre;          // [rows, H] or null: what the keys' centre adds
  const float* __restrict__ slopes;          // [H] or null
  const int* __restrict__ positions;         // [rows]; read where slopes are
  const unsigned char* __restrict__ pool;    // block b at b * blockBytes
  long long blockBytes;
  long long keyOffset;   // in a block, of the layer's first key plane
  long long headBytes;   // from one kv head's planes to the next's
  long long valueOffset; // from a key plane to its value plane
  const int* __restrict__ tables;
  const Item* __restrict__ items;
  const int* __restrict__ itemCount;
  float* __restrict__ acc;  // [slots, H, D]
  float2* __restrict__ ml;  // [slots, H]
  float scale;
  float softcap;
  int tilesPerBlock;  // block tokens / 16
  int heads;
  int kvHeads;
};

constexpr int WARPS = 4;
constexpr int COLUMNS = 8;

/// Sizes in bytes of a stage of one warp.
template <int KF, int VF, int D>
struct DecodeShape {
  static constexpr bool CODED = KF >= INT8;
  static constexpr int TILES = CODED ? 2 : 1;
  static constexpr int TOKENS = 16 * TILES;
  static constexpr int GROUPS = (D + 31) / 32;
  static constexpr int KEY_ROW = KF == INT4 ? D / 2 : KF >= INT8 ? D : 2 * D;
  static constexpr int VALUE_ROW = VF == INT4 ? D / 2 : VF >= INT8 ? D : 2 * D;
  static constexpr int KEY_TILE = 16 * KEY_ROW;
  static constexpr int VALUE_TILE = 16 * VALUE_ROW;
  // Tiles of codes are read by four lanes side by side, two tiles at once: half of the banks each.
  static constexpr int KEY_STRIDE = CODED ? KEY_TILE + 64 : KEY_TILE;
  // Values: codes in groups of 8 rows that start 32 bytes of banks apart, 16-bit rows 16 bytes.
  static constexpr int VALUE_GROUP = CODED ? 8 * VALUE_ROW + (160 - 8 * VALUE_ROW % 128) % 128 : 0;
  static constexpr int VALUE_LINE = VALUE_ROW + 16;
  static constexpr int VALUE_STAGE = CODED ? TILES * 2 * VALUE_GROUP + 64 : 16 * VALUE_LINE;
  static constexpr int KEY_SCALES = !CODED ? 0 : KF == INT4 ? 32 * GROUPS : 32;
  static constexpr int VALUE_SCALES = !CODED ? 0 : VF == INT4 ? 32 * GROUPS : 32;
  static constexpr int VALUES_AT = TILES * KEY_STRIDE;
  static constexpr int KEY_SCALES_AT = VALUES_AT + VALUE_STAGE;
  static constexpr int VALUE_SCALES_AT = KEY_SCALES_AT + TILES * KEY_SCALES;
  static constexpr int BYTES = VALUE_SCALES_AT + TILES * VALUE_SCALES;
  static constexpr int MERGE = WARPS * COLUMNS * (D + 2) * 4;
  // Words of a row of value codes that a lane of codes reads, a power of two.
  static constexpr int ROW_WORDS = VALUE_ROW / 4;
  static constexpr int LANE_WORDS = ROW_WORDS <= 8 ? 1 : ROW_WORDS <= 16 ? 2 : ROW_WORDS <= 32 ? 4 : 8;
  static constexpr int TILES_OF_WORD = VF == INT4 ? 4 : 2;
  static constexpr int OUT_TILES = CODED ? LANE_WORDS * TILES_OF_WORD : D / 16;
};

template <int KF, int VF, int D, int STAGES>
constexpr int decodeSharedBytes() {
  using S = DecodeShape<KF, VF, D>;
  int ring = WARPS * STAGES * S::BYTES;
  return ring > S::MERGE ? ring : S::MERGE;
}

/// Lane `g` of the output rows of codes: the channel of row g (r = 0) or g + 8 (r = 1) of tile `m`.
template <int VF, int D>
__device__ __forceinline__ int channelOf(int g, int m, int r) {
  using S = DecodeShape<INT8, VF, D>;
  int word = g * S::LANE_WORDS + m / S::TILES_OF_WORD;
  if constexpr (VF == INT4) {
    int byte = word * 4 + (m % 4 / 2) * 2 + r;
    int group = byte / 16;
    int size = D - 32 * group < 32 ? D - 32 * group : 32;
    int within = byte - 16 * group;
    return within < size / 2 ? 32 * group + within + (m & 1) * (size / 2) : D;
  } else {
    return word * 4 + (m & 1) * 2 + r;
  }
}

/// Copies `CHUNKS` * 16 contiguous bytes, all lanes taking part; `place(chunk)` says where to.
template <int CHUNKS, class Place>
__device__ __forceinline__ void copyTile(const unsigned char* from, int bytes, int lane,
                                         Place place) {
#pragma unroll
  for (int i = 0; i < (CHUNKS + 31) / 32; i++) {
    int chunk = lane + 32 * i;
    if (CHUNKS % 32 == 0 || chunk < CHUNKS) {
      copy16(place(chunk), from + chunk * 16, bytes);
    }
  }
}

/// Where the tiles that a warp reads lie; moves on without divisions.
struct TileCursor {
  const int* table;
  int block;    // index in the table
  int within;   // tile in the block
  int tile;     // of the sequence
  int lastTile; // one past the item's last

  __device__ __forceinline__ void open(const int* blocks, int first, int end, int tilesPerBlock) {
    table = blocks;
    tile = first;
    lastTile = end;
    block = first / tilesPerBlock;
    within = first - block * tilesPerBlock;
  }

  /// The id of the block, or -1 behind the item's end.
  __device__ __forceinline__ int id() const { return tile < lastTile ? __ldg(table + block) : -1; }
};

/// Starts copying a tile, the `place`th of a stage at shared address `to`; `block` -1 for zeros.
template <int KF, int VF, int D>
__device__ __forceinline__ void copyStageTile(const DecodeCall& call, const unsigned char* head,
                                              int start, int end, uint32_t to, int place,
                                              int block, int tile, int within, int lane) {
  using S = DecodeShape<KF, VF, D>;
  bool there = block >= 0;
  const unsigned char* keys = head + (there ? block * call.blockBytes : 0);
  const unsigned char* values = keys + call.valueOffset;
  int bytes = there ? 16 : 0;
  if constexpr (!S::CODED) {
    copyTile<S::KEY_TILE / 16>(keys + within * S::KEY_TILE, bytes, lane, [&](int chunk) {
      return to + (chunk ^ (chunk >> 3 & 1)) * 16;
    });
    const unsigned char* source = values + within * S::VALUE_TILE;
    constexpr int ROW_CHUNKS = S::VALUE_ROW / 16;
#pragma unroll
    for (int i = 0; i < ROW_CHUNKS / 2; i++) {
      int chunk = lane + 32 * i;
      int row = chunk / ROW_CHUNKS;
      int position = tile * 16 + row;
      bool read = position >= start && position < end;
      copy16(to + S::VALUES_AT + row * S::VALUE_LINE + (chunk - row * ROW_CHUNKS) * 16,
             source + chunk * 16, read ? 16 : 0);
    }
  } else {
    uint32_t keysTo = to + place * S::KEY_STRIDE;
    copyTile<S::KEY_TILE / 16>(keys + within * S::KEY_TILE, bytes, lane,
                               [&](int chunk) { return keysTo + chunk * 16; });
    uint32_t valuesTo = to + S::VALUES_AT + place * 2 * S::VALUE_GROUP;
    copyTile<S::VALUE_TILE / 16>(values + within * S::VALUE_TILE, bytes, lane, [&](int chunk) {
      constexpr int half = S::VALUE_ROW / 2;  // chunks of 8 rows
      return valuesTo + chunk * 16 + (chunk >= half ? S::VALUE_GROUP - 16 * half : 0);
    });
    const unsigned char* keyScales = keys + call.tilesPerBlock * S::KEY_TILE;
    const unsigned char* valueScales = values + call.tilesPerBlock * S::VALUE_TILE;
    uint32_t keyScalesTo = to + S::KEY_SCALES_AT + place * S::KEY_SCALES;
    uint32_t valueScalesTo = to + S::VALUE_SCALES_AT + place * S::VALUE_SCALES;
    copyTile<S::KEY_SCALES / 16>(keyScales + within * S::KEY_SCALES, bytes, lane,
                                 [&](int chunk) { return keyScalesTo + chunk * 16; });
    copyTile<S::VALUE_SCALES / 16>(valueScales + within * S::VALUE_SCALES, bytes, lane ^ 16,
                                   [&](int chunk) { return valueScalesTo + chunk * 16; });
  }
}

}  // namespace kvasir
