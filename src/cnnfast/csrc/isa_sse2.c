#define ISA sse2
#include "simd_sse2.h"
#include "kernels.inc"
