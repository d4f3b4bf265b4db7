"""Connections: uvicorn's, with limits on headers and time, and with answers in JSON where it would answer in text."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from cnnfast.serve.direct import Direct
from cnnfast.serve.exchange import DIRECT, as_json

MAX_HEADERS = 1 << 16
"""Bytes of the address and the headers of a request."""

BYTES_OF_A_HEADER = 32
"""What each is counted for besides its text: a short one takes memory as well."""

HEADER_SECONDS = 15.0
"""In which a new connection must have sent its first headers."""

GRACE_SECONDS = 0.5
"""For which an idle connection stays open when the server stops: a request may be on its way."""

MAX_CONNECTIONS = 4096


class BoundedProtocol(HttpToolsProtocol):
    """A connection of HTTP/1.1 that neither takes endless headers nor stays open without a request."""

    _seen = 0
    _is_refused = False
    _is_stopping = False
    watching: Direct | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, or refuse if there are too many connections."""
        super().connection_made(transport)
        self._arm()
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(503, f"there are more than {MAX_CONNECTIONS} connections; try again later")

    def _arm(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(HEADER_SECONDS, self._on_no_request)

    def _on_no_request(self) -> None:
        if not self.transport.is_closing():
            self._refuse(408, f"no request arrived within {HEADER_SECONDS:g} seconds")

    def data_received(self, data: bytes) -> None:
        """Take what has arrived; the timer ends with the headers, and not with the first byte of them."""
        if self._is_refused:
            return
        timer, self.timeout_keep_alive_task = self.timeout_keep_alive_task, None
        before = self.cycle
        super().data_received(data)
        is_idle = self.cycle is before and (before is None or before.response_complete)
        if timer is None or self._is_refused:
            return
        if is_idle and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = timer
        else:
            timer.cancel()

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count(len(name) + len(value) + BYTES_OF_A_HEADER)
        super().on_header(name, value)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._seen = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        if not self._is_refused:
            super().on_headers_complete()
            self.scope["extensions"] = {DIRECT: Direct(self, self.cycle)}  # type: ignore[dict-item]  # what an extension is is its own
            if self._is_stopping:
                self.cycle.keep_alive = False

    def _count(self, size: int) -> None:
        self._seen += size
        if self._seen > MAX_HEADERS and not self._is_refused:
            self._refuse(431, f"address and headers are larger than {MAX_HEADERS} bytes")

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if not self._is_refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        if not self._is_refused:
            self._refuse(400, "the request is not proper HTTP")

    def _refuse(self, status: int, message: str) -> None:
        self._is_refused = True
        self._unset_keepalive_if_required()
        body = as_json({"error": message})
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()

    def shutdown(self) -> None:
        """Stop after the request that is being answered, or that may be on its way."""
        self._is_stopping = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        else:
            self.loop.call_later(GRACE_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, with the timer."""
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        if self.watching is not None:
            self.watching.leave()

    def handle_websocket_upgrade(self) -> Any:
        """Refuse."""
        self._refuse(400, "there are no WebSockets here")
