"""Servers that tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from running_server import Served

from cnnfast import Network


@pytest.fixture(scope="session")
def net() -> Network:
    return Network.load("cifar10-cs61c")


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., Served]]:
    """Start servers, and end what is left of them."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("prometheus_client")
    started: list[Served] = []

    def start(*words: object) -> Served:
        started.append(Served(*words))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()
        assert server.process.stderr is not None
        server.process.stderr.close()


@pytest.fixture(scope="session")
def server(serve: Callable[..., Served]) -> Served:
    """One server for all tests that leave it as it was."""
    return serve("cifar10-cs61c", "digits=mnist-mlp", "--max-bytes", "1M", "--threads", "2")
