// Attention over int4 blocks, and int8 keys with int4 values, that rows share; see
// attention_shared.cuh.
#include "attention_shared.cuh"

KVASIR_SHARED(attend_shared_int4_64, INT4, INT4, 64, 4, 2)
KVASIR_SHARED(attend_shared_int4_80, INT4, INT4, 80, 4, 2)
KVASIR_SHARED(attend_shared_int4_96, INT4, INT4, 96, 3, 2)
KVASIR_SHARED(attend_shared_int4_128, INT4, INT4, 128, 3, 2)
KVASIR_SHARED(attend_shared_int4_256, INT4, INT4, 256, 3, 1)
KVASIR_SHARED(attend_shared_int8_int4_64, INT8, INT4, 64, 4, 2)
KVASIR_SHARED(attend_shared_int8_int4_80, INT8, INT4, 80, 4, 2)
KVASIR_SHARED(attend_shared_int8_int4_96, INT8, INT4, 96, 3, 2)
KVASIR_SHARED(attend_shared_int8_int4_128, INT8, INT4, 128, 3, 2)
KVASIR_SHARED(attend_shared_int8_int4_256, INT8, INT4, 256, 3, 1)
