"""Turns what a user passes as images into a view (N, C, H, W) of uint8 or float32, or says why it cannot."""

from __future__ import annotations

import math

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import InputError
from cnnfast.images.preprocess import Preprocess
from cnnfast.ops import Array
from cnnfast.runtime.arguments import quoted

LAYOUTS = ("nchw", "nhwc")
NAN_POLICIES = ("raise", "propagate")
OUTLIER_POLICIES = ("raise", "accept")
FLOATS = ("float32", "float64", "float16")

FINITE = 1
"""What an `Entry` is to refuse floats for: values that are not finite …"""
NEAR = 2
"""… and values outside of `Rules.bounds`."""

FAR = 8
"""Floats are refused that lie outside of what a picture can become by more than so many times the range of that."""

_Chw = tuple[int, int, int]


@frozen
class Rules:
    """What a network takes.

    Attributes
    ----------
    shape : tuple of int
        Of one image: (C, H, W), or fewer axes.
    picture : (C, H, W), optional
        Of a picture, where pictures are taken.
    bounds : (float, float), optional
        Between which floats must lie, unless they are accepted as they are.
    """

    shape: tuple[int, ...]
    picture: _Chw | None = None
    bounds: tuple[float, float] | None = None

    @property
    def chw(self) -> _Chw:
        """The shape of one image with axes of size 1 behind those that it has."""
        c, h, w = (*self.shape, 1, 1)[:3]
        return c, h, w


def rules_of(shape: tuple[int, ...], preprocess: Preprocess | None) -> Rules:
    """Return the rules of a network.

    Examples
    --------
    >>> rules_of((784,), Preprocess(size=(28, 28), channels="gray")).bounds
    (-8.0, 9.0)
    """
    if preprocess is None:
        return Rules(shape)
    low, high = preprocess.value_range()
    margin = FAR * (high - low)
    return Rules(shape, preprocess.shape, (low - margin, high + margin))


def as_images(images: object, rules: Rules, layout: str | None) -> Array:
    """Return images as a view of shape (N, C, H, W); only gray pictures for a network that takes rows may be copied.

    Parameters
    ----------
    images : array-like
        uint8, or float16, float32 or float64: a batch of rank 4, or one image of rank 3. Where C is 1 the channel axis
        may be missing. Where an image has fewer axes, a batch has the shape (N, ...) and one image its own.
    rules : Rules
    layout : {"nchw", "nhwc", None}
        None means ``nhwc`` for uint8, which is how pictures are stored; floats must state theirs.

    Raises
    ------
    InputError
        For another type, rank, size or layout.
    """
    array = _as_array(images)
    if not isinstance(layout, str | None) or layout not in (None, *LAYOUTS):
        raise InputError(f"layout must be one of {', '.join(map(repr, LAYOUTS))} or None, but is {quoted(layout)}")
    c, h, w = rules.chw
    if array.dtype != np.uint8 and array.dtype.name not in FLOATS:
        raise InputError(
            f"images must be uint8 pixels or floats, but their dtype is {array.dtype}; "
            "convert pixels with .astype('uint8'), or preprocessed values with .astype('float32')"
        )
    if (batch := _as_stated(array, rules)) is not None:
        return batch
    if (h, w) == (1, 1) and array.ndim <= 2 and len(rules.shape) != 2:
        raise InputError(
            f"this network takes rows of features, of shape (N, {c}) or, for one row, ({c},), "
            f"but the shape is {array.shape}"
        )
    if len(rules.shape) < 3 and array.ndim < 4:
        raise InputError(
            f"this network takes images of shape {_spell(rules.shape, 'N')} or, for one image, "
            f"{_spell(rules.shape)}, but the shape is {array.shape}"
        )
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
            f"images of shape {array.shape} in layout {quoted(layout)} do not fit this network, which takes "
            f"{_spell(_stored((c, h, w), layout), 'N')}; resize pictures with "
            "cnnfast.read_picture(path, net.preprocess)"
        )
    return batch


def _as_stated(array: Array, rules: Rules) -> Array | None:
    """Return images that have the network's own few axes, or are gray pictures of as many pixels; else None."""
    c, h, w = rules.chw
    for own in (rules.shape, (c,)):
        if len(own) < 3 and math.prod(own) == c * h * w and own in (array.shape, array.shape[1:]):
            return array.reshape(1 if array.shape == own else len(array), c, h, w)
    if rules.picture is None or rules.picture == rules.chw:
        return None
    _, height, width = rules.picture
    one = ((height, width), (height, width, 1), (1, height, width))
    if array.shape in one:
        return array.reshape(1, c, h, w)
    return array.reshape(len(array), c, h, w) if array.ndim > 1 and array.shape[1:] in one else None


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
    stored = _stored(shape, layout)
    raise InputError(
        f"images must have the shape {_spell(stored, 'N')} or, for one image, {_spell(stored)}, but it is {array.shape}"
    )


def _stored(shape: _Chw, layout: str) -> _Chw:
    c, h, w = shape
    return (h, w, c) if layout == "nhwc" else shape


def _spell(sizes: tuple[int, ...], *before: str) -> str:
    named = [*before, *map(str, sizes)]
    return f"({', '.join(named)}{',' if len(named) == 1 else ''})"


def as_kernel_input(part: Array, first: int, nan_policy: str, bounds: tuple[float, float] | None) -> Array:
    """Return a part of the images as the kernels read it: uint8, or float32, aligned and of native byte order.

    Parameters
    ----------
    part : array (N, C, H, W)
    first : int
        The number of the first image of the part.
    nan_policy : {"raise", "propagate"}
    bounds : (float, float), optional
        See `Rules`.

    Raises
    ------
    InputError
        If a value is not finite and ``nan_policy`` is "raise", or lies outside of ``bounds``.
    """
    if part.dtype == np.uint8:
        return part
    with np.errstate(over="ignore"):
        part = np.require(part.astype(np.float32, copy=False), requirements="A")
    if nan_policy == "raise" and not (finite := np.isfinite(part)).all():
        raise InputError(f"{_place(part, first, ~finite)}; values must be finite, or say nan_policy='propagate'")
    if bounds is not None:
        low, high = (np.float32(bound) for bound in bounds)
        with np.errstate(invalid="ignore"):
            far = ((part < low) | (part > high)) & np.isfinite(part)
        if far.any():
            raise InputError(_about_far(part, first, far, bounds))
    return part


def _place(part: Array, first: int, odd: Array) -> str:
    n, c, y, x = (int(i) for i in np.argwhere(odd)[0])
    return f"image {first + n} has the value {part[n, c, y, x]} at channel {c}, row {y}, column {x}"


def _about_far(part: Array, first: int, far: Array, bounds: tuple[float, float]) -> str:
    low, high = bounds
    margin = (high - low) / (2 * FAR + 1) * FAR
    return (
        f"{_place(part, first, far)}, but this network's preprocessing turns pictures into values from "
        f"{low + margin:.4g} to {high - margin:.4g}. Give pixels of 0 to 255 as uint8 (.astype('uint8')), which it "
        "preprocesses, or floats that are preprocessed as net.preprocess says, or say outliers='accept'"
    )


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


def check_policies(nan_policy: object, outliers: object) -> None:
    """Raise `InputError` unless ``nan_policy`` and ``outliers`` are policies."""
    for name, value, known in (("nan_policy", nan_policy, NAN_POLICIES), ("outliers", outliers, OUTLIER_POLICIES)):
        if not isinstance(value, str) or value not in known:
            raise InputError(f"{name} must be one of {', '.join(map(repr, known))}, but is {quoted(value)}")
