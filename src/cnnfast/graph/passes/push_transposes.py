"""Move transposes toward the outputs, until they cancel or reach a layer whose weights can be reordered.

Networks that came from TensorFlow hold images as N, H, W, C, with transposes around every convolution. Here
each value may represent another one in another order of axes; ops that treat the axes alike are computed in the order
of what they read, and a transpose is made only where an op insists on an order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cnnfast import ops
from cnnfast._frozen import frozen
from cnnfast.graph.ir import Graph, Node
from cnnfast.graph.passes.rewrite import fresh_name, read_only, rebuilt
from cnnfast.ops import Op, Shape
from cnnfast.ops.arithmetic import Binary
from cnnfast.ops.base import Array
from cnnfast.ops.reduce import simplest

Order = tuple[int, ...]
"""Where each axis of one image comes from, counted from 0."""


@frozen
class View:
    """A value as another one: ``source`` with its axes in an order.

    With a ``volume`` both are flat: ``source`` is a value of that shape flattened, and the value stands for the same
    one with its axes in the order, flattened.
    """

    source: str
    order: Order
    volume: Shape | None = None


def push_transposes(graph: Graph) -> Graph:
    """Move transposes toward the outputs; the graph stays as it is unless fewer of them are left."""
    return pushed(graph)[0]


def pushed(graph: Graph) -> tuple[Graph, Mapping[str, View]]:
    """Return what `push_transposes` does, and which of its values were in another order before.

    Returns
    -------
    graph : Graph
    views : mapping of str to View
        By the names of values, what the values of these names in the graph before were of those now.
    """
    if not any(isinstance(node.op, ops.Transpose) for node in graph.nodes):
        return graph, {}
    pushing = _Pushing(graph)
    after = pushing.run()
    if _count(after) >= _count(graph):
        return graph, {}
    return after, {name: view for name, view in pushing.views.items() if view.source == name and name in after.shapes}


def _count(graph: Graph) -> int:
    return sum(isinstance(node.op, ops.Transpose) for node in graph.nodes)


@dataclass(eq=False, repr=False)
class _Pushing:
    graph: Graph
    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    turned: dict[tuple[object, ...], str] = field(default_factory=dict)

    def run(self) -> Graph:
        """Return the graph with transposes pushed."""
        self.shapes.update(self.graph.inputs)
        self.constants.update(self.graph.constants)
        self.shapes.update({name: array.shape for name, array in self.constants.items()})
        self.taken.update(self.graph.shapes)
        outputs = set(self.graph.outputs)
        for node in self.graph.nodes:
            if isinstance(node.op, ops.Linear) and self._linear(node):
                continue
            view = self._view(node)
            if view is None:
                self._append(node.name, node.op, tuple(self._plain(v) for v in node.inputs))
            elif node.name in outputs:
                self._materialise(node.name, view)
            else:
                self.views[node.name] = view
        return rebuilt(self.graph, self.nodes, self.constants)

    # ---- values

    def _append(self, name: str, op: Op, inputs: tuple[str, ...]) -> str:
        self.nodes.append(Node(name, op, inputs))
        self.shapes[name] = op.shape(*(self.shapes[v] for v in inputs))
        self.taken.add(name)
        return name

    def _constant(self, array: Array, wanted: str) -> str:
        name = fresh_name(wanted, self.taken)
        self.constants[name] = read_only(array)
        self.shapes[name] = array.shape
        self.taken.add(name)
        return name

    def _plain(self, value: str) -> str:
        """Return the name of a value in its own order; a transpose is made if there is none yet."""
        view = self.views.get(value)
        if view is None:
            return value
        if view.order == tuple(range(len(view.order))):
            return view.source
        if view.volume is not None and _keeps_elements(view.volume, view.order):
            return view.source
        if value not in self.made:
            name = fresh_name(f"{value}.ordered", self.taken)
            self.made[value] = self._materialise(name, view)
        return self.made[value]

    def _materialise(self, name: str, view: View) -> str:
        shape = self.shapes[view.source] if view.volume is None else view.volume
        ordered = tuple(shape[axis] for axis in view.order)
        if _keeps_elements(shape, view.order):
            target = ordered if view.volume is None else (math.prod(shape),)
            return self._append(name, ops.Reshape(target), (view.source,))
        transpose = ops.Transpose((0, *(axis + 1 for axis in view.order)))
        if view.volume is None:
            return self._append(name, transpose, (view.source,))
        volume = self._append(fresh_name(f"{name}.volume", self.taken), ops.Reshape(shape), (view.source,))
        turned = self._append(fresh_name(f"{name}.ordered", self.taken), transpose, (volume,))
        return self._append(name, ops.Flatten(), (turned,))

    # ---- nodes

    def _view(self, node: Node) -> View | None:
        """Return what a node's result is a view of, after appending what computes that; None if the node must stay."""
        views = [self.views.get(v) for v in node.inputs]
        first = views[0]
        if isinstance(node.op, ops.Transpose):
            return self._transposed(node, first)
        if isinstance(node.op, ops.Flatten | ops.Reshape) and first is not None:
            return self._reshaped(node, first)
        if isinstance(node.op, Binary):
            return self._binary(node, views)
        if isinstance(node.op, ops.Concat):
            return self._concat(node, views)
        if first is None:
            return None
        if first.volume is not None and isinstance(node.op, ops.BatchNorm | ops.PRelu):
            numbers = [self._of_elements(value, first) for value in node.inputs[1:]]
            return replace(first, source=self._append(self._inner(node), node.op, (first.source, *numbers)))
        op = _reordered(node.op, first, self.shapes[first.source])
        if op is None:
            return None
        parameters = node.inputs[1:]
        if isinstance(node.op, ops.LayerNorm) and isinstance(op, ops.LayerNorm):
            axes = [first.order[axis - 1] + 1 for axis in node.op.axes]
            parameters = tuple(self._permuted(value, np.argsort(axes)) for value in parameters)
        name = self._append(self._inner(node), op, (first.source, *parameters))
        return self._after(node.op, name, first)

    def _reshaped(self, node: Node, first: View) -> View | None:
        """Return the view of a flattened value, or of one that keeps its last axis where that is the source's first."""
        target, shape = self.graph.shapes[node.name], self.shapes[first.source]
        if first.volume is not None:
            if target != tuple(first.volume[axis] for axis in first.order):
                return None
            return View(self._append(self._inner(node), ops.Reshape(first.volume), (first.source,)), first.order)
        if len(target) == 1:
            flat = self._append(self._inner(node), ops.Flatten(), (first.source,))
            return replace(first, source=flat, volume=shape)
        if len(target) == len(shape) == 3 and first.order == (1, 2, 0) and target[2] == shape[0]:
            moved = ops.Reshape((shape[0], *target[:2]))
            return replace(first, source=self._append(self._inner(node), moved, (first.source,)))
        return None

    def _permuted(self, value: str, axes: np.ndarray[Any, Any]) -> str:
        """Return a constant with its axes in another order."""
        if len(axes) < 2 or list(axes) == list(range(len(axes))):
            return value
        return self._replaced(value, ("axes", *map(int, axes)), lambda array: array.transpose(axes))

    def _of_elements(self, value: str, view: View) -> str:
        """Return one number for each element of a flattened value in the order of the view's source."""
        if self.graph.constants[value].size == 1:
            return value
        places = _places(view)
        return self._replaced(value, (view.order, view.volume), lambda array: array[np.argsort(places)])

    def _replaced(self, value: str, key: tuple[object, ...], change: Callable[[Array], Array]) -> str:
        """Return a changed constant; under its own name if nothing else reads it."""
        if (value, *key) not in self.turned:
            array = change(self.graph.constants[value])
            if len(self.graph.consumers[value]) == 1:
                self.constants[value] = read_only(array)
                self.shapes[value] = array.shape
                self.turned[value, *key] = value
            else:
                self.turned[value, *key] = self._constant(array, f"{value}.turned")
        return self.turned[value, *key]

    def _inner(self, node: Node) -> str:
        """Return a name for what a node computes in another order: its own, unless that is the name of an output."""
        return fresh_name(f"{node.name}.turned", self.taken) if node.name in self.graph.outputs else node.name

    def _transposed(self, node: Node, first: View | None) -> View | None:
        op = node.op
        assert isinstance(op, ops.Transpose)
        if first is not None and first.volume is not None:
            return first
        order = tuple(axis - 1 for axis in op.order[1:])
        if node.inputs[0] in self.graph.constants:
            return None
        return View(node.inputs[0], order) if first is None else View(
            first.source, tuple(first.order[axis] for axis in order)
        )  # fmt: skip

    def _after(self, op: Op, name: str, view: View) -> View:
        """Return the view of a result; a reduction that drops axes drops them from the order too."""
        if not isinstance(op, ops.Reduce | ops.GlobalAvgPool | ops.GlobalMaxPool) or op.keep_dims:
            return replace(view, source=name)
        axes = op.axes if isinstance(op, ops.Reduce) else (2, 3)
        kept = [axis for i, axis in enumerate(view.order, start=1) if i not in axes]
        return View(name, tuple(sorted(kept).index(axis) for axis in kept) or (0,))

    def _binary(self, node: Node, views: list[View | None]) -> View | None:
        """Compute arithmetic of two values in the order that both have; a constant takes any order."""
        view = next((v for v in views if v is not None), None)
        if view is None:
            return None
        sources = [self._as_source(value, own, view) for value, own in zip(node.inputs, views, strict=True)]
        if None in sources:
            return None
        return replace(view, source=self._append(self._inner(node), node.op, tuple(s for s in sources if s)))

    def _as_source(self, value: str, own: View | None, view: View) -> str | None:
        """Return a value in the order of a view's source, or None if that takes a transpose."""
        if own is not None:
            return own.source if (own.order, own.volume) == (view.order, view.volume) else None
        if value in self.graph.constants:
            return self._turned_constant(value, view)
        shape, back = self.graph.shapes[value], tuple(int(axis) for axis in np.argsort(view.order))
        if view.volume is not None or len(shape) != len(back) or not _keeps_elements(shape, back):
            return None
        name = fresh_name(f"{value}.turned", self.taken)
        return self._append(name, ops.Reshape(tuple(shape[axis] for axis in back)), (value,))

    def _turned_constant(self, value: str, view: View) -> str | None:
        array = self.graph.constants[value]
        rank = len(view.order) if view.volume is None else 1
        if array.size == 1 and array.ndim <= rank:
            return value
        if array.ndim > rank:
            return None
        if view.volume is not None:
            return self._of_elements(value, view) if array.size == math.prod(view.volume) else None
        whole, back = (1,) * (rank - array.ndim) + array.shape, np.argsort(view.order)
        return self._replaced(value, (view.order, whole), lambda array: array.reshape(whole).transpose(back))

    def _concat(self, node: Node, views: list[View | None]) -> View | None:
        assert isinstance(node.op, ops.Concat)
        view = views[0]
        if view is None or any(v is None or (v.order, v.volume) != (view.order, None) for v in views):
            return None
        op = ops.Concat(view.order[node.op.axis - 1] + 1)
        sources = tuple(v.source for v in views if v is not None)
        return replace(view, source=self._append(self._inner(node), op, sources))

    def _linear(self, node: Node) -> bool:
        """Let a dense layer read features in another order by reordering its weights; return whether that was done."""
        view = self.views.get(node.inputs[0])
        if view is None or view.volume is None or _keeps_elements(view.volume, view.order):
            return False
        back = np.argsort(_places(view))
        weight = self._replaced(node.inputs[1], (view.order, view.volume), lambda array: array[:, back])
        self._append(node.name, node.op, (view.source, weight, *node.inputs[2:]))
        return True


def _places(view: View) -> np.ndarray[Any, Any]:
    """Return, for each element of a flat view, its place in the source."""
    assert view.volume is not None
    return np.arange(math.prod(view.volume)).reshape(view.volume).transpose(view.order).reshape(-1)


def _keeps_elements(shape: Shape, order: Order) -> bool:
    """Return whether an order leaves all elements in place: only axes of size 1 move."""
    moved = [axis for axis in order if shape[axis] != 1]
    return moved == sorted(moved)


def _reordered(op: Op, view: View, source: Shape) -> Op | None:
    """Return the op that computes on the source what ``op`` computes on the view, or None if there is none."""
    if isinstance(op, ops.PRelu):
        return None
    if isinstance(op, ops.Activation | ops.Function | ops.Identity | ops.Dropout):
        return op
    if view.volume is not None:
        return None
    axes = {axis: view.order[axis - 1] + 1 for axis in range(1, len(view.order) + 1)}
    match op:
        case ops.Softmax() | ops.LogSoftmax():
            return replace(op, axis=axes[op.axis])
        case ops.GlobalAvgPool():
            return simplest(ops.ReduceMean(tuple(sorted((axes[2], axes[3]))), op.keep_dims), source)
        case ops.GlobalMaxPool():
            return simplest(ops.ReduceMax(tuple(sorted((axes[2], axes[3]))), op.keep_dims), source)
        case ops.Reduce():
            return simplest(replace(op, axes=tuple(sorted(axes[axis] for axis in op.axes))), source)
        case ops.LayerNorm():
            return replace(op, axes=tuple(sorted(axes[axis] for axis in op.axes)))
        case ops.Slice():
            back = np.argsort(view.order)
            return ops.Slice(*(tuple(part[axis] for axis in back) for part in (op.start, op.count, op.step)))
        case ops.Pad():
            around = op.around()
            channels, rows, columns = (around[axis] for axis in np.argsort(view.order))
            return ops.Pad((rows[0], columns[0], rows[1], columns[1]), op.value, op.mode, channels)
    return None
