// Compiles one file of kernels for what rows share (-DPART="...") and lists them.
#define KVASIR_SHARED(NAME, KF, VF, D, STAGES, BLOCKS)                                            \
  KVASIR_SHARED_KERNEL(NAME, KF, VF, D, STAGES, BLOCKS)                                           \
  static int NAME##_listed =                                                                      \
      (sharedEntries().push_back(                                                                 \
           {#NAME + 14, twin::KF, twin::VF, D, NAME,                                              \
            kvasir::WARPS * STAGES * kvasir::DecodeShape<kvasir::KF, kvasir::VF, D>::BYTES}),     \
       0);
#include "attention_shared_list.h"
#include PART
