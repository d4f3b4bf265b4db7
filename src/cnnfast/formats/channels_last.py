"""A graph under construction for files that keep the channels last, as Keras and LiteRT do.

A reader speaks of images (H, W, C); the graph holds them as (C, H, W). Nothing is transposed at run time where that can
be avoided: a flattened image stays in the order C, H, W, and the weights of the dense layer behind it are reordered.
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
from cnnfast.ops import Array, Op, Shape
from cnnfast.ops.reduce import simplest
from cnnfast.ops.reshape import same_padding

NONE: Mapping[str, Array] = MappingProxyType({})


@frozen
class Value:
    """A value of the graph, as the file speaks of it.

    Attributes
    ----------
    name : str
    shape : Shape
        Of one image, with the axes in the order of the file.
    volume : Shape or None
        For an image flattened in the order H, W, C whose elements still lie in the order C, H, W: its shape (C, H, W).
    """

    name: str
    shape: Shape
    volume: Shape | None = None


def columns_to_chw(weight: Array, shape: Shape) -> Array:
    """Reorder the columns of a dense layer from the order H, W, C of its input volume to C, H, W.

    Examples
    --------
    >>> columns_to_chw(np.arange(4)[None], (2, 1, 2))
    array([[0, 2, 1, 3]])
    """
    if len(shape) == 1:
        return weight
    c, h, w = shape
    return np.ascontiguousarray(weight.reshape(-1, h, w, c).transpose(0, 3, 1, 2).reshape(-1, c * h * w))


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
        self._shapes = self._builder.shapes
        self._transposed: dict[str, tuple[Value, tuple[int, ...]]] = {}
        """What each transpose reads, and its axes without that of the images."""
        self.rows: dict[str, Shape] = {}
        """Flattened images whose elements are in another order than in the file, with their `Value.volume`."""

    def input(self, name: str, shape: Shape) -> Value:
        """Declare the input of the graph."""
        if not 1 <= len(shape) <= 3:
            raise UnsupportedError(f"the input {name!r} has the shape {shape}; one image may have one to three axes")
        if min(shape) < 1 or math.prod(shape) > MAX_ELEMENTS:
            raise GraphError(
                f"the input {name!r} has the shape {shape}; every size must be a positive integer, "
                f"and the whole at most {MAX_ELEMENTS} elements"
            )
        return Value(self._builder.input(name, self._moved(shape)), shape)

    def graph(self, output: Value) -> Graph:
        """Return the graph that computes a value."""
        return self._builder.finish(self.in_order(output).name)

    def add(
        self,
        name: str,
        op: Op,
        *operands: Value | Array,
        parameters: Mapping[str, Array] = NONE,
        volume: Shape | None = None,
    ) -> Value:
        """Append an op to values as the graph holds them.

        Raises
        ------
        GraphError
            If the op does not fit its operands.
        """
        name = self._builder.fresh(name)
        inputs = [
            v.name if isinstance(v, Value) else self._constant(f"{name}.operand{i}", v) for i, v in enumerate(operands)
        ]
        weights = {key: np.asarray(array, np.float32) for key, array in parameters.items()}
        self._builder.add(name, op, *inputs, parameters=weights)
        if volume is not None:
            self.rows[name] = volume
        return Value(name, self.in_file(self._shapes[name]), volume)

    def _constant(self, wanted: str, array: Array) -> str:
        # a number of a configuration keeps its digits
        wide = array.astype(np.promote_types(array.dtype, np.float32))
        return self._builder.constant(self._builder.fresh(wanted), wide)

    # Axes: where the graph keeps what the file speaks of.

    def _order(self, rank: int) -> tuple[int, ...]:
        """Return, for each axis of an image in the graph, the axis of the file."""
        return (2, 0, 1) if rank == 3 and self.channels_last else tuple(range(rank))

    def _moved(self, shape: Shape) -> Shape:
        return tuple(shape[axis] for axis in self._order(len(shape)))

    def in_file(self, shape: Shape) -> Shape:
        """Return a shape of the graph in the order of the file."""
        order = self._order(len(shape))
        return tuple(shape[order.index(axis)] for axis in range(len(shape)))

    def _axis(self, rank: int, axis: int) -> int:
        """Return an axis of the file as an op counts it, from N = 0."""
        return self._order(rank).index(axis) + 1

    def channel_axis(self, rank: int) -> int:
        """Return the axis of the channels of one image in the file."""
        return self._order(rank)[0] if rank == 3 else rank - 1

    def size(self, x: Value) -> tuple[int, int]:
        """Return H and W."""
        stored = self._shapes[x.name]
        if len(stored) != 3:
            raise GraphError(f"an image (H, W, C) is needed, but the value {x.name!r} has the shape {x.shape}")
        return stored[1], stored[2]

    def in_order(self, x: Value) -> Value:
        """Return a flattened image with its elements in the order of the file, which may take a transpose."""
        if x.volume is None:
            return x
        image = self.add(f"{x.name}/chw", ops.Reshape(x.volume), Value(x.name, x.shape))
        return self.add(f"{x.name}/hwc", ops.Flatten(), self.add(f"{x.name}/moved", ops.Transpose((0, 2, 3, 1)), image))

    def with_channels(self, name: str, x: Value, axis: int, apply: Callable[[str, Value], Value]) -> Value:
        """Append what takes an axis of one image in the file for its channels, whatever the other layers take.

        ``apply`` gets a name, and the value with that axis where the graph keeps channels; its result is moved back.
        """
        rank = len(x.shape)
        order = [other for other in range(rank) if other != axis]
        order.insert(self.channel_axis(rank), axis)
        if order == list(range(rank)):
            return apply(name, x)
        x = self.in_order(x)
        y = apply(f"{name}/apart", self.transpose(f"{name}/channels", x, order))
        if len(y.shape) < rank:
            return self.each(name, ops.Identity(), y)
        return self.transpose(name, y, [order.index(own) for own in range(rank)])

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
            if x.volume is not None and weight.shape[1] == math.prod(x.volume):
                weight = columns_to_chw(weight, x.volume)
            return self.add(name, ops.Linear(), x, parameters=_with_bias(weight, bias))
        if rank == 3:
            filters = weight[:, :, None, None]
            return self.with_channels(name, x, 2, lambda name, x: self.conv(name, x, filters, bias))
        image = self.reshape(f"{name}/image", x, (1, *x.shape))
        return self.reshape(name, self.dense(f"{name}/dense", image, weight, bias), (x.shape[0], len(weight)))

    def matmul(self, name: str, a: Value, b: Value) -> Value:
        """Append the product of two values over the last two axes of one image in the file, for each of the others."""
        rank = max(len(a.shape), len(b.shape))
        if rank < 3 or not self.channels_last:
            return self.add(name, ops.MatMul(), self.in_order(a), self.in_order(b))
        rows = []
        for v in (a, b):
            whole = self._with_rank(name, self.in_order(v), rank)
            assert isinstance(whole, Value)
            rows.append(self._transpose(f"{name}/{v.name}", whole, (1, 2, 0)))
        return self._transpose(name, self.add(f"{name}/product", ops.MatMul(), *rows), (2, 0, 1))

    def batch_norm(
        self, name: str, x: Value, scale: Array, shift: Array, mean: Array, var: Array, eps: float, axis: int = -1
    ) -> Value:
        """Append a batch-norm along an axis of one image in the file."""
        parameters = dict(scale=scale, shift=shift, mean=mean, var=var)
        axis %= len(x.shape)

        def append(name: str, x: Value) -> Value:
            return self.add(name, ops.BatchNorm(eps), x, parameters=parameters, volume=x.volume)

        if x.volume is not None and all(p.size == math.prod(x.volume) for p in parameters.values()):
            parameters = {key: columns_to_chw(p[None], x.volume)[0] for key, p in parameters.items()}
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
        if rank == 1 and x.volume is not None:
            slope = columns_to_chw(slope[None], x.volume)[0] if slope.size > 1 else slope
            return self.add(name, ops.PRelu(), x, parameters={"slope": slope.reshape(-1)}, volume=x.volume)
        channels = self.channel_axis(rank)
        if slope.size == 1 or (rank != 2 and slope.size == shape[channels] == x.shape[channels]):
            return self.add(name, ops.PRelu(), x, parameters={"slope": slope.reshape(-1)})
        below = self.pair(f"{name}/below", ops.Minimum(), x, np.zeros(1, np.float32))
        scaled = self.pair(f"{name}/scaled", ops.Mul(), below, slope)
        return self.pair(name, ops.Add(), self.each(f"{name}/above", ops.Relu(), x), scaled)

    def layer_norm(self, name: str, x: Value, scale: Array, shift: Array, axes: Sequence[int], eps: float) -> Value:
        """Append a layer-norm over axes of the file; scale and shift have the sizes of these axes."""
        x = self.in_order(x)
        rank = len(x.shape)
        kept = [axis for axis in self._order(rank) if axis in axes]
        order = [sorted(axes).index(axis) for axis in kept]
        op = ops.LayerNorm(tuple(self._axis(rank, axis) for axis in kept), eps)
        parameters = dict(scale=scale.transpose(order), shift=shift.transpose(order))
        return self.add(name, op, x, parameters=parameters)

    # Functions of each element.

    def each(self, name: str, op: Op, x: Value) -> Value:
        """Append a function of one element, or anything else that keeps every element in its place."""
        before = self._transposed.get(x.name)
        if before is not None:
            # behind it a transpose may meet the one that undoes it
            source, axes = before
            return self._transpose(name, self.add(f"{name}/apart", op, source), axes)
        return self.add(name, op, x, volume=x.volume)

    def pair(self, name: str, op: ops.Binary, a: Value | Array, b: Value | Array) -> Value:
        """Append a function of two values, or of a value and a constant in the order of the file, with broadcasting."""
        values = [v for v in (a, b) if isinstance(v, Value)]
        if not values:
            raise GraphError(f"{op.name} of two constants")
        rank = max(len(v.shape) for v in values)
        numbers = all(isinstance(v, Value) or v.size == 1 for v in (a, b))
        volume = values[0].volume if numbers and all(v.volume == values[0].volume for v in values) else None
        before = [self._transposed[v.name] for v in values if v.name in self._transposed]
        if numbers and len(before) == len(values) and len({axes for _, axes in before}) == 1:
            # all of them are transposed alike: behind it one transpose may meet the one that undoes it
            sources = iter(before)
            operands = [next(sources)[0] if isinstance(v, Value) else v.reshape(1) for v in (a, b)]
            return self._transpose(name, self.add(f"{name}/apart", op, *operands), before[0][1])
        if volume is None:
            a, b = (self.in_order(v) if isinstance(v, Value) else v for v in (a, b))
        return self.add(name, op, *(self._with_rank(name, v, rank) for v in (a, b)), volume=volume)

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
        return v.reshape((1,) * (rank - v.ndim) + v.shape).transpose(self._order(rank))

    def affine(self, name: str, x: Value, factor: Array, offset: Array) -> Value:
        """Append ``x * factor + offset``, as far as it changes anything."""
        shifts = bool(np.any(offset))
        if np.any(factor != 1) or not shifts:
            x = self.pair(f"{name}/factor" if shifts else name, ops.Mul(), x, factor)
        return self.pair(name, ops.Add(), x, offset) if shifts else x

    def softmax(self, name: str, op: type[ops.Softmax | ops.LogSoftmax], x: Value, axis: int = -1) -> Value:
        """Append a softmax along an axis of one image in the file."""
        x = self.in_order(x)
        return self.add(name, op(self._axis(len(x.shape), axis % len(x.shape))), x)

    # Shapes.

    def flatten(self, name: str, x: Value, first_last: bool = False) -> Value:
        """Append a flatten; the elements of an image stay where they are.

        ``first_last`` flattens as if the first axis of one image in the file stood behind the others.
        """
        if len(x.shape) == 1:
            return x
        if first_last and (self.channels_last or len(x.shape) != 3):
            x = self.transpose(f"{name}/last", x, (*range(1, len(x.shape)), 0))
        stored = self._shapes[x.name]
        last = len(stored) == 3 and (self.channels_last or first_last)
        moved = last and stored[0] > 1 and math.prod(stored[1:]) > 1
        return self.add(name, ops.Flatten(), x, volume=stored if moved else None)

    def reshape(self, name: str, x: Value, target: Shape) -> Value:
        """Append a reshape of the elements in the order of the file."""
        if math.prod(target) != math.prod(x.shape) or not target or min(target) < 1:
            raise GraphError(f"{x.shape} cannot be reshaped to {target}")
        if len(target) == 1:
            return self.flatten(name, x)
        stored = self._moved(target)
        if x.shape == target:
            return x
        if x.volume is not None and stored == x.volume and self.channels_last:
            return self.add(name, ops.Reshape(stored), Value(x.name, x.shape))
        if len(x.shape) == len(target) == 3 and stored[0] == self._shapes[x.name][0]:
            return self.add(name, ops.Reshape(stored), x)
        row = self.in_order(self.flatten(f"{name}/row", x))
        if len(target) == 3 and self.channels_last and stored[0] > 1 and math.prod(stored[1:]) > 1:
            return self.add(name, ops.Transpose((0, 3, 1, 2)), self.add(f"{name}/hwc", ops.Reshape(target), row))
        return self.add(name, ops.Reshape(stored), row)

    def transpose(self, name: str, x: Value, order: Sequence[int]) -> Value:
        """Append a transpose; ``order`` says which axis of one image in the file becomes each."""
        axes = self._order(len(x.shape))
        moved = tuple(axes.index(order[axis]) for axis in axes)
        return self._transpose(name, self.in_order(x), moved)

    def _transpose(self, name: str, x: Value, axes: tuple[int, ...]) -> Value:
        """Append a transpose of the axes in the graph, as one with the transpose before it, or nothing."""
        source, before = self._transposed.get(x.name, (x, tuple(range(len(axes)))))
        axes = tuple(before[axis] for axis in axes)
        if axes == tuple(range(len(axes))):
            return source
        y = self.add(name, ops.Transpose((0, *(axis + 1 for axis in axes))), source)
        self._transposed[y.name] = source, axes
        return y

    def concat(self, name: str, values: Sequence[Value], axis: int) -> Value:
        """Append a concatenation along an axis of one image in the file."""
        if len(values) == 1:
            return values[0]
        values = [self.in_order(v) for v in values]
        return self.add(name, ops.Concat(self._axis(len(values[0].shape), axis)), *values)

    def slice(self, name: str, x: Value, start: Sequence[int], count: Sequence[int], step: Sequence[int] = ()) -> Value:
        """Append a slice; start, count and step stand for the axes of one image in the file."""
        x = self.in_order(x)
        step = tuple(step) or (1,) * len(x.shape)
        if tuple(count) == x.shape and set(step) == {1}:
            return x
        return self.add(name, ops.Slice(*(self._moved(tuple(part)) for part in (start, count, step))), x)

    def crop(self, name: str, x: Value, top: int, left: int, height: int, width: int) -> Value:
        """Append a window of an image."""
        start, count = [0] * 3, list(x.shape)
        rows, columns = (axis for axis in range(3) if axis != self.channel_axis(3))
        start[rows], start[columns], count[rows], count[columns] = top, left, height, width
        return self.slice(name, x, start, count)

    def reduce(self, name: str, kind: type[ops.Reduce], x: Value, axes: Sequence[int], keep_dims: bool) -> Value:
        """Append a reduction over axes of one image in the file."""
        x = self.in_order(x)
        rank = len(x.shape)
        target = tuple(size for axis, size in enumerate(x.shape) if axis not in axes) or (1,)
        kept = keep_dims or len(target) > 1
        op = simplest(kind(tuple(self._axis(rank, axis) for axis in axes), kept), self._shapes[x.name])
        if kept == keep_dims:
            return self.add(name, op, x)
        return self.reshape(name, self.add(f"{name}/kept", op, x), target)
