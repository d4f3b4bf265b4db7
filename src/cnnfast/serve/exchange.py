"""One request and its answer, over ASGI: what has been asked, the body within its limits, and JSON that goes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from cnnfast.errors import CnnfastError
from cnnfast.serve.limits import LINGER_BYTES, LINGER_SECONDS, Limits

if TYPE_CHECKING:
    from cnnfast.serve.direct import Direct

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

JSON = "application/json"

DIRECT = "cnnfast.direct"
"""The extension of ASGI by which our own connections offer a `Direct`."""

WATCH_SECONDS = 0.05
"""After which it is looked whether the caller of a result is still there."""

_UNSAFE = {sign: f"\\u{ord(sign):04x}" for sign in "<>&"}
"""Signs that JSON allows in a string, but that a browser could take for the beginning of a tag."""

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)

HEADERS = {"x-content-type-options": "nosniff"}
"""Of every answer. There is none that lets the pages of another origin read it."""


class RequestError(CnnfastError):
    """A request that is not answered as it wishes: the status, and what is wrong.

    Parameters
    ----------
    status : int
    message : str
    headers : mapping, optional
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, str(self), self.headers)


class CallerLeftError(CnnfastError):
    """The connection was closed; there is no one to answer."""


class HttpAnswer(NamedTuple):
    """What goes back."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def as_json(value: Any) -> bytes:
    """Return JSON in ASCII, without a sign that HTML could mistake.

    Examples
    --------
    >>> as_json({"error": "no <b>"})
    b'{"error":"no \\\\u003cb\\\\u003e"}'
    """
    text = _ENCODER.encode(value)
    for sign, spelled in _UNSAFE.items():
        if sign in text:
            text = text.replace(sign, spelled)
    return text.encode("ascii")


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """Return an answer of JSON."""
    return HttpAnswer(status, as_json(value), {"content-type": JSON, **(headers or {})})


class MemoryOfBodies:
    """Bytes of all bodies that are in memory, of requests that arrive or wait.

    Parameters
    ----------
    most : int
    """

    def __init__(self, most: int) -> None:
        self.most, self.used = most, 0

    def take(self, size: int) -> None:
        """Count some bytes, or raise `RequestError` with 503."""
        if self.used + size > self.most:
            raise RequestError(503, f"the requests in memory take {self.used} bytes already; try again later")
        self.used += size

    def give_back(self, size: int) -> None:
        """Count some bytes no more."""
        self.used -= size


class Exchange:
    """A request, and the way to answer it.

    Parameters
    ----------
    scope, receive, send
        As ASGI passes them.
    limits : Limits
    memory : MemoryOfBodies
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits, memory: MemoryOfBodies) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._limits, self._memory = limits, memory
        self._held = 0
        self._has_all = False
        self._direct: Direct | None = scope.get("extensions", {}).get(DIRECT)
        self.method: str = scope["method"]
        root = scope.get("root_path", "")
        path: str = scope["path"]
        self.path = path[len(root) :] if root and path.startswith(root) else path
        self._headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            self._headers[name] = b", ".join((self._headers[name], value)) if name in self._headers else value

    def header(self, name: str) -> str:
        """Return a header, or an empty text."""
        return self._headers.get(name.encode("ascii"), b"").decode("latin-1")

    def query(self, known: tuple[str, ...]) -> dict[str, str]:
        """Return the parameters of the address.

        Raises
        ------
        RequestError
            For one that is unknown or given twice.
        """
        text = self._scope.get("query_string", b"")
        if not text:
            return {}
        try:
            pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, max_num_fields=16, errors="strict")
        except ValueError:
            raise RequestError(400, "the query of the address cannot be read") from None
        found = dict(pairs)
        unknown = next((name for name in found if name not in known), None)
        if unknown is not None:
            raise RequestError(400, f"the parameter {unknown[:40]!r} is unknown; known: {', '.join(known) or 'none'}")
        if len(found) < len(pairs):
            raise RequestError(400, "a parameter is given twice")
        return found

    async def body(self, most: int | None = None, instead: str = "") -> bytes | bytearray:
        """Return the whole body, its bytes counted while they arrive.

        Parameters
        ----------
        most : int, optional
            Bytes, if fewer than the user's limit.
        instead : str
            What to do about a larger one.
        """
        limit = min(most or self._limits.max_bytes, self._limits.max_bytes)
        self._check_length(limit, instead)
        whole = None if self._direct is None else self._direct.whole_body()
        if whole is not None:
            self._count(len(whole), True, limit, instead)
            return whole
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while not self._has_all:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise CallerLeftError
                    chunk, is_last = message.get("body", b""), not message.get("more_body", False)
                    self._count(len(chunk), is_last, limit, instead)
                    chunks.append(chunk)
        except TimeoutError:
            raise RequestError(408, f"the body did not arrive within {self._limits.body_seconds:g} seconds") from None
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _count(self, size: int, is_last: bool, limit: int, instead: str) -> None:
        self._has_all = is_last
        if self._held + size > limit:
            raise _too_large(limit, instead)
        self._memory.take(size)
        self._held += size

    def _check_length(self, limit: int, instead: str) -> None:
        length = self._headers.get(b"content-length")
        if length is None:
            if b"chunked" not in self._headers.get(b"transfer-encoding", b"") and self._scope["http_version"] < "2":
                raise RequestError(411, "the request states no Content-Length, and is not sent in chunks")
        elif not length.isdigit():
            raise RequestError(400, "the Content-Length is not a number")
        elif len(length) > 18 or int(length) > limit:
            raise _too_large(limit, instead)

    async def result(self, future: asyncio.Future[Any]) -> Any:
        """Wait for a result, and give it up if the caller leaves."""
        watch = _Watch(self._receive, future) if self._direct is None else self._direct.watch(future)
        try:
            return await future
        except asyncio.CancelledError:
            if watch.has_left:
                raise CallerLeftError from None
            future.cancel()
            raise
        finally:
            watch.end()

    async def answer(self, answer: HttpAnswer) -> None:
        """Send an answer; where the body has not been read, a little of the rest is, and the connection is closed."""
        is_early = not self._has_all and self._has_body()
        stated = {**HEADERS, **answer.headers}
        if not is_early and self._direct is not None and self._direct.answer(answer.status, stated, answer.body):
            return
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in stated.items()]
        headers.append((b"content-length", str(len(answer.body)).encode("ascii")))
        if is_early:
            headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": answer.body, "more_body": is_early})
        if is_early:
            await self._linger()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _has_body(self) -> bool:
        return self._headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self._headers

    async def _linger(self) -> None:
        left = LINGER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while left > 0:
                    message = await self._receive()
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return
                    left -= len(message.get("body", b""))
                # no more is read, but who is still sending has time to see the answer before the connection breaks
                await asyncio.sleep(LINGER_SECONDS)

    def close(self) -> None:
        """Give the memory of the body back."""
        self._memory.give_back(self._held)
        self._held = 0


class _Watch:
    """Cancels a future if the caller leaves; most results come before it is worth a task to look."""

    def __init__(self, receive: Receive, future: asyncio.Future[Any]) -> None:
        self._receive, self._future = receive, future
        self.has_left = False
        self._task: asyncio.Task[None] | None = None
        self._timer = future.get_loop().call_later(WATCH_SECONDS, self._begin)

    def _begin(self) -> None:
        self._task = self._future.get_loop().create_task(self._look())

    async def _look(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.has_left = True
        self._future.cancel()

    def end(self) -> None:
        """Look no more."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()


def _too_large(limit: int, instead: str) -> RequestError:
    return RequestError(413, f"the body is larger than {limit} bytes{instead and '; ' + instead}")
