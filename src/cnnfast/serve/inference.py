"""The Open Inference Protocol, version 2, as KServe and Triton speak it, with its extension for binary tensors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from cnnfast import __version__
from cnnfast.errors import CnnfastError
from cnnfast.ops import Array
from cnnfast.serve.exchange import JSON, Exchange, HttpAnswer, RequestError, as_json, json_answer
from cnnfast.serve.infer_request import (
    HEADER_LENGTH,
    LABEL,
    PROBABILITIES,
    UNKNOWN,
    InferRequest,
    inputs_of,
    length_of_json,
)
from cnnfast.serve.limits import MAX_JSON
from cnnfast.serve.metrics import ServeMetrics
from cnnfast.serve.served import ServedModel, reason_of
from cnnfast.serve.tensors import FLOAT, TEXT, TRUTH, TensorSpec, binary_of, json_of

VERSION = "1"
"""Of every model: what is served never changes."""

DATATYPES = {PROBABILITIES: FLOAT, LABEL: TEXT, UNKNOWN: TRUTH}
TAKEN = ("", JSON, "application/octet-stream", "application/x-www-form-urlencoded")
LARGE_JSON = 1 << 16
"""Bytes of JSON from which on it is parsed in another thread."""


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


def outputs_of(model: ServedModel) -> list[TensorSpec]:
    """Return what comes back."""
    net = model.network
    positions = net.answer_shape
    outputs = [
        TensorSpec(PROBABILITIES, DATATYPES[PROBABILITIES], (-1, *positions, len(net.classes_))),
        TensorSpec(LABEL, DATATYPES[LABEL], (-1, *positions)),
    ]
    return [*outputs, TensorSpec(UNKNOWN, DATATYPES[UNKNOWN], (-1,))] if model.batcher.judges else outputs


async def infer(exchange: Exchange, model: ServedModel, metrics: ServeMetrics) -> HttpAnswer:
    """Answer ``/v2/models/NAME/infer``."""
    kind = exchange.header("content-type").partition(";")[0].strip().lower()
    if kind not in TAKEN:
        raise RequestError(415, f"the Content-Type must be {JSON} or application/octet-stream, but is {kind[:40]!r}")
    length = length_of_json(exchange.header(HEADER_LENGTH))
    if length is None:
        body = await exchange.body(MAX_JSON, "send tensors in binary, or pictures to /classify")
    else:
        body = await exchange.body()
    if len(body) > LARGE_JSON and length is None:
        request = await asyncio.to_thread(model.reader.read, body, length)
    else:
        request = model.reader.read(body, length)
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


def _answer(model: ServedModel, request: InferRequest, rows: Array) -> HttpAnswer:
    values: dict[str, Array] = {}
    if model.batcher.judges:
        rows, values[UNKNOWN] = rows[:, :-1], rows[:, -1] > 0
    values |= {PROBABILITIES: rows, LABEL: rows.argmax(axis=-1)}
    described: list[bytes] = []
    behind: list[bytes] = []
    for name, is_binary in request.outputs:
        found = values[name]
        if is_binary:
            behind.append(model.binary_labels(found) if name == LABEL else binary_of(found))
            described.append(_described_binary(name, found.shape, len(behind[-1])))
        else:
            data = json_of(model.network.classes_[found] if name == LABEL else found)
            described.append(_with(_described(name, found.shape), "data", data))
    stated = {"model_name": model.name, "model_version": VERSION}
    if request.id is not None:
        stated["id"] = request.id
    text = _with(stated, "outputs", b"[%b]" % b",".join(described))
    if not behind:
        return HttpAnswer(200, text, {"content-type": JSON})
    headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(len(text))}
    return HttpAnswer(200, text + b"".join(behind), headers)


def _described(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"name": name, "datatype": DATATYPES[name], "shape": list(shape)}


@lru_cache(1024)
def _described_binary(name: str, shape: tuple[int, ...], size: int) -> bytes:
    """Return what JSON states of an output that is behind it; most answers have the same."""
    return as_json({**_described(name, shape), "parameters": {"binary_data_size": size}})


def _with(stated: Mapping[str, Any], name: str, value: bytes) -> bytes:
    """Return an object of JSON with one more field, whose value is JSON already."""
    return b'%b,"%b":%b}' % (as_json(stated)[:-1], name.encode("ascii"), value)
