#define ISA avx512vnni
#include "simd_avx512.h"
#include "int8/kernels.inc"
