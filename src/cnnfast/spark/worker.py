"""What runs on an executor: the network by its hash, checked against the driver, and record batches through it."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from cnnfast import __version__
from cnnfast.arrow import Classifier
from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats import native
from cnnfast.formats.reference import refer_to
from cnnfast.network.network import Network
from cnnfast.runtime.dispatch import kernels
from cnnfast.spark.travel import SUFFIX, received

MOST_NETWORKS = 4
"""That a worker keeps in memory: it is used again by later tasks, of other jobs too."""


def facts() -> dict[str, Any]:
    """Return what bits depend on, besides the network and the picture."""
    return {"cnnfast": __version__, "fuses": kernels.has_fma()}


def check(driver: Mapping[str, Any]) -> None:
    """Check that this process computes the bits that the driver would.

    Raises
    ------
    ConfigError
        If it has another version of cnnfast, or one of the two lacks fused multiply-adds.

    Examples
    --------
    >>> check(facts())
    >>> check({**facts(), "cnnfast": "0.0.1"})
    Traceback (most recent call last):
    cnnfast.errors.ConfigError: executor ...: has cnnfast ..., but the driver has 0.0.1; install ...
    """
    here = f"executor {platform.node()}"
    if driver["cnnfast"] != __version__:
        raise ConfigError(
            f"{here}: has cnnfast {__version__}, but the driver has {driver['cnnfast']}; install one version on both"
        )
    if driver["fuses"] != (fuses := kernels.has_fma()):
        isa, has, other = kernels.active_isa(), "has" if fuses else "has no", "has" if driver["fuses"] else "has none"
        raise ConfigError(
            f"{here}: its instruction set, {isa}, {has} fused multiply-add, but that of the driver {other}, so their "
            "results could differ in the last bits; leave such machines out of the cluster, or set CNNFAST_ISA=sse2 on "
            "all of them, the driver too"
        )


@lru_cache(MOST_NETWORKS)
def network(name: str) -> Network:
    """Return the network of a file that the driver has sent, mapped into memory.

    Raises
    ------
    ModelFileError
        If the file is damaged.
    """
    path = received(name)
    found = refer_to(path)
    if found is None or found.sha256 + SUFFIX != name:
        raise ModelFileError(f"{path}: is not the file that the driver has sent")
    return Network(native.load(path, mapped=True), found)


def task_threads() -> int:
    """Return how many CPUs Spark has given to the task that runs, ``spark.task.cpus``; 1 outside of a task."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return 1 if context is None else int(context.cpus())


def classifier_of(name: str, options: Mapping[str, Any], driver: Mapping[str, Any]) -> Classifier:
    """Return the classifier of a task, after a `check`; see `classify_batches` for what is passed."""
    check(driver)
    threads = options.get("threads") or task_threads()
    return Classifier(network(name), **{**options, "threads": threads})


def classify_batches(
    batches: Iterable[Any],
    columns: Sequence[str],
    name: str,
    options: Mapping[str, Any],
    driver: Mapping[str, Any],
) -> Iterator[Any]:
    """Yield the results of record batches.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
    columns : sequence of str
        Their names: on the way they have others.
    name : str
        Of the network's file, as `travel.send_network` returns it.
    options : mapping
        Of `Classifier`.
    driver : mapping
        The `facts` of the driver.
    """
    named = (batch.rename_columns(list(columns)) for batch in batches)
    yield from classifier_of(name, options, driver).stream(named)
