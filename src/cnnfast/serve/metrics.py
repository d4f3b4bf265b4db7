"""What Prometheus reads: requests, errors by kind, the queue, sizes of batches, and where time goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from cnnfast.serve.batcher import Batcher
from cnnfast.serve.exchange import HttpAnswer
from cnnfast.serve.work import BatchReport

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


class ServeMetrics:
    """Counts what a server does, in a registry of its own.

    Examples
    --------
    >>> metrics = ServeMetrics()
    >>> metrics.count("classify", 200)
    >>> b'cnnfast_requests_total{endpoint="classify",status="200"} 1.0' in metrics.answer().body
    True
    """

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter("cnnfast_requests", "Requests", ("endpoint", "status"), registry=registry)
        self._errors = Counter("cnnfast_errors", "Pictures and requests that failed", ("kind",), registry=registry)
        self._waiting = Gauge("cnnfast_waiting_images", "Images that wait", ("model",), registry=registry)
        self._images = Histogram(
            "cnnfast_batch_images", "Images of a batch", ("model",), buckets=BATCHES, registry=registry
        )
        self._parts = {
            part: Histogram(f"cnnfast_{part}_seconds", text, ("model",), buckets=SECONDS, registry=registry)
            for part, text in (
                ("waiting", "Time of a caller in the queue"),
                ("decoding", "Time of a batch for decoding"),
                ("computing", "Time of a batch in the network"),
            )
        }
        self._children: dict[tuple[str, int], Counter] = {}

    def watch(self, batchers: Mapping[str, Batcher]) -> None:
        """Report how many images wait for each model."""
        for name, batcher in batchers.items():
            self._waiting.labels(name).set_function(partial(getattr, batcher, "waiting"))

    def reporter(self, model: str) -> Callable[[BatchReport], None]:
        """Return what counts the batches of a model."""
        images = self._images.labels(model)
        waiting, decoding, computing = (self._parts[part].labels(model) for part in self._parts)

        def report(batch: BatchReport) -> None:
            images.observe(batch.images)
            decoding.observe(batch.decoding)
            computing.observe(batch.computing)
            for seconds in batch.waiting:
                waiting.observe(seconds)

        return report

    def count(self, endpoint: str, status: int) -> None:
        """Count a request."""
        child = self._children.get((endpoint, status))
        if child is None:
            child = self._children[endpoint, status] = self._requests.labels(endpoint, str(status))
        child.inc()

    def count_error(self, kind: str) -> None:
        """Count a picture or a request that failed."""
        self._errors.labels(kind).inc()

    def answer(self) -> HttpAnswer:
        """Return all of it, as Prometheus reads it."""
        return HttpAnswer(200, generate_latest(self._registry), {"content-type": CONTENT_TYPE_LATEST})
