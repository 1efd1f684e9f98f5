package io.kvasir.compute.cuda;

/// Handles of the kernels of `elementwise.cu`.
record ElementKernels(
    long embed,
    long scale,
    long scaleRows,
    long clamp,
    long add,
    long softcap,
    long normalize,
    long rope,
    long activate,
    long xielu,
    long gatherRows,
    long copyColumns,
    long expertRows,
    long expertSum) {

  static ElementKernels of(CudaKernels kernels) {
    return new ElementKernels(
        kernels.function("kv_embed"),
        kernels.function("kv_scale"),
        kernels.function("kv_scale_rows"),
        kernels.function("kv_clamp"),
        kernels.function("kv_add"),
        kernels.function("kv_softcap"),
        kernels.function("kv_normalize"),
        kernels.function("kv_rope"),
        kernels.function("kv_activate"),
        kernels.function("kv_xielu"),
        kernels.function("kv_gather_rows"),
        kernels.function("kv_copy_columns"),
        kernels.function("kv_expert_rows"),
        kernels.function("kv_expert_sum"));
  }
}
