// What kernels of mixtures of experts have in common: lists that the device makes and reads.
#pragma once
#include "common.cuh"

/// One matrix of an expert; ExpertTable.java writes them, [experts, 3]: gate, up, down.
struct ExpertPart {
  const uint8_t* weights;  // null for no such matrix
  const float* bias;       // or null
  int type;
  int reserved;
};

/// Neighbouring slots, at most as many as a product's tile has, of rows that picked the same expert.
struct ExpertTile {
  int expert;
  int first;
  int count;
};

constexpr int EXPERT_TILE = 8;
constexpr int EXPERT_PARTS = 3;

/// Products of all slots with one matrix of their experts; ExpertProducts.java writes it.
struct ExpertCall {
  const ExpertPart* parts;  // of expert 0; those of the next stand EXPERT_PARTS behind
  const ExpertTile* tiles;
  const int* tileCount;
  const float* x;  // [slots, columns], or [columns] for all slots
  float* out;      // [slots, outputs]
  long long rowBytes;
  int xStep;  // elements of x from a slot to the next; 0 only where tiles have one slot
  int columns;
  int outputs;
  int activation;  // of gate and up, which stands behind the gate; -1 for one matrix
};

/// The same with rows as bf16 numbers; ManyExpertRows.java writes it.
struct ManyExpertsCall {
  ExpertCall experts;   // whose x is rounded rows, whose out is that of the first of some matrices
  const uint16_t* low;  // what rounding took, or null
  long long outStep;    // elements from a matrix's results to those of the next
};
