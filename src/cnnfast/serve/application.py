"""The server as an ASGI application: which address is answered by what, and what happens when that fails."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Mapping
from contextlib import suppress
from os import PathLike

import numpy as np

from cnnfast.errors import BusyError, InputError, LateError
from cnnfast.network.network import Network
from cnnfast.serve.batcher import Batcher
from cnnfast.serve.exchange import (
    CallerLeftError,
    Exchange,
    HttpAnswer,
    MemoryOfBodies,
    Receive,
    RequestError,
    Scope,
    Send,
    json_answer,
)
from cnnfast.serve.inference import infer, model_metadata, server_metadata
from cnnfast.serve.known import batcher_for
from cnnfast.serve.limits import Limits
from cnnfast.serve.metrics import ServeMetrics
from cnnfast.serve.openapi import description
from cnnfast.serve.page import page_file
from cnnfast.serve.pictures import classify
from cnnfast.serve.routes import Route, find_route
from cnnfast.serve.served import UNSURE, ServedModels, reason_of

log = logging.getLogger("cnnfast.serve")

REFUSAL_SECONDS = 0.1
"""After which a caller hears that too many wait: one that asks again at once must not take the time of those who do."""


class Application:
    """Answers requests; ASGI servers call it, and FastAPI and Starlette can mount it.

    Parameters
    ----------
    models : dict of str to Network, str or path
        By name; the first answers where a request names none. What is not a network is loaded now.
    batch, waiting, timeout, threads
        Of each model's `Batcher`.
    token : str, optional
        What requests must state as ``Authorization: Bearer TOKEN``, but for the page and for health.
    page : bool
        Serve the page to drop pictures on.
    unsure : float
        Answers whose highest probability is below this are marked.
    limits : Limits

    Raises
    ------
    ConfigError
        For a setting out of range, or a name that cannot be part of an address.

    Examples
    --------
    >>> app = Application({"cats": "cifar10-cs61c"})
    >>> app.models.names
    ('cats',)
    """

    def __init__(
        self,
        models: Mapping[str, Network | str | PathLike[str]],
        *,
        batch: int = 64,
        waiting: int = 512,
        timeout: float = 10.0,
        threads: int | None = None,
        token: str | None = None,
        page: bool = True,
        unsure: float = UNSURE,
        limits: Limits | None = None,
    ) -> None:
        self.metrics = ServeMetrics()
        loaded = {name: net if isinstance(net, Network) else Network.load(net) for name, net in models.items()}

        def batcher(name: str, net: Network) -> Batcher:
            report = self.metrics.reporter(name)
            return batcher_for(net, batch=batch, waiting=waiting, timeout=timeout, threads=threads, report=report)

        self.models = ServedModels(loaded, batcher, unsure)
        self.metrics.watch(self.models.batchers)
        self.limits = limits or Limits()
        self._memory = MemoryOfBodies(self.limits.bodies * self.limits.max_bytes)
        self._token = None if token is None else token.encode("utf-8")
        self._page = page
        self.is_stopping = False
        self._description = description(self.models, self.limits, has_token=token is not None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or start and stop with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(Exchange(scope, receive, send, self.limits, self._memory))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.warm_up()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def warm_up(self) -> None:
        """Compute once with each model, so that the first caller does not wait longer than others."""
        for batcher in self.models.batchers.values():
            net = batcher.network
            rule = net.preprocess
            shape = net.input_shape if rule is None else (*rule.size, rule.channel_count)
            # a network may have no answer to zeros, or be slow; the next one to ask is told
            with suppress(InputError, LateError):
                await batcher.predict_proba(np.zeros((1, *shape), np.float32 if rule is None else np.uint8))

    async def close(self) -> None:
        """Finish what was accepted, and end all threads."""
        self.is_stopping = True
        await asyncio.gather(*(batcher.close() for batcher in self.models.batchers.values()))

    async def _serve(self, exchange: Exchange) -> None:
        route, arguments = find_route(exchange.path)
        is_busy = False
        try:
            answer = await self._answer(exchange, route, arguments)
        except CallerLeftError:
            self.metrics.count_error("CallerLeft")
            self.metrics.count(route.name if route else "other", 499)
            return
        except asyncio.CancelledError:
            if not self.is_stopping:
                raise
            # the time to finish is over
            answer = self._failure(RequestError(503, "the server is stopping"))
        except Exception as error:
            answer = self._failure(error)
            is_busy = isinstance(error, BusyError)
        finally:
            exchange.close()
        self.metrics.count(route.name if route else "other", answer.status)
        if is_busy:
            await self._hold_back()
        await exchange.answer(answer)

    async def _hold_back(self) -> None:
        try:
            await asyncio.sleep(REFUSAL_SECONDS)
        except asyncio.CancelledError:
            # only at the end of the server is there still something to say
            if not self.is_stopping:
                raise

    async def _answer(self, exchange: Exchange, route: Route | None, arguments: tuple[str, ...]) -> HttpAnswer:
        if route is None or (route.name == "page" and not self._page):
            raise RequestError(404, "there is nothing at this address; /openapi.json lists what there is")
        if exchange.method not in route.methods:
            allowed = ", ".join(route.methods)
            raise RequestError(405, f"this address takes {allowed}", {"allow": allowed})
        if not route.is_open:
            self._check_token(exchange.header("authorization"))
        if exchange.header("content-encoding") not in ("", "identity"):
            raise RequestError(415, "bodies with a Content-Encoding are not read; send them as they are")
        match route.name:
            case "classify":
                return await classify(exchange, self.models, self.metrics)
            case "infer":
                return await infer(exchange, self.models.find(arguments[0]), self.metrics)
        exchange.query(())
        return self._look_up(route.name, arguments)

    def _look_up(self, name: str, arguments: tuple[str, ...]) -> HttpAnswer:
        """Answer what needs no computation."""
        match name:
            case "page":
                return page_file(arguments[0])
            case "live":
                return json_answer({"live": True})
            case "ready":
                return self._ready()
            case "model_ready":
                self.models.find(arguments[0])
                return self._ready()
            case "server":
                return server_metadata()
            case "model":
                return model_metadata(self.models.find(arguments[0]))
            case "metrics":
                return self.metrics.answer()
        return json_answer(self._description)

    def _ready(self) -> HttpAnswer:
        if self.is_stopping:
            raise RequestError(503, "the server is stopping", {"retry-after": "1"})
        return json_answer({"ready": True})

    def _check_token(self, stated: str) -> None:
        if self._token is None:
            return
        scheme, _, token = stated.partition(" ")
        # compared in full, so that the time that it takes says nothing about the token
        is_right = hmac.compare_digest(token.strip().encode("latin-1"), self._token)
        if scheme.lower() != "bearer" or not is_right:
            raise RequestError(
                401, "this server wants the header Authorization: Bearer TOKEN", {"www-authenticate": "Bearer"}
            )

    def _failure(self, error: Exception) -> HttpAnswer:
        """Return what a caller hears of an error."""
        self.metrics.count_error(type(error).__name__)
        if isinstance(error, RequestError):
            headers = {"retry-after": "1", **error.headers} if error.status == 503 else error.headers
            return json_answer({"error": str(error)}, error.status, headers)
        if isinstance(error, BusyError):
            return json_answer({"error": str(error)}, 503, {"retry-after": "1"})
        if isinstance(error, LateError):
            return json_answer({"error": str(error)}, 504)
        if isinstance(error, InputError):
            return json_answer({"error": reason_of(error)}, 400)
        log.error("a request failed: %s: %s", type(error).__name__, error, exc_info=error)
        return json_answer({"error": "the server has failed; its log says why"}, 500)
