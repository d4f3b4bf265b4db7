"""A request of the Open Inference Protocol: JSON that says what is asked, and tensors in it or behind it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cnnfast._frozen import frozen
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.serve.bounded_json import read_json
from cnnfast.serve.exchange import RequestError
from cnnfast.serve.limits import MAX_JSON_HEADER
from cnnfast.serve.tensors import (
    BYTE,
    FLOAT,
    PICTURES,
    PIXELS,
    TEXT,
    VALUES,
    TensorSpec,
    array_of_binary,
    array_of_json,
    checked_shape,
    files_of_binary,
    files_of_json,
    mapping_of,
)

HEADER_LENGTH = "inference-header-content-length"
PROBABILITIES, LABEL, UNKNOWN = "probabilities", "label", "unknown"

SHORT = 1024
"""Bytes of JSON in front of binary data up to which it is remembered: a client states the same again and again."""

REMEMBERED = 64
"""How many of those, for each model."""


@frozen(eq=False)
class InferRequest:
    """What is to be computed, and how it goes back: for each output its name, and whether it is binary."""

    id: str | None
    pictures: list[bytes] | None
    images: Array | None
    outputs: tuple[tuple[str, bool], ...]


@frozen(eq=False)
class Stated:
    """What the JSON of a request states about its input and outputs; data is what it holds itself, if not binary."""

    id: str | None
    spec: TensorSpec
    shape: tuple[int, ...]
    is_binary: bool
    data: Any
    outputs: tuple[tuple[str, bool], ...]


def length_of_json(text: str) -> int | None:
    """Return how many bytes of a body are JSON, by its header; None if all of them are.

    Examples
    --------
    >>> length_of_json("120"), length_of_json("")
    (120, None)
    """
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and int(text) <= MAX_JSON_HEADER):
        raise RequestError(400, f"{HEADER_LENGTH} must be a number of bytes up to {MAX_JSON_HEADER}")
    return int(text)


def inputs_of(net: Network) -> list[TensorSpec]:
    """Return what a request may state as its one input."""
    values = TensorSpec(VALUES, FLOAT, (-1, *net.input_shape))
    rule = net.preprocess
    if rule is None:
        return [values]
    return [TensorSpec(PIXELS, BYTE, (-1, *rule.size, rule.channel_count)), values, TensorSpec(PICTURES, TEXT, (-1,))]


class RequestReader:
    """Reads what is asked of one model.

    Parameters
    ----------
    net : Network
    judges : bool
        Whether its answers have the output `unknown`.
    """

    def __init__(self, net: Network, judges: bool) -> None:
        self._specs = inputs_of(net)
        self._names = (PROBABILITIES, LABEL, UNKNOWN) if judges else (PROBABILITIES, LABEL)
        self._remembered = lru_cache(REMEMBERED)(self._stated)

    def read(self, body: bytes | bytearray, length: int | None) -> InferRequest:
        """Read a request of which the first ``length`` bytes are JSON, or all of them.

        Raises
        ------
        RequestError
            For whatever is wrong with it.
        """
        if length is not None and length > len(body):
            raise RequestError(400, f"{HEADER_LENGTH} says {length} bytes, but the body has {len(body)}")
        view = memoryview(body)
        binary = view[len(body) if length is None else length :]
        stated_by = self._remembered if length is not None and length <= SHORT else self._stated
        stated = stated_by(bytes(view[:length]), len(binary))
        pictures, images = _input(stated, binary)
        return InferRequest(stated.id, pictures, images, stated.outputs)

    def _stated(self, text: bytes, behind: int) -> Stated:
        """Return what JSON states, in front of some bytes of binary data."""
        stated = mapping_of(read_json(text), "the request")
        inputs = stated.get("inputs")
        if not isinstance(inputs, list) or len(inputs) != 1:
            raise RequestError(400, f"inputs must be a list of one of {_spelled(self._specs)}")
        identity = stated.get("id")
        if identity is not None and not isinstance(identity, str):
            raise RequestError(400, "id must be a text")
        only = mapping_of(inputs[0], "an input")
        spec = next((s for s in self._specs if (s.name, s.datatype) == (only.get("name"), only.get("datatype"))), None)
        if spec is None:
            raise RequestError(400, f"name and datatype of the input must be one of {_spelled(self._specs)}")
        shape = checked_shape(spec, only.get("shape"))
        is_binary = _is_binary(only, behind)
        return Stated(identity, spec, shape, is_binary, only.get("data"), _outputs(stated, self._names))


def _is_binary(stated: Mapping[str, Any], behind: int) -> bool:
    size = mapping_of(stated.get("parameters", {}), "parameters of the input").get("binary_data_size")
    if size is None:
        if behind:
            raise RequestError(400, "there is binary data, but the input states no binary_data_size")
        return False
    if "data" in stated:
        raise RequestError(400, "an input has either data or binary_data_size")
    if not isinstance(size, int) or isinstance(size, bool) or size != behind:
        raise RequestError(400, f"binary_data_size must be that of the data behind the JSON, {behind} bytes")
    return True


def _input(stated: Stated, binary: memoryview) -> tuple[list[bytes] | None, Array | None]:
    spec, shape = stated.spec, stated.shape
    if stated.is_binary:
        if spec.name == PICTURES:
            return files_of_binary(shape[0], binary), None
        return None, array_of_binary(spec, shape, binary)
    if spec.name == PICTURES:
        return files_of_json(shape[0], stated.data), None
    return None, array_of_json(spec, shape, stated.data)


def _outputs(stated: Mapping[str, Any], names: tuple[str, ...]) -> tuple[tuple[str, bool], ...]:
    parameters = mapping_of(stated.get("parameters", {}), "parameters")
    is_binary = _flag(parameters, "binary_data_output", False)
    wanted = stated.get("outputs")
    if wanted is None or wanted == []:
        return tuple((name, is_binary) for name in names)
    if not isinstance(wanted, list):
        raise RequestError(400, "outputs must be a list")
    found: list[tuple[str, bool]] = []
    for output in wanted:
        name = mapping_of(output, "an output").get("name")
        if name not in names or name in dict(found):
            raise RequestError(400, f"outputs are {' and '.join(names)}, each once at most")
        settings = mapping_of(output.get("parameters", {}), "parameters of an output")
        if settings.get("classification"):
            raise RequestError(400, "the extension for classification is unknown here; /classify ranks labels")
        found.append((name, _flag(settings, "binary_data", is_binary)))
    return tuple(found)


def _flag(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise RequestError(400, f"{name} must be true or false")
    return value


def _spelled(specs: list[TensorSpec]) -> str:
    return ", ".join(f"{spec.name} ({spec.datatype}, shape {list(spec.shape)})" for spec in specs)
