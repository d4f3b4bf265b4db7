"""Move transposes toward the outputs, where they meet their opposite or a layer whose weights can be reordered.

Networks that came from TensorFlow hold images as N, H, W, C, with transposes around every convolution. Here
each value may represent another one in another order of axes; ops that treat the axes alike are computed in the order
of what they read, and a transpose is made only where an op insists on an order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

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
class _View:
    """A value as another one: ``source`` with its axes in an order, or flattened after that."""

    source: str
    order: Order
    flat: bool = False


def push_transposes(graph: Graph) -> Graph:
    """Move transposes toward the outputs; the graph stays as it is unless fewer of them are left."""
    if not any(isinstance(node.op, ops.Transpose) for node in graph.nodes):
        return graph
    pushed = _Pushing(graph).run()
    return pushed if _count(pushed) < _count(graph) else graph


def _count(graph: Graph) -> int:
    return sum(isinstance(node.op, ops.Transpose) for node in graph.nodes)


@dataclass
class _Pushing:
    graph: Graph
    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    views: dict[str, _View] = field(default_factory=dict)
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
        """Return the name of a value in its own order; a transpose is made where there is not one yet."""
        view = self.views.get(value)
        if view is None:
            return value
        if not view.flat and view.order == tuple(range(len(self.shapes[view.source]))):
            return view.source
        if value not in self.made:
            name = fresh_name(f"{value}.ordered", self.taken)
            self.made[value] = self._materialise(name, view)
        return self.made[value]

    def _materialise(self, name: str, view: _View) -> str:
        shape = self.shapes[view.source]
        ordered = tuple(shape[axis] for axis in view.order)
        if _keeps_elements(shape, view.order):
            target = (math.prod(shape),) if view.flat else ordered
            return self._append(name, ops.Reshape(target), (view.source,))
        transpose = ops.Transpose((0, *(axis + 1 for axis in view.order)))
        if not view.flat:
            return self._append(name, transpose, (view.source,))
        turned = self._append(fresh_name(f"{name}.ordered", self.taken), transpose, (view.source,))
        return self._append(name, ops.Flatten(), (turned,))

    # ---- nodes

    def _view(self, node: Node) -> _View | None:
        """Return what a node's result is a view of, after appending what computes that; None if it has to be itself."""
        views = [self.views.get(v) for v in node.inputs]
        first = views[0]
        if isinstance(node.op, ops.Transpose):
            return self._transposed(node, first)
        if isinstance(node.op, ops.Flatten | ops.Reshape) and first is not None and not first.flat:
            return replace(first, flat=True) if len(self.graph.shapes[node.name]) == 1 else None
        if isinstance(node.op, Binary):
            return self._binary(node, views)
        if isinstance(node.op, ops.Concat):
            return self._concat(node, views)
        if first is None:
            return None
        op = _reordered(node.op, first, self.shapes[first.source])
        if op is None:
            return None
        if isinstance(op, ops.LayerNorm) and len(node.inputs) > 1 and len(op.axes) > 1:
            return None
        name = self._append(self._inner(node), op, (first.source, *node.inputs[1:]))
        return self._after(node.op, name, first)

    def _inner(self, node: Node) -> str:
        """Return a name for what a node computes in another order: its own, unless that is the name of an output."""
        return fresh_name(f"{node.name}.turned", self.taken) if node.name in self.graph.outputs else node.name

    def _transposed(self, node: Node, first: _View | None) -> _View | None:
        op = node.op
        assert isinstance(op, ops.Transpose)
        if first is not None and first.flat:
            return first
        order = tuple(axis - 1 for axis in op.order[1:])
        if node.inputs[0] in self.graph.constants:
            return None
        return _View(node.inputs[0], order) if first is None else _View(
            first.source, tuple(first.order[axis] for axis in order)
        )  # fmt: skip

    def _after(self, op: Op, name: str, view: _View) -> _View:
        """Return the view of a result; a reduction that drops axes drops them from the order too."""
        if not isinstance(op, ops.Reduce | ops.GlobalAvgPool | ops.GlobalMaxPool) or op.keep_dims:
            return replace(view, source=name)
        axes = op.axes if isinstance(op, ops.Reduce) else (2, 3)
        kept = [axis for i, axis in enumerate(view.order, start=1) if i not in axes]
        return _View(name, tuple(sorted(kept).index(axis) for axis in kept) or (0,))

    def _binary(self, node: Node, views: list[_View | None]) -> _View | None:
        """Compute arithmetic of two values in the order that both have; a constant takes any order."""
        view = next((v for v in views if v is not None), None)
        if view is None:
            return None
        sources = [self._as_source(value, own, view) for value, own in zip(node.inputs, views, strict=True)]
        if None in sources:
            return None
        return replace(view, source=self._append(self._inner(node), node.op, tuple(s for s in sources if s)))

    def _as_source(self, value: str, own: _View | None, view: _View) -> str | None:
        """Return a value in the order of a view's source, or None if that takes a transpose."""
        if own is not None:
            alike = (own.order, own.flat) == (view.order, view.flat)
            same_shape = self.shapes[own.source] == self.shapes[view.source]
            return own.source if alike and (same_shape or not view.flat) else None
        if value in self.graph.constants:
            return self._turned_constant(value, view)
        shape, back = self.graph.shapes[value], tuple(int(axis) for axis in np.argsort(view.order))
        if view.flat or len(shape) != len(back) or not _keeps_elements(shape, back):
            return None
        name = fresh_name(f"{value}.turned", self.taken)
        return self._append(name, ops.Reshape(tuple(shape[axis] for axis in back)), (value,))

    def _turned_constant(self, value: str, view: _View) -> str | None:
        array = self.graph.constants[value]
        rank = len(view.order)
        if array.size == 1 and array.ndim <= rank:
            return value
        if view.flat:
            shape = tuple(self.shapes[view.source][axis] for axis in view.order)
            if array.ndim != 1 or array.size != math.prod(shape):
                return None
            array = array.reshape(shape)
        elif array.ndim > rank:
            return None
        key = (value, view.order, array.shape)
        if key not in self.turned:
            array = array.reshape((1,) * (rank - array.ndim) + array.shape)
            self.turned[key] = self._constant(array.transpose(np.argsort(view.order)), f"{value}.turned")
        return self.turned[key]

    def _concat(self, node: Node, views: list[_View | None]) -> _View | None:
        assert isinstance(node.op, ops.Concat)
        view = views[0]
        if view is None or view.flat or any(v is None or (v.order, v.flat) != (view.order, False) for v in views):
            return None
        op = ops.Concat(view.order[node.op.axis - 1] + 1)
        sources = tuple(v.source for v in views if v is not None)
        return replace(view, source=self._append(self._inner(node), op, sources))

    def _linear(self, node: Node) -> bool:
        """Let a dense layer read features in another order by reordering its weights; tell whether that was done."""
        view = self.views.get(node.inputs[0])
        if view is None or not view.flat or _keeps_elements(self.shapes[view.source], view.order):
            return False
        shape = self.shapes[view.source]
        key = (node.inputs[1], view.order, shape)
        if key not in self.turned:
            columns = np.arange(math.prod(shape)).reshape(shape).transpose(view.order).reshape(-1)
            weight = np.empty_like(self.graph.constants[node.inputs[1]])
            weight[:, columns] = self.graph.constants[node.inputs[1]]
            self.turned[key] = self._constant(weight, f"{node.inputs[1]}.turned")
        name = self.turned[key]
        flat = self._append(fresh_name(f"{node.inputs[0]}.flat", self.taken), ops.Flatten(), (view.source,))
        self._append(node.name, node.op, (flat, name, *node.inputs[2:]))
        return True


def _keeps_elements(shape: Shape, order: Order) -> bool:
    """Return whether an order leaves all elements in place: only axes of size 1 move."""
    moved = [axis for axis in order if shape[axis] != 1]
    return moved == sorted(moved)


def _reordered(op: Op, view: _View, source: Shape) -> Op | None:
    """Return the op that computes on the source what ``op`` computes on the view, or None if there is none."""
    if isinstance(op, ops.PRelu):
        return None
    if isinstance(op, ops.Activation | ops.Function | ops.Identity | ops.Dropout):
        return op
    if view.flat:
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
            return replace(op, axes=tuple(axes[axis] for axis in op.axes))
        case ops.Slice():
            back = np.argsort(view.order)
            return ops.Slice(*(tuple(part[axis] for axis in back) for part in (op.start, op.count, op.step)))
        case ops.Pad():
            around = op.around()
            channels, rows, columns = (around[axis] for axis in np.argsort(view.order))
            return ops.Pad((rows[0], columns[0], rows[1], columns[1]), op.value, op.mode, channels)
    return None
