// Attention over int8 and fp8 blocks that rows share; see attention_shared.cuh.
#include "attention_shared.cuh"

KVASIR_SHARED(attend_shared_int8_64, INT8, INT8, 64, 4, 2)
KVASIR_SHARED(attend_shared_int8_80, INT8, INT8, 80, 4, 2)
KVASIR_SHARED(attend_shared_int8_96, INT8, INT8, 96, 3, 2)
KVASIR_SHARED(attend_shared_int8_128, INT8, INT8, 128, 3, 2)
KVASIR_SHARED(attend_shared_int8_256, INT8, INT8, 256, 3, 1)
KVASIR_SHARED(attend_shared_fp8_64, FP8, FP8, 64, 4, 2)
KVASIR_SHARED(attend_shared_fp8_80, FP8, FP8, 80, 4, 2)
KVASIR_SHARED(attend_shared_fp8_96, FP8, FP8, 96, 3, 2)
KVASIR_SHARED(attend_shared_fp8_128, FP8, FP8, 128, 3, 2)
KVASIR_SHARED(attend_shared_fp8_256, FP8, FP8, 256, 3, 1)
