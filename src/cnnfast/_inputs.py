"""Turns what a user passes as images into a view (N, C, H, W) of uint8 or float32, or says why it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.errors import InputError
from cnnfast.ops import Array

LAYOUTS = ("nchw", "nhwc")
NAN_POLICIES = ("raise", "propagate")
FLOATS = ("float32", "float64", "float16")


def as_images(images: object, shape: tuple[int, int, int], layout: str | None) -> Array:
    """Return images as a view of shape (N, C, H, W); nothing is copied.

    Parameters
    ----------
    images : array-like
        uint8, or float16, float32 or float64: a batch of rank 4, or one image of rank 3. Where C is 1 the channel axis
        may be missing; where H and W are 1 a batch may be of shape (N, C), and one row of shape (C,).
    shape : (C, H, W)
        What the network takes.
    layout : {"nchw", "nhwc", None}
        None means ``nhwc`` for uint8, which is how pictures are stored; floats must state theirs.

    Raises
    ------
    InputError
        For another type, rank, size or layout.
    """
    array = _as_array(images)
    if layout not in (None, *LAYOUTS):
        raise InputError(f"layout must be one of {', '.join(map(repr, LAYOUTS))} or None, but is {layout!r}")
    c, h, w = shape
    if array.dtype != np.uint8 and array.dtype.name not in FLOATS:
        raise InputError(
            f"images must be uint8 pixels or floats, but their dtype is {array.dtype}; "
            "convert pixels with .astype('uint8'), or preprocessed values with .astype('float32')"
        )
    if (h, w) == (1, 1) and array.ndim <= 2:
        return _rows_of_features(array, c)
    if layout is None:
        if array.dtype != np.uint8 and c > 1:
            raise InputError(
                f"floats of shape {array.shape} may be stored channels first or last: "
                "say layout='nchw' or layout='nhwc'"
            )
        layout = "nhwc"
    batch = _with_all_axes(array, (c, h, w), layout)
    if layout == "nhwc":
        batch = batch.transpose(0, 3, 1, 2)
    if batch.shape[1:] != (c, h, w):
        raise InputError(
            f"images of shape {array.shape} in layout {layout!r} do not fit this network, which takes "
            f"{_spell((c, h, w), layout)}; resize pictures with cnnfast.read_picture(path, net.preprocess)"
        )
    return batch


def _as_array(images: object) -> Array:
    """Return an object with the buffer, array or DLPack protocol as an array, without a copy."""
    if isinstance(images, np.ma.MaskedArray) and images.mask is not np.ma.nomask and np.any(images.mask):
        raise InputError("images are a masked array with masked pixels; fill them first, for example with .filled(0)")
    try:
        if isinstance(images, np.ndarray):
            return np.asarray(images)
        if hasattr(images, "__dlpack__") and not hasattr(images, "__array_interface__"):
            return np.from_dlpack(images)
        return np.asarray(images)
    except Exception as error:
        raise InputError(f"images cannot be read as an array: {type(images).__name__}: {error}") from error


def _rows_of_features(array: Array, features: int) -> Array:
    """Return an array of shape (N, features) or (features,) as images of one pixel."""
    if array.ndim == 0 or array.shape[-1] != features:
        raise InputError(
            f"this network takes rows of features, of shape (N, {features}) or, for one row, ({features},), "
            f"but the shape is {array.shape}"
        )
    return np.atleast_2d(array)[:, :, None, None]


def _with_all_axes(array: Array, shape: tuple[int, int, int], layout: str) -> Array:
    """Return an array of rank 4, adding the axis of the images or of a single channel where it is missing."""
    c, h, w = shape
    one = (h, w, c) if layout == "nhwc" else (c, h, w)
    channel_axis = -1 if layout == "nhwc" else -3
    if array.ndim == 4:
        return array
    if array.shape == one:
        return array[None]
    if c == 1 and array.ndim == 3 and array.shape[1:] == (h, w):
        return np.expand_dims(array, channel_axis)
    if c == 1 and array.shape == (h, w):
        return np.expand_dims(array[None], channel_axis)
    raise InputError(
        f"images must have the shape {_spell(shape, layout)} or, for one image, {_spell(shape, layout, one=True)}, "
        f"but it is {array.shape}"
    )


def _spell(shape: tuple[int, int, int], layout: str, one: bool = False) -> str:
    c, h, w = shape
    sizes = (h, w, c) if layout == "nhwc" else (c, h, w)
    return f"({'' if one else 'N, '}{', '.join(map(str, sizes))})"


def as_kernel_input(part: Array, first: int, nan: str) -> Array:
    """Return a part of the images as the kernels read it: uint8, or float32, aligned and of native byte order.

    Raises
    ------
    InputError
        If a value is not finite and ``nan`` is "raise"; ``first`` is the number of the first image of the part.
    """
    if part.dtype != np.uint8:
        with np.errstate(over="ignore"):
            part = np.require(part.astype(np.float32, copy=False), requirements="A")
        if nan == "raise" and not np.isfinite(part).all():
            n, c, y, x = (int(i) for i in np.argwhere(~np.isfinite(part))[0])
            raise InputError(
                f"image {first + n} has the value {part[n, c, y, x]} at channel {c}, row {y}, column {x}; "
                "values must be finite, or say nan='propagate'"
            )
    return part


def check_out(out: object, shape: tuple[int, ...]) -> Array:
    """Return ``out`` if a result of this shape can be written into it.

    Raises
    ------
    InputError
        For another type, dtype or shape, or memory that is read-only or not contiguous.
    """
    if not isinstance(out, np.ndarray):
        raise InputError(f"out must be a NumPy array, but is a {type(out).__name__}")
    if out.dtype != np.float32 or out.shape != shape:
        raise InputError(f"out must be float32 of shape {shape}, but is {out.dtype} of shape {out.shape}")
    if not out.flags.c_contiguous or not out.flags.writeable or not out.flags.aligned:
        raise InputError("out must be contiguous (C order), aligned and writeable; give a fresh np.empty")
    return out


def check_nan_policy(nan: Any) -> None:
    """Raise `InputError` unless ``nan`` is one of `NAN_POLICIES`."""
    if nan not in NAN_POLICIES:
        raise InputError(f"nan must be one of {', '.join(map(repr, NAN_POLICIES))}, but is {nan!r}")
