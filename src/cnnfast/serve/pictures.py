"""``POST /classify``: pictures come in as files, labels go out."""

from __future__ import annotations

from typing import Any

from cnnfast.errors import CnnfastError
from cnnfast.network.runner import NO_PREPROCESSING
from cnnfast.serve.exchange import Exchange, HttpAnswer, RequestError, json_answer
from cnnfast.serve.metrics import ServeMetrics
from cnnfast.serve.multipart import boundary_of, parts_of
from cnnfast.serve.served import ServedModel, ServedModels, reason_of

AS_CURL = "application/x-www-form-urlencoded"
"""What curl says of any file."""

TAKEN = ("application/octet-stream", AS_CURL)
"""Types of a body that is taken for a picture, besides those of images."""

WITHOUT_CHANGE = "; curl sends a file as it is with --data-binary @FILE, but not with -d @FILE"

MULTIPART = "multipart/form-data"


async def classify(exchange: Exchange, models: ServedModels, metrics: ServeMetrics) -> HttpAnswer:
    """Answer with the most probable labels of a picture, or of each part of a multipart body."""
    query = exchange.query(("top", "model"))
    model = models.find(query.get("model"))
    if model.network.preprocess is None:
        raise RequestError(400, f"the model {model.name} takes no pictures: {NO_PREPROCESSING}")
    top = _top(query.get("top", "1"), len(model.network.classes_))
    stated = exchange.header("content-type")
    kind = stated.partition(";")[0].strip().lower()
    if kind == MULTIPART:
        pictures = parts_of(bytes(await exchange.body()), boundary_of(stated))
        if not pictures:
            raise RequestError(400, "the multipart body has no parts")
    elif not kind or kind in TAKEN or kind.startswith("image/"):
        pictures = [bytes(await exchange.body())]
    else:
        raise RequestError(
            415, f"the Content-Type must be image/*, application/octet-stream or {MULTIPART}, but is {kind[:40]!r}"
        )
    answers = await exchange.result(model.batcher.submit(pictures, None, len(pictures)))
    results = [_result(model, answer, top, metrics) for answer in answers]
    named = {"model": model.name}
    if all("error" in result for result in results):
        raise RequestError(422, results[0]["error"] + (WITHOUT_CHANGE if kind == AS_CURL else ""))
    return json_answer(named | results[0] if kind != MULTIPART else named | {"results": results})


def _result(model: ServedModel, answer: Any, top: int, metrics: ServeMetrics) -> dict[str, Any]:
    if isinstance(answer, CnnfastError):
        metrics.count_error(type(answer).__name__)
        return {"error": reason_of(answer)}
    return model.answer(answer, top)


def _top(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= most):
        raise RequestError(400, f"top must be an integer from 1 to {most}, the number of classes, but is {text[:40]!r}")
    return int(text)
