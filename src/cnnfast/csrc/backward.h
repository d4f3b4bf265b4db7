/* What the micro-kernels of training are given. */
#pragma once

/* Weight gradients, direct: dw[o][k] += sum over positions p and lanes of
   dy[o][y_offsets[p]] * x[x_offsets[p] + tap_offsets[k]]. */
typedef struct weight_args {
    const float *x;      /* first input channel of the group */
    const int *tap_offsets;     /* (K,) */
    long K;
    const int *x_offsets;     /* (positions,) */
    const int *y_offsets;     /* (positions,) */
    long positions;
    const float *dy;     /* first output channel of the block */
    long y_channel;
    long channels;       /* 1 .. GRAD_OC */
    float *dw;           /* (channels, K), scalars */
} weight_args;

/* A pool backwards: x, y and the gradients of one channel. */
typedef struct pool_back_args {
    const float *x;      /* (H, W) */
    long H, W, x_row;
    const float *y;      /* (OH, OW) */
    long OH, OW, y_row;
    long KH, KW, SH, SW, PT, PL, DH, DW;
    const float *divisor; /* (OH, OW) */
    const float *dy;     /* (OH, OW) */
    long dy_row;
    float *dx;           /* (H, W) */
    long dx_row;
} pool_back_args;

/* Output channels and taps of a register tile of weight gradients. */
#define GRAD_OC 4

typedef void (*pool_back_t)(const pool_back_args *);

/* Sums of outer products: out[r][q] += sum over k of rows[r][k] * columns[k][q]. Here images are summed over, and the lanes
   hold different columns: channels or features. */
typedef struct outer_args {
    const float *rows;    /* (R, K), scalars, row_step apart */
    long R, row_step;
    const float *columns; /* (Q, K) vectors */
    long Q, K;
    float *out;           /* (R, Q) vectors, out_step scalars apart */
    long out_step;
    int set;              /* out is written instead of added to */
} outer_args;

/* The gradient of a 4x4 tile of outputs, as Winograd's products see it. */
typedef struct tile_back_args {
    const float *dy;
    long channels, y_channel, y_row;
    long T;               /* 4 or 1 */
    const int *y_offsets;      /* (T,) */
    const int *used;      /* (T,) 0 for a tile that only fills up the four */
    float *m;             /* (E, channels + 1, T); or transposed, (E, plane), of which (channels / L, T * L) are used */
    long plane;
} tile_back_args;

typedef void (*tile_back_t)(const tile_back_args *);
typedef void (*collect_t)(const float *, long, const float *, float *);
