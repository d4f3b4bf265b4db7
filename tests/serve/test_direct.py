"""The short ways of our own connections: the same bytes as by ASGI, and callers that leave or are slow."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from running_server import picture

from cnnfast import BusyError, serve
from cnnfast.serve import exchange
from cnnfast.serve.deadlines import Deadlines

pytest.importorskip("prometheus_client")
uvicorn = pytest.importorskip("uvicorn")
protocol = pytest.importorskip("cnnfast.serve.protocol")

FILE = picture()


def post(body: bytes, path: str = "/classify", more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


@asynccontextmanager
async def listening(app: serve.Application) -> AsyncIterator[int]:
    config = uvicorn.Config(app, http=protocol.BoundedProtocol, ws="none", lifespan="off", log_config=None)
    config.load()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol.BoundedProtocol(config, state, {}), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await app.close()


async def asked(port: int, *requests: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write(request)
        await asyncio.sleep(0.02)
    answer = await reader.read()
    writer.close()
    return answer


TENSOR = {"name": "pixels", "datatype": "UINT8", "shape": [1, 32, 32, 3], "data": [7] * 3072}
CLOSE = "Connection: close\r\n"

REQUESTS = {
    "a picture": [post(FILE, more=CLOSE)],
    "its parts one by one": [
        post(FILE, more=CLOSE)[:100],
        post(FILE, more=CLOSE)[100:900],
        post(FILE, more=CLOSE)[900:],
    ],
    "two at once": [post(FILE) + post(FILE, "/classify?top=3", CLOSE)],
    "an early end": [b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345"],
    "asking first": [
        post(FILE, more=f"Expect: 100-continue\r\n{CLOSE}")[: -len(FILE)],
        FILE,
    ],
    "a tensor": [post(json.dumps({"inputs": [TENSOR], "id": "7"}).encode(), "/v2/models/m/infer", CLOSE)],
    "only a head": [f"HEAD /page.css HTTP/1.1\r\nHost: x\r\n{CLOSE}\r\n".encode()],
    "of an old client": [b"GET /v2 HTTP/1.0\r\n\r\n"],
    "no picture": [post(b"x" * 50, more=CLOSE)],
    "the wrong method": [f"DELETE /v2 HTTP/1.1\r\nHost: x\r\n{CLOSE}\r\n".encode()],
}


def sorted_head(answer: bytes) -> list[Any]:
    """Return the lines of answers; without one that only newer versions of uvicorn write."""
    lines = [sorted(part.split(b"\r\n")) for part in answer.split(b"\r\n\r\n")]
    return [[line for line in part if line != b"connection: close"] for part in lines]


@pytest.mark.parametrize("name", REQUESTS)
def test_answers_are_those_of_asgi(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> bytes:
        async with listening(serve.Application({"m": "cifar10-cs61c"}, threads=1)) as port, asyncio.timeout(20):
            return await asked(port, *REQUESTS[name])

    found = asyncio.run(main())
    monkeypatch.setattr(protocol, "DIRECT", "another")
    assert sorted_head(found) == sorted_head(asyncio.run(main()))
    assert found.startswith(b"HTTP/1.1 ")


def test_a_caller_that_leaves_is_noticed_at_once() -> None:
    async def main() -> None:
        app = serve.Application({"m": "cifar10-cs61c"}, threads=1)
        batcher = app.models.find("m").batcher
        taken: list[asyncio.Future[Any]] = []

        def submit(*_: Any) -> asyncio.Future[Any]:
            taken.append(asyncio.get_running_loop().create_future())
            return taken[0]

        batcher.submit = submit  # type: ignore[method-assign]
        async with listening(app) as port, asyncio.timeout(20):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(post(FILE))
            while not taken:
                await asyncio.sleep(0.001)
            assert not taken[0].done()
            writer.transport.abort()
            while not taken[0].cancelled():
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
            assert b'status="499"} 1.0' in app.metrics.answer().body

    asyncio.run(main())


def test_a_refused_caller_hears_of_it_after_those_who_ask_for_less() -> None:
    async def main() -> None:
        app = serve.Application({"m": "cifar10-cs61c"}, threads=1)
        batcher = app.models.find("m").batcher

        def submit(*_: Any) -> asyncio.Future[Any]:
            raise BusyError("64 images wait already")

        batcher.submit = submit  # type: ignore[method-assign]
        async with listening(app) as port, asyncio.timeout(20):
            refused = asyncio.create_task(asked(port, post(FILE, more=CLOSE)))
            while b"BusyError" not in app.metrics.answer().body:
                await asyncio.sleep(0.001)
            assert app._memory.used == 0
            other = await asked(port, f"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n{CLOSE}\r\n".encode())
            assert other.endswith(b'{"live":true}')
            assert not refused.done()
            answer = await refused
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in answer

    asyncio.run(main())


def test_a_caller_that_does_not_read_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answers are far larger than what the system keeps for a connection."""
    large = exchange.HttpAnswer(200, bytes(8 << 20), {})
    monkeypatch.setattr("cnnfast.serve.application.server_metadata", lambda: large)

    async def main() -> int:
        async with listening(serve.Application({"m": "cifar10-cs61c"}, threads=1)) as port, asyncio.timeout(30):
            with socket.create_connection(("127.0.0.1", port)) as slow:
                slow.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(slow, b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
                await asyncio.sleep(0.2)
                size = 0
                while size < 3 * len(large.body):
                    size += len(await loop.sock_recv(slow, 1 << 20))
            return size

    assert 0 < asyncio.run(main()) - 3 * len(large.body) < 1000


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def test_deadlines_end_what_is_late_and_forget_what_is_done(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        deadlines = Deadlines(loop, 0.4)
        done, late, later = (loop.create_future() for _ in range(3))
        deadlines.add(late)
        deadlines.add(done)
        done.set_result(1)
        await asyncio.sleep(0.2)
        deadlines.add(later)
        await asyncio.wait([late])
        assert str(late.exception()) == "there was no result within 0.4 seconds"
        assert not later.done()
        assert len(deadlines._waiting) == 1
        await asyncio.wait([later])
        assert not deadlines._waiting
        assert deadlines._timer is None

    loop.run_until_complete(main())


def test_deadlines_of_what_is_done_in_time_hold_nothing(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        deadlines = Deadlines(loop, 60)
        for _ in range(1000):
            future = loop.create_future()
            deadlines.add(future)
            future.set_result(None)
        assert len(deadlines._waiting) == 1
        deadlines.close()

    loop.run_until_complete(main())
