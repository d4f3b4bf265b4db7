#define ISA neon
#include "simd_neon.h"
#include "kernels.inc"
