/* What the micro-kernels are given. Layout chwn<L>: an element of the arena is a vector that holds the same value of L
   different images, so offsets and strides count vectors. */
#pragma once

/* Output channels of a register tile. TILE_OC (with four positions or tiles) and DENSE_OC (with one position) are those of
   the instruction set; with one Winograd tile eight chains of additions hide the latency everywhere. */
#define SINGLE_OC 8

/* 5x5 kernels by Winograd have eight columns of sums on the way back: with more channels those leave the first-level cache. */
#define LARGE_OC (TILE_OC < 4 ? TILE_OC : 4)

/* With channels in the lanes, vectors of output channels of a register tile: TILE_VECTORS (with TILE_PIXELS positions) is that
   of the instruction set; with one position, and with fewer than four Winograd tiles, there is room for these. */
#define DENSE_VECTORS 8
#define FEW_TILES_VECTORS 4

/* What is done to a result before it is stored: activation, with its attributes. The names and their order are those of
   ACTIVATIONS in src/cnnfast/plan/chwn/values.py; a test compares them, and a program takes no number beyond the last. */
enum activation {
    ACT_NONE, ACT_RELU, ACT_CLIP, ACT_LEAKY_RELU, ACT_ELU, ACT_SIGMOID, ACT_TANH, ACT_HARD_SIGMOID, ACT_HARD_SWISH,
    ACT_SILU, ACT_GELU, ACT_GELU_TANH, ACT_COUNT
};

/* Functions of one element that are not fused into layers, in the order of FUNCTIONS in
   src/cnnfast/plan/elements.py, and what is made of many elements, in the order of REDUCTIONS there. */
enum function {
    FUN_ABS, FUN_SQRT, FUN_EXP, FUN_LOG, FUN_ERF, FUN_SOFTPLUS, FUN_SOFTSIGN, FUN_MISH, FUN_THRESHOLDED_RELU, FUN_SIGN,
    FUN_ROUND, FUN_COUNT
};
enum reduction { REDUCE_MEAN, REDUCE_SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_COUNT };

typedef struct epilogue {
    const float *r;      /* what is added before the activation, at the places of y; or NULL */
    long r_channel;      /* from one channel of r to the next */
    const int *r_offsets;     /* place of each position in r */
    int act;
    float f0, f1;
} epilogue;

/* `ahead`: how many floats ahead a kernel asks for its weights, 0 where they stay in the second-level cache from one group of
   images to the next. Others come late, because the processor's own foresight ends with each page of 4 KB. */
#define PAGE_AHEAD 1024

/* Direct convolution: a block of output channels over a run of positions. A position is an output pixel; its products
   read the input at x_offsets[position] + tap_offsets[k], whatever the kernel, stride, dilation or padding. */
typedef struct conv_args {
    const float *x;      /* first input channel of the group */
    const int *tap_offsets;     /* (K,) */
    long K;
    const float *w;      /* (K, channels) */
    const float *bias;   /* (channels,) */
    long channels;       /* 1 .. TILE_OC */
    const int *x_offsets;     /* (positions,), a multiple of 4 */
    const int *y_offsets;     /* (positions,), or (positions / 4,) with pool */
    long positions;
    float *y;            /* first output channel of the block */
    long y_channel;
    int pool;            /* whether each four positions are a 2x2 window of which the largest is kept */
    int resume;          /* whether the sums continue from what y holds instead of the bias */
    long tap_sets;       /* depthwise only: how many times K tap offsets there are, each for an equal part of the positions */
    epilogue end;
} conv_args;

/* One output pixel, many channels: a dense layer, or a convolution as large as its image. */
typedef struct dense_args {
    const float *x;
    const int *tap_offsets;     /* (K,), or NULL if inputs follow each other */
    long K;
    const float *w;      /* (K, channels) */
    const float *bias;   /* (channels,) */
    long channels;       /* 1 .. DENSE_OC; TURNED_OC where the tile is turned */
    long ahead;
    float *y;
    long y_channel;
    epilogue end;
} dense_args;

/* Winograd: T tiles of 4x4 output pixels at a time. */
typedef struct winograd_args {
    const float *x;
    long C, x_channel, x_row;
    long T;              /* 4 or 1 */
    const int *x_offsets;     /* (T,) top left corner of each tile */
    float *v;            /* (E, C + 1, T) transformed input; the last channel is a gap */
    const float *u;      /* (E, C, channels) transformed weights of a block of output channels */
    const float *bias;   /* (channels,) */
    long channels;       /* 1 .. TILE_OC, with one tile 1 .. SINGLE_OC */
    float *y;
    long y_channel, y_row;
    const int *y_offsets;     /* (T,) */
    const int *rows;     /* (T,) output rows of each tile that exist, 1 .. 4; with pool 1 .. 2 pooled ones */
    const int *cols;     /* (T,) */
    int pool;
    epilogue end;        /* r_offsets: (T,), as y_offsets */
    long r_row;
    long ahead;
} winograd_args;

/* What is summed: n[0] x n[1] x n[2] elements, `step` apart along each axis. Sums of up to SHORT_SUM terms, which are off by
   a millionth at most, are added one after the other; longer ones use sums.inc. */
#define SHORT_SUM 64

typedef struct sum_args {
    const float *x;
    long n[3], step[3];
} sum_args;

typedef struct pool_args {
    const float *x;      /* one channel */
    long H, W, x_row;
    float *y;
    long OH, OW, y_row;
    long KH, KW, SH, SW, PT, PL, DH, DW;
    const float *divisor; /* (OH, OW) */
} pool_args;

/* One row of an interpolated channel: weighted sums of KH x KW elements. */
typedef struct resize_args {
    const float *x;      /* one channel */
    float *y;            /* (OW,) */
    long OW, KH, KW;
    const int *rows;     /* (KH,) places of the rows */
    const int *cols;     /* (OW, KW) places within a row */
    const float *row_weight; /* (KH,) */
    const float *col_weight; /* (OW, KW) */
} resize_args;

/* The product of two matrices that are both computed; strides count vectors. */
typedef struct matmul_args {
    long M, K, O;
    const float *a, *b;
    float *y;
    long a_m, a_k, b_k, b_o, y_m, y_o;
} matmul_args;

/* Layout nchw<L>c: a vector holds one pixel of L channels of one image. Places of inputs that are read one channel at a
   time (`scalars`) count floats, all others vectors. */

/* Convolution or dense layer: a block of vectors of output channels over a run of positions, which is one position where
   there are more than TILE_VECTORS vectors. */
typedef struct pixel_args {
    const float *x;
    const int *tap_offsets;     /* (K,) scalars, or NULL if inputs follow each other */
    long K;
    const float *w;      /* (K, vectors) */
    const float *bias;   /* (vectors,) */
    long vectors;        /* 1 .. TILE_VECTORS, with one position 1 .. DENSE_VECTORS */
    const int *x_offsets;     /* (positions,) scalars */
    const int *y_offsets;     /* (positions,), or (positions / 4,) with pool */
    long positions;      /* a multiple of 4 with pool */
    float *y;            /* first vector of the block */
    long y_channel;
    int pool;
    long ahead;
    epilogue end;
} pixel_args;

/* Depthwise or grouped convolution: one vector of output channels. */
typedef struct grouped_args {
    const float *x;
    const int *tap_offsets;     /* depthwise (K,); grouped (K, L) scalars, a place for each lane */
    long K;
    const float *w;      /* (K,) vectors */
    const float *bias;   /* one vector */
    const int *x_offsets;     /* (positions,), for grouped scalars */
    const int *y_offsets;
    long positions;
    float *y;
    int pool;
    epilogue end;
} grouped_args;

/* Winograd: the products of one element of the transform, summed over the channels. */
typedef struct products_args {
    const float *v;      /* (ceil(C / L), T) transformed inputs */
    long C, T;
    const float *u;      /* (C, vectors) transformed weights of a block of output channels */
    const float *first;  /* (vectors,) where the sums start, or NULL for zeros */
    long vectors;        /* 1 .. FEW_TILES_VECTORS */
    float *m;            /* (vectors, T) */
    long ahead;
} products_args;

typedef void (*winograd_t)(const winograd_args *);
typedef void (*winograd_column_t)(const winograd_args *, int, float *, int);
typedef void (*winograd_rows_t)(const winograd_args *, const float *);
typedef void (*grouped_t)(const grouped_args *);
typedef void (*pool_t)(const pool_args *);
typedef void (*arithmetic_t)(long, const float *, long, const float *, long, float *);
