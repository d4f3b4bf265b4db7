"""How a picture is looked at: once, with its mirror image, or through windows too.

The features of a picture are the mean over its views. Of a photograph that shows more than the pictures a network was
trained on, windows show more than the whole.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cnnfast.images.pictures.decode import fit_images
from cnnfast.images.preprocess import Array, Preprocess

VIEWS = ("whole", "mirrored", "windows")
"""The whole picture; with its mirror image; and with five windows of four fifths of its sides and theirs."""

LARGER = 5 / 4


def decoding_of(views: str, preprocess: Preprocess) -> Preprocess:
    """Return how pictures are decoded for some views.

    Examples
    --------
    >>> decoding_of("windows", Preprocess(size=(32, 32))).size
    (40, 40)
    """
    if views != "windows":
        return preprocess
    height, width = preprocess.size
    return replace(preprocess, size=(round(height * LARGER), round(width * LARGER)))


def views_of(images: Array, views: str, preprocess: Preprocess) -> list[Array]:
    """Return what the network looks at, each of shape (N, H, W, C).

    Parameters
    ----------
    images : uint8 array (N, H', W', C)
        Decoded as `decoding_of` says.
    views : {"whole", "mirrored", "windows"}
    preprocess : Preprocess
        That of the network.

    Examples
    --------
    >>> [len(views_of(np.zeros((1, 40, 40, 3), np.uint8), "windows", Preprocess(size=(32, 32))))]
    [12]
    """
    shown = [images]
    if views == "windows":
        (height, width), (down, right) = preprocess.size, images.shape[1:3]
        down, right = down - height, right - width
        corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
        shown = [fit_images(images, preprocess), *(images[:, y : y + height, x : x + width] for y, x in corners)]
    if views != "whole":
        shown += [image[:, :, ::-1] for image in shown]
    return [np.ascontiguousarray(view) for view in shown]
