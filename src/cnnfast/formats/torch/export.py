"""A module becomes the nodes of ATen that it runs, for a batch of images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import field
from typing import Any

import torch
from torch.export.graph_signature import InputKind
from torch.utils import _pytree as tree

from cnnfast._frozen import frozen
from cnnfast.errors import GraphError, UnsupportedError
from cnnfast.formats.torch.given import precision
from cnnfast.formats.torch.values import TorchConstant
from cnnfast.ops import Shape

BATCHES = (13, 17)
"""How many images the module is traced with: primes, so that hardly any other size is mistaken for them; and two of
them, so that what depends on their number shows."""


@frozen
class AtenNode:
    """One node.

    Attributes
    ----------
    name : str
    target : object
        The function; an overload of an ATen op, or ``operator.getitem``.
    arguments : dict of str to object
        By the names of the schema, defaults filled in; other nodes are given as `Reference`.
    shapes : list of tuple
        Of the tensors that it returns, with N.
    """

    name: str
    target: Any
    arguments: dict[str, Any]
    shapes: list[Shape]

    @property
    def op(self) -> str:
        """The name of the op in ATen, without the overload."""
        return str(self.target).removeprefix("aten.").partition(".")[0]


@frozen
class Reference:
    """An argument that is the result of another node."""

    name: str


@frozen
class Exported:
    """What a module runs.

    Attributes
    ----------
    source, result : str
        The nodes that are the images, and the scores.
    batch : int
        How many images it was traced with.
    constants : dict of str to TorchConstant
    steps : list of AtenNode
    """

    source: str
    result: str
    batch: int = BATCHES[0]
    constants: dict[str, TorchConstant] = field(default_factory=dict)
    steps: list[AtenNode] = field(default_factory=list)


def export(module: torch.nn.Module, input_shape: Shape, batch: int = BATCHES[0]) -> Exported:
    """Trace a module, which is in evaluation mode and on the CPU.

    Raises
    ------
    UnsupportedError
        If it cannot be traced, or returns anything but one tensor.
    GraphError
        If it does not take images of that shape.
    """
    images = torch.zeros(batch, *input_shape, dtype=precision(module))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        run(module, images)
        try:
            program = torch.export.export(module, (images,)).run_decompositions({})
        # whatever the user's code makes the tracer stumble over
        except Exception as error:
            raise UnsupportedError(
                f"torch.export cannot trace the module ({type(error).__name__}: {str(error).strip():.400}); "
                "what it does must not depend on the values of the images"
            ) from error
    return _read(program, batch)


def run(module: torch.nn.Module, images: torch.Tensor) -> Any:
    """Return what a module makes of images.

    Raises
    ------
    GraphError
        If it does not take them.
    """
    try:
        return module(images)
    # a module is the user's code and raises what it likes
    except Exception as error:
        raise GraphError(
            f"the module fails on images of shape (N, {', '.join(map(str, images.shape[1:]))}): {error!s:.400}"
        ) from error


def _read(program: torch.export.ExportedProgram, batch: int) -> Exported:
    signature = program.graph_signature
    if len(signature.user_outputs) != 1:
        raise UnsupportedError(
            f"the module returns {len(signature.user_outputs)} values; wrap it so that it returns one"
        )
    sources = [spec.arg.name for spec in signature.input_specs if spec.kind == InputKind.USER_INPUT]
    exported = Exported(sources[0], str(signature.user_outputs[0]), batch)
    held = {**program.state_dict, **program.constants}
    for spec in signature.input_specs:
        if spec.kind != InputKind.USER_INPUT and spec.target in held:
            exported.constants[spec.arg.name] = TorchConstant(held[spec.target], spec.target)
    for node in program.graph.nodes:
        if node.op == "call_function":
            exported.steps.append(AtenNode(node.name, node.target, _arguments(node), _shapes(node.meta.get("val"))))
    return exported


def _arguments(node: torch.fx.Node) -> dict[str, Any]:
    """Return the arguments of a node by name."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {str(i): _referenced(value) for i, value in enumerate(node.args)}
    names = [argument.name for argument in schema.arguments]
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    values = {
        a.name: given.get(a.name, a.default_value) for a in schema.arguments if a.name in given or a.has_default_value()
    }
    return {name: _referenced(value) for name, value in values.items()}


def _referenced(value: Any) -> Any:
    return tree.tree_map(lambda leaf: Reference(leaf.name) if isinstance(leaf, torch.fx.Node) else leaf, value)


def _shapes(value: Any) -> list[Shape]:
    values = value if isinstance(value, list | tuple) else [value]
    return [tuple(v.shape) for v in values if isinstance(v, torch.Tensor)]


def resolve(arguments: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with the results of other nodes in their places."""
    return {
        name: tree.tree_map(lambda leaf: known[leaf.name] if isinstance(leaf, Reference) else leaf, value)
        for name, value in arguments.items()
    }


def references(arguments: dict[str, Any]) -> Sequence[str]:
    """Return the nodes that the arguments name."""
    return [leaf.name for leaf in tree.tree_leaves(arguments) if isinstance(leaf, Reference)]


def leaves(arguments: dict[str, Any]) -> Sequence[Any]:
    """Return the arguments, and what lists among them hold."""
    found: Sequence[Any] = tree.tree_leaves(arguments)
    return found


def fold(step: AtenNode, arguments: dict[str, Any]) -> Any:
    """Compute a node that reads constants only.

    Raises
    ------
    UnsupportedError
        If it is random.
    """
    if torch.Tag.nondeterministic_seeded in getattr(step.target, "tags", ()):
        raise UnsupportedError("it is random; the numbers of the trace would stay in the network")
    tensors = tree.tree_map(lambda leaf: leaf.tensor if isinstance(leaf, TorchConstant) else leaf, arguments)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        result = step.target(**tensors) if hasattr(step.target, "_schema") else step.target(*tensors.values())
    return tree.tree_map(lambda leaf: TorchConstant(leaf) if isinstance(leaf, torch.Tensor) else leaf, result)


def filled(shape: Shape, value: float) -> TorchConstant:
    """Return a constant of equal numbers."""
    return TorchConstant(torch.full(shape, value))
