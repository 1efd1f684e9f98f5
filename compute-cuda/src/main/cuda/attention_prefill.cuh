// What prefill attention takes; see attention_prefill.cu.
#pragma once
#include "attention_wgmma.cuh"

namespace kvasir {

/// Consecutive rows of one sequence; 8 ints on the host.
struct PrefillItem {
  int row;       // first, of q
  int rows;      // 1 .. 128
  int position;  // of the first row; in modes 1 and 2 a multiple of 64
  int table;     // index in `tables` of the block that holds position 0
  int tailTable; // the same for the exact tail (mode 2) and the exact sinks (mode 3)
  int sinkTable;
  int unused0, unused1;
};

struct PrefillCall {
  const float* __restrict__ q;       // [rows, H, D] in the layer's basis
  const float* __restrict__ centre;  // [rows, H] or null
  const float* __restrict__ sinks;   // [H] or null; read where ml is null
  const unsigned char* __restrict__ pool;
  long long blockBytes;
  long long keyOffset;
  long long headBytes;
  long long valueOffset;
  const int* __restrict__ tables;  // or null where block numbers are indexes themselves
  const PrefillItem* __restrict__ items;
  const int* __restrict__ itemCount;
  const int* __restrict__ firstSlot;  // [rows]; read where ml is not null
  float* __restrict__ out;
  float2* __restrict__ ml;
  float scale;
  float softcap;
  int tilesPerBlock;
  int heads;
  int kvHeads;
  int window;
  int mode;
  int tail;
  int exactSinks;
  int pass;  // of those that write to slots firstSlot[row] + pass
};

}  // namespace kvasir
