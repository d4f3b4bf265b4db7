"""Walks the nodes of a file in order and builds a graph; everything that is not supported is reported at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from cnnfast.errors import GraphError, ModelFileError, UnsupportedError
from cnnfast.formats.budget import ReadBudget
from cnnfast.formats.error_context import net
from cnnfast.formats.onnx.attributes import check_all_read
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.ends import Entrance, Said, entrance, needed, only_input, wanted_output
from cnnfast.formats.onnx.external import ExternalFiles, external_bytes
from cnnfast.formats.onnx.fold import FOLDS, fold
from cnnfast.formats.onnx.functions import written_out
from cnnfast.formats.onnx.operators import CONTRIBUTED, OPERATORS
from cnnfast.formats.onnx.operators.operator_list import Operator
from cnnfast.formats.onnx.problems import Problems, called, supposed
from cnnfast.formats.onnx.proto import DOMAINS, array_of
from cnnfast.formats.onnx.values import OnnxImages, Static, Unknown, Value
from cnnfast.formats.onnx.writing.metadata import PRODUCER
from cnnfast.graph import Graph, GraphBuilder
from cnnfast.ops import Array, Identity, Op, Shape, Transpose

OLDEST = 7
KINDS = {*OPERATORS, *FOLDS, "Constant"}
MICROSOFT = "com.microsoft"
VALUES = ("value", "value_float", "value_floats", "value_int", "value_ints")
"""The attributes of Constant."""


def translated(model: ModelProto, external: ExternalFiles | None, said: Said | None = None) -> Graph:
    """Return the graph of a model: one input, one output.

    Parameters
    ----------
    model : ModelProto
    external : ExternalFiles, optional
        Where external data may be.
    said : Said, optional
        What the user specifies about it.

    Raises
    ------
    ModelFileError
        If the file is damaged, or leaves open what the user does not specify.
    UnsupportedError
        If operators are not supported; all of them are listed.
    """
    return translation(model, external, said)[1]


def translation(
    model: ModelProto, external: ExternalFiles | None, said: Said | None = None
) -> tuple[Translation, Graph]:
    """Return the graph of a model, and what each name of the file stands for there; see `translated`."""
    said = said or Said()
    translation = Translation(model, external)
    output = wanted_output(translation.graph, said.output)
    nodes = needed(translation.graph, [output])
    images = only_input(translation.graph, nodes, output, translation.values)
    translation.enter(entrance(translation.graph, images, said))
    return translation, translation.run(nodes, [output])


class Translation:
    """The graph under construction, and what each name of the file stands for."""

    def __init__(
        self,
        model: ModelProto,
        external: ExternalFiles | None,
        constant_inputs: Mapping[str, Array] | None = None,
        budget: ReadBudget | None = None,
    ) -> None:
        self.graph = written_out(model)
        self.opset = _opset(model)
        self._is_ours = model.producer_name == PRODUCER
        self.external = external
        self.batch: int | None = None
        self.values: dict[str, Value | Unknown] = {}
        self.problems = Problems(OPERATORS)
        self._reserved = {name for node in self.graph.node for name in node.output}
        self._builder = GraphBuilder(self._reserved | {value.name for value in self.graph.input})
        self.budget = budget or ReadBudget(model.ByteSize() + external_bytes(self.graph.initializer, external))
        if self.graph.sparse_initializer:
            raise UnsupportedError("sparse weights")
        for tensor in self.graph.initializer:
            self.values[tensor.name] = self._tensor(tensor)
        for name, array in (constant_inputs or {}).items():
            self.values[name] = Static.of(array)

    def _tensor(self, tensor: TensorProto) -> Static:
        """Return a tensor of the file."""
        with net(f"tensor {tensor.name!r:.200}"):
            array = array_of(tensor, self.external)
            if tensor.HasField("raw_data"):
                self.budget.give(array)
            else:
                self.budget.take(array, f"tensor {tensor.name!r:.200}")
        return Static.of(array)

    def run(self, nodes: Iterable[NodeProto], outputs: Sequence[str]) -> Graph:
        """Translate nodes, with the inputs already entered, and return the graph of some of their results."""
        for node in nodes:
            self.step(node)
        self.problems.raise_if_any()
        return self._builder.finish(*(self._output(name) for name in outputs))

    # ---- inputs and outputs

    def enter(self, entrance: Entrance) -> None:
        """Make a graph input; images that come as N, H, W, C are taken as N, C, H, W."""
        name, shape = entrance.name, entrance.shape
        self.batch = entrance.batch
        self._builder.input(name, shape)
        if not entrance.is_nhwc:
            self.values[name] = OnnxImages(name, shape, entrance.integers)
            return
        permuted = self.append(Transpose((0, 2, 3, 1)), (name,), f"{name}.nhwc")
        self.values[name] = OnnxImages(permuted, self._builder.shapes[permuted], entrance.integers)

    def _output(self, name: str) -> str:
        value = self.values.get(name)
        if value is None:
            raise ModelFileError(f"no node makes the output {name!r}")
        if isinstance(value, Unknown):
            raise UnsupportedError(f"the output {name!r} is a result that is not computed")
        if not isinstance(value, OnnxImages):
            raise UnsupportedError(f"the output {name!r} does not depend on the images")
        if value.at:
            raise UnsupportedError(f"axis {value.at} of the output {name!r} counts the images; it must be axis 0")
        if value.is_joined:
            raise UnsupportedError(f"axis 0 of the output {name!r} counts the images and another axis together")
        if value.name in self._builder.inputs:
            return self.append(Identity(), (value.name,), f"{name}.output")
        return value.name

    # ---- nodes

    def step(self, node: NodeProto) -> None:
        """Translate one node; what is not supported is noted, and what depends on it is left alone."""
        if node.op_type == "If" and node.domain in DOMAINS:
            self._take_branch(node)
            return
        inputs = [None if name == "" else self._find(node, name) for name in node.input]
        if unknown := [value for value in inputs if isinstance(value, Unknown)]:
            self._behind(node, inputs, unknown)
            return
        call = NodeCall(
            node, self.opset, tuple(inputs), self, self.external, self.batch, self._is_ours  # type: ignore[arg-type]
        )  # fmt: skip
        before = len(self._builder.nodes)
        try:
            with net(f"{node.op_type:.80}"):
                results = self._translated(call)
                check_all_read(node, self.opset, call.read)
        except (UnsupportedError, GraphError) as error:
            self._builder.drop_since(before)
            self._refuse(node, inputs, str(error))
            return
        except ModelFileError as error:
            if self.problems:
                # it may be a shape that was supposed behind another node
                self._builder.drop_since(before)
                self._refuse(node, inputs, str(error))
                return
            raise ModelFileError(f"node {called(node)}: {error}") from error
        self._bind(node, self._named(node, results, before))

    def _refuse(self, node: NodeProto, inputs: Sequence[Value | Unknown | None], why: str) -> None:
        """Note a node that is not run, and continue with what its results would be like."""
        self.problems.add(node, inputs, why)
        self._suppose(node, inputs)

    def _suppose(self, node: NodeProto, inputs: Sequence[Value | Unknown | None]) -> None:
        results = supposed(node, inputs)
        for value in results:
            if isinstance(value, OnnxImages):
                self._builder.suppose(value.name, value.shape)
        self._bind(node, results)

    def _behind(self, node: NodeProto, inputs: Sequence[Value | Unknown | None], unknown: Sequence[Unknown]) -> None:
        """Look at a node that reads what is not known, as far as that goes."""
        reason = unknown[0].why
        if node.domain not in DOMAINS and _contributed(node) is None:
            reason = f"operators of the domain {node.domain!r} are not known"
        elif node.domain in DOMAINS and node.op_type not in KINDS:
            reason = "the operator is not known"
        elif node.domain in DOMAINS and node.op_type not in OPERATORS and any(value.of_images for value in unknown):
            reason = "it is run on constants only"
        if reason:
            self._refuse(node, inputs, reason)
        else:
            self.problems.unseen += 1
            self._suppose(node, inputs)

    def _take_branch(self, node: NodeProto) -> None:
        """Translate the branch of an If that is always taken; its own names end with it."""
        condition = self._find(node, node.input[0] if node.input else "")
        reason = _not_always(condition)
        if reason is not None or not isinstance(condition, Static):
            if reason:
                self.problems.add(node, [condition], reason)
            self._bind(node, [Unknown()] * len(node.output))
            return
        graph = _branch(node, "then_branch" if condition.array.any() else "else_branch")
        before, own = len(self._builder.nodes), set()
        for tensor in graph.initializer:
            own.add(tensor.name)
            self.values[tensor.name] = self._tensor(tensor)
        for inner in graph.node:
            own.update(inner.output)
            self.step(inner)
        results = [self._find(node, value.name) for value in graph.output]
        for name in own:
            self.values.pop(name, None)
        if any(isinstance(value, Unknown) for value in results):
            self._bind(node, results)
        else:
            self._bind(node, self._named(node, results, before))  # type: ignore[arg-type]

    def _find(self, node: NodeProto, name: str) -> Value | Unknown:
        if name not in self.values:
            raise ModelFileError(
                f"node {called(node)} ({node.op_type}) reads {name!r}, which nothing before it provides"
            )
        return self.values[name]

    def _translated(self, call: NodeCall) -> list[Value]:
        node = call.node
        own = _contributed(node)
        if node.domain not in DOMAINS and own is None:
            raise UnsupportedError(f"operators of the domain {node.domain!r} are not known")
        if not node.output:
            raise ModelFileError(f"{node.op_type} has no result")
        if own is not None:
            return _listed(own(call))
        if node.op_type == "Constant":
            return [self._constant(call)]
        if all(isinstance(value, Static) for value in call.inputs if value is not None) and call.kind in FOLDS:
            return list(fold(call, self.budget))
        if call.kind not in OPERATORS:
            raise UnsupportedError("it is run on constants only" if call.kind in FOLDS else "the operator is not known")
        return _listed(OPERATORS[call.kind](call))

    def _constant(self, call: NodeCall) -> Static:
        stated = [name for name in VALUES if any(a.name == name for a in call.node.attribute)]
        if len(stated) != 1:
            raise UnsupportedError(f"Constant has {stated or 'no value'}; one of {', '.join(VALUES)} is read")
        array = np.asarray(call.attribute(stated[0]))
        if array.dtype.kind not in "fiub":
            raise UnsupportedError(f"a constant of type {array.dtype}")
        if stated[0].startswith("value_float"):
            array = array.astype(np.float32)
        self.budget.take(array, "Constant")
        return Static.of(array)

    def _named(self, node: NodeProto, results: list[Value], before: int) -> list[Value]:
        """Give the nodes that make results the names of the file, where nothing else of this call reads them."""
        own = self._builder.nodes[before:]
        read = {name for made in own for name in made.inputs}
        places = {made.name: before + i for i, made in enumerate(own)}
        return [self._under(wanted, value, places, read) for wanted, value in zip(node.output, results, strict=False)]

    def _under(self, wanted: str, value: Value, places: Mapping[str, int], read: Collection[str]) -> Value:
        """Return a value under a name of the file, if its node is one of ``places`` and nothing reads it yet."""
        # inside of a branch others may use the name too
        if wanted not in self._reserved or not isinstance(value, OnnxImages) or value.name in read:
            return value
        if wanted in self._builder.shapes:
            return value
        place = places.get(value.name)
        if place is None:
            return value
        node = self._builder.nodes[place]
        return replace(value, name=self._builder.rename(place, wanted) if node.name == value.name else node.name)

    def _bind(self, node: NodeProto, results: Collection[Value | Unknown]) -> None:
        missing = [Unknown(f"it reads a result that is not computed: {name!r}") for name in node.output[len(results) :]]
        for name, value in zip(node.output, [*results, *missing], strict=False):
            if name and name in self.values:
                raise ModelFileError(f"two nodes make {name!r}")
            if name:
                self.values[name] = value

    # ---- what calls add

    def append(self, op: Op, inputs: tuple[str, ...], wanted: str) -> str:
        """Add a node under a new name."""
        return self._builder.add(self._builder.fresh(wanted), op, *inputs)

    def shape_of(self, name: str) -> Shape:
        """Return the shape of a value of the graph, of one image."""
        return self._builder.shapes[name]

    def keep(self, array: Array, wanted: str) -> str:
        """Add a constant under a new name."""
        dtype = np.dtype(np.float64 if array.dtype == np.float64 else np.float32)
        if not (array.flags.c_contiguous and array.dtype == dtype):
            self.budget.ask(array.size * dtype.itemsize, f"the constant {wanted!r:.200}")
        kept = np.ascontiguousarray(array).reshape(array.shape).astype(dtype, copy=False)
        self.budget.take(kept, f"the constant {wanted!r:.200}")
        # kept as it is: several nodes may share one array, which the budget counts once
        return self._builder.constant(self._builder.fresh(wanted), kept, as_is=True)


def _contributed(node: NodeProto) -> Operator | None:
    """Return what runs an operator of ONNX Runtime's own domain."""
    return CONTRIBUTED.get(node.op_type) if node.domain == MICROSOFT else None


def _listed(results: Value | Sequence[Value]) -> list[Value]:
    return [results] if isinstance(results, Value) else list(results)


def _not_always(condition: Value | Unknown) -> str | None:
    """Return why it is open which branch of an If is taken, None if it is not; "" if that was reported before."""
    if isinstance(condition, Unknown):
        return condition.why
    if not isinstance(condition, Static):
        return "its condition is computed from the images"
    if not condition.is_fixed:
        return "its condition depends on the number of images"
    return None if condition.array.size == 1 else f"its condition has the shape {condition.array.shape}"


def _branch(node: NodeProto, name: str) -> GraphProto:
    for attribute in node.attribute:
        if attribute.name == name:
            graph: GraphProto = attribute.g
            return graph
    raise ModelFileError(f"node {called(node)} (If) has no {name}")


def _opset(model: ModelProto) -> int:
    versions = sorted({entry.version for entry in model.opset_import if entry.domain in DOMAINS})
    newest = onnx.defs.onnx_opset_version()
    if len(versions) != 1:
        raise ModelFileError(f"it states the versions {versions} of the operator set; there must be one")
    if not OLDEST <= versions[0] <= newest:
        raise UnsupportedError(
            f"it uses operator set {versions[0]}; {OLDEST} to {newest} are read (the newest follows from the installed "
            "package onnx). Convert it with onnx.version_converter"
        )
    return int(versions[0])
