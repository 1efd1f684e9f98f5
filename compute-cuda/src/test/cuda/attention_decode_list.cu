// Compiles one file of decode kernels (-DPART="...") and lists them.
#define KVASIR_DECODE(NAME, KF, VF, D, STAGES, BLOCKS)                                        \
  KVASIR_DECODE_KERNEL(NAME, KF, VF, D, STAGES, BLOCKS)                                       \
  static int NAME##_listed = (decodeEntries().push_back(                                      \
                                  {#NAME + 14, twin::KF, twin::VF, D, NAME,                   \
                                   kvasir::decodeSharedBytes<kvasir::KF, kvasir::VF, D, STAGES>()}), \
                              0);
#include "attention_decode_list.h"
#include PART
