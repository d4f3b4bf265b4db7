"""Why a network does not take an array of images, and what to do instead."""

from __future__ import annotations

import os

import numpy as np

from cnnfast.ops import Array
from cnnfast.runtime.arguments import quoted

CLASSIFY = "net.classify(...) takes paths, folders, PIL images, bytes and arrays of any size, one or several"

ALPHA = 4
"""Channels of red, green, blue and opacity."""


def about_type(images: object, array: Array) -> str:
    """Return what is wrong with images that are not an array of pixels or floats.

    Parameters
    ----------
    images : object
        As the user gave them.
    array : array
        What NumPy made of them.

    Examples
    --------
    >>> about_type("cat.jpg", np.asarray("cat.jpg"))
    "images must be an array of pixels, but 'cat.jpg' is a path; net.classify('cat.jpg') says what ..."
    """
    if isinstance(images, str | os.PathLike):
        path = quoted(os.fspath(images))
        call = "net.classify(path)" if path.endswith("…") else f"net.classify({path})"
        return (
            f"images must be an array of pixels, but {path} is a path; {call} says what pictures and folders show, and "
            "cnnfast.read_picture(path, net.preprocess) makes an array of one"
        )
    expected = f"images must be uint8 pixels or floats, but their dtype is {array.dtype}"
    if array.dtype.kind in "SUO":
        return f"{expected}{_content(images)}; {CLASSIFY}"
    return f"{expected}; convert pixels with .astype('uint8'), or preprocessed values with .astype('float32')"


def _content(images: object) -> str:
    """Return what a list holds, or what a single thing is, as a part of a sentence."""
    if isinstance(images, list | tuple) and images:
        first = images[0]
        is_path = isinstance(first, str | os.PathLike)
        return f" (a {type(images).__name__} of {quoted(first) if is_path else type(first).__name__})"
    return f" ({type(images).__name__})"


def about_shape(array: Array, shape: tuple[int, ...], layout: str | None) -> str:
    """Return what is wrong with the shape of images that a network does not take.

    Parameters
    ----------
    array : array
        Of uint8 or floats.
    shape : tuple of int
        Of one image of the network.
    layout : {"nchw", "nhwc", None}

    Examples
    --------
    >>> about_shape(np.zeros((5, 3, 8, 8), np.uint8), (3, 8, 8), None)
    "images of shape ... do not fit this network, ...: their channels are first; say layout='nchw'"
    """
    c, h, w = (*shape, 1, 1)[:3]
    given = array.shape
    if (h, w) == (1, 1) and array.ndim <= 2 and len(shape) != 2:
        return (
            f"this network takes rows of features, of shape (N, {c}) or, for one row, ({c},), but the shape is {given}"
        )
    if len(shape) < 3 and array.ndim < 4:
        return (
            f"this network takes images of shape {spell(shape, 'N')} or, for one image, "
            f"{spell(shape)}, but the shape is {given}"
        )
    if given == (0,):
        return f"there are no images: the list is empty; an array without any has the shape {spell((h, w, c), '0')}"
    if layout is None and array.dtype != np.uint8 and c > 1:
        return f"floats of shape {given} may be stored channels first or last: say layout='nchw' or layout='nhwc'"
    stored = (c, h, w) if layout == "nchw" else (h, w, c)
    hint = _hint(array, stored, layout)
    if array.ndim != 4:
        one = spell(stored)
        return f"images must have the shape {spell(stored, 'N')} or, for one image, {one}, but it is {given}{hint}"
    return (
        f"images of shape {given} in layout {quoted(layout or 'nhwc')} do not fit this network, which takes "
        f"{spell(stored, 'N')}{hint or '; resize pictures with cnnfast.read_picture(path, net.preprocess)'}"
    )


def _hint(array: Array, stored: tuple[int, ...], layout: str | None) -> str:
    """Return what makes images fit that look like pictures; "" of anything else."""
    is_few = array.ndim in (3, 4)
    if is_few and layout == "nchw" and array.shape[-3:] == (*stored[1:], stored[0]):
        return ": their channels are last; say layout='nhwc'"
    if is_few and layout != "nchw" and array.shape[-3:] == (stored[2], *stored[:2]):
        return ": their channels are first; say layout='nchw'"
    if array.dtype != np.uint8 or layout == "nchw" or stored[2] not in (1, 3):
        return ""
    if is_few and array.shape[-1] == ALPHA:
        return (
            ": there is an alpha channel. net.classify(images) lays such pictures over the background of the "
            "preprocessing, and images[..., :3] leaves the alpha out"
        )
    if array.ndim == 2 or (is_few and array.shape[-1] in (1, 3)):
        return "; resize pictures with net.classify(images), or with cnnfast.fit_images(images, net.preprocess)"
    return ""


def spell(sizes: tuple[int, ...], *before: str) -> str:
    """Return a shape as a message shows it.

    Examples
    --------
    >>> spell((3, 8, 8), "N"), spell((5,))
    ('(N, 3, 8, 8)', '(5,)')
    """
    named = [*before, *map(str, sizes)]
    return f"({', '.join(named)}{',' if len(named) == 1 else ''})"
