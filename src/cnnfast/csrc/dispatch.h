/* Which instruction set runs: a table of micro-kernels for each, one of them active. */
#pragma once

#include "backward.h"
#include "int8/tiles.h"
#include "int8/nchwc/tiles.h"
#include "tiles.h"

typedef struct cnnfast_kernels {
    const char *isa;
    int has_fma;  /* whether it multiplies and adds with one rounding */
    int lanes;    /* floats in a vector register, images in a group */
    int tile_oc;  /* output channels of a tile of convolution */
    int dense_oc; /* output channels of a tile of a dense layer */
    int turned_oc; /* of one with channels in the lanes, for images in the lanes; 0 if there is none */
    int large_oc; /* output channels of a tile of a 5x5 convolution by Winograd */
    int single_oc; /* output channels of a tile of a convolution by Winograd with a single tile */
    int tile_vectors; /* with channels in the lanes, vectors of output channels of a tile of several positions */
#define KERNEL(result, name, arguments) result(*name) arguments;
#include "kernels.def"
#undef KERNEL
} cnnfast_kernels;

/* The integer micro-kernels: their own table, because a CPU may have a dot product of bytes within an instruction set that
   is otherwise the same. */
typedef struct cnnfast_int8_kernels {
    const char *dot;  /* by which instruction four bytes are multiplied: amx, vnni, sdot, or widening */
    int has_matrix;   /* whether that is done by matrix tiles */
    int dense_blocks; /* blocks of four output channels of a tile of a dense layer */
#define KERNEL(result, name, arguments) result(*name) arguments;
#include "int8/kernels.def"
#include "int8/nchwc/kernels.def"
#undef KERNEL
} cnnfast_int8_kernels;

int cnnfast_isa_count(void);                        /* instruction sets in this build, the most capable last */
const char *cnnfast_isa_name(int index);
int cnnfast_isa_supported(int index);               /* can this CPU run it? */
int cnnfast_isa_has_fma(int index);                 /* does it multiply and add with one rounding? */
void cnnfast_select(int index);
const cnnfast_kernels *cnnfast_active(void);

int cnnfast_dot_count(void);                        /* ways to multiply bytes with the active set on this CPU, the best last */
const char *cnnfast_dot_name(int index);
void cnnfast_use_dot(int index);                    /* the most capable that may be used; at first, any */
const cnnfast_int8_kernels *cnnfast_active_int8(void);

long cnnfast_near_cache(void);                      /* bytes of the second-level cache of a core */
