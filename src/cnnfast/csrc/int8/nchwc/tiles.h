/* What the integer micro-kernels with channels in the lanes are given. An element of a value of bytes is a pixel: L bytes,
   one for each of L channels of one image. Sums have a lane for each channel. Offsets and strides count pixels, but those of
   inputs that are multiplied four channels at a time count words of four bytes. */
#pragma once

/* Convolution or dense layer: a block of vectors of output channels over a run of positions, which is one position where
   there are more than TILE_VECTORS vectors. Depthwise: one vector of channels. */
typedef struct int8_pixel_args {
    const int *x;            /* depthwise: the pixels of L channels */
    const int *tap_offsets;  /* (K,) words, or NULL where inputs follow each other; depthwise: pixels, a multiple of 4 */
    long K;                  /* words of a sum; depthwise: products */
    const int *w;            /* (K, vectors) vectors of words, four input channels for each output channel; depthwise:
                                (K / 4) vectors of words, four products for each channel */
    const int *bias;         /* (vectors,) vectors */
    const int *sums;         /* (vectors,) vectors of the sums of the weights */
    long vectors;            /* 1 .. TILE_VECTORS, with one position 1 .. DENSE_VECTORS */
    const int *x_offsets;    /* (positions,) words; depthwise: pixels */
    const int *y_offsets;    /* (positions,), or (positions / 4,) with pool */
    long positions;          /* a multiple of 4 with pool */
    unsigned char *y;        /* pixels, or vectors of floats with end.to_float */
    long y_channel;          /* from one vector of channels to the next, in pixels or vectors */
    int pool;                /* whether each four positions are a 2x2 window of which the largest is kept */
    int8_end end;            /* m: a vector of factors for each vector of channels; r: pixels */
} int8_pixel_args;

typedef void (*int8_pixel_t)(const int8_pixel_args *);
