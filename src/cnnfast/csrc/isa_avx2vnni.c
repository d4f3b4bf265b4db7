#define ISA avx2vnni
#include "simd_avx2.h"
#include "int8/kernels.inc"
