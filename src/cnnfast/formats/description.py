"""A model as JSON, all but its tensors: what is in the metadata of a model file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cnnfast.errors import GraphError, ModelFileError
from cnnfast.formats import borrowed
from cnnfast.formats.borrowed import Borrowed
from cnnfast.formats.model import Model
from cnnfast.formats.narrow import in_memory
from cnnfast.formats.strict_json import parse
from cnnfast.formats.tensors import MAX_CONTAINERS, check_name
from cnnfast.graph import MAX_NODES, Graph, Node
from cnnfast.graph.check_integers import check_integers
from cnnfast.ops import OPS, Array, decode_op
from cnnfast.ops.quantized import QUANTIZED_OPS

PLAIN, SCALED, BORROWING = 1, 2, 3
"""The versions of a description: the second states the scales of weights that are stored as integers, the third also
what is in another file. A file states the lowest that can describe it, so that older readers keep reading what they
can."""
MAX_CLASSES = 1_000_000

EXTRAS = ("preprocess", "classes", "license", "notes")
"""What travels with a network besides its graph."""
KEYS = ("version", "input", "nodes", "output", *EXTRAS)
MORE = {PLAIN: (), SCALED: ("scales",), BORROWING: ("scales", "borrowed")}
"""What the description of each version has besides."""

Lend = Callable[[Borrowed], Mapping[str, Array]]
"""Gives the tensors that a file borrows."""


def encode(model: Model, scales: Mapping[str, str] | None = None, borrows: Borrowed | None = None) -> dict[str, Any]:
    """Return a model, all but its constants, as values that JSON can hold.

    Parameters
    ----------
    model : Model
    scales : dict of str to str, optional
        The name of the scale of each weight that is stored as integers, see `cnnfast.formats.narrow.stored`.
    borrows : Borrowed, optional
        What the file leaves out.
    """
    version = BORROWING if borrows else SCALED if scales else PLAIN
    more = {"scales": dict(scales or {}), "borrowed": borrows and borrows.encode()}
    graph = model.graph
    ((name, shape),) = graph.inputs.items()
    return {
        "version": version,
        "input": {"name": name, "shape": list(shape)},
        "nodes": [_encode_node(node) for node in graph.nodes],
        "output": graph.outputs[0],
        **_extras(model),
        **{key: more[key] for key in MORE[version]},
    }


def _extras(model: Model) -> dict[str, Any]:
    return {
        "preprocess": None if model.preprocess is None else model.preprocess.to_dict(),
        "classes": None if model.classes is None else list(model.classes),
        "license": model.license,
        "notes": dict(sorted(model.notes.items())),
    }


def encode_extras(model: Model) -> dict[str, Any]:
    """Return what travels with a model besides its graph, for files of other formats."""
    return {"version": PLAIN, **_extras(model)}


def _encode_node(node: Node) -> dict[str, Any]:
    if node.op.name not in OPS and node.op.name not in QUANTIZED_OPS:
        raise GraphError(f"node {node.name!r}: {node.op.name} is made by a pass and has no place in a file")
    return {"name": node.name, "op": node.op.name, "attributes": node.op.attributes(), "inputs": list(node.inputs)}


def decode(text: str, arrays: Mapping[str, Array], lend: Lend | None = None) -> Model:
    """Build a model from the JSON of `encode` and the tensors of the file; everything is checked.

    Parameters
    ----------
    text : str
    arrays : dict of str to array
        Those of the file.
    lend : callable (Borrowed) -> dict of str to array, optional
        Gives those that the file borrows; without it, none may.

    Raises
    ------
    ModelFileError
        If the JSON is not what `encode` writes, or of another version.
    GraphError, ConfigError
        If the graph or the preprocessing that it describes cannot exist.
    """
    if not text.isascii():
        raise ModelFileError("the description of the model holds characters above 127; they must be escaped")
    fields = parse(text, "description of the model", MAX_CONTAINERS)
    _check_version(fields, tuple(MORE))
    fields = _object(fields, "the description of the model", (*KEYS, *MORE[fields["version"]]))
    if "borrowed" in fields:
        arrays = _with_borrowed(arrays, _borrows(fields), lend)
    return Model(graph=_graph(fields, in_memory(arrays, _scales(fields.get("scales", {})))), **_decoded(fields))


def _borrows(fields: Mapping[str, Any]) -> Borrowed:
    return borrowed.decode(_object(fields["borrowed"], "what is borrowed", ("file", "sha256", "tensors")))


def _with_borrowed(arrays: Mapping[str, Array], borrows: Borrowed, lend: Lend | None) -> dict[str, Array]:
    if lend is None:
        raise ModelFileError(f"it borrows from {borrows.file!r}, which has no meaning here")
    if both := sorted(arrays.keys() & borrows.tensors.keys()):
        raise ModelFileError(f"the tensor {both[0]!r} is in the file, and yet borrowed from {borrows.file!r}")
    return {**arrays, **lend(borrows)}


def lender(text: str) -> str | None:
    """Return the name of the file that a model file borrows from, by its description; None if it does not.

    Raises
    ------
    ModelFileError
        If the description does not say so clearly.
    """
    fields = parse(text, "description of the model", MAX_CONTAINERS)
    is_one = isinstance(fields, dict) and "borrowed" in fields
    return _borrows(fields).file if is_one else None


def decode_extras(text: str) -> dict[str, Any]:
    """Return what `encode_extras` gave, as arguments of `Model`; everything is checked.

    Raises
    ------
    ModelFileError, ConfigError
        As for `decode`.
    """
    fields = parse(text, "description of the model", MAX_CONTAINERS)
    _check_version(fields, (PLAIN,))
    return _decoded(_object(fields, "the description of the model", ("version", *EXTRAS)))


def _decoded(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "preprocess": _preprocess(fields["preprocess"]),
        "classes": _classes(fields["classes"]),
        "license": _text_or_none(fields["license"], "license"),
        "notes": _notes(fields["notes"]),
    }


def _check_version(fields: object, known: tuple[int, ...]) -> None:
    version = fields.get("version") if isinstance(fields, dict) else None
    if type(version) is not int:
        raise ModelFileError("the description of the model states no version")
    if version not in known:
        ours = f"versions {known[0]} to {known[-1]}" if len(known) > 1 else f"version {known[0]}"
        raise ModelFileError(
            f"it is of version {version}, but this cnnfast knows {ours} only; upgrade cnnfast"
            if version > known[-1]
            else f"it is of version {version}, which never existed; this cnnfast knows {ours}"
        )


def _scales(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ModelFileError(f"scales must be an object, but is a {type(value).__name__}")
    return {check_name(weight, "tensor"): check_name(scale, "tensor") for weight, scale in value.items()}


def _object(value: object, what: str, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(keys):
        seen = f"has {', '.join(value)}" if isinstance(value, dict) else f"is a {type(value).__name__}"
        raise ModelFileError(f"{what} must be an object with the keys {', '.join(keys)}, but it {seen:.400}")
    return value


def _list(value: object, what: str, longest: int) -> list[Any]:
    if not isinstance(value, list):
        raise ModelFileError(f"{what} must be a list, but is a {type(value).__name__}")
    if len(value) > longest:
        raise ModelFileError(f"{what} has {len(value)} items; at most {longest} are allowed")
    return value


def _graph(fields: dict[str, Any], constants: Mapping[str, Array]) -> Graph:
    source = _object(fields["input"], "the input", ("name", "shape"))
    shape = _list(source["shape"], "the shape of the input", longest=3)
    if not all(type(size) is int for size in shape):
        raise ModelFileError(f"the shape of the input must be integers, but is {shape!r:.80}")
    nodes = [_node(index, value) for index, value in enumerate(_list(fields["nodes"], "nodes", MAX_NODES))]
    inputs = {check_name(source["name"], "value"): tuple(shape)}
    graph = Graph(inputs, tuple(nodes), constants, (check_name(fields["output"], "value"),))
    check_integers(graph)
    return graph


def _node(index: int, value: object) -> Node:
    fields = _object(value, f"node {index}", ("name", "op", "attributes", "inputs"))
    name = check_name(fields["name"], "node")
    inputs = _list(fields["inputs"], f"inputs of node {name!r}", longest=MAX_NODES)
    try:
        op = decode_op(fields["op"], fields["attributes"])
    except GraphError as error:
        raise GraphError(f"node {name!r}: {error}") from error
    return Node(name, op, tuple(check_name(value, "value") for value in inputs))


def _preprocess(value: object) -> Any:
    if value is None:
        return None
    from cnnfast.images.preprocess import Preprocess

    return Preprocess.from_dict(value)  # type: ignore[arg-type]  # it refuses what is not a mapping


def _classes(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(check_name(label, "class") for label in _list(value, "classes", MAX_CLASSES))


def _text_or_none(value: object, what: str) -> str | None:
    return None if value is None else _text(value, what)


def _text(value: object, what: str) -> str:
    # Lone surrogates are valid JSON, but cannot be printed.
    if not isinstance(value, str) or any("\ud800" <= c <= "\udfff" for c in value):
        raise ModelFileError(f"{what} must be a text, but is {value!r:.80}")
    return value


def _notes(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ModelFileError(f"notes must be an object, but is a {type(value).__name__}")
    return {check_name(key, "note"): _text(text, f"the note {key!r}") for key, text in value.items()}
