"""Turns what a user passes as images into a view (N, C, H, W) of uint8 or float32, or says why it cannot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import InputError
from cnnfast.images.misfits import CLASSIFY, about_shape, about_type
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
"""… and values outside of `InputRules.bounds`."""

FAR = 8
"""Floats are refused if they exceed the range that a picture can have by more than this many times that range."""

_Chw = tuple[int, int, int]

FindAxes = Callable[[tuple[int, ...], tuple[int, ...], str | None, bool], tuple[int, int, int, int, int] | None]
"""What `Entry.axes` is: shape, strides, layout and whether it is bytes, to N and the strides of N, C, H, W."""


@frozen
class InputRules:
    """What a network takes.

    Attributes
    ----------
    shape : tuple of int
        Of one image: (C, H, W), or fewer axes.
    picture : (C, H, W), optional
        Of a picture, where pictures are taken.
    bounds : (float, float), optional
        The range that floats must be in, unless they are accepted as they are.
    """

    shape: tuple[int, ...]
    picture: _Chw | None = None
    bounds: tuple[float, float] | None = None

    @property
    def chw(self) -> _Chw:
        """The shape of one image with axes of size 1 behind those that it has."""
        c, h, w = (*self.shape, 1, 1)[:3]
        return c, h, w


def rules_of(shape: tuple[int, ...], preprocess: Preprocess | None) -> InputRules:
    """Return the rules of a network.

    Examples
    --------
    >>> rules_of((784,), Preprocess(size=(28, 28), channels="gray")).bounds
    (-8.0, 9.0)
    """
    if preprocess is None:
        return InputRules(shape)
    low, high = preprocess.value_range()
    margin = FAR * (high - low)
    return InputRules(shape, preprocess.shape, (low - margin, high + margin))


def check_layout(layout: object) -> None:
    """Raise `InputError` unless this says how arrays are stored, or is None."""
    if not isinstance(layout, str | None) or layout not in (None, *LAYOUTS):
        raise InputError(f"layout must be one of {', '.join(map(repr, LAYOUTS))} or None, but is {quoted(layout)}")


def as_images(images: object, rules: InputRules, find_axes: FindAxes, layout: str | None) -> Array:
    """Return images as a view of shape (N, C, H, W); only gray pictures for a network that takes rows may be copied.

    The `Entry` decides which shapes are taken; this does the rest: kinds of arrays, a network's own few axes, and
    the errors for what does not fit.

    Parameters
    ----------
    images : array-like
        uint8, or float16, float32 or float64: a batch of rank 4, or one image of rank 3. Where C is 1 the channel axis
        may be missing. Where an image has fewer axes, a batch has the shape (N, ...) and one image its own.
    rules : InputRules
    find_axes : callable
        `Entry.axes`.
    layout : {"nchw", "nhwc", None}
        None means ``nhwc`` for uint8, which is how pictures are stored; floats must state theirs.

    Raises
    ------
    InputError
        For another type, rank, size or layout.
    """
    array = _as_array(images)
    check_layout(layout)
    if array.dtype != np.uint8 and array.dtype.name not in FLOATS:
        raise InputError(about_type(images, array))
    axes = find_axes(array.shape, array.strides, None if layout is None else str(layout), array.dtype == np.uint8)
    if axes is None:
        if (batch := _with_own_axes(array, rules)) is None:
            raise InputError(about_shape(array, rules.shape, layout))
        return batch
    count, *strides = axes
    return np.lib.stride_tricks.as_strided(array, (count, *rules.chw), strides, writeable=False)


def _with_own_axes(array: Array, rules: InputRules) -> Array | None:
    """Return images that have the network's own two axes, or are gray pictures of as many pixels; else None."""
    if len(rules.shape) == 2 and rules.shape in (array.shape, array.shape[1:]):
        return array.reshape(1 if array.shape == rules.shape else len(array), *rules.chw)
    if rules.picture is None or rules.picture == rules.chw:
        return None
    _, height, width = rules.picture
    one = ((height, width), (height, width, 1), (1, height, width))
    if array.shape in one:
        return array.reshape(1, *rules.chw)
    return array.reshape(len(array), *rules.chw) if array.ndim > 1 and array.shape[1:] in one else None


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
        hint = f"; {CLASSIFY}" if isinstance(images, list | tuple) else ""
        raise InputError(f"images cannot be read as an array: {type(images).__name__}: {error}{hint}") from error


def as_kernel_input(part: Array) -> Array:
    """Return a part of the images as an `Entry` reads it: uint8, or float32, aligned, contiguous, of native order."""
    if part.dtype == np.uint8:
        return part
    with np.errstate(over="ignore"):
        return np.require(part.astype(np.float32, copy=False), requirements=["C", "A"])


def about_values(part: Array, first: int, checks: int, bounds: tuple[float, float] | None) -> str:
    """Return why an `Entry` does not take the values of a part of the images.

    Parameters
    ----------
    part : float32 array (N, C, H, W)
    first : int
        The number of the first image of the part.
    checks : int
        What was checked: the sum of `FINITE` and `NEAR`.
    bounds : (float, float), optional
        See `InputRules`.
    """
    finite = np.isfinite(part)
    if bounds is None or (checks & FINITE and not finite.all()):
        return f"{_place(part, first, ~finite)}; values must be finite, or say nan_policy='propagate'"
    low, high = (np.float32(bound) for bound in bounds)
    with np.errstate(invalid="ignore"):
        return _about_far(part, first, ((part < low) | (part > high)) & finite, bounds)


def _place(part: Array, first: int, odd: Array) -> str:
    n, c, y, x = (int(i) for i in np.argwhere(odd)[0])
    return f"image {first + n} has the value {part[n, c, y, x]} at channel {c}, row {y}, column {x}"


def _about_far(part: Array, first: int, far: Array, bounds: tuple[float, float]) -> str:
    low, high = bounds
    margin = (high - low) / (2 * FAR + 1) * FAR
    return (
        f"{_place(part, first, far)}, but this network's preprocessing turns pictures into values from "
        f"{low + margin:.4g} to {high - margin:.4g}. Give pixels of 0 to 255 as uint8 (.astype('uint8')), which it "
        "preprocesses, or floats that are preprocessed as net.preprocess describes, or outliers='accept'"
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
