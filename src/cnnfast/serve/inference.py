"""The Open Inference Protocol, version 2, as KServe and Triton speak it, with its extension for binary tensors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnfast import __version__
from cnnfast._frozen import frozen
from cnnfast.errors import CnnfastError
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.serve.bounded_json import read_json
from cnnfast.serve.exchange import JSON, Exchange, HttpAnswer, RequestError, as_json, json_answer
from cnnfast.serve.limits import MAX_JSON, MAX_JSON_HEADER
from cnnfast.serve.metrics import ServeMetrics
from cnnfast.serve.served import ServedModel, reason_of
from cnnfast.serve.tensors import (
    BYTE,
    FLOAT,
    PICTURES,
    PIXELS,
    TEXT,
    TRUTH,
    VALUES,
    TensorSpec,
    array_of_binary,
    array_of_json,
    binary_of,
    checked_shape,
    files_of_binary,
    files_of_json,
    json_of,
    mapping_of,
)

VERSION = "1"
"""Of every model: what is served never changes."""

HEADER_LENGTH = "inference-header-content-length"
PROBABILITIES, LABEL, UNKNOWN = "probabilities", "label", "unknown"
TAKEN = ("", JSON, "application/octet-stream", "application/x-www-form-urlencoded")
LARGE_JSON = 1 << 16
"""Bytes of JSON from which on it is parsed in another thread."""


@frozen(eq=False)
class InferRequest:
    """What is to be computed, and how it goes back: for each output its name, and whether it is binary."""

    id: str | None
    pictures: list[bytes] | None
    images: Array | None
    outputs: tuple[tuple[str, bool], ...]


def server_metadata() -> HttpAnswer:
    """Answer ``/v2``."""
    return json_answer({"name": "cnnfast", "version": __version__, "extensions": ["binary_tensor_data"]})


def model_metadata(model: ServedModel) -> HttpAnswer:
    """Answer ``/v2/models/NAME``."""
    net = model.network
    return json_answer(
        {
            "name": model.name,
            "versions": [VERSION],
            "platform": "cnnfast",
            "inputs": [spec.to_dict() for spec in inputs_of(net)],
            "outputs": [spec.to_dict() for spec in outputs_of(model)],
        }
    )


def inputs_of(net: Network) -> list[TensorSpec]:
    """Return what a request may state as its one input."""
    values = TensorSpec(VALUES, FLOAT, (-1, *net.input_shape))
    rule = net.preprocess
    if rule is None:
        return [values]
    return [TensorSpec(PIXELS, BYTE, (-1, *rule.size, rule.channel_count)), values, TensorSpec(PICTURES, TEXT, (-1,))]


def outputs_of(model: ServedModel) -> list[TensorSpec]:
    """Return what comes back."""
    net = model.network
    positions = net.answer_shape
    outputs = [
        TensorSpec(PROBABILITIES, FLOAT, (-1, *positions, len(net.classes_))),
        TensorSpec(LABEL, TEXT, (-1, *positions)),
    ]
    return [*outputs, TensorSpec(UNKNOWN, TRUTH, (-1,))] if model.batcher.judges else outputs


async def infer(exchange: Exchange, model: ServedModel, metrics: ServeMetrics) -> HttpAnswer:
    """Answer ``/v2/models/NAME/infer``."""
    kind = exchange.header("content-type").partition(";")[0].strip().lower()
    if kind not in TAKEN:
        raise RequestError(415, f"the Content-Type must be {JSON} or application/octet-stream, but is {kind[:40]!r}")
    length = _header_length(exchange.header(HEADER_LENGTH))
    if length is None:
        body = await exchange.body(MAX_JSON, "send tensors in binary, or pictures to /classify")
    else:
        body = await exchange.body()
    if len(body) > LARGE_JSON and length is None:
        request = await asyncio.to_thread(read_request, body, length, model)
    else:
        request = read_request(body, length, model)
    if request.images is not None:
        rows = await exchange.result(model.batcher.submit((), request.images, len(request.images)))
    else:
        pictures = request.pictures or []
        answers = await exchange.result(model.batcher.submit(pictures, None, len(pictures)))
        for number, answer in enumerate(answers):
            if isinstance(answer, CnnfastError):
                metrics.count_error(type(answer).__name__)
                raise RequestError(422, f"picture {number}: {reason_of(answer)}")
        rows = np.stack(answers)
    return _answer(model, request, rows)


def _header_length(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and int(text) <= MAX_JSON_HEADER):
        raise RequestError(400, f"{HEADER_LENGTH} must be a number of bytes up to {MAX_JSON_HEADER}")
    return int(text)


def read_request(body: bytes, length: int | None, model: ServedModel) -> InferRequest:
    """Read a request of which the first ``length`` bytes are JSON, or all of them.

    Raises
    ------
    RequestError
        For whatever is wrong with it.
    """
    if length is not None and length > len(body):
        raise RequestError(400, f"{HEADER_LENGTH} says {length} bytes, but the body has {len(body)}")
    stated = mapping_of(read_json(body if length is None else body[:length]), "the request")
    binary = memoryview(b"" if length is None else body)[length or 0 :]
    inputs, specs = stated.get("inputs"), inputs_of(model.network)
    if not isinstance(inputs, list) or len(inputs) != 1:
        raise RequestError(400, f"inputs must be a list of one of {_spelled(specs)}")
    identity = stated.get("id")
    if identity is not None and not isinstance(identity, str):
        raise RequestError(400, "id must be a text")
    pictures, images = _input(mapping_of(inputs[0], "an input"), binary, specs)
    names = (PROBABILITIES, LABEL, UNKNOWN) if model.batcher.judges else (PROBABILITIES, LABEL)
    return InferRequest(identity, pictures, images, _outputs(stated, names))


def _input(
    stated: Mapping[str, Any], binary: memoryview, specs: list[TensorSpec]
) -> tuple[list[bytes] | None, Array | None]:
    spec = next((s for s in specs if (s.name, s.datatype) == (stated.get("name"), stated.get("datatype"))), None)
    if spec is None:
        raise RequestError(400, f"name and datatype of the input must be one of {_spelled(specs)}")
    shape = checked_shape(spec, stated.get("shape"))
    size = mapping_of(stated.get("parameters", {}), "parameters of the input").get("binary_data_size")
    if size is None:
        if binary:
            raise RequestError(400, "there is binary data, but the input states no binary_data_size")
        data = stated.get("data")
        if spec.name == PICTURES:
            return files_of_json(shape[0], data), None
        return None, array_of_json(spec, shape, data)
    if "data" in stated:
        raise RequestError(400, "an input has either data or binary_data_size")
    if not isinstance(size, int) or isinstance(size, bool) or size != len(binary):
        raise RequestError(400, f"binary_data_size must be that of the data behind the JSON, {len(binary)} bytes")
    if spec.name == PICTURES:
        return files_of_binary(shape[0], binary), None
    return None, array_of_binary(spec, shape, binary)


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


def _answer(model: ServedModel, request: InferRequest, rows: Array) -> HttpAnswer:
    values: dict[str, Array] = {}
    if model.batcher.judges:
        rows, values[UNKNOWN] = rows[:, :-1], rows[:, -1] > 0
    values |= {PROBABILITIES: rows, LABEL: model.network.classes_[rows.argmax(axis=-1)]}
    datatypes = {PROBABILITIES: FLOAT, LABEL: TEXT, UNKNOWN: TRUTH}
    outputs: list[bytes] = []
    behind: list[bytes] = []
    for name, is_binary in request.outputs:
        output: dict[str, Any] = {"name": name, "datatype": datatypes[name], "shape": list(values[name].shape)}
        if is_binary:
            behind.append(binary_of(values[name]))
            outputs.append(as_json({**output, "parameters": {"binary_data_size": len(behind[-1])}}))
        else:
            outputs.append(_with(output, "data", json_of(values[name])))
    stated = {"model_name": model.name, "model_version": VERSION}
    if request.id is not None:
        stated["id"] = request.id
    text = _with(stated, "outputs", b"[%b]" % b",".join(outputs))
    if not behind:
        return HttpAnswer(200, text, {"content-type": JSON})
    headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(len(text))}
    return HttpAnswer(200, text + b"".join(behind), headers)


def _with(stated: Mapping[str, Any], name: str, value: bytes) -> bytes:
    """Return an object of JSON with one more field, whose value is JSON already."""
    return b'%b,"%b":%b}' % (as_json(stated)[:-1], name.encode("ascii"), value)


def _spelled(specs: list[TensorSpec]) -> str:
    return ", ".join(f"{spec.name} ({spec.datatype}, shape {list(spec.shape)})" for spec in specs)
