"""What all rules with vectors share: where values are, with their halos, and how a step is emitted.

A value that a convolution reads beyond its edges has a border of zeros, its halo, so no kernel ever asks where the edge
is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeGuard

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.ops import Activation, Array, BatchNorm, Clip, Elu, Gelu, HardSigmoid, LeakyRelu, Op, Shape
from cnnfast.plan.budget import FLOAT
from cnnfast.plan.choose import ALGORITHMS
from cnnfast.plan.lowering import (
    Lowering,
    LoweringRules,
    NodeIO,
    Triple,
    affine_parameters,
    numbered,
    packed,
    strides_of,
    three_axes,
)
from cnnfast.plan.offsets import Halo
from cnnfast.plan.pack import aligned, pack_winograd
from cnnfast.plan.pack_words import WORD, block_count
from cnnfast.plan.step import Packed, Step
from cnnfast.plan.winograd import OUTPUTS
from cnnfast.runtime.dispatch import kernels

ACTIVATIONS = (
    *("none", "relu", "clip", "leaky_relu", "elu", "sigmoid", "tanh", "hard_sigmoid", "hard_swish"),
    *("silu", "gelu", "gelu_tanh"),
)
"""Activations in the order of ``enum activation`` in csrc/tiles.h."""

NO_HALO: Halo = (0, 0, 0, 0)

SAME_SETS = 16
"""Channel blocks of bytes that are a multiple of this many vectors would share few sets of the first-level cache: a
gap of one vector behind each separates them."""

rule = LoweringRules()
"""The rules of the ops: each emits the steps of one op, and nothing else."""

byte_rule = LoweringRules()
"""The rules of ops that read bytes."""


@dataclass(eq=False, repr=False)
class ChwnLowering(Lowering):
    """Steps in layout chwn<L>; offsets and strides count vectors.

    ``rules`` has a rule for each op, and ``layers`` has how each algorithm of a layer with weights becomes a step.
    ``byte_shapes`` has the values of bytes, with channels, rows and columns as they are stored: four channels to a
    vector. For a flattened value it is the shape of the image before. ``zeros`` are the bytes in their halos.
    """

    rules: ClassVar[LoweringRules] = rule

    layers: Mapping[str, Callable[..., None]] = field(default_factory=dict)
    halos: dict[str, Halo] = field(default_factory=dict)
    algorithms: Container[str] = ALGORITHMS
    byte_shapes: dict[str, Triple] = field(default_factory=dict)
    zeros: Mapping[str, int] = field(default_factory=dict)

    @property
    def lanes(self) -> int:
        """How many images a group holds."""
        return kernels.lanes()

    @property
    def byte_block(self) -> int:
        """How many channels an element of bytes holds."""
        return WORD

    def lower(self, op: Op, site: NodeIO) -> None:
        """Emit the steps of one node."""
        reads_bytes = any(value in self.byte_shapes for value in site.inputs)
        (byte_rule if reads_bytes else self.rules).apply(self, op, site)

    def extent(self, value: str) -> Triple:
        """Return how many vectors a value takes along each axis, without its halo."""
        if value in self.byte_shapes:
            c, h, w = self.byte_shapes[value]
            return block_count(c, self.byte_block), h, w
        return three_axes(self.shapes[value])

    def padded(self, value: str) -> Triple:
        """Return the same with its halo."""
        (c, h, w), (top, left, bottom, right) = self.extent(value), self.halo(value)
        return c, top + h + bottom, left + w + right

    def size(self, value: str) -> int:
        """Return how many vectors a value takes, its halo included."""
        if value in self.byte_shapes:
            return self.extent(value)[0] * self.strides(value)[0]
        if value in self.halos:
            return math.prod(self.padded(value))
        return math.prod(self.shapes[value])

    def strides(self, value: str) -> Triple:
        """Return the stride of the channels, rows and columns of a value."""
        channel, row, column = strides_of(self.padded(value))
        if value in self.byte_shapes and channel % SAME_SETS == 0:
            channel += 1
        return channel, row, column

    def float_strides(self, value: str) -> Triple:
        """Return the distances of the channels, rows and columns of floats that become bytes, or bytes become."""
        shape = self.shapes[value]
        return self.strides(value) if len(shape) == 3 else strides_of(channels_first(shape))

    def channel_stride(self, value: str) -> int:
        """Return the distance of the channels of a value; those of a value with one axis are its elements."""
        return self.strides(value)[0] if len(self.shapes[value]) == 3 else 1

    def halo(self, value: str) -> Halo:
        """Return the border of zeros around a value: top, left, bottom, right."""
        return self.halos.get(value, NO_HALO)

    def origin(self, value: str) -> int:
        """Return the distance from the start of a value's memory to its first element."""
        if value not in self.halos:
            return 0
        top, left, _, _ = self.halo(value)
        return top * self.strides(value)[1] + left

    def bytes(self, value: str) -> int:
        """Return the memory that a value of a group of images takes, its halo left out."""
        return math.prod(self.shapes[value]) * kernels.lanes() * 4

    def clear_halo(self, node: str, value: str) -> None:
        """Emit zeros around a value, if it has a border; around bytes their zero point."""
        if value in self.halos:
            c, h, w = self.extent(value)
            y_c, y_r, _ = self.strides(value)
            ints = dict(C=c, H=h, W=w, y_c=y_c, y_r=y_r)
            ints |= dict(zip(("top", "left", "bottom", "right"), self.halos[value], strict=True))
            site = NodeIO(node, (), value)
            if value in self.byte_shapes:
                ints |= dict(value=self.zeros[value])
                reason = f"zero point {self.zeros[value]} around the image"
                self.emit(site, "halo", (), dtype="u8", ints=ints, reason=reason)
            else:
                self.emit(site, "halo", (), ints=ints, reason="zeros around the image")

    def emit(
        self,
        site: NodeIO,
        kernel: str,
        operands: tuple[str | Array, ...],
        layout: str = "chwn",
        dtype: str = "f32",
        **options: Any,
    ) -> None:
        """Append one step of kernel ``<name>_<dtype>_<layout>_<algorithm>``, given as ``<name>:<algorithm>``."""
        name, _, how = kernel.partition(":")
        reads = tuple(self.in_lanes(v) if self.is_constant(v) else v for v in operands)
        self.append(Step(site.node, f"{name}_{dtype}_{layout}_{how or 'direct'}", reads, site.result, **options))

    def enter_bytes(self) -> None:
        """Enter the values of bytes that the graph has."""
        for value, dtype in self.graph.dtypes.items():
            if dtype == "uint8":
                self.add_bytes(value, self.graph.shapes[value])

    def add_bytes(self, value: str, shape: Shape) -> None:
        """Enter a value of bytes that the graph does not have."""
        self.shapes[value] = shape
        self.byte_shapes[value] = self.byte_order(shape)

    def byte_order(self, shape: Shape) -> Triple:
        """Return the channels, rows and columns as which bytes of a shape are stored."""
        return channels_first(shape)

    def bytes_at(self, value: str) -> str:
        """Return a value of bytes stored in the order of its shape; a flattened image is moved into that order."""
        if value not in self.byte_shapes:
            raise UnsupportedError(f"{value!r} is a constant, and there is no kernel for bytes that are constant")
        if self.byte_shapes[value] == self.byte_order(self.shapes[value]):
            return value
        ordered = f"{value}:ordered"
        if ordered not in self.byte_shapes:
            self.add_bytes(ordered, self.shapes[value])
            self.move_bytes(NodeIO(value, (value,), ordered), self.byte_offsets(value))
        return ordered

    def byte_offsets(self, value: str) -> Array:
        """Return the offset of each byte of a value, four times that of its vector and the byte in it."""
        c, h, w = (np.arange(n) for n in self.byte_shapes[value])
        x = self.strides(value)
        channel = c // WORD * x[0] * WORD + c % WORD
        places = channel[:, None, None] + (h[:, None] * x[1] + w) * WORD
        return places.reshape(self.shapes[value])

    def move_bytes(self, site: NodeIO, places: Array, target: Array | None = None) -> None:
        """Emit a step that brings bytes of a value, named by their places (or `of_byte`), to places of the result."""
        target = self.byte_offsets(site.result) if target is None else target
        to = target.reshape(-1)
        words, index = np.unique(to // WORD, return_inverse=True)
        froms = np.full((len(words), WORD), -1)
        froms[index.reshape(-1), to % WORD] = places.reshape(-1)
        tables = tuple(np.ascontiguousarray(t.reshape(-1), np.int32) for t in (froms, words))
        self.emit(site, "move", site.inputs[:1], dtype="u8", ints=dict(count=len(words)), tables=tables)

    def is_constant(self, operand: str | Array) -> TypeGuard[str]:
        """Return whether an operand is the name of a constant."""
        return isinstance(operand, str) and operand in self.graph.constants

    def in_lanes(self, name: str) -> Array:
        """Return a constant as a value of every image."""
        lanes = kernels.lanes()
        return self.once(lambda: aligned(np.repeat(self.float32(name).reshape(-1), lanes)), "in lanes", name)

    def arranged(self, name: str, arrange: Callable[[Array], Array], size: int, *key: object) -> Packed | Array:
        """Return a parameter in the order in which a kernel reads it; layers that ask with the same key share it.

        Parameters
        ----------
        name : str
        arrange : callable (array) -> array
            Moves or repeats elements and does not compute, whatever their type.
        size : int
            How many elements it returns.
        key : object
            What it depends on.
        """
        # not self: the lowering would keep itself and the whole graph alive by what it has made
        constant = self.graph.constants[name]
        return self.weights.packed(
            constant, lambda: Packed(lambda: packed(arrange(packed(constant))), size * FLOAT), "arranged", *key
        )

    def per_channel(self, name: str, channels: int) -> Packed | Array:
        """Return a parameter of one element, or of one for each channel, as one for each channel."""
        return self.arranged(name, lambda array: np.broadcast_to(array, (channels,)), channels, "channels", channels)

    def winograd(self, name: str, max_channels: int) -> Packed | Array:
        """Return weights (OC, C, K, K), transformed, in blocks of at most ``max_channels`` output channels."""
        weight = self.graph.constants[name]
        pack = partial(pack_winograd, weight, max_channels)
        oc, c, k, _ = self.shapes[name]
        size = oc * c * (k + OUTPUTS - 1) ** 2
        return self.weights.packed(weight, lambda: Packed(pack, size * FLOAT), "winograd", max_channels)

    def factors(self, op: BatchNorm, site: NodeIO) -> tuple[Array, Array]:
        """Return batch-norm as factor and shift of each channel."""
        return affine_parameters(op, site, self.graph.constants)

    def bias(self, site: NodeIO, base_inputs: int, channels: int) -> Array:
        """Return the bias of a layer, or zeros."""
        return self.float32(site.inputs[2]) if base_inputs > 2 else packed(np.zeros(channels))

    def rows(self, site: NodeIO) -> dict[str, int]:
        """Return the geometry of a function of one element: as few and as long rows as possible."""
        source, target = site.inputs[0], site.result
        if len(self.shapes[target]) > 3:
            # values of more axes have no border
            return dict(C=1, H=1, W=self.size(target), x_c=0, x_r=0, y_c=0, y_r=0)
        shape, x, y = self.extent(target), self.strides(source), self.strides(target)
        if x == y == strides_of(shape):
            shape = (1, 1, math.prod(shape))
        return dict(C=shape[0], H=shape[1], W=shape[2], x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1])

    def channels(self, site: NodeIO) -> dict[str, int]:
        """Return the geometry of a function of one element that knows its channel."""
        shape = self.shapes[site.result]
        # values of other ranks have no border: all axes after the channels are one row
        whole = three_axes(shape) if len(shape) == 3 else (shape[0], 1, math.prod(shape[1:]))
        x, y = (self.strides(v) if len(shape) == 3 else strides_of(whole) for v in (site.inputs[0], site.result))
        return dict(C=whole[0], H=whole[1], W=whole[2], x_c=x[0], x_r=x[1], y_c=y[0], y_r=y[1])

    def same_place(self, site: NodeIO) -> bool:
        """Return whether a result could share the memory of its first operand."""
        return self.halo(site.inputs[0]) == self.halo(site.result)


def of_byte(value: int) -> int:
    """Return what stands for the place of a byte that is given, and not that of a value.

    Examples
    --------
    >>> of_byte(0), of_byte(255)
    (-2, -257)
    """
    return -2 - value


def channels_first(shape: Shape) -> Triple:
    """Return a shape of any rank as (C, H, W): all axes behind the second are one.

    Examples
    --------
    >>> channels_first((5,)), channels_first((5, 2, 3, 4))
    ((5, 1, 1), (5, 2, 12))
    """
    c, h = (*shape, 1, 1)[:2]
    return c, h, math.prod(shape[2:])


def activation_options(op: Activation | None) -> tuple[int, dict[str, float]]:
    """Return the number and the attributes of an activation, as the kernels take them."""
    if op is None:
        return 0, dict(f0=0.0, f1=0.0)
    name = "gelu_tanh" if isinstance(op, Gelu) and op.approximate == "tanh" else op.name
    values = list(op.attributes().values()) if isinstance(op, Clip | LeakyRelu | Elu | HardSigmoid) else []
    f0, f1 = (*values, 0.0, 0.0)[:2]
    return ACTIVATIONS.index(name), dict(f0=f0, f1=f1)


def copy_ints(shape: Triple, source: Triple, target: Triple, at: int = 0) -> dict[str, int]:
    """Return the geometry of a copy."""
    return dict(zip("ABC", shape, strict=True)) | numbered(a=source, y=target) | {"at": at}


def copy_value(lowering: ChwnLowering, site: NodeIO) -> None:
    """Emit a copy of a value or constant to another one of the same shape."""
    shape = lowering.extent(site.result)
    source = site.inputs[0]
    strides = strides_of(shape) if source in lowering.graph.constants else lowering.strides(source)
    lowering.emit(site, "copy", site.inputs, ints=copy_ints(shape, strides, lowering.strides(site.result)))
