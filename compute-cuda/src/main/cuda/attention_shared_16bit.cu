// Attention over bf16 and f16 blocks that rows share; see attention_shared.cuh.
#include "attention_shared.cuh"

KVASIR_SHARED(attend_shared_bf16_64, BF16, BF16, 64, 4, 2)
KVASIR_SHARED(attend_shared_bf16_80, BF16, BF16, 80, 4, 2)
KVASIR_SHARED(attend_shared_bf16_96, BF16, BF16, 96, 3, 2)
KVASIR_SHARED(attend_shared_bf16_128, BF16, BF16, 128, 3, 2)
KVASIR_SHARED(attend_shared_bf16_256, BF16, BF16, 256, 3, 1)
KVASIR_SHARED(attend_shared_f16_64, F16, F16, 64, 4, 2)
KVASIR_SHARED(attend_shared_f16_80, F16, F16, 80, 4, 2)
KVASIR_SHARED(attend_shared_f16_96, F16, F16, 96, 3, 2)
KVASIR_SHARED(attend_shared_f16_128, F16, F16, 128, 3, 2)
KVASIR_SHARED(attend_shared_f16_256, F16, F16, 256, 3, 1)
