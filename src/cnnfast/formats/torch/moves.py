"""What moves elements and computes nothing: reshapes, permutations, slices, joins, borders, enlargement."""

from __future__ import annotations

from collections.abc import Sequence

from cnnfast.errors import UnsupportedError
from cnnfast.formats.torch.builder import TorchGraph, image_axis, need_constant, need_images
from cnnfast.formats.torch.elementwise import binary
from cnnfast.formats.torch.export import filled
from cnnfast.formats.torch.table import aten
from cnnfast.formats.torch.values import Behind, TorchConstant, TorchImages
from cnnfast.ops import Add, Array, Concat, Flatten, Mul, Pad, Reshape, Resize, Shape, Sigmoid, Slice

Sizes = Sequence[int]


@aten("alias", "clone", "detach", "_to_copy", "type_as", "dropout")
def identity(b: TorchGraph, **arguments: object) -> object:
    """Return the input: copies, and what only training changes."""
    if arguments.get("train"):
        raise UnsupportedError("it drops elements at random although the module is in evaluation mode")
    kind = str(arguments.get("dtype"))
    if kind not in ("None", "torch.float32", "torch.float64"):
        raise UnsupportedError(f"it makes {kind} of the values; cnnfast computes in float32 throughout")
    return next(iter(arguments.values()))


@aten("view", "_unsafe_view", "squeeze", "unsqueeze")
def reshape(b: TorchGraph, self: object, **how: object) -> TorchImages:
    """Give each image another shape with its elements in the same order."""
    x, (target,) = need_images(self), b.shapes
    if target == x.shape:
        return x
    return b.emit(Flatten() if len(target) == 1 else Reshape(target), x)


@aten("permute")
def permute(b: TorchGraph, self: object, dims: Sizes) -> TorchImages | Behind:
    """``torch.permute``."""
    return _reordered(b, self, dims)


@aten("transpose")
def transpose(b: TorchGraph, self: object, dim0: int, dim1: int) -> TorchImages | Behind:
    """``torch.transpose``."""
    rank = len(_inner(self).shape) + 1
    dims = list(range(rank))
    dims[dim0 % rank], dims[dim1 % rank] = dims[dim1 % rank], dims[dim0 % rank]
    return _reordered(b, self, dims)


@aten("t")
def turned(b: TorchGraph, self: object) -> TorchImages | Behind:
    """Return a matrix with its axes exchanged; the images are one of them."""
    return _reordered(b, self, range(len(_inner(self).shape), -1, -1))


def _inner(value: object) -> TorchImages:
    return value.images if isinstance(value, Behind) else need_images(value)


def _place(value: object) -> int:
    """Return the axis that counts the images."""
    return value.at if isinstance(value, Behind) else 0


def _reordered(b: TorchGraph, value: object, order: Sizes) -> TorchImages | Behind:
    x, at = _inner(value), _place(value)
    seen = [axis % (len(x.shape) + 1) for axis in order]
    moved = b.permuted(x, [axis - (axis > at) for axis in seen if axis != at])
    return moved if seen.index(at) == 0 else Behind(moved, seen.index(at))


@aten("channel_shuffle")
def channel_shuffle(b: TorchGraph, self: object, groups: int) -> TorchImages:
    """``torch.nn.ChannelShuffle``: the groups are dealt out like cards."""
    x = need_images(self)
    c, h, w = x.shape
    return _dealt(b, x, (groups, c // groups, h * w), (1, 0, 2))


@aten("pixel_shuffle")
def pixel_shuffle(b: TorchGraph, self: object, upscale_factor: int) -> TorchImages:
    """``torch.nn.PixelShuffle``: channels become pixels."""
    x, r = need_images(self), upscale_factor
    c, h, w = x.shape
    return _dealt(b, x, (c // r**2, r, r, h, w), (0, 3, 1, 4, 2))


@aten("pixel_unshuffle")
def pixel_unshuffle(b: TorchGraph, self: object, downscale_factor: int) -> TorchImages:
    """``torch.nn.PixelUnshuffle``: pixels become channels."""
    x, r = need_images(self), downscale_factor
    c, h, w = x.shape
    return _dealt(b, x, (c, h // r, r, w // r, r), (0, 2, 4, 1, 3))


def _dealt(b: TorchGraph, x: TorchImages, apart: Shape, order: Sizes) -> TorchImages:
    """Take an image apart into more axes, permute those, and put it together again."""
    parts = b.permuted(b.emit(Reshape(apart), x), order)
    return b.emit(Reshape(b.shapes[0]), parts)


@aten("slice")
def slice_(b: TorchGraph, self: object, dim: int, start: int | None, end: int | None, step: int) -> TorchImages:
    """``x[:, start:end:step]`` along one axis."""
    x = need_images(self)
    if dim % (len(x.shape) + 1) == 0 and b.shapes[0] == x.shape and (start or 0) == 0 and step == 1:
        return x
    axis = image_axis(dim, len(x.shape))
    first, stop, step = slice(start, end, step).indices(x.shape[axis])
    return _cut(b, x, axis, first, len(range(first, stop, step)), step)


def _cut(b: TorchGraph, x: TorchImages, axis: int, first: int, count: int, step: int = 1) -> TorchImages:
    """Take elements along an axis."""
    if count == x.shape[axis]:
        return x
    starts, counts, steps = [0] * len(x.shape), list(x.shape), [1] * len(x.shape)
    starts[axis], counts[axis], steps[axis] = first, count, step
    return b.emit(Slice(tuple(starts), tuple(counts), tuple(steps)), x)


@aten("select")
def select(b: TorchGraph, self: object, dim: int, index: int) -> TorchImages | Behind:
    """``x[:, index]`` along one axis."""
    return _selected(b, self, dim, index)


@aten("unbind")
def unbind(b: TorchGraph, self: object, dim: int = 0) -> tuple[TorchImages | Behind, ...]:
    """``torch.unbind``: what ``q, k, v = …`` does."""
    x, at = _inner(self), _place(self)
    dim %= len(x.shape) + 1
    count = 0 if dim == at else x.shape[dim - (dim > at)]
    return tuple(_selected(b, self, dim, index) for index in range(count or 1))


def _selected(b: TorchGraph, value: object, dim: int, index: int) -> TorchImages | Behind:
    x, at = _inner(value), _place(value)
    dim %= len(x.shape) + 1
    if dim == at:
        raise UnsupportedError(f"it works along axis {dim}, which counts the images")
    axis = dim - (dim > at)
    one = _cut(b, x, axis, index % x.shape[axis], 1)
    y = b.emit(Reshape(x.shape[:axis] + x.shape[axis + 1 :]), one)
    at -= dim < at
    return y if at == 0 else Behind(y, at)


@aten("split", "split_with_sizes")
def split(b: TorchGraph, self: object, dim: int = 0, **how: object) -> tuple[TorchImages, ...]:
    """``torch.split`` and ``torch.chunk``; how large the parts are, PyTorch has worked out."""
    x = need_images(self)
    axis, first, parts = image_axis(dim, len(x.shape)), 0, []
    for shape in b.shapes:
        parts.append(_cut(b, x, axis, first, shape[axis]))
        first += shape[axis]
    return tuple(parts)


@aten("glu")
def glu(b: TorchGraph, self: object, dim: int = -1) -> TorchImages:
    """``torch.nn.GLU``: the first half times the sigmoid of the second; Dauphin et al., 2017."""
    x = need_images(self)
    axis = image_axis(dim, len(x.shape))
    half = x.shape[axis] // 2
    return binary(b, Mul(), _cut(b, x, axis, 0, half), b.emit(Sigmoid(), _cut(b, x, axis, half, half)))


@aten("flip")
def flip(b: TorchGraph, self: object, dims: Sizes) -> TorchImages:
    """``torch.flip``."""
    x = need_images(self)
    axes = [image_axis(dim, len(x.shape)) for dim in dims]
    starts = tuple(size - 1 if axis in axes else 0 for axis, size in enumerate(x.shape))
    return b.emit(Slice(starts, x.shape, tuple(-1 if axis in axes else 1 for axis in range(len(x.shape)))), x)


@aten("cat")
def cat(b: TorchGraph, tensors: Sequence[object], dim: int = 0) -> TorchImages:
    """``torch.cat``."""
    images = [value for value in tensors if isinstance(value, TorchImages)]
    rank = len(images[0].shape)
    operands = [v if isinstance(v, TorchImages) else _constant(v, rank) for v in tensors]
    return b.emit(Concat(image_axis(dim, rank) + 1), *operands)


def _constant(value: object, rank: int) -> Array:
    return need_constant(value, "operand").of_one_image(rank)


@aten("zeros_like", "new_zeros")
def zeros_like(b: TorchGraph, **how: object) -> TorchConstant:
    """Return zeros, of the shape that PyTorch has worked out."""
    return filled(b.shapes[0], 0.0)


@aten("ones_like", "new_ones")
def ones_like(b: TorchGraph, **how: object) -> TorchConstant:
    """Return ones."""
    return filled(b.shapes[0], 1.0)


@aten("stack")
def stack(b: TorchGraph, tensors: Sequence[object], dim: int = 0) -> TorchImages:
    """``torch.stack``."""
    axis = image_axis(dim, len(b.shapes[0]))
    values = [need_images(value) for value in tensors]
    shape: Shape = (*values[0].shape[:axis], 1, *values[0].shape[axis:])
    return b.emit(Concat(axis + 1), *(b.emit(Reshape(shape), value) for value in values))


@aten("expand")
def expand(b: TorchGraph, self: object, size: Sizes, implicit: bool = False) -> TorchImages:
    """``torch.Tensor.expand``: repeat along axes of size 1."""
    x, (target,) = need_images(self), b.shapes
    if target == x.shape:
        return x
    if len(target) != len(x.shape):
        raise UnsupportedError(f"it makes {target} of {x.shape}, with other axes")
    return binary(b, Add(), x, filled(target, 0.0))


MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@aten("pad")
def pad(b: TorchGraph, self: object, pad: Sizes, mode: str = "constant", value: float | None = 0) -> TorchImages:
    """``torch.nn.functional.pad``: the last axis comes first."""
    x = need_images(self)
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    pairs += [(0, 0)] * (3 - len(pairs))
    if len(x.shape) != 3 or any(pair != (0, 0) for pair in pairs[3:]):
        raise UnsupportedError(f"a border of {list(pad)} around {x.shape}; supported: around images (C, H, W)")
    # a negative border cuts
    for axis, (before, after) in zip((2, 1, 0), pairs, strict=False):
        first, end = max(-before, 0), x.shape[axis] - max(-after, 0)
        x = _cut(b, x, axis, first, end - first)
    (left, right), (top, bottom), channels = ((max(p[0], 0), max(p[1], 0)) for p in pairs[:3])
    if not any((left, right, top, bottom, *channels)):
        return x
    return b.emit(Pad((top, left, bottom, right), float(value or 0), MODES[mode], channels), x)


@aten("upsample_nearest2d")
def upsample_nearest2d(b: TorchGraph, **arguments: object) -> TorchImages:
    """``torch.nn.functional.interpolate`` in mode nearest."""
    height, width = _scales(arguments)
    op = Resize(b.shapes[0][1:], "nearest", "asymmetric", "floor", height, width)  # type: ignore[arg-type]
    return b.emit(op, need_images(_first(arguments)))


@aten("upsample_bilinear2d")
def upsample_bilinear2d(b: TorchGraph, **arguments: object) -> TorchImages:
    """``torch.nn.functional.interpolate`` in mode bilinear, without antialiasing."""
    return _interpolated(b, "linear", arguments)


@aten("upsample_bicubic2d")
def upsample_bicubic2d(b: TorchGraph, **arguments: object) -> TorchImages:
    """``torch.nn.functional.interpolate`` in mode bicubic, without antialiasing."""
    return _interpolated(b, "cubic", arguments)


def _interpolated(b: TorchGraph, mode: str, arguments: dict[str, object]) -> TorchImages:
    corners = bool(arguments.get("align_corners"))
    height, width = (0.0, 0.0) if corners else _scales(arguments)
    coordinates = "align_corners" if corners else "half_pixel"
    op = Resize(b.shapes[0][1:], mode, coordinates, scale_h=height, scale_w=width)  # type: ignore[arg-type]
    return b.emit(op, need_images(_first(arguments)))


def _first(arguments: dict[str, object]) -> object:
    return arguments.get("input", arguments.get("self"))


def _scales(arguments: dict[str, object]) -> tuple[float, float]:
    """Return the factors that the module states, in either of the forms of ATen; 0 where they follow from the sizes."""
    factors = arguments.get("scale_factors") or (arguments.get("scales_h"), arguments.get("scales_w"))
    height, width = (float(factor or 0) for factor in factors)  # type: ignore[attr-defined]
    return height, width
