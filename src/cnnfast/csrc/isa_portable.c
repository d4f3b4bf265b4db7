#define ISA portable
#include "simd_portable.h"
#include "kernels.inc"
