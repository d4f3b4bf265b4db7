"""A graph under construction for files that keep the channels last, as Keras and LiteRT do.

A reader has images as (H, W, C), and so has this graph, with transposes around every op that takes (C, H, W). What is
finished goes through the pass that pushes transposes to where they cancel, so hardly any is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from cnnfast import ops
from cnnfast._frozen import frozen
from cnnfast.errors import GraphError, UnsupportedError
from cnnfast.graph import Graph, GraphBuilder
from cnnfast.graph.ir import MAX_ELEMENTS
from cnnfast.graph.passes.push_transposes import pushed
from cnnfast.ops import Array, Op, Shape
from cnnfast.ops.reduce import simplest
from cnnfast.ops.reshape import same_padding

NONE: Mapping[str, Array] = MappingProxyType({})


@frozen
class Value:
    """A value of the graph, with its axes in the order of the file.

    Attributes
    ----------
    name : str
    shape : Shape
        Of one image.
    """

    name: str
    shape: Shape


def _with_bias(weight: Array, bias: Array | None) -> dict[str, Array]:
    return {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


class ImageGraph:
    """Collects nodes; each method appends one or a few and returns their result.

    Parameters
    ----------
    channels_last : bool
        Whether the file speaks of (H, W, C); otherwise of (C, H, W), as the graph does.

    Examples
    --------
    >>> from cnnfast.ops import GlobalAvgPool
    >>> images = ImageGraph()
    >>> x = images.input("x", (8, 8, 3))
    >>> y = images.conv("y", x, np.zeros((16, 3, 3, 3)), padding="same", stride=(2, 2))
    >>> y.shape, images.graph(y).shapes["y"]
    ((4, 4, 16), (16, 4, 4))
    """

    def __init__(self, channels_last: bool = True) -> None:
        self.channels_last = channels_last
        self._builder = GraphBuilder()
        self._first: dict[str, str] = {}
        """By the name of an image, the value that is the same with its channels first."""
        self.rows: dict[str, Shape] = {}
        """Once finished: by name the (C, H, W) of flattened images in this order, which are in H, W, C in the file."""
        self.as_in_file: frozenset[str] = frozenset()
        """Once finished: values of three axes that have them in the order of the file."""

    def input(self, name: str, shape: Shape) -> Value:
        """Declare the input of the graph; in the graph its channels come first."""
        if not 1 <= len(shape) <= 3:
            raise UnsupportedError(f"the input {name!r} has the shape {shape}; one image may have one to three axes")
        if min(shape) < 1 or math.prod(shape) > MAX_ELEMENTS:
            raise GraphError(
                f"the input {name!r} has the shape {shape}; every size must be a positive integer, "
                f"and the whole at most {MAX_ELEMENTS} elements"
            )
        moved = tuple(shape[axis] for axis in (2, 0, 1)) if self._is_moved(shape) else shape
        return self._as_in_file(self._builder.input(name, moved))

    def graph(self, output: Value) -> Graph:
        """Return the graph that computes a value; an image comes out with its channels first."""
        graph, views = pushed(self._builder.finish(self._channels_first(output)))
        self.rows = {name: view.volume for name, view in views.items() if view.volume is not None}
        moved = {*self._first.values(), *views}
        self.as_in_file = frozenset(n for n, shape in graph.shapes.items() if len(shape) == 3 and n not in moved)
        return graph

    def add(self, name: str, op: Op, x: Value, parameters: Mapping[str, Array] = NONE) -> Value:
        """Append an op that takes images as (C, H, W).

        Raises
        ------
        GraphError
            If the op does not fit its operand.
        """
        weights = {key: np.asarray(array, np.float32) for key, array in parameters.items()}
        source = self._channels_first(x)
        return self._as_in_file(self._builder.add(self._builder.fresh(name), op, source, parameters=weights))

    def _append(self, name: str, op: Op, *operands: Value | Array, parameters: Mapping[str, Array] = NONE) -> Value:
        """Append an op to values as they are."""
        name = self._builder.fresh(name)
        inputs = []
        for i, v in enumerate(operands):
            inputs.append(v.name if isinstance(v, Value) else self._constant(f"{name}.operand{i}", v))
        weights = {key: np.asarray(array, np.float32) for key, array in parameters.items()}
        self._builder.add(name, op, *inputs, parameters=weights)
        return Value(name, self._builder.shapes[name])

    def _constant(self, wanted: str, array: Array) -> str:
        # a number of a configuration keeps its digits
        wide = array.astype(np.promote_types(array.dtype, np.float32))
        return self._builder.constant(self._builder.fresh(wanted), wide)

    # Axes.

    def _is_moved(self, shape: Shape) -> bool:
        return self.channels_last and len(shape) == 3

    def _as_in_file(self, name: str) -> Value:
        """Return a value that has its channels first as the file has it."""
        shape = self._builder.shapes[name]
        if not self._is_moved(shape):
            return Value(name, shape)
        last = self._builder.add(self._builder.fresh(f"{name}/hwc"), ops.Transpose((0, 2, 3, 1)), name)
        self._first[last] = name
        return Value(last, self._builder.shapes[last])

    def _channels_first(self, x: Value) -> str:
        if not self._is_moved(x.shape):
            return x.name
        if x.name not in self._first:
            name = self._builder.fresh(f"{x.name}/chw")
            self._first[x.name] = self._builder.add(name, ops.Transpose((0, 3, 1, 2)), x.name)
        return self._first[x.name]

    def names_of(self, x: Value) -> tuple[str, ...]:
        """Return the names that a value has in the graph: in the order of the file, and with its channels first."""
        return tuple(dict.fromkeys((x.name, self._first.get(x.name, x.name))))

    def in_file(self, shape: Shape) -> Shape:
        """Return a shape (C, H, W) in the order of the file."""
        return (*shape[1:], shape[0]) if self._is_moved(shape) else shape

    def channel_axis(self, rank: int) -> int:
        """Return the axis of the channels of one image in the file."""
        return 0 if rank == 3 and not self.channels_last else rank - 1

    def size(self, x: Value) -> tuple[int, int]:
        """Return H and W."""
        if len(x.shape) != 3:
            raise GraphError(f"an image (H, W, C) is needed, but the value {x.name!r} has the shape {x.shape}")
        return (x.shape[0], x.shape[1]) if self.channels_last else (x.shape[1], x.shape[2])

    def with_channels(self, name: str, x: Value, axis: int, apply: Callable[[str, Value], Value]) -> Value:
        """Append what takes an axis of one image in the file for its channels, whatever the other layers take.

        ``apply`` gets a name, and the value with that axis where the file has channels; its result is moved back.
        """
        rank = len(x.shape)
        order = [other for other in range(rank) if other != axis]
        order.insert(self.channel_axis(rank), axis)
        if order == list(range(rank)):
            return apply(name, x)
        y = apply(name, self.transpose(f"{name}/channels", x, order))
        return y if len(y.shape) < rank else self.transpose(f"{name}/back", y, np.argsort(order).tolist())

    # Layers.

    def conv(
        self,
        name: str,
        x: Value,
        weight: Array,
        bias: Array | None = None,
        *,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: str = "valid",
        groups: int = 1,
    ) -> Value:
        """Append a convolution; the weight is (OC, C / groups, KH, KW), padding "same" or "valid"."""
        sides = self._sides(x, weight.shape[2:], stride, dilation, padding)
        return self.add(name, ops.Conv2d(stride, sides, dilation, groups), x, parameters=_with_bias(weight, bias))

    def _sides(
        self, x: Value, kernel: Sequence[int], stride: tuple[int, int], dilation: tuple[int, int], padding: str
    ) -> tuple[int, int, int, int]:
        if padding == "valid":
            return 0, 0, 0, 0
        height, width = self.size(x)
        top, bottom = same_padding(height, kernel[0], stride[0], dilation[0])
        left, right = same_padding(width, kernel[1], stride[1], dilation[1])
        return top, left, bottom, right

    def pool(
        self,
        name: str,
        kind: type[ops.MaxPool | ops.AvgPool],
        x: Value,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        padding: str,
    ) -> Value:
        """Append a pool; padding, "same" or "valid", counts in no mean."""
        return self.add(name, kind(kernel, stride, self._sides(x, kernel, stride, (1, 1), padding)), x)

    def dense(self, name: str, x: Value, weight: Array, bias: Array | None = None) -> Value:
        """Append a dense layer over the last axis; the weight is (O, F) with its columns in the order of the file."""
        rank = len(x.shape)
        if rank == 1:
            return self._append(name, ops.Linear(), x, parameters=_with_bias(weight, bias))
        if rank == 3:
            filters = weight[:, :, None, None]
            return self.with_channels(name, x, 2, lambda name, x: self.conv(name, x, filters, bias))
        image = self.reshape(f"{name}/image", x, (1, *x.shape))
        return self.reshape(name, self.dense(f"{name}/dense", image, weight, bias), (x.shape[0], len(weight)))

    def matmul(self, name: str, a: Value, b: Value) -> Value:
        """Append the product of two values over the last two axes of one image in the file, for each of the others."""
        rank = max(len(a.shape), len(b.shape))
        return self._append(name, ops.MatMul(), *(self._with_rank(name, v, rank) for v in (a, b)))

    def batch_norm(
        self, name: str, x: Value, scale: Array, shift: Array, mean: Array, var: Array, eps: float, axis: int = -1
    ) -> Value:
        """Append a batch-norm along an axis of one image in the file."""
        parameters = dict(scale=scale, shift=shift, mean=mean, var=var)
        axis %= len(x.shape)

        def append(name: str, x: Value) -> Value:
            return self.add(name, ops.BatchNorm(eps), x, parameters=parameters)

        if len(x.shape) == 2:
            image = self.reshape(f"{name}/image", x, (1, *x.shape))
            return self.reshape(name, self.with_channels(f"{name}/norm", image, axis + 1, append), x.shape)
        return self.with_channels(name, x, axis, append)

    def prelu(self, name: str, x: Value, slope: Array) -> Value:
        """Append ``x if x >= 0 else slope * x``; the slopes are in the order of the file and broadcast to the value.

        Which elements a slope belongs to follows from the shape of the slopes alone, never from how many there are.
        """
        rank = len(x.shape)
        shape = (1,) * (rank - slope.ndim) + slope.shape
        if len(shape) != rank or any(have not in (1, size) for have, size in zip(shape, x.shape, strict=True)):
            raise GraphError(f"slopes of shape {slope.shape} do not fit values of shape {x.shape}")
        channels = self.channel_axis(rank)
        if slope.size == 1 or (rank != 2 and slope.size == shape[channels] == x.shape[channels]):
            return self.add(name, ops.PRelu(), x, parameters={"slope": slope.reshape(-1)})
        below = self.pair(f"{name}/below", ops.Minimum(), x, np.zeros(1, np.float32))
        scaled = self.pair(f"{name}/scaled", ops.Mul(), below, slope)
        return self.pair(name, ops.Add(), self.each(f"{name}/above", ops.Relu(), x), scaled)

    def layer_norm(self, name: str, x: Value, scale: Array, shift: Array, axes: Sequence[int], eps: float) -> Value:
        """Append a layer-norm over axes of the file; scale and shift have the sizes of these axes."""
        kept = sorted(axes)
        op = ops.LayerNorm(tuple(axis + 1 for axis in kept), eps)
        return self._append(name, op, x, parameters=dict(scale=scale, shift=shift))

    # Functions of each element.

    def each(self, name: str, op: Op, x: Value) -> Value:
        """Append a function of one element, or anything else that keeps every element in its place."""
        return self._append(name, op, x)

    def pair(self, name: str, op: ops.Binary, a: Value | Array, b: Value | Array) -> Value:
        """Append a function of two values, or of a value and a constant in the order of the file, with broadcasting."""
        values = [v for v in (a, b) if isinstance(v, Value)]
        if not values:
            raise GraphError(f"{op.name} of two constants")
        rank = max(len(v.shape) for v in values)
        return self._append(name, op, *(self._with_rank(name, v, rank) for v in (a, b)))

    def _with_rank(self, name: str, v: Value | Array, rank: int) -> Value | Array:
        """Return an operand with as many axes as the others: those that it lacks come first, as sizes of 1."""
        if isinstance(v, Value):
            return (
                v
                if len(v.shape) == rank
                else self.reshape(f"{name}/{v.name}", v, (1,) * (rank - len(v.shape)) + v.shape)
            )
        if v.size == 1:
            return v.reshape(1)
        if v.ndim > rank:
            raise GraphError(f"a constant of shape {v.shape} cannot be broadcast to {rank} axes")
        return v.reshape((1,) * (rank - v.ndim) + v.shape)

    def affine(self, name: str, x: Value, factor: Array, offset: Array) -> Value:
        """Append ``x * factor + offset``, as far as it changes anything."""
        shifts = bool(np.any(offset))
        if np.any(factor != 1) or not shifts:
            x = self.pair(f"{name}/factor" if shifts else name, ops.Mul(), x, factor)
        return self.pair(name, ops.Add(), x, offset) if shifts else x

    def softmax(self, name: str, op: type[ops.Softmax | ops.LogSoftmax], x: Value, axis: int = -1) -> Value:
        """Append a softmax along an axis of one image in the file."""
        return self._append(name, op(axis % len(x.shape) + 1), x)

    # Shapes.

    def flatten(self, name: str, x: Value, first_last: bool = False) -> Value:
        """Append a flatten.

        ``first_last`` flattens as if the first axis of one image in the file came after the others.
        """
        if len(x.shape) == 1:
            return x
        if first_last:
            x = self.transpose(f"{name}/last", x, (*range(1, len(x.shape)), 0))
        return self._append(name, ops.Flatten(), x)

    def reshape(self, name: str, x: Value, target: Shape) -> Value:
        """Append a reshape of the elements in the order of the file."""
        if math.prod(target) != math.prod(x.shape) or not target or min(target) < 1:
            raise GraphError(f"{x.shape} cannot be reshaped to {target}")
        if len(target) == 1:
            return self.flatten(name, x)
        return x if x.shape == target else self._append(name, ops.Reshape(target), x)

    def transpose(self, name: str, x: Value, order: Sequence[int]) -> Value:
        """Append a transpose; ``order`` states which axis of one image in the file becomes each."""
        if list(order) == list(range(len(x.shape))):
            return x
        return self._append(name, ops.Transpose((0, *(axis + 1 for axis in order))), x)

    def concat(self, name: str, values: Sequence[Value], axis: int) -> Value:
        """Append a concatenation along an axis of one image in the file."""
        return values[0] if len(values) == 1 else self._append(name, ops.Concat(axis + 1), *values)

    def slice(self, name: str, x: Value, start: Sequence[int], count: Sequence[int], step: Sequence[int] = ()) -> Value:
        """Append a slice; start, count and step are for the axes of one image in the file."""
        step = tuple(step) or (1,) * len(x.shape)
        if tuple(count) == x.shape and set(step) == {1}:
            return x
        return self._append(name, ops.Slice(tuple(start), tuple(count), step), x)

    def crop(self, name: str, x: Value, top: int, left: int, height: int, width: int) -> Value:
        """Append a window of an image."""
        start, count = [0] * 3, list(x.shape)
        rows, columns = (axis for axis in range(3) if axis != self.channel_axis(3))
        start[rows], start[columns], count[rows], count[columns] = top, left, height, width
        return self.slice(name, x, start, count)

    def reduce(self, name: str, kind: type[ops.Reduce], x: Value, axes: Sequence[int], keep_dims: bool) -> Value:
        """Append a reduction over axes of one image in the file."""
        op = kind(tuple(sorted(axis + 1 for axis in axes)), keep_dims)
        return self._append(name, simplest(op, x.shape), x)
