// The list of decode kernels, filled by attention_decode_list.cu.
#pragma once
#include "harness.h"

#include "../../main/cuda/attention_decode.cuh"

typedef void (*DecodeKernel)(const float*, const float*, const float*, const int*,
                             const unsigned char*, long long, long long, long long, long long,
                             const int*, const kvasir::Item*, const int*, float*, float2*, float,
                             float, int, int, int);

struct DecodeEntry {
  const char* name;
  twin::Format keys, values;
  int dim;
  DecodeKernel kernel;
  int shared;
};

std::vector<DecodeEntry>& decodeEntries();
