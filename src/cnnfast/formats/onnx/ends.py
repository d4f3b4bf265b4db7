"""The one input and the one output of a network: which they are, and what the user adds where a file leaves it open."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence

from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.input_layout import check_layout
from cnnfast.formats.onnx.layout import layout_of
from cnnfast.formats.onnx.proto import DTYPES
from cnnfast.formats.onnx.values import Integers
from cnnfast.ops import Shape

IMAGE_TYPES = (
    *(TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16),
    *(TensorProto.UINT8, TensorProto.INT8),
)
"""Elements that images may have in a file; they are floats here."""

MAX_LISTED = 20


@frozen
class Said:
    """What the user specifies about a file.

    Attributes
    ----------
    input_shape : (C, H, W) or (F,), optional
        Of one image, as cnnfast takes it.
    input_layout : {"nchw", "nhwc"}, optional
        How the file has its images; by default what it does to them tells.
    output : str, optional
        The value at which the network ends; by default the one output of the file.
    """

    input_shape: Shape | None = None
    input_layout: str | None = None
    output: str | None = None


@frozen
class Entrance:
    """The input of a network.

    Attributes
    ----------
    name : str
    shape : Shape
        Of one image, as cnnfast takes it: an image is (C, H, W).
    is_nhwc : bool
        Whether the file has the channels last.
    batch : int, optional
        The number of images that the file was made for, if it states one.
    integers : Integers, optional
        What integers stand for, if the file takes integers: themselves.
    """

    name: str
    shape: Shape
    is_nhwc: bool
    batch: int | None
    integers: Integers | None


# ---- the output, and what it takes to compute it


def wanted_output(graph: GraphProto, output: str | None) -> str:
    """Return the name of the value at which the network ends.

    Raises
    ------
    ModelFileError
        If there is no such value, or the file has several outputs and none is named.
    """
    outputs: list[str] = [value.name for value in graph.output]
    if output is None:
        if len(outputs) != 1:
            raise ModelFileError(_which_output(graph, outputs))
        return outputs[0]
    values = [name for node in graph.node for name in node.output if name]
    if output not in {*values, *outputs}:
        near = difflib.get_close_matches(str(output), values[-1000:], n=3)
        hint = f"; near it: {_listed(near)}" if near else ""
        raise ModelFileError(f"no value is called {output!r:.200}; its outputs are {_listed(outputs)}{hint}")
    return output


DECISIONS = ("ArgMax", "ArgMin", "TopK", "Hardmax", "ZipMap", "NonMaxSuppression")
"""Operators that make labels of scores: the scores are what cnnfast gives."""


def _which_output(graph: GraphProto, outputs: Sequence[str]) -> str:
    makers = {name: node for node in graph.node for name in node.output}
    kinds = [f"{name!r:.200}" + (f" (of {makers[name].op_type})" if name in makers else "") for name in outputs]
    likely = outputs[-1] if outputs else "NAME"
    for _ in DECISIONS:
        if likely in makers and makers[likely].op_type in DECISIONS and makers[likely].input:
            likely = makers[likely].input[0]
    return (
        f"it has {len(outputs)} outputs: {', '.join(kinds[:MAX_LISTED]) or 'none'}; a network has one. Say which, or "
        f"any value inside of it, for example output={likely!r:.200} (on the command line --output {likely:.200})"
    )


def needed(graph: GraphProto, outputs: Collection[str]) -> list[NodeProto]:
    """Return the nodes that some outputs depend on, in the order of the file; the others are not looked at."""
    wanted, kept = set(outputs), []
    for node in reversed(graph.node):
        if wanted.intersection(node.output) - {""}:
            wanted.update(names_read(node))
            kept.append(node)
    return kept[::-1]


def names_read(node: NodeProto) -> Iterator[str]:
    """Yield what a node reads, in its branches too."""
    yield from node.input
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            for inner in attribute.g.node:
                yield from names_read(inner)
            yield from (value.name for value in attribute.g.output)


# ---- the input


def only_input(graph: GraphProto, nodes: Sequence[NodeProto], output: str, known: Collection[str]) -> ValueInfoProto:
    """Return the input that holds the images.

    Parameters
    ----------
    graph : GraphProto
    nodes : sequence of NodeProto
        What is computed; an input that none of them reads does not count.
    output : str
    known : collection of str
        Inputs that the file gives values to.

    Raises
    ------
    UnsupportedError
        If there are several.
    ModelFileError
        If there is none.
    """
    read = {name for node in nodes for name in names_read(node)} | {output}
    inputs: list[ValueInfoProto] = [value for value in graph.input if value.name not in known and value.name in read]
    if not inputs:
        raise ModelFileError(f"the output {output!r:.200} depends on no input of the file, so it takes no images")
    if len(inputs) > 1:
        raise UnsupportedError(_several(inputs))
    return inputs[0]


def _several(inputs: Sequence[ValueInfoProto]) -> str:
    described = ", ".join(f"{value.name!r} {_spelled(_sizes(value))}" for value in inputs[:MAX_LISTED])
    last = inputs[-1]
    sizes = tuple(size if isinstance(size, int) else 1 for size in _sizes(last))
    return (
        f"it takes {len(inputs)} inputs: {described}; a network takes one. Name a value that depends on one of them "
        "alone, output=NAME, or make the others constants of the file, for example\n"
        "  import numpy, onnx\n"
        "  model = onnx.load(PATH)\n"
        f"  other = onnx.numpy_helper.from_array(numpy.zeros({sizes}, numpy.float32), {last.name!r})\n"
        '  model.graph.initializer.append(other)\n  onnx.save(model, "one-input.onnx")'
    )


def entrance(graph: GraphProto, value: ValueInfoProto, said: Said) -> Entrance:
    """Return an input as cnnfast takes it.

    Raises
    ------
    ModelFileError
        If its sizes are open and the user does not specify them, or what the user specifies does not fit.
    UnsupportedError
        If it is not a tensor of floats or bytes.
    """
    check_layout(said.input_layout)
    sizes = _declared(value)
    if said.input_layout and sizes and len(sizes) != 4:
        raise ModelFileError(
            f"input_layout={said.input_layout!r} is about images of three axes, but the input {value.name!r} has the "
            f"shape {_spelled(sizes)}; leave it out"
        )
    is_nhwc = (said.input_layout or layout_of(graph, value.name, sizes or ["?"] * 4)) == "nhwc"
    one = sizes[1:]
    if is_nhwc and len(one) == 3:
        one = [one[2], one[0], one[1]]
    batch = sizes[0] if sizes and isinstance(sizes[0], int) else None
    shape = _shape_of_one(value.name, sizes, one, said.input_shape)
    dtype = DTYPES[value.type.tensor_type.elem_type]
    integers = Integers(dtype) if dtype.kind in "iu" else None
    return Entrance(value.name, shape, is_nhwc and len(shape) == 3, batch, integers)


def _shape_of_one(name: str, sizes: list[int | str], own: list[int | str], given: Shape | None) -> Shape:
    """Return the shape of one image: what the file has, in the order C, H, W, or what the user specifies."""
    if given is not None:
        shape = tuple(given)
        fits = len(own) == len(shape) and all(isinstance(o, str) or o == s for o, s in zip(own, shape, strict=True))
        if sizes and not fits:
            raise ModelFileError(
                f"input_shape={shape} does not fit the input {name!r}, which is {_spelled(own)} in the file"
            )
        return shape
    if len(sizes) < 2 or any(isinstance(size, str) for size in own):
        fault = f"leaves sizes open: {_spelled(sizes)}" if len(sizes) > 1 else f"has the shape {_spelled(sizes)}"
        example = _example(own)
        raise ModelFileError(
            f"the input {name!r} {fault}. State the shape of one image, (C, H, W), for example "
            f"input_shape={example} in Network.load, or --input-shape {','.join(map(str, example))} on the command line"
        )
    return tuple(int(size) for size in own)


def _example(own: list[int | str]) -> Shape:
    usual = (3, 224, 224) if len(own) in (0, 3) else (224,) * len(own)
    return tuple(size if isinstance(size, int) else usual[i] for i, size in enumerate(own or usual))


def _declared(value: ValueInfoProto) -> list[int | str]:
    """Return the axes of an input as the file declares them: sizes, or names of what is open."""
    kind = value.type.tensor_type.elem_type
    if value.type.WhichOneof("value") != "tensor_type" or kind not in IMAGE_TYPES:
        known = TensorProto.DataType.Name(kind) if kind in TensorProto.DataType.values() else str(kind)
        raise UnsupportedError(
            f"the input {value.name!r} is not a tensor of floats or bytes (its elements are {known}); export the "
            "network with an input of float32 or uint8"
        )
    return _sizes(value)


def _sizes(value: ValueInfoProto) -> list[int | str]:
    return [d.dim_value if d.dim_value > 0 else d.dim_param or "?" for d in value.type.tensor_type.shape.dim]


def takes_bytes(graph: GraphProto, name: str) -> bool:
    """Return whether an input of the file holds bytes."""
    return any(v.name == name and v.type.tensor_type.elem_type == TensorProto.UINT8 for v in graph.input)


def _spelled(sizes: Sequence[int | str]) -> str:
    return str(tuple(sizes))[:200]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return (", ".join(f"{name!r:.200}" for name in names[:MAX_LISTED]) or "none") + more
