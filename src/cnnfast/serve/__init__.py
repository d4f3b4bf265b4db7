"""One network, many callers.

`Batcher` computes in batches what many tasks of asyncio ask for; it needs no other package. `Application` is a server
around it, which ``cnnfast serve`` runs and other programs can mount; it needs ``pip install "cnnfast[serve]"``.

================  ==================================================================
`work`            what a caller waits for, and how a batch of it is computed
`batcher`         the queue between callers and the thread that computes
`deadlines`       until when they wait
`known`           which of them get told what is unlike the images learned from
`limits`          what a request may take
`exchange`        one request and its answer
`routes`          addresses
`served`          the networks of a server, and how their answers look
`pictures`        files of pictures come in, labels go out
`multipart`       several files in one body
`inference`       the Open Inference Protocol
`infer_request`   what a request of it asks for
`tensors`         its tensors, in JSON and in binary
`bounded_json`    JSON of a stranger
`metrics`         what Prometheus reads
`openapi`         the description of all of it
`page`            the page to drop pictures on
`application`     all of it together
`protocol`        connections, within limits
`direct`          the short way from these to a request and back
`server`          from a socket to a signal that ends it
================  ==================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnfast._optional import needs
from cnnfast.serve.batcher import Batcher
from cnnfast.serve.work import BatchReport

if TYPE_CHECKING:
    from cnnfast.serve.application import Application as Application

__all__ = ["Application", "BatchReport", "Batcher"]


def __getattr__(name: str) -> object:
    if name != "Application":
        raise AttributeError(f"module 'cnnfast.serve' has no attribute {name!r}")
    with needs("cnnfast.serve.Application", "cnnfast[serve]"):
        from cnnfast.serve.application import Application
    return Application
