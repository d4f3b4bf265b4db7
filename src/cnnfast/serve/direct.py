"""What our own connections offer besides ASGI: a whole body, a whole answer, and word of a caller that has left.

An ASGI server passes each of these on through tasks, events and timers; with them a small request takes half as long
again. Where `Exchange` finds a `Direct` in the scope it takes the short way, and under any other server the usual one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from cnnfast.serve.protocol import BoundedProtocol


class Direct:
    """A request of a connection, and the short ways to its body and its answer.

    Parameters
    ----------
    protocol : BoundedProtocol
    cycle : RequestResponseCycle
    """

    __slots__ = ("_cycle", "_future", "_protocol", "has_left")

    def __init__(self, protocol: BoundedProtocol, cycle: RequestResponseCycle) -> None:
        self._protocol, self._cycle = protocol, cycle
        self._future: asyncio.Future[Any] | None = None
        self.has_left = False

    def whole_body(self) -> bytearray | None:
        """Give the body away if all of it is there; None if not, and then ASGI gives it."""
        cycle = self._cycle
        if cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue:
            return None
        body, cycle.body = cycle.body, bytearray()
        return body

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> bool:
        """Send an answer in one piece and return True; or False if the caller takes answers too slowly for that."""
        cycle, transport = self._cycle, self._cycle.transport
        if cycle.flow.write_paused:
            return False
        if cycle.disconnected:
            return True
        head = head_of(status, tuple(headers.items()), cycle.keep_alive)
        shown = b"" if cycle.scope["method"] == "HEAD" else body
        transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), shown))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            transport.close()
        cycle.on_response()
        return True

    def watch(self, future: asyncio.Future[Any]) -> Direct:
        """Cancel a future as soon as the caller leaves; return what says whether that was so."""
        # who pauses a connection because of a large body would not hear that it ends
        self._cycle.flow.resume_reading()
        if self._cycle.disconnected:
            self.has_left = future.cancel()
        self._future, self._protocol.watching = future, self
        return self

    def end(self) -> None:
        """Watch no more."""
        self._future = self._protocol.watching = None

    def leave(self) -> None:
        """Hear that the caller has left."""
        if self._future is not None:
            self.has_left = self._future.cancel() or self.has_left


@lru_cache(maxsize=512)
def head_of(status: int, headers: tuple[tuple[str, str], ...], keep_alive: bool) -> bytes:
    """Return an answer up to the length of its body.

    Examples
    --------
    >>> head_of(200, (("content-type", "text/css"),), True)
    b'HTTP/1.1 200 OK\\r\\ncontent-type: text/css\\r\\n'
    """
    lines = [STATUS_LINE[status], *(f"{name}: {value}\r\n".encode("latin-1") for name, value in headers)]
    return b"".join(lines if keep_alive else [*lines, b"connection: close\r\n"])
