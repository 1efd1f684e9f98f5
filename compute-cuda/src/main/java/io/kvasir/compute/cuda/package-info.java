/// The NVIDIA GPU backend: calls the CUDA driver library and nothing else, loads kernels that were
/// compiled when the project was built, keeps weights, activations and cache blocks on the device.
/// Knows nothing of models, requests or tokens.
package io.kvasir.compute.cuda;
