"""A graph under construction for files that keep the channels last, as Keras and LiteRT do.

A reader speaks of images (H, W, C); the graph holds them as (C, H, W). Nothing is transposed at run time where that can
be avoided: a flattened image stays in the order C, H, W, and the weights of the dense layer behind it are reordered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from cnnfast.errors import GraphError, UnsupportedError
from cnnfast.graph import Graph, Node, constant
from cnnfast.graph.ir import MAX_ELEMENTS
from cnnfast.ops import (
    Add,
    Array,
    AvgPool,
    BatchNorm,
    Binary,
    Concat,
    Conv2d,
    Flatten,
    LayerNorm,
    Linear,
    LogSoftmax,
    MaxPool,
    Mul,
    Op,
    Reduce,
    Reshape,
    Shape,
    Slice,
    Softmax,
    Transpose,
)
from cnnfast.ops.reduce import simplest
from cnnfast.ops.reshape import same_padding

MAX_NODES = 20_000

NONE: Mapping[str, Array] = MappingProxyType({})


@dataclass(frozen=True)
class Value:
    """A value of the graph, as the file speaks of it.

    Attributes
    ----------
    name : str
    shape : Shape
        Of one image, with the axes in the order of the file.
    volume : Shape or None
        For a flattened image whose elements still lie in the order C, H, W: its shape (C, H, W).
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
        self._inputs: dict[str, Shape] = {}
        self._nodes: list[Node] = []
        self._constants: dict[str, Array] = {}
        self._shapes: dict[str, Shape] = {}
        self._repeats: dict[str, int] = {}

    def input(self, name: str, shape: Shape) -> Value:
        """Declare the input of the graph."""
        if not 1 <= len(shape) <= 3:
            raise UnsupportedError(f"the input {name!r} has the shape {shape}; one image may have one to three axes")
        if min(shape) < 1:
            raise GraphError(f"the input {name!r} has the shape {shape}; every size must be a positive integer")
        self._inputs[name] = self._shapes[name] = self._moved(shape)
        return Value(name, shape)

    def graph(self, output: Value) -> Graph:
        """Return the graph that computes a value."""
        output = self.in_order(output)
        return Graph(self._inputs, tuple(self._nodes), self._constants, (output.name,)).cut([output.name])

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
        name = self._free(name)
        if len(self._nodes) >= MAX_NODES:
            raise GraphError(f"the network has more than {MAX_NODES} nodes")
        constants = {f"{name}.{key}": constant(array) for key, array in parameters.items()}
        inputs = []
        for index, operand in enumerate(operands):
            if isinstance(operand, Value):
                inputs.append(operand.name)
            else:
                inputs.append(f"{name}.operand{index}")
                # a number of a configuration keeps its digits
                constants[inputs[-1]] = constant(operand, np.promote_types(operand.dtype, np.float32))
        inputs += [key for key in constants if key not in inputs]
        self._shapes.update({key: array.shape for key, array in constants.items()})
        shape = op.shape(*(self._shapes[v] for v in inputs))
        if not shape or min(shape) < 1 or math.prod(shape) > MAX_ELEMENTS:
            raise GraphError(f"{op.name} would give the shape {shape}, for {[self._shapes[v] for v in inputs]}")
        self._constants.update(constants)
        self._nodes.append(Node(name, op, tuple(inputs)))
        self._shapes[name] = shape
        return Value(name, self.in_file(shape), volume)

    def _free(self, name: str) -> str:
        free = name
        while free in self._shapes:
            self._repeats[name] = self._repeats.get(name, 0) + 1
            free = f"{name}#{self._repeats[name]}"
        return free

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
        image = self.add(f"{x.name}/chw", Reshape(x.volume), Value(x.name, x.shape))
        return self.add(f"{x.name}/hwc", Flatten(), self.add(f"{x.name}/moved", Transpose((0, 2, 3, 1)), image))

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
        return self.add(name, Conv2d(stride, sides, dilation, groups), x, parameters=_with_bias(weight, bias))

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
        kind: type[MaxPool | AvgPool],
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
            return self.add(name, Linear(), x, parameters=_with_bias(weight, bias))
        if rank == 3 and self.channels_last:
            return self.conv(name, x, weight[:, :, None, None], bias)
        if rank == 2 and self.channels_last:
            image = self.reshape(f"{name}/image", x, (1, *x.shape))
            y = self.conv(f"{name}/dense", image, weight[:, :, None, None], bias)
            return self.reshape(name, y, (x.shape[0], len(weight)))
        raise UnsupportedError(f"a dense layer over the width of an image with the channels first, {x.shape}")

    def batch_norm(self, name: str, x: Value, scale: Array, shift: Array, mean: Array, var: Array, eps: float) -> Value:
        """Append a batch-norm of the channels."""
        parameters = dict(scale=scale, shift=shift, mean=mean, var=var)
        if x.volume is not None and all(p.size == math.prod(x.volume) for p in parameters.values()):
            parameters = {key: columns_to_chw(p[None], x.volume)[0] for key, p in parameters.items()}
        return self.add(name, BatchNorm(eps), x, parameters=parameters, volume=x.volume)

    def layer_norm(self, name: str, x: Value, scale: Array, shift: Array, axes: Sequence[int], eps: float) -> Value:
        """Append a layer-norm over axes of the file; scale and shift have the sizes of these axes."""
        x = self.in_order(x)
        rank = len(x.shape)
        kept = [axis for axis in self._order(rank) if axis in axes]
        order = [sorted(axes).index(axis) for axis in kept]
        op = LayerNorm(tuple(self._axis(rank, axis) for axis in kept), eps)
        parameters = dict(scale=scale.transpose(order), shift=shift.transpose(order))
        return self.add(name, op, x, parameters=parameters)

    # Functions of each element.

    def each(self, name: str, op: Op, x: Value) -> Value:
        """Append a function of one element, or anything else that keeps every element in its place."""
        return self.add(name, op, x, volume=x.volume)

    def pair(self, name: str, op: Binary, a: Value | Array, b: Value | Array) -> Value:
        """Append a function of two values, or of a value and a constant in the order of the file, with broadcasting."""
        values = [v for v in (a, b) if isinstance(v, Value)]
        if not values:
            raise GraphError(f"{op.name} of two constants")
        rank = max(len(v.shape) for v in values)
        numbers = all(isinstance(v, Value) or v.size == 1 for v in (a, b))
        volume = values[0].volume if numbers and all(v.volume == values[0].volume for v in values) else None
        if volume is None:
            a, b = (self.in_order(v) if isinstance(v, Value) else v for v in (a, b))
        operands = (self._with_rank(name, v, rank) for v in (a, b))
        return self.add(name, op, *operands, volume=volume)

    def _with_rank(self, name: str, v: Value | Array, rank: int) -> Value | Array:
        """Return an operand with as many axes as the others: those that it lacks stand in front, as sizes of 1."""
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
            x = self.pair(f"{name}/factor" if shifts else name, Mul(), x, factor)
        return self.pair(name, Add(), x, offset) if shifts else x

    def softmax(self, name: str, op: type[Softmax | LogSoftmax], x: Value, axis: int = -1) -> Value:
        """Append a softmax along an axis of one image in the file."""
        x = self.in_order(x)
        return self.add(name, op(self._axis(len(x.shape), axis % len(x.shape))), x)

    # Shapes.

    def flatten(self, name: str, x: Value) -> Value:
        """Append a flatten; the elements of an image stay where they are."""
        if len(x.shape) == 1:
            return x
        stored = self._shapes[x.name]
        moved = len(stored) == 3 and self.channels_last and stored[0] > 1 and math.prod(stored[1:]) > 1
        return self.add(name, Flatten(), x, volume=stored if moved else None)

    def reshape(self, name: str, x: Value, target: Shape) -> Value:
        """Append a reshape of the elements in the order of the file."""
        if math.prod(target) != math.prod(x.shape) or not target or min(target) < 1:
            raise GraphError(f"{x.shape} cannot be reshaped to {target}")
        if len(target) == 1:
            return self.flatten(name, x)
        stored = self._moved(target)
        if x.shape == target:
            return x
        if x.volume is not None and stored == x.volume:
            return self.add(name, Reshape(stored), Value(x.name, x.shape))
        if len(x.shape) == len(target) == 3 and stored[0] == self._shapes[x.name][0]:
            return self.add(name, Reshape(stored), x)
        row = self.in_order(self.flatten(f"{name}/row", x))
        if len(target) == 3 and self.channels_last and stored[0] > 1 and math.prod(stored[1:]) > 1:
            return self.add(name, Transpose((0, 3, 1, 2)), self.add(f"{name}/hwc", Reshape(target), row))
        return self.add(name, Reshape(stored), row)

    def transpose(self, name: str, x: Value, order: Sequence[int]) -> Value:
        """Append a transpose; ``order`` says which axis of one image in the file becomes each."""
        axes = self._order(len(x.shape))
        moved = tuple(axes.index(order[axis]) for axis in axes)
        if moved == tuple(range(len(moved))):
            return x
        return self.add(name, Transpose((0, *(axis + 1 for axis in moved))), x)

    def concat(self, name: str, values: Sequence[Value], axis: int) -> Value:
        """Append a concatenation along an axis of one image in the file."""
        if len(values) == 1:
            return values[0]
        values = [self.in_order(v) for v in values]
        return self.add(name, Concat(self._axis(len(values[0].shape), axis)), *values)

    def slice(self, name: str, x: Value, start: Sequence[int], count: Sequence[int], step: Sequence[int] = ()) -> Value:
        """Append a slice; start, count and step stand for the axes of one image in the file."""
        x = self.in_order(x)
        step = tuple(step) or (1,) * len(x.shape)
        if tuple(count) == x.shape and set(step) == {1}:
            return x
        return self.add(name, Slice(*(self._moved(tuple(part)) for part in (start, count, step))), x)

    def reduce(self, name: str, kind: type[Reduce], x: Value, axes: Sequence[int], keep_dims: bool) -> Value:
        """Append a reduction over axes of one image in the file."""
        x = self.in_order(x)
        rank = len(x.shape)
        target = tuple(size for axis, size in enumerate(x.shape) if axis not in axes) or (1,)
        kept = keep_dims or len(target) > 1
        op = simplest(kind(tuple(self._axis(rank, axis) for axis in axes), kept), self._shapes[x.name])
        if kept == keep_dims:
            return self.add(name, op, x)
        return self.reshape(name, self.add(f"{name}/kept", op, x), target)
