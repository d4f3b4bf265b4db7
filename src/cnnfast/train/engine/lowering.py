"""Lowers a step of training to kernels with images in the lanes: forward, loss, backward.

The rules of `cnnfast.plan` for prediction are reused as they are: for each node forward, and for the gradient of a
layer with respect to its input, which is a layer too. For prediction, weights are packed once; here they change, so a
rule that asks for a parameter in some order gets memory that a packer fills before each step.

Steps come in phases. A phase ends where batch-norm needs sums over the whole batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.graph import Node
from cnnfast.graph.fusion import Epilogue
from cnnfast.ops import Array, BatchNorm, Op
from cnnfast.ops.gradients.dropout import threshold
from cnnfast.plan.chwn.lowering import rule as plan_rule
from cnnfast.plan.chwn.values import ChwnLowering, copy_ints
from cnnfast.plan.lowering import NodeIO, numbered, strides_of, three_axes
from cnnfast.plan.memory import root
from cnnfast.plan.step import Step
from cnnfast.plan.winograd import OUTPUTS
from cnnfast.train.engine.packing import (
    BatchNormFactors,
    GatheredWeights,
    Packer,
    WinogradWeights,
    element_numbers,
    spreading,
    transposed,
    transposed_shape,
)


@frozen
class PhaseEnd:
    """The end of a phase: after how many steps, and the batch-norm that follows, with the value that holds its sums."""

    steps: int
    node: str
    backward: bool
    sums: str


@dataclass(eq=False, repr=False)
class TrainingLowering(ChwnLowering):
    """Steps so far, with what training adds: phases, packing, gradients.

    Attributes
    ----------
    arrays : mapping of str to array
        The constants of the network, float32, which an optimizer changes in place.
    packers : list of Packer
        What fills the memory that steps read parameters from, before each step of training.
    transposes : dict of str to (str, int)
        Weights that pass gradients back: the parameter that they are made of, and the groups of its layer.
    phase_ends : list of PhaseEnd
    second_results : dict of int to str
        A second result of a step, by its number: a value, or the gradient of a parameter.
    buffers : dict of str to dict of str to array
        What each batch-norm hands from one phase to the next.
    started : set of str
        Values whose gradient has been written, wholly or in part.
    contributions : dict of str to int
        How many nodes add to the gradient of a value.
    active : set of str
        Values that a gradient passes through, and trained parameters.
    partials : dict of str to int
        Gradients of parameters that are summed over the images of a chunk, with their sizes.
    dropouts : list of str
        The dropout nodes, in the order of their keys.
    shifts : dict of int to int
        How far behind the start of its first operand a step reads.
    epilogues : dict of str to Epilogue
        What each layer does before it stores its result.
    recomputed : dict of str to Node
        Values that are computed again on the way back, with the batch-norm that makes them.
    summed : dict of str to str
        Batch-norms whose sums on the way back come with that, and the values that hold them.
    """

    arrays: Mapping[str, Array] = field(default_factory=dict)
    packers: list[Packer] = field(default_factory=list)
    transposes: dict[str, tuple[str, int]] = field(default_factory=dict)
    phase_ends: list[PhaseEnd] = field(default_factory=list)
    second_results: dict[int, str] = field(default_factory=dict)
    buffers: dict[str, dict[str, Array]] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    contributions: dict[str, int] = field(default_factory=dict)
    active: frozenset[str] = frozenset()
    partials: dict[str, int] = field(default_factory=dict)
    dropouts: list[str] = field(default_factory=list)
    shifts: dict[int, int] = field(default_factory=dict)
    epilogues: dict[str, Epilogue] = field(default_factory=dict)
    recomputed: dict[str, Node] = field(default_factory=dict)
    summed: dict[str, str] = field(default_factory=dict)

    def forward(self, op: Op, site: NodeIO) -> None:
        """Emit an op by the rules of prediction."""
        plan_rule.apply(self, op, site)

    def float32(self, name: str) -> Array:
        """Return a constant as the kernels read it: the array that an optimizer changes in place."""
        return self.arrays[name]

    def arranged(self, name: str, arrange: Callable[[Array], Array], size: int, *key: object) -> Array:
        """Return memory that is filled with a parameter in some order before each step."""
        return self.once(lambda: self.gathered(name, arrange(self.numbers(name))), "arranged", name, *key)

    def gathered(self, name: str, index: Array) -> Array:
        """Return memory that is filled before each step with the elements of a parameter that an index names."""
        flat = np.ascontiguousarray(index.reshape(-1))
        memory = np.zeros(flat.size, np.float32)
        self.packers.append(GatheredWeights(self.source(name), flat, memory))
        return memory

    def winograd(self, name: str, max_channels: int) -> Array:
        """Return memory that is filled before each step with transformed weights, in blocks of output channels."""

        def make() -> Array:
            index = np.ascontiguousarray(self.numbers(name))
            oc, c, k, _ = index.shape
            memory = np.zeros(oc * c * (k + OUTPUTS - 1) ** 2, np.float32)
            self.packers.append(WinogradWeights(self.source(name), index, memory, max_channels, spreading(k)))
            return memory

        return self.once(make, "winograd", name, max_channels)

    def factors(self, op: BatchNorm, site: NodeIO) -> tuple[Array, Array]:
        """Return memory that is filled before each step with factor and shift of each channel."""
        channels = math.prod(self.shapes[site.inputs[1]])
        factor, shift = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
        self.packers.append(BatchNormFactors(op, site.inputs[1:5], factor, shift))
        return factor, shift

    def numbers(self, name: str) -> Array:
        """Return which element of its parameter each element of a weight is."""
        source, groups = self.transposes.get(name, (name, 1))
        numbers = element_numbers(source, self.shapes[source])
        return numbers if source == name else transposed(numbers, groups)

    def source(self, name: str) -> str:
        """Return the parameter that a weight is made of: that of ``w^T`` is ``w``."""
        return self.transposes[name][0] if name in self.transposes else name

    def transpose(self, weight: str, groups: int = 1) -> str:
        """Return the name of the weights that pass gradients back through a layer."""
        name = f"{weight}^T" if groups == 1 else f"{weight}^T:{groups}"
        self.transposes[name] = weight, groups
        self.shapes[name] = transposed_shape(self.shapes[weight], groups)
        return name

    def end_phase(self, node: str, backward: bool, sums: str) -> None:
        """End a phase: the next one begins when a batch-norm has the sums over the whole batch."""
        self.phase_ends.append(PhaseEnd(len(self.steps), node, backward, sums))

    def rename(self, value: str, like: str) -> None:
        """Give a value the shape and the halo of another one."""
        self.shapes[value] = self.shapes[like]
        if like in self.halos:
            self.halos[value] = self.halos[like]

    def fill(self, node: str, value: str) -> None:
        """Emit zeros."""
        c, h, w = three_axes(self.shapes[value])
        y = self.strides(value)
        self.emit(
            NodeIO(node, (), value), "fill", (), ints=dict(C=c, H=h, W=w, y_c=y[0], y_r=y[1]), floats={"value": 0}
        )

    def copy(self, node: str, source: str, target: str) -> None:
        """Emit a copy of a value."""
        shape = three_axes(self.shapes[target])
        ints = copy_ints(shape, self.strides(source), self.strides(target))
        self.emit(NodeIO(node, (source,), target), "copy", (source,), ints=ints)

    def contribute(self, node: Node, value: str, emit: Callable[[str, bool], None], adds: bool = False) -> None:
        """Emit what a node adds to the gradient of a value.

        ``emit(target, False)`` writes a gradient; ``emit(target, True)``, called only with ``adds``, adds to it.
        """
        target = grad(value)
        if value not in self.started:
            self.started.add(value)
            emit(target, False)
        elif adds:
            emit(target, True)
        else:
            part = f"{target}<{node.name}"
            self.shapes[part] = self.shapes[value]
            emit(part, False)
            ints = self.three(target, part)
            self.emit(NodeIO(node.name, (part,), target), "accumulate", (part,), ints=ints)

    def three(self, target: str, source: str) -> dict[str, int]:
        """Return the geometry of adding one value to another one of its shape."""
        shape, a, y = three_axes(self.shapes[target]), self.strides(source), self.strides(target)
        if a == y == strides_of(shape):
            shape = (1, 1, math.prod(shape))
        return dict(zip("ABC", shape, strict=True)) | numbered(a=a, y=y)

    def window(self, value: str, *names: str) -> dict[str, int]:
        """Return the sizes of a value as channels and rows, and the strides of other values as those of x, dy and y."""
        shape = (*self.shapes[value], 1, 1)[:3]
        ints = dict(zip("CHW", shape, strict=True))
        for prefix, name in zip(("x", "dy", "y"), names, strict=False):
            own = self.strides(name) if len(self.shapes[value]) == 3 else strides_of(shape)  # type: ignore[arg-type]
            ints |= {f"{prefix}_c": own[0], f"{prefix}_r": own[1]}
        return ints

    def rows_of(self, value: str, *names: str) -> dict[str, int]:
        """Return the same for functions of one element: as few and as long rows as possible."""
        shape = three_axes(self.shapes[value])
        strides = [self.strides(name) for name in names]
        if all(own == strides_of(shape) for own in strides):
            shape = (1, 1, math.prod(shape))
        ints = dict(zip("CHW", shape, strict=True))
        for prefix, own in zip(("x", "dy", "y"), strides, strict=False):
            ints |= {f"{prefix}_c": own[0], f"{prefix}_r": own[1]}
        return ints

    def stored(self, name: str) -> str:
        """Return the value that a layer stores: its own, or that of the last node that it fuses."""
        return self.epilogues[name].nodes[-1].name if name in self.epilogues else name

    def normalize(self, node: Node, target: str) -> None:
        """Emit what follows the statistics of a batch-norm: factor and shift, a residual, ReLU."""
        epilogue, x = self.epilogues.get(node.name), node.inputs[0]
        reads = (x,) if epilogue is None or epilogue.residual is None else (x, epilogue.residual)
        ints = self.window(x, x, reads[-1], target) | dict(
            relu=int(epilogue is not None and epilogue.activation is not None)
        )
        ints |= dict(r_c=ints.pop("dy_c"), r_r=ints.pop("dy_r"))
        site = NodeIO(node.name, reads, target)
        self.emit(site, "affine_activate", reads, ints=ints, parameters=(self.buffers[node.name]["front"],))
        self.clear_halo(node.name, target)
        if len(reads) == 1:
            self.recomputed[target] = node

    def for_backward(self, value: str) -> str:
        """Return the value to read on the way back: a batch-norm's result is recomputed rather than kept."""
        if value not in self.recomputed:
            return value
        again, is_new = self.again(value)
        if is_new:
            self.normalize(self.recomputed[value], again)
        return again

    def again(self, value: str) -> tuple[str, bool]:
        """Return the name of what is computed again in this phase, and whether it is not yet."""
        again = f"{value}:{len(self.phase_ends)}"
        if again in self.shapes:
            return again, False
        self.rename(again, value)
        return again, True

    def is_active(self, value: str) -> bool:
        """Return whether a gradient passes through a value, or is that of a trained parameter."""
        return value in self.active

    def partial(self, name: str) -> None:
        """Take memory for the gradient of a parameter, summed over the images of a chunk."""
        self.partials.setdefault(grad(name), math.prod(self.shapes[name]))

    def drop(self, node: Node, source: str, target: str) -> None:
        """Emit dropout, of a value or of its gradient."""
        rate = node.op.attributes()["rate"]
        key = self.dropouts.index(node.name)
        ints = self.rows_of(target, source, target)
        ints |= dict(y_c=ints.pop("dy_c"), y_r=ints.pop("dy_r"), threshold=threshold(rate))
        reads = (source, f"{KEYS}{key}")
        floats = {"scale": float(np.float32(1 / (1 - rate)))}
        self.emit(NodeIO(node.name, reads, target), "dropout", reads, ints=ints, floats=floats)

    def settled(self) -> list[Step]:
        """Return the steps, each result under the name that has memory."""
        return [replace(step, result=root(step.result, self.aliases)) for step in self.steps]


KEYS = "keys:"
"""What the inputs are called that hold the keys of dropout."""


def grad(value: str) -> str:
    """Return the name of the gradient of a value."""
    return f"d:{value}"
