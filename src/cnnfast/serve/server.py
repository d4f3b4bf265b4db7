"""From a socket to a signal that ends it."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn

from cnnfast.errors import ConfigError
from cnnfast.serve.application import Application
from cnnfast.serve.protocol import BoundedProtocol

with suppress(ImportError):  # there is none for Windows
    # uvicorn would import it with a coroutine in its hands, which Ctrl-C would leave there with a warning
    import uvloop  # noqa: F401

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75
SWITCH_SECONDS = 0.0005
"""After which a thread of Python lets another one run: Python's own 5 ms are long next to a request."""


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a socket that nothing else has.

    Raises
    ------
    ConfigError
        If the address is in use, unknown, or not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        made = socket.socket(family, kind, protocol)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
        except OSError:
            made.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"cannot listen at {host}, port {port}: {reason}; choose others by --host and --port"
        ) from None
    return made


class SignaledServer(uvicorn.Server):
    """A server that stops at the first signal, after what it has accepted, and ends at once at the second.

    Parameters
    ----------
    config : uvicorn.Config
    application : Application
    announce : callable
        Called when the server is ready.
    """

    def __init__(self, config: uvicorn.Config, application: Application, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._application, self._announce = application, announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            # what has been made until now stays, and need not be looked through again and again
            gc.freeze()
            self._announce()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, or end."""
        if self.should_exit:
            os._exit(128 + sig)
        self._application.is_stopping = True
        self.should_exit = True


def run(application: Application, listening: socket.socket, drain: float, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Parameters
    ----------
    application : Application
    listening : socket
    drain : float
        Seconds for what was accepted to finish.
    announce : callable
        Called when the server is ready.
    """
    _allow_many_connections()
    logging.basicConfig(stream=sys.stderr, format="cnnfast: %(message)s", level=logging.ERROR)
    sys.setswitchinterval(SWITCH_SECONDS)
    config = uvicorn.Config(
        application,
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=drain,  # type: ignore[arg-type]  # it is passed to asyncio.wait_for
    )
    SignaledServer(config, application, announce).run([listening])


def _allow_many_connections() -> None:
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1 << 16
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
