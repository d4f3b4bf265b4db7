"""Other shapes for the same elements: Reshape, Flatten, Squeeze, Unsqueeze, Transpose, and the shape itself."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.operators.operator_list import operator
from cnnfast.formats.onnx.values import BATCHES, OnnxImages, Static
from cnnfast.ops import Add, Flatten, Identity, Reshape, Shape, Transpose


@operator("Shape", "Size")
def shape(call: NodeCall) -> Static:
    """Return the shape of images as a constant that depends on N."""
    x = call.images(0)
    pair = [np.array(x.in_file(n), np.int64) for n in BATCHES]
    if call.kind == "Size":
        return Static((pair[0].prod(), pair[1].prod()))
    part = slice(call.integer("start", 0), call.optional_integer("end"))
    return Static((pair[0][part], pair[1][part]))


@operator("Reshape")
def reshape(call: NodeCall) -> OnnxImages:
    """Give each image another shape; the images must stay apart."""
    x = call.images(0)
    if call.opset < 5:
        raise UnsupportedError("the shape as an attribute")
    targets, keep_zeros = call.stated(1), call.flag("allowzero")
    shapes = [_target(call, x, t, n, keep_zeros) for t, n in zip(targets, BATCHES, strict=True)]
    if shapes[0] != shapes[1]:
        raise UnsupportedError(f"the shape {targets[0][:16]} for 2 images mixes the images")
    target, is_joined = shapes[0]
    return replace(reshaped(call, x.apart, target), is_joined=is_joined)


def _target(call: NodeCall, x: OnnxImages, target: list[int], images: int, keep_zeros: bool) -> tuple[Shape, bool]:
    """Return the shape of one image that a target for N images means, and whether its first axis is joined with N."""
    if not all(size >= -1 for size in target) or target.count(-1) > 1 or len(target) > 16:
        raise ModelFileError(f"the shape {target} of Reshape is not valid")
    whole = [int(size) for size in x.in_file(images)]  # type: ignore[call-overload]
    if not keep_zeros:
        if any(size == 0 and i >= len(whole) for i, size in enumerate(target)):
            raise ModelFileError(f"the shape {target} of Reshape copies an axis that the input does not have")
        target = [whole[i] if size == 0 else size for i, size in enumerate(target)]
    elements = math.prod(x.shape)
    first, *rest = target or [0]
    known = math.prod(size for size in rest if size != -1)
    if first == -1 and known == elements:
        return tuple(rest), False
    if first in (images, call.batch) and rest:
        if -1 in rest and known and elements % known == 0:
            rest[rest.index(-1)] = elements // known
        if math.prod(rest) == elements:
            return tuple(rest), False
    heads = elements // known if known and elements % known == 0 and -1 not in rest else 0
    if heads > 1 and rest and first in (-1, images * heads, heads * (call.batch or 0)):
        return (heads, *rest), True
    raise UnsupportedError(f"the shape {target} for {images} images of shape {x.shape} mixes the images")


def reshaped(call: NodeCall, x: OnnxImages, target: Shape) -> OnnxImages:
    """Emit a reshape, by its simplest name."""
    if target == x.shape:
        return call.emit(Identity(), x)
    if len(target) == 1:
        return call.emit(Flatten(), x)
    if not target:
        raise UnsupportedError("it leaves a number for each image and no axis for it")
    return call.emit(Reshape(target), x)


@operator("Flatten")
def flatten(call: NodeCall) -> OnnxImages:
    """Lay each image out as one row."""
    x = call.images(0)
    axis = call.integer("axis", 1)
    axis += len(x.shape) + 1 if axis < 0 else 0
    if axis < 1 or math.prod(x.shape[: axis - 1]) != 1:
        raise UnsupportedError(f"axis {axis} mixes the images")
    return reshaped(call, x, (math.prod(x.shape),))


@operator("Squeeze")
def squeeze(call: NodeCall) -> OnnxImages:
    """Drop axes of size 1."""
    x = call.images(0)
    given = call.listed(1, "axes", 13, ())
    axes = {call.axis(axis, len(x.shape), x.at) for axis in given} if given else {
        i for i, size in enumerate(x.shape, 1) if size == 1
    }  # fmt: skip
    if any(x.shape[axis - 1] != 1 for axis in axes):
        raise ModelFileError(f"Squeeze cannot drop the axes {sorted(axes)} of images of shape {x.shape}")
    y = reshaped(call, x.in_front, tuple(size for i, size in enumerate(x.shape, 1) if i not in axes))
    return replace(y, at=x.at - sum(axis <= x.at for axis in axes))


@operator("Unsqueeze")
def unsqueeze(call: NodeCall) -> OnnxImages:
    """Insert axes of size 1."""
    x = call.images(0)
    given = call.listed(1, "axes", 13)
    rank = len(x.shape) + len(given)
    axes = {call.axis(axis, rank) for axis in given}
    if len(axes) != len(given) or rank > 16:
        raise ModelFileError(f"Unsqueeze cannot insert the axes {given}")
    sizes = iter(x.shape)
    return reshaped(call, x, tuple(1 if axis in axes else next(sizes) for axis in range(1, rank + 1)))


@operator("Transpose")
def transpose(call: NodeCall) -> OnnxImages:
    """Reorder the axes of each image."""
    x = call.images(0)
    axes = len(x.in_file("N"))
    order = call.integers("perm", range(axes - 1, -1, -1))
    if sorted(order) != list(range(axes)):
        raise ModelFileError(f"perm {order} of Transpose does not fit {axes} axes")
    if x.is_joined and order[0] == 0:
        return replace(call.emit(Transpose((0, *(axis + 1 for axis in order))), x.apart), is_joined=True)
    # the images are counted in front in the graph, wherever the file has them
    kept = [axis for axis in order if axis != x.at]
    inner = (0, *(call.axis(axis, len(x.shape), x.at) for axis in kept))
    return replace(call.emit(Transpose(inner), x.in_front), at=order.index(x.at))


@operator("Expand")
def expand(call: NodeCall) -> OnnxImages:
    """Repeat along axes of size 1."""
    x = call.images(0)
    shapes = []
    for sizes, n in zip(call.stated(1), BATCHES, strict=True):
        if len(sizes) > len(x.shape) + 1:
            raise UnsupportedError(f"the shape {sizes} puts axes in front of the images")
        if len(sizes) == len(x.shape) + 1 and sizes[0] not in (1, n, call.batch):
            raise UnsupportedError(f"the shape {sizes} repeats images")
        shapes.append(_joined(x.shape, tuple(sizes[-len(x.shape) :])))
    if shapes[0] != shapes[1]:
        raise UnsupportedError(f"images of shape {x.shape} as {shapes[0]} for two images, and {shapes[1]} for three")
    if shapes[0] == x.shape:
        return call.emit(Identity(), x)
    return replace(
        call.emit(Add(), x.real, call.fitted(np.zeros((), np.float32), shapes[0], "result")), integers=x.integers
    )


def _joined(own: Shape, target: Shape) -> Shape:
    """Return the shape of images that Expand makes: each size of 1 becomes what is stated."""
    target = (1,) * (len(own) - len(target)) + target
    if len(target) > len(own) or any(t < 1 or t != s != 1 != t for s, t in zip(own, target, strict=True)):
        raise ModelFileError(f"Expand cannot make {target} of images of shape {own}")
    return tuple(map(max, own, target))
