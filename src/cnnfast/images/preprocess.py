"""How pictures become the numbers a network was trained on.

A `Preprocess` is the whole rule: the size, the order of the channels, how a picture of another size is fitted, and the
affine map from a byte to a value. It is stored in the model file, so that it need not be remembered.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError, InputError
from cnnfast.images import fields
from cnnfast.runtime.arguments import instance, quoted, shape_of

if TYPE_CHECKING:
    import numpy.typing as npt

Array = np.ndarray[Any, Any]

CHANNELS = {"rgb": 3, "bgr": 3, "gray": 1}
"""Orders of the channels, and how many there are."""

RESIZES = ("stretch", "crop", "pad")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "box", "lanczos")

DECODES = ("reduced", "full")
UNSTATED_DECODE = "full"
"""How pictures are decoded for a network whose file is older than that field."""

MODES: dict[str, dict[str, Any]] = {
    "raw": dict(scale=1.0),
    "1/255": dict(scale=1 / 255),
    "tf": dict(scale=1 / 127.5, mean=(1.0,)),
    "torch": dict(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "caffe": dict(scale=1.0, channels="bgr", mean=(103.939, 116.779, 123.68)),
}
"""Usual rules by name: bytes as they are, 0 to 1, and what ``preprocess_input`` of keras.applications does."""

UNSAID = (
    "does not say how a picture becomes its input, so say it: "
    'preprocess="raw" (0 to 255), preprocess="1/255" (0 to 1), preprocess="tf" (-1 to 1), '
    "or preprocess=cnnfast.Preprocess(...); on the command line --preprocess raw, 1/255 or tf"
)
"""About a network without preprocessing; a wrong guess would be believed, so none is made."""


@frozen
class Preprocess:
    """Turn bytes into the values a network expects: ``value = (byte * scale - mean) / std``, per channel.

    Attributes
    ----------
    size : tuple of int
        (H, W) of the network's input, in pixels; a square too needs both.
    channels : {"rgb", "bgr", "gray"}
        Order of the channels; C is 3 or 1.
    resize : {"stretch", "crop", "pad"}
        How a picture of another size is fitted: both sides scaled on their own, the short side scaled and the center
        cut out, or the long side scaled and the rest filled with the background.
    interpolation : {"nearest", "bilinear", "bicubic", "box", "lanczos"}
        Filter of the resizing; all but "nearest" average over the pixels they skip when they reduce.
    scale : float
        Factor applied to each byte.
    mean, std : tuple of float
        One value per channel, in the order of ``channels``; a single value is repeated.
    background : tuple of int
        Red, green and blue, 0 to 255, behind transparent pixels and around padded pictures.
    decode : {"reduced", "full"}
        Whether a JPEG is decoded at a half, a quarter or an eighth of its size where that is still at least 4 times the
        size that it is fitted to, and without its colors for "gray"; or in full. Not with "nearest", and of no concern
        to other formats; ``docs/pictures.md`` has the differences.
    crop_pct : float
        The part of that center which is kept, above 0 to 1, for "crop": 224 / 256 where others scale the short side to
        256 pixels and cut 224 of them out.

    Raises
    ------
    ConfigError
        For a value of the wrong type or outside of its range.

    Examples
    --------
    >>> import numpy as np
    >>> p = Preprocess(size=(2, 2), channels="gray", mean=(0.5,), std=(0.5,))
    >>> p(np.full((1, 2, 2, 1), 255, np.uint8)).ravel()
    array([1., 1., 1., 1.], dtype=float32)
    """

    size: tuple[int, int]
    channels: str = "rgb"
    resize: str = "stretch"
    interpolation: str = "bilinear"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    background: tuple[int, int, int] = (255, 255, 255)
    decode: str = "reduced"
    crop_pct: float = 1.0

    def __post_init__(self) -> None:
        self._set("size", fields.size(self.size))
        fields.one_of("channels", self.channels, tuple(CHANNELS))
        fields.one_of("resize", self.resize, RESIZES)
        fields.one_of("interpolation", self.interpolation, INTERPOLATIONS)
        self._set("scale", fields.number("scale", self.scale))
        self._set("mean", fields.per_channel("mean", self.mean, self.channel_count))
        self._set("std", fields.per_channel("std", self.std, self.channel_count))
        self._set("background", fields.color(self.background))
        fields.one_of("decode", self.decode, DECODES)
        self._set("crop_pct", fields.number("crop_pct", self.crop_pct))
        self._check_crop()
        self._check_affine()

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_crop(self) -> None:
        if not 0 < self.crop_pct <= 1:
            raise ConfigError(f"crop_pct of the preprocessing must be above 0 and at most 1, but is {self.crop_pct}")
        if self.crop_pct != 1 and self.resize != "crop":
            raise ConfigError(f'crop_pct is for resize="crop", but resize of the preprocessing is {self.resize!r}')

    def _check_affine(self) -> None:
        if self.scale == 0:
            raise ConfigError(
                "scale of the preprocessing is 0, which makes every picture alike; the usual one is 1/255"
            )
        if min(self.std) <= 0:
            raise ConfigError(f"std of the preprocessing must be above 0 in every channel, but is {self.std}")
        factor, shift = self.affine()
        if not (np.isfinite(factor).all() and np.isfinite(shift).all() and factor.all()):
            raise ConfigError(
                f"scale {self.scale}, mean {self.mean} and std {self.std} of the preprocessing give the factors "
                f"{factor.tolist()} and shifts {shift.tolist()}, which float32 cannot hold"
            )

    @property
    def channel_count(self) -> int:
        """C, the number of channels: 3 or 1."""
        return CHANNELS[self.channels]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of one image as the network takes it."""
        return (self.channel_count, *self.size)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether pictures can be given to a network that takes images of this shape.

        They can if it is the `shape` of the pictures. Gray pictures also fit if only axes of size 1 differ, or if the
        network takes all rows of pixels as one. For colored pictures it would be unknown whether such a row holds
        the colors of each pixel next to each other.

        Examples
        --------
        >>> gray = Preprocess(size=(28, 28), channels="gray")
        >>> [gray.fits(shape) for shape in ((1, 28, 28), (28, 28), (784,), (784, 1), (28, 14, 2))]
        [True, True, True, True, False]
        """
        shape = shape_of("the shape of an input", shape)
        if shape == self.shape:
            return True
        wide = [side for side in shape if side > 1]
        sides = [side for side in self.size if side > 1]
        return self.channel_count == 1 and wide in (sides, [side for side in (math.prod(sides),) if side > 1])

    def value_range(self) -> tuple[float, float]:
        """Return the least and the largest value that a picture can become, over all channels.

        Examples
        --------
        >>> Preprocess(size=(8, 8), mean=(0.5,), std=(0.5,)).value_range()
        (-1.0, 1.0)
        """
        factor, shift = self.affine()
        ends = np.concatenate([shift, np.float32(255) * factor + shift])
        return float(ends.min()), float(ends.max())

    def affine(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return the map as ``value = byte * factor + shift``, computed in float64 and rounded once.

        Returns
        -------
        factor, shift : float32 arrays of shape (C,)

        Examples
        --------
        >>> Preprocess(size=(8, 8), channels="gray", scale=1.0, mean=(2,), std=(4,)).affine()
        (array([0.25], dtype=float32), array([-0.5], dtype=float32))
        """
        std = np.array(self.std, np.float64)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            factor = (self.scale / std).astype(np.float32)
            shift = (0.0 - np.array(self.mean, np.float64) / std).astype(np.float32)
        return factor, shift

    def __call__(self, images: Array, dtype: npt.DTypeLike = np.float32) -> Array:
        """Compute the network's input from images that already have its size.

        Parameters
        ----------
        images : uint8 array of shape (N, H, W, C)
        dtype : float32 or float64
            float32 applies `affine`, as the kernels do; float64 computes the formula itself, for the oracle.

        Returns
        -------
        array of ``dtype`` and shape (N, C, H, W), contiguous

        Raises
        ------
        InputError
            For another dtype or shape.

        Examples
        --------
        >>> import numpy as np
        >>> Preprocess(size=(4, 6))(np.zeros((2, 4, 6, 3), np.uint8)).shape
        (2, 3, 4, 6)
        """
        instance("images", images, np.ndarray, "a batch of pixels", InputError)
        if dtype.__hash__ is None or dtype not in (np.float32, np.float64, "float32", "float64"):
            raise ConfigError(f"the dtype must be numpy.float32 or numpy.float64, but is {quoted(dtype)}")
        self._check_images(images)
        planar = images.transpose(0, 3, 1, 2)
        if np.dtype(dtype) == np.float64:
            mean, std = (np.array(v, np.float64)[:, None, None] for v in (self.mean, self.std))
            return np.ascontiguousarray((planar.astype(np.float64) * self.scale - mean) / std)
        factor, shift = self.affine()
        return np.ascontiguousarray(planar.astype(np.float32) * factor[:, None, None] + shift[:, None, None])

    def _check_images(self, images: Array) -> None:
        wanted = (*self.size, self.channel_count)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != wanted:
            raise InputError(
                f"the preprocessing takes uint8 images of shape (N, {', '.join(map(str, wanted))}), "
                f"but got {images.dtype} of shape {images.shape}; fit other sizes with cnnfast.fit_images"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the rule as values that JSON can hold; `from_dict` reads it back.

        ``crop_pct`` is left out where it is 1: files that do not need it are as they were before there was one.

        Examples
        --------
        >>> p = Preprocess(size=(32, 32))
        >>> Preprocess.from_dict(p.to_dict()) == p
        True
        """
        values = {key: list(v) if isinstance(v, tuple) else v for key, v in dataclasses.asdict(self).items()}
        if self.crop_pct == 1:
            del values["crop_pct"]
        return values

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Preprocess:
        """Build the rule from what `to_dict` gave; everything in it is checked, because it may come from a file.

        Where ``decode`` is missing, the rule is older than that field, and pictures are decoded in full.

        Raises
        ------
        ConfigError
            For an unknown or missing key, a wrong type, or a value out of range.

        Examples
        --------
        >>> Preprocess.from_dict({"size": [28, 28], "channels": "gray"}).shape
        (1, 28, 28)
        """
        if not isinstance(mapping, Mapping):
            raise ConfigError(f"the preprocessing must be a mapping, but is a {type(mapping).__name__}")
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = [key for key in mapping if key not in known]
        if unknown:
            raise ConfigError(f"the preprocessing has the unknown key {unknown[0]!r}; known: {', '.join(known)}")
        if "size" not in mapping:
            raise ConfigError("the preprocessing lacks the key 'size'; it is the (H, W) of the network's input")
        return cls(**{"decode": UNSTATED_DECODE, **mapping})


def rule_of(preprocess: Preprocess | str | None, shape: tuple[int, ...]) -> Preprocess | None:
    """Return a rule that is passed as it is, or by its name in `MODES` for images of a shape.

    Parameters
    ----------
    preprocess : Preprocess or str or None
    shape : (C, H, W) or (H, W)
        What the network takes.

    Raises
    ------
    ConfigError
        For an unknown name, or one that does not fit the shape.

    Examples
    --------
    >>> import numpy as np
    >>> rule_of("tf", (1, 1, 2))(np.array([[[[0], [255]]]], np.uint8)).ravel()
    array([-1.,  1.], dtype=float32)
    """
    if preprocess is None or isinstance(preprocess, Preprocess):
        return preprocess
    check_preprocess(preprocess)
    mode = MODES[preprocess]
    channels, *size = shape if len(shape) == 3 else (1, *shape)
    if len(size) != 2 or channels not in (1, 3):
        is_turned = len(shape) == 3 and shape[2] in (1, 3)
        raise ConfigError(
            f"preprocess={preprocess!r} needs images of 1 or 3 channels, but the input is {tuple(shape)}; "
            + (
                'if the file has its channels last, load it with input_layout="nhwc"'
                if is_turned
                else "give a cnnfast.Preprocess with the size of the pictures"
            )
        )
    if channels == 1 and preprocess in ("torch", "caffe"):
        raise ConfigError(f"preprocess={preprocess!r} needs an input of 3 channels, but it is {tuple(shape)}")
    return Preprocess(size=(size[0], size[1]), **({"channels": "gray" if channels == 1 else "rgb"} | mode))


def check_preprocess(preprocess: object) -> None:
    """Raise `ConfigError` unless it is a rule, the name of one of `MODES`, or None."""
    is_name = isinstance(preprocess, str) and preprocess in MODES
    if not (preprocess is None or isinstance(preprocess, Preprocess) or is_name):
        raise ConfigError(f"preprocess must be a Preprocess or one of {', '.join(MODES)}, but is {quoted(preprocess)}")
