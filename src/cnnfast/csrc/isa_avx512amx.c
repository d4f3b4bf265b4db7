#define ISA avx512amx
#include "simd_avx512.h"
#include "int8/kernels.inc"
