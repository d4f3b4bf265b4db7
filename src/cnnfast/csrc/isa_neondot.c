#define ISA neondot
#include "simd_neon.h"
#include "int8/kernels.inc"
