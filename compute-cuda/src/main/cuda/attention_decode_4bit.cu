// Decode attention over int4 blocks, and over int8 keys with int4 values; see
// attention_decode.cuh.
#include "attention_decode.cuh"

KVASIR_DECODE(attend_decode_int4_64, INT4, INT4, 64, 4, 3)
KVASIR_DECODE(attend_decode_int4_80, INT4, INT4, 80, 4, 3)
KVASIR_DECODE(attend_decode_int4_96, INT4, INT4, 96, 3, 3)
KVASIR_DECODE(attend_decode_int4_128, INT4, INT4, 128, 2, 4)
KVASIR_DECODE(attend_decode_int4_256, INT4, INT4, 256, 3, 2)
KVASIR_DECODE(attend_decode_int8_int4_64, INT8, INT4, 64, 4, 2)
KVASIR_DECODE(attend_decode_int8_int4_80, INT8, INT4, 80, 4, 2)
KVASIR_DECODE(attend_decode_int8_int4_96, INT8, INT4, 96, 3, 2)
KVASIR_DECODE(attend_decode_int8_int4_128, INT8, INT4, 128, 3, 2)
KVASIR_DECODE(attend_decode_int8_int4_256, INT8, INT4, 256, 3, 1)
