package io.kvasir.compute.cuda;

import java.util.List;

/// Opens a GPU and loads its kernels.
final class CudaOpening {
  private static final List<String> RESOURCES =
      List.of(
          "elementwise.fatbin",
          "sampling.fatbin",
          "linear.fatbin",
          "experts.fatbin",
          "kv_store.fatbin",
          "kv_attend.fatbin");

  /// Kernels for the tensor cores; without them the others do all.
  private static final List<String> FAST_RESOURCES =
      List.of(
          "gemv.fatbin",
          "experts_few.fatbin",
          "experts_many.fatbin",
          "kv_write.fatbin",
          "gemm.fatbin",
          "gemm_stream.fatbin",
          "attention_plan.fatbin",
          "attention_decode_16bit.fatbin",
          "attention_decode_8bit.fatbin",
          "attention_decode_4bit.fatbin",
          "attention_shared_16bit.fatbin",
          "attention_shared_8bit.fatbin",
          "attention_shared_4bit.fatbin",
          "attention_prefill.fatbin",
          "attention_merge.fatbin");

  private CudaOpening() {}

  static CudaBackend.Opening open(String library, int ordinal, boolean exact) {
    return switch (CudaDriver.load(library)) {
      case CudaDriver.Missing missing -> new CudaBackend.Unavailable(missing.reason());
      case CudaDriver.Loaded loaded -> open(loaded.driver(), ordinal, exact);
    };
  }

  static CudaBackend.Opening open(CudaDriver driver, int ordinal, boolean exact) {
    return switch (CudaContext.open(driver, ordinal)) {
      case CudaContext.Unusable unusable -> new CudaBackend.Unavailable(unusable.reason());
      case CudaContext.Opened opened -> {
        try {
          CudaContext context = opened.context();
          context.enter();
          yield new CudaBackend.Ready(new CudaBackend(context, kernels(context, exact), exact));
        } catch (CudaException | IllegalStateException e) {
          opened.context().close();
          yield new CudaBackend.Unavailable(String.valueOf(e.getMessage()));
        }
      }
    };
  }

  private static CudaKernels kernels(CudaContext context, boolean exact) {
    CudaKernels kernels = new CudaKernels(context);
    for (String resource : RESOURCES) {
      if (!kernels.load(resource)) {
        throw new IllegalStateException(
            "the kernels %s have no code for GPU %d (%s, compute capability %d.%d)"
                .formatted(
                    resource,
                    context.ordinal(),
                    context.name(),
                    context.capability() / 10,
                    context.capability() % 10));
      }
    }
    if (!exact) {
      for (String resource : FAST_RESOURCES) {
        kernels.load(resource);
      }
    }
    return kernels;
  }
}
