"""What would bring other servers down: slow and hostile senders, callers that leave, and signals under load."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from running_server import Served, picture, read_reply

from cnnfast.serve import exchange
from cnnfast.serve.limits import Limits

protocol = pytest.importorskip("cnnfast.serve.protocol", reason="uvicorn is not installed", exc_type=ImportError)

FILE = picture()


def post(body: bytes, path: str = "/classify", more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def chunked(body: bytes, size: int) -> bytes:
    head = b"POST /classify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = (body[start : start + size] for start in range(0, len(body), size))
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def well(server: Served) -> None:
    """Assert that a server answers as if nothing had happened."""
    assert server.post("/classify", FILE).status == 200
    assert server.ask("GET", "/v2/health/ready").status == 200


def sooner_or_later(condition: Callable[[], bool], seconds: float = 30) -> bool:
    """Return whether something comes true; how soon it does, a busy machine decides."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_a_body_that_ends_early_is_dropped(server: Served) -> None:
    before = server.files()
    for _ in range(20):
        with server.connect() as connection:
            connection.sendall(post(FILE)[:-100])
    assert sooner_or_later(lambda: server.files() <= before)
    well(server)


def test_a_body_in_tiny_chunks(serve: Callable[..., Served]) -> None:
    server = serve("cifar10-cs61c", "--max-bytes", "4M")
    reply = server.raw(chunked(FILE + bytes(3 << 20), 6))  # Pillow ignores what follows a picture
    assert reply.status == 200
    reply = server.raw(chunked(bytes(5 << 20), 4096))
    assert (reply.status, reply.headers["connection"]) == (413, "close")
    well(server)
    server.stop()


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        (b"POST /classify HTTP/1.1\r\nHost: x\r\n\r\n", 411, "no Content-Length"),
        (b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400, "not proper HTTP"),
        (b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n", 413, "larger than"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 431, "larger than 65536 bytes"),
        (b"GET / HTTP/1.1\r\n" + b"x: " + b"a" * 70_000 + b"\r\n\r\n", 431, "larger than 65536 bytes"),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 30_000 + b"\r\n", 431, "larger than 65536 bytes"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "not proper HTTP"),
        (b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 200, ""),
    ],
)
def test_odd_requests(server: Served, request_: bytes, status: int, message: str) -> None:
    reply = server.raw(request_)
    assert reply.status == status
    assert status == 200 or message in reply.error
    well(server)


def test_a_large_body_is_answered_before_all_of_it_is_sent(server: Served) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n" + bytes(1000))
        assert read_reply(connection).status == 413


def run_in_process(body_seconds: float, messages: list[dict[str, Any]], delay: float) -> list[dict[str, Any]]:
    """Run the application itself, with a sender that is as slow as the test wishes; return what it sends."""
    import asyncio

    from cnnfast.serve import Application

    sent: list[dict[str, Any]] = []
    scope = {"type": "http", "method": "POST", "path": "/classify", "http_version": "1.1"}

    async def main() -> None:
        app = Application({"m": "cifar10-cs61c"}, limits=Limits(max_bytes=10_000, body_seconds=body_seconds, bodies=1))

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(delay)
            return messages.pop(0)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await app({**scope, "headers": [(b"transfer-encoding", b"chunked")]}, receive, send)
        assert app._memory.used == 0
        await app.close()

    asyncio.run(main())
    return sent


def body_part(size: int = 100) -> dict[str, Any]:
    return {"type": "http.request", "body": bytes(size), "more_body": True}


def test_a_slow_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("prometheus_client")
    monkeypatch.setattr(exchange, "LINGER_SECONDS", 0.05)
    sent = run_in_process(0.1, [body_part() for _ in range(50)], delay=0.02)
    assert sent[0]["status"] == 408
    assert b"did not arrive within 0.1 seconds" in sent[1]["body"]


def test_a_caller_that_leaves_while_sending_is_not_answered() -> None:
    pytest.importorskip("prometheus_client")
    assert run_in_process(5, [body_part(), {"type": "http.disconnect"}], delay=0) == []


def test_bodies_share_a_limit_of_memory() -> None:
    memory = exchange.MemoryOfBodies(100)
    memory.take(60)
    with pytest.raises(exchange.RequestError, match="try again later") as caught:
        memory.take(41)
    assert caught.value.status == 503
    memory.give_back(60)
    memory.take(100)


def test_a_connection_without_a_request_is_closed(
    monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Served]
) -> None:
    """The time is 15 s; that is too long for a test, so the connection is made by hand."""
    import asyncio

    import uvicorn

    from cnnfast.serve import Application

    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.2)

    async def main() -> tuple[bytes, bytes]:
        app = Application({"m": "cifar10-cs61c"})
        config = uvicorn.Config(app, http=protocol.BoundedProtocol, ws="none", lifespan="off", log_config=None)
        config.load()
        state = uvicorn.server.ServerState()
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(lambda: protocol.BoundedProtocol(config, state, {}), "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        slow, slow_writer = await asyncio.open_connection("127.0.0.1", port)
        for sign in b"GET / HTTP/1.1":
            slow_writer.write(bytes([sign]))
            await asyncio.sleep(0.01)
        answers = await reader.read(), await slow.read()
        for one in (writer, slow_writer):
            one.close()
        listening.close()
        await app.close()
        return answers

    for answer in asyncio.run(main()):
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert answer.endswith(b'{"error":"no request arrived within 0.2 seconds"}')


def bomb(side: int) -> bytes:
    """Return a PNG of many pixels, in few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress(bytes(side // 8 + 1) * min(side, 1000), 9)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_decompression_bomb_takes_no_memory(server: Served) -> None:
    well(server)
    before = server.status("VmHWM")
    reply = server.post("/classify", bomb(60_000))
    assert reply.status == 422
    assert "has 60000 x 60000 pixels, more than 89478485, and may be a decompression bomb" in reply.error
    assert server.status("VmHWM") - before < 20_000


def test_1000_callers_that_leave(serve: Callable[..., Served]) -> None:
    server = serve("cifar10-resnet", "--waiting", "2000")
    well(server)
    before = server.status("VmRSS"), server.files(), server.status("Threads")
    for _ in range(5):
        connections = [server.connect() for _ in range(200)]
        for connection in connections:
            connection.sendall(post(FILE))
        for connection in connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    well(server)
    time.sleep(0.5)
    metrics = server.ask("GET", "/metrics").body.decode()
    computed = re.search(r'cnnfast_batch_images_sum\{model="cifar10-resnet"\} (\S+)', metrics)
    assert computed
    assert float(computed[1]) < 900, "most of those who left were dropped"
    assert sooner_or_later(lambda: server.files() <= before[1] + 2)
    assert server.status("Threads") <= before[2] + 2
    assert server.status("VmRSS") < before[0] + 60_000
    server.stop()


def test_a_short_queue_refuses_and_health_does_not_wait(serve: Callable[..., Served]) -> None:
    server = serve("cifar10-resnet", "--waiting", "8", "--batch", "8", "--threads", "1")
    statuses: list[int] = []

    def caller(_: int) -> None:
        for _ in range(3):
            reply = server.post("/classify", FILE)
            statuses.append(reply.status)
            if reply.status == 503:
                assert reply.headers["retry-after"] == "1"
                assert "try again later" in reply.error

    with ThreadPoolExecutor(100) as pool:
        done = pool.map(caller, range(100))
        for _ in range(10):
            assert server.ask("GET", "/v2/health/live").status == 200
        list(done)
    assert set(statuses) == {200, 503}
    assert server.status("VmHWM") < 250_000
    server.stop()


def test_no_result_in_time_is_504(serve: Callable[..., Served]) -> None:
    server = serve("cifar10-resnet", "--timeout", "0.001")
    reply = server.post("/classify", FILE)
    assert (reply.status, reply.error) == (504, "there was no result within 0.001 seconds")
    server.stop()


def test_sigterm_under_load_loses_no_accepted_request(serve: Callable[..., Served]) -> None:
    server = serve("cifar10-resnet")
    sent, answered, stopping = [0] * 16, [0] * 16, threading.Event()

    def caller(number: int) -> None:
        with server.connect() as connection:
            while True:
                try:
                    connection.sendall(post(FILE))
                    reply = read_reply(connection)
                except (ConnectionError, OSError):
                    assert stopping.is_set()
                    return
                sent[number] += 1
                answered[number] += reply.status == 200
                if reply.headers.get("connection") == "close":
                    return

    with ThreadPoolExecutor(16) as pool:
        callers = [pool.submit(caller, number) for number in range(16)]
        assert sooner_or_later(lambda: min(answered) > 0)
        time.sleep(0.3)
        stopping.set()
        server.process.send_signal(signal.SIGTERM)
        for one in callers:
            one.result()
    assert server.process.wait(10) == 0
    assert min(sent) > 0
    assert sent == answered


def test_while_it_stops_ready_says_so_and_what_was_accepted_is_finished(serve: Callable[..., Served]) -> None:
    server = serve("cifar10-cs61c")
    with server.connect() as half, server.connect() as asking:
        half.sendall(post(FILE)[:-100])
        asking.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_reply(asking).status == 200
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionError):
            sooner_or_later(lambda: server.connect().close() is not None, 8)
        asking.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        reply = read_reply(asking)
        assert (reply.status, reply.error) == (503, "the server is stopping")
        half.sendall(post(FILE)[-100:])
        assert read_reply(half).status == 200
    assert server.process.wait(10) == 0


def test_what_does_not_finish_is_given_up_after_the_drain(serve: Callable[..., Served]) -> None:
    server = serve("cifar10-cs61c", "--drain", "0.3")
    with server.connect() as half:
        half.sendall(post(FILE)[:-100])
        well(server)
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert read_reply(half).error == "the server is stopping"
        assert server.process.wait(30) == 0
        assert time.monotonic() - begin < 10, "what it would wait without --drain"


def test_a_second_signal_ends_at_once(serve: Callable[..., Served]) -> None:
    server = serve("cifar10-cs61c")
    with server.connect() as half:
        half.sendall(post(FILE)[:-100])
        well(server)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)
        # without the second one it would be ten
        assert server.process.wait(9) == 128 + signal.SIGTERM


def mixed_load(server: Served, seconds: float) -> int:
    """Send good and bad requests of all kinds for some time; return how many."""
    end = time.monotonic() + seconds
    tensor = {
        "name": "pixels",
        "datatype": "UINT8",
        "shape": [16, 32, 32, 3],
        "parameters": {"binary_data_size": 49152},
    }
    text = json.dumps({"inputs": [tensor]}).encode()
    kinds = [
        lambda: server.post("/classify", FILE).status == 200,
        lambda: server.post("/classify", FILE[:500]).status == 422,
        lambda: server.ask("GET", "/nothing").status == 404,
        lambda: server.ask("GET", "/metrics").status == 200,
        lambda: (
            server.post(
                "/v2/models/cifar10-cs61c/infer", text + bytes(49152), inference_header_content_length=str(len(text))
            ).status
            == 200
        ),
    ]

    def caller(number: int) -> int:
        count = 0
        while time.monotonic() < end or count < 7:
            assert kinds[(number + count) % len(kinds)]()
            if count % 10 == 0:
                with server.connect() as connection:
                    connection.sendall(post(FILE)[: 50 * number])
            count += 1
        return count

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(caller, range(8)))


def steady(server: Served, warm: float, seconds: float) -> None:
    mixed_load(server, warm)
    time.sleep(0.3)
    before = server.status("VmRSS"), server.files(), server.status("Threads")
    assert mixed_load(server, seconds) > 50
    time.sleep(0.3)
    assert server.status("VmRSS") < before[0] + 5000
    assert server.files() <= before[1]
    assert server.status("Threads") <= before[2]


def test_memory_files_and_threads_stay_as_they_are(serve: Callable[..., Served]) -> None:
    server = serve("cifar10-cs61c")
    steady(server, 0.6, 1.0)
    server.stop()


@pytest.mark.slow
def test_a_long_time_of_mixed_load(serve: Callable[..., Served]) -> None:
    """Two minutes with ``CNNFAST_TEST_PROFILE=thorough``."""
    server = serve("cifar10-cs61c")
    steady(server, *((20, 100) if os.environ.get("CNNFAST_TEST_PROFILE") == "thorough" else (10, 15)))
    assert server.stop() == (0, "")
