// Other depths of the ring and other numbers of blocks of threads on a multiprocessor, to compare.
#include "attention_decode_list.h"

KVASIR_DECODE(attend_decode_bf16_2x3_128, BF16, BF16, 128, 2, 3)
KVASIR_DECODE(attend_decode_int4_4x2_128, INT4, INT4, 128, 4, 2)
