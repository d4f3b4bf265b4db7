"""Sliding windows over images, for the references of convolution and pooling."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnfast.ops.base import Array


def windows(
    x: Array,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
    fill: float,
) -> Array:
    """Return a view of shape (N, C, OH, OW, KH, KW): the elements that each output pixel reads.

    Examples
    --------
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> windows(x, (2, 2), (1, 1), (0, 0, 0, 0), (1, 1), fill=0)[0, 0, 1, 1]
    array([[4., 5.],
           [7., 8.]])
    """
    top, left, bottom, right = padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    span = (dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1)
    view = sliding_window_view(padded, span, axis=(2, 3))
    return view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
