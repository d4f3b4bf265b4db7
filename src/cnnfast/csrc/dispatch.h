/* Which instruction set runs: a table of micro-kernels for each, one of them active. */
#pragma once

#include "backward.h"
#include "tiles.h"

typedef struct cnnfast_kernels {
    const char *isa;
    int lanes;    /* floats in a vector register, images in a group */
    int tile_oc;  /* output channels of a tile of convolution */
    int dense_oc; /* output channels of a tile of a dense layer */
    int single_oc; /* output channels of a tile of a convolution by Winograd with a single tile */
    int tile_vectors; /* with channels in the lanes, vectors of output channels of a tile of several positions */
#define KERNEL(result, name, arguments) result(*name) arguments;
#include "kernels.def"
#undef KERNEL
} cnnfast_kernels;

int cnnfast_isa_count(void);                        /* instruction sets in this build, the most capable last */
const char *cnnfast_isa_name(int index);
int cnnfast_isa_supported(int index);               /* can this CPU run it? */
void cnnfast_select(int index);
const cnnfast_kernels *cnnfast_active(void);
