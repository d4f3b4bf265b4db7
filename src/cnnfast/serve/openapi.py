"""What the server answers, as OpenAPI 3.1 describes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnnfast import __version__
from cnnfast.serve.exchange import JSON
from cnnfast.serve.infer_request import HEADER_LENGTH, LABEL, PROBABILITIES, UNKNOWN
from cnnfast.serve.limits import MAX_JSON_HEADER, Limits
from cnnfast.serve.served import ServedModels
from cnnfast.serve.tensors import BYTE, FLOAT, PICTURES, PIXELS, TEXT, TRUTH, VALUES

BINARY = "application/octet-stream"

REASONS = {
    400: "what is wrong with the request, and the rule",
    401: "the token is missing or wrong",
    404: "there is no such model",
    405: "another method",
    408: "the body did not arrive in time",
    411: "the body states no length",
    413: "the body is too large",
    415: "a type of body that is not read",
    422: "why a picture cannot be read",
    500: "the server has failed",
    503: "too many images wait, or the server is stopping",
    504: "there was no result in time",
}

_LOOKED_UP = (400, 401, 404, 405)
_COMPUTED = (*_LOOKED_UP, 408, 411, 413, 415, 422, 500, 503, 504)


def description(models: ServedModels, limits: Limits, has_token: bool) -> dict[str, Any]:
    """Return the description of a server.

    Parameters
    ----------
    models : ServedModels
    limits : Limits
    has_token : bool
        Whether requests must state a token.
    """
    name = {"name": "model", "in": "path", "required": True, "schema": {"enum": list(models.names)}}
    one = f"/v2/models/{{{name['name']}}}"
    paths: dict[str, Any] = {"/classify": {"post": _classify(models, limits)}}
    for base in (one, f"{one}/versions/1"):
        paths[base] = {"get": _get("What the model takes and gives", "Model", parameters=[name])}
        paths[f"{base}/ready"] = {"get": _get("Whether the model is ready", "Ready", True, (503,), [name])}
        paths[f"{base}/infer"] = {"post": _infer(name)}
    paths["/v2"] = {"get": _get("Name and version of the server", "Server")}
    paths["/v2/health/live"] = {"get": _get("Whether the server runs", "Live", True)}
    paths["/v2/health/ready"] = {"get": _get("Whether the server takes requests", "Ready", True, (503,))}
    metrics = {"200": {"description": "metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    paths["/metrics"] = {"get": {"summary": "Metrics of Prometheus", "responses": metrics | _errors(_LOOKED_UP)}}
    paths["/openapi.json"] = {"get": _get("This description", "Description")}
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "cnnfast serve", "version": __version__, "x-unsure": models.unsure},
        "paths": paths,
        "components": {"schemas": _schemas(models)},
    }
    if has_token:
        described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
    return described


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(schema: str) -> dict[str, Any]:
    return {"description": schema, "content": {JSON: {"schema": _ref(schema)}}}


def _errors(statuses: Iterable[int]) -> dict[str, Any]:
    return {str(status): {**_answer("Error"), "description": REASONS[status]} for status in statuses}


def _get(
    summary: str, schema: str, is_open: bool = False, more: tuple[int, ...] = (), parameters: Iterable[Any] = ()
) -> dict[str, Any]:
    responses = {"200": _answer(schema)} | _errors((*_LOOKED_UP, *more))
    described = {"summary": summary, "parameters": list(parameters), "responses": responses}
    return {**described, "security": []} if is_open else described


def _classify(models: ServedModels, limits: Limits) -> dict[str, Any]:
    file = {"type": "string", "contentMediaType": "image/*", "maxLength": limits.max_bytes}
    form = {"type": "object", "additionalProperties": {"type": "string", "format": "binary"}, "minProperties": 1}
    query = [
        {"name": "top", "in": "query", "schema": {"type": "integer", "minimum": 1, "default": 1}},
        {"name": "model", "in": "query", "schema": {"enum": list(models.names)}},
    ]
    return {
        "summary": "The most probable labels of a picture, or of each part of a form",
        "parameters": query,
        "requestBody": {
            "required": True,
            "content": {
                **{kind: {"schema": file} for kind in ("image/png", "image/jpeg", BINARY)},
                "multipart/form-data": {"schema": form},
            },
        },
        "responses": {
            "200": {
                "description": "labels",
                "content": {JSON: {"schema": {"anyOf": [_ref("Classified"), _ref("ClassifiedParts")]}}},
            },
            **_errors(_COMPUTED),
        },
    }


def _infer(name: dict[str, Any]) -> dict[str, Any]:
    length = {"type": "integer", "minimum": 0, "maximum": MAX_JSON_HEADER}
    text = "bytes of JSON in front of binary tensors"
    header = {"name": HEADER_LENGTH, "in": "header", "schema": length, "description": text}
    return {
        "summary": "The Open Inference Protocol, version 2",
        "parameters": [name, header],
        "requestBody": {"required": True, "content": {JSON: {"schema": _ref("InferRequest")}, BINARY: {}}},
        "responses": {
            "200": {"description": "outputs", "content": {JSON: {"schema": _ref("InferAnswer")}, BINARY: {}}},
            **_errors(_COMPUTED),
        },
    }


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


def _schemas(models: ServedModels) -> dict[str, Any]:
    text, true = {"type": "string"}, {"const": True}
    texts, whole = {"type": "array", "items": text}, {"type": "integer"}
    label = _object({"label": {"type": ["string", "integer"]}, "probability": {"type": "number"}})
    labels = {"type": "array", "items": {"anyOf": [_ref("Label"), {"type": "array"}]}}
    model = {"enum": list(models.names)}
    judged = {"labels": labels, "unsure": {"type": "boolean"}}
    unknown = {
        "type": "boolean",
        "description": "only where the file of the network says how familiar a known image is",
    }
    tensor = {
        "name": text,
        "datatype": {"enum": [BYTE, FLOAT, TEXT, TRUTH]},
        "shape": {"type": "array", "items": whole},
    }
    parameters = {"type": "object"}
    data = {"type": "array", "items": {}}
    given = {
        "name": {"enum": [PIXELS, VALUES, PICTURES]},
        "datatype": {"enum": [BYTE, FLOAT, TEXT]},
        "shape": {"type": "array", "items": whole, "minItems": 1},
    }
    wanted = _object({"name": {"enum": [PROBABILITIES, LABEL, UNKNOWN]}}, parameters=parameters)
    return {
        "Error": _object({"error": text}),
        "Label": label,
        "Classified": _object({"model": model, **judged}, unknown=unknown),
        "ClassifiedParts": _object(
            {
                "model": model,
                "results": {"type": "array", "items": {"anyOf": [_object(judged, unknown=unknown), _ref("Error")]}},
            }
        ),
        "Server": _object({"name": text, "version": text, "extensions": texts}),
        "Live": _object({"live": true}),
        "Ready": _object({"ready": true}),
        "Description": {"type": "object"},
        "Model": _object(
            {
                "name": model,
                "versions": texts,
                "platform": text,
                "inputs": {"type": "array", "items": _object(tensor)},
                "outputs": {"type": "array", "items": _object(tensor)},
            }
        ),
        "InferRequest": _object(
            {"inputs": {"type": "array", "items": _object(given, data=data, parameters=parameters), "maxItems": 1}},
            id=text,
            parameters=parameters,
            outputs={"type": "array", "items": wanted, "maxItems": 3},
        ),
        "InferAnswer": _object(
            {
                "model_name": model,
                "model_version": text,
                "outputs": {"type": "array", "items": _object(tensor, data=data, parameters=parameters)},
            },
            id=text,
        ),
    }
