"""The programs of docs/serving.md."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from running_server import picture

from cnnfast import Network, read_picture

PAGE = Path(__file__).resolve().parents[2] / "docs" / "serving.md"

# ruff: noqa: I001 - the programs are written as they are read

APPLICATION = """
from cnnfast.serve import Application

app = Application({"cats": "cifar10-resnet"}, threads=1, page=False)
"""

INSIDE_FASTAPI = """
from contextlib import asynccontextmanager

from cnnfast import BusyError, PictureError
from cnnfast.serve import Batcher
from fastapi import FastAPI, HTTPException, Request

batcher = Batcher("cifar10-resnet", waiting=256, timeout=5)


@asynccontextmanager
async def lifespan(app):
    yield
    await batcher.close()


app = FastAPI(lifespan=lifespan)


@app.post("/is-cat")
async def is_cat(request: Request):
    try:
        probabilities = await batcher.classify(await request.body())
    except PictureError as error:
        raise HTTPException(422, error.reason) from None
    except BusyError:
        raise HTTPException(503, "try again later", {"Retry-After": "1"}) from None
    return {"cat": float(probabilities[3])}
"""


def made(program: str) -> Any:
    names: dict[str, Any] = {"__name__": "page"}
    # without the future import of this file, which would turn annotations into texts
    exec(compile(program, "page", "exec", dont_inherit=True), names)
    return names["app"]


async def ask(app: Any, path: str, body: bytes) -> tuple[int, bytes]:
    """Ask an ASGI application that is live, and let it end."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "http_version": "1.1",
        "query_string": b"",
        "root_path": "",
    }
    sent: list[Any] = []

    async def once(*messages: Any) -> Any:
        waiting = list(messages)

        async def receive() -> Any:
            return waiting.pop(0) if waiting else await asyncio.Event().wait()

        return receive

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-length", str(len(body)).encode())]
    receive = await once({"type": "http.request", "body": body, "more_body": False})
    await app({**scope, "headers": headers}, receive, send)
    life = await once({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    await app({"type": "lifespan"}, life, send)
    status = next(message["status"] for message in sent if message["type"] == "http.response.start")
    return status, b"".join(message.get("body", b"") for message in sent)


def expected(file: bytes) -> Any:
    net = Network.load("cifar10-resnet")
    assert net.preprocess is not None
    return net.predict_proba(read_picture(file, net.preprocess)[None])[0]


def test_an_application_of_asgi() -> None:
    pytest.importorskip("prometheus_client")
    file = picture()
    status, body = asyncio.run(ask(made(APPLICATION), "/classify", file))
    assert status == 200
    assert float(re.search(rb'"probability":([\d.e-]+)', body)[1]) == pytest.approx(expected(file).max(), rel=1e-6)  # type: ignore[index]


def test_inside_fastapi() -> None:
    pytest.importorskip("fastapi")
    file = picture()
    status, body = asyncio.run(ask(made(INSIDE_FASTAPI), "/is-cat", file))
    assert (status, float(body.split(b":")[1].strip(b"}"))) == (200, float(expected(file)[3]))
    status, body = asyncio.run(ask(made(INSIDE_FASTAPI), "/is-cat", b"no picture"))
    assert (status, b"not a picture" in body) == (422, True)


def test_the_tables_have_what_there_is() -> None:
    pytest.importorskip("prometheus_client")
    from cnnfast.cli import serve as command
    from cnnfast.serve.openapi import REASONS

    import argparse

    text = PAGE.read_text()
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    options = {name for action in parser._actions for name in action.option_strings if name.startswith("--")}
    assert not [name for name in options - {"--help", "--no-integers"} if f"`{name}" not in text]
    assert not [status for status in REASONS if status != 500 and str(status) not in text]
