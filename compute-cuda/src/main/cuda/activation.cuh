// Activations of feed-forward networks.
#pragma once
#include "common.cuh"

// Order of CudaBackend.number(Activation).
enum Activation { SILU, GELU, GELU_TANH, GELU_QUICK, RELU, RELU_SQUARED, SIGMOID, CLAMPED_SWIGLU };

__device__ inline float sigmoid(float x) {
  return 1 / (1 + expf(-x));
}

__device__ inline float activated(int activation, float x) {
  switch (activation) {
    case SILU:
      return x * sigmoid(x);
    case GELU:
      return 0.5f * x * (1 + erff(x * 0.70710678f));
    case GELU_TANH:
      return 0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
    case GELU_QUICK:
      return x * sigmoid(1.702f * x);
    case RELU:
      return fmaxf(x, 0);
    case RELU_SQUARED:
      return fmaxf(x, 0) * fmaxf(x, 0);
    case SIGMOID:
      return sigmoid(x);
    default: {
      float gate = fminf(x, 7);
      return gate * sigmoid(1.702f * gate);
    }
  }
}

// An element of the inner rows of a gated network.
__device__ inline float gated(int activation, float gate, float up) {
  return activated(activation, gate) *
         (activation == CLAMPED_SWIGLU ? fminf(fmaxf(up, -7), 7) + 1 : up);
}
