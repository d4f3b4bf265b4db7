/* What the integer micro-kernels are given. Where float kernels have an element, these have a word: a vector of 32-bit
   lanes, each of which holds four channels of one pixel of one image as bytes, the first channel lowest. Offsets and
   strides count such vectors; channels are counted in blocks of four. */
#pragma once

/* of a matrix tile: output channels, or words of four input channels */
#define MATRIX_ROWS 16

/* How sums become bytes: sat((f(sum) * m + f(r - r_zero) * r_m) + zero, low, high), one rounding for each operation; the
   formulas are those of docs/quantization.md. */
typedef struct int8_end {
    const float *m;      /* (4,) for each block of channels */
    float zero;
    int low, high;       /* the limits four times over, one in each byte */
    int cut;             /* whether there are limits beyond those of a byte, or a zero point */
    int wide;            /* whether a product may leave 32 bits, so that it is cut to a byte before it is rounded */
    int shifted;         /* whether sums may begin with 2^23, as bits of a float; see requantize.inc */
    int to_float;        /* whether the result is f(sum) * m, in floats: then y has a vector for each channel */
    const int *r;        /* bytes that are added, at the places of y; or NULL */
    long r_block;        /* from one block of r to the next */
    const int *r_offsets; /* where r is added at each position */
    int r_zero;
    float r_m;
} int8_end;

/* Convolution or dense layer: blocks of four output channels over a run of positions. */
typedef struct int8_conv_args {
    const int *x;        /* first input block of the group */
    const int *tap_offsets; /* (K,), or NULL where inputs follow each other */
    long K;              /* words of a sum */
    const int *w;        /* (blocks, K, 4) words of four signed bytes: a word for each output channel */
    const int *bias;     /* (blocks, 4) */
    const int *sums;     /* (blocks, 4) sums of the weights */
    long blocks;         /* 1, for a dense layer 1 .. DOT_BLOCKS */
    long channels;       /* of these that are not filling, with to_float */
    const int *x_offsets; /* (positions,), a multiple of 4 */
    const int *y_offsets; /* (positions,), or (positions / 4,) with pool */
    long positions;
    long rows, columns;  /* of a depthwise layer whose positions are neighbors, row by row; else 0 */
    int *y;
    long y_block;        /* from one block of y to the next; with to_float from one channel to the next */
    int pool;            /* whether each four positions are a 2x2 window of which the largest is kept */
    int8_end end;
} int8_conv_args;

/* The same by matrix tiles, all blocks at once. */
typedef struct int8_matrix_args {
    int8_conv_args layer; /* w: (tiles of output channels, chunks, rows, 16) words */
    long rows;           /* output channels of a tile: a multiple of 4, at most 16 */
    long chunks, depth;  /* the words of a sum are multiplied `depth` at a time, at most 16 */
    const int *chunk_offsets; /* (chunks,) where those begin, relative to a position */
    long x_step;         /* from one of them to the next */
    int *pixels;         /* where the words of each pixel are brought together first; or NULL. Of a dense layer (K,) by
                            tap_offsets, of a convolution (height, width, planes) from the blocks of channels of `image` */
    const int *image;
    long planes, x_plane, x_row, width, height;
} int8_matrix_args;

typedef struct int8_pool_args {
    const int *x;        /* one block of channels */
    long H, W, x_row;
    int *y;
    long OH, OW, y_row;
    long KH, KW, SH, SW, PT, PL, DH, DW;
    const float *m;      /* (OH, OW) for averages */
    int x_zero;
    int8_end end;
} int8_pool_args;

/* y = sat((f(a - a_zero) * a_m + f(b - b_zero) * b_m) + zero, low, high), or with f(..) * f(..) * a_m for a product */
typedef struct int8_pair_args {
    long n;
    const int *a;
    long a_step;         /* 0 repeats an operand */
    int a_spread;        /* whether the first of four channels is that of all */
    const int *b;
    long b_step;
    int b_spread;
    int *y;
    int a_zero, b_zero;
    float a_m, b_m;
    int8_end end;
} int8_pair_args;

typedef void (*int8_pool_t)(const int8_pool_args *);
typedef void (*int8_pair_t)(const int8_pair_args *);
