"""Files that travel to the executors: each once, named by the SHA-256 that it states of itself, and mapped there.

    driver: send_network(spark, net) ──► name ──► executor: received(name) ──► path of the file

Sent are files of cnnfast's own container: networks, and what `cnnfast.formats.digest.write_sealed` writes.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats.reference import FileReference, refer_to
from cnnfast.network.network import Network
from cnnfast.runtime.forks import in_forked_children

SUFFIX = ".safetensors"

_sent: set[tuple[str, str]] = set()
"""Sessions and the names of the files that each has been given."""

_sending = threading.RLock()
"""Held while a file is put in the outbox and given away: Spark compares a file with what an equal call is still
copying, and refuses it.
"""


@cache
def _outbox() -> Path:
    """Return the folder of this process where files are kept while executors may still ask for them."""
    folder = tempfile.mkdtemp(prefix="cnnfast-spark-")
    atexit.register(_remove_outbox)
    return Path(folder)


def _remove_outbox() -> None:
    shutil.rmtree(_outbox(), ignore_errors=True)


def _after_fork_in_child() -> None:
    # the folder is still the parent's, and so is a lock that one of its threads holds
    atexit.unregister(_remove_outbox)
    _outbox.cache_clear()
    _sending._at_fork_reinit()  # type: ignore[attr-defined]


in_forked_children(_after_fork_in_child)


@contextmanager
def draft() -> Iterator[Path]:
    """Give the path of a file to write and to send, which no other thread writes; it is gone after the block."""
    with _sending:
        outbox = _outbox()
    with tempfile.TemporaryDirectory(dir=outbox, prefix="draft-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / f"file{SUFFIX}"


def send_network(spark: Any, net: Network) -> str:
    """Give a network to all executors of a session, once, and return the name of its file there."""
    file = net._file
    with _sending:
        if file is not None and (_outbox() / (name := file.sha256 + SUFFIX)).exists():
            return _give(spark, name)
        with draft() as path:
            if file is None or not _copied(file, path):
                net.save(path)
            return send_file(spark, path)


def _copied(file: FileReference, target: Path) -> bool:
    """Copy the file of a network, unless it has become another one since the network was read, or borrows weights."""
    if file.lender is not None or not file.is_current():
        return False
    shutil.copy(file.path, target)
    found = refer_to(target)
    return found is not None and found.sha256 == file.sha256


def send_file(spark: Any, path: Path) -> str:
    """Give a `draft` to all executors of a session, once, and return its name there.

    Parameters
    ----------
    spark : SparkSession
        Classic or Connect.
    path : Path
        Of a file that states its SHA-256, by which it is renamed.

    Raises
    ------
    ModelFileError
        If it states none.
    """
    found = refer_to(path)
    if found is None:
        raise ModelFileError(f"{path}: states no SHA-256 of itself, by which executors could know it")
    with _sending:
        target = _outbox() / (found.sha256 + SUFFIX)
        os.replace(path, target)
        return _give(spark, target.name)


def _give(spark: Any, name: str) -> str:
    key = (_session_id(spark), name)
    if key not in _sent:
        path = str(_outbox() / name)
        if hasattr(spark, "addArtifacts") and _version() >= (4, 0):
            spark.addArtifacts(path, file=True)
        else:
            spark.sparkContext.addFile(path)
        _sent.add(key)
    return name


def _version() -> tuple[int, ...]:
    import pyspark

    return tuple(int(part) for part in pyspark.__version__.split(".")[:2])


def is_connect(spark: Any) -> bool:
    """Return whether a session talks to a server of Spark Connect."""
    return type(spark).__module__.startswith("pyspark.sql.connect")


def _session_id(spark: Any) -> str:
    return str(spark.session_id if is_connect(spark) else spark.sparkContext.applicationId)


def received(name: str) -> Path:
    """Return where an executor has a file that the driver has sent.

    Raises
    ------
    ConfigError
        If it is not there.
    """
    from pyspark import SparkFiles

    path = Path(SparkFiles.getRootDirectory()) / name
    if not path.is_file():
        raise ConfigError(
            f"{path}: the driver has sent this file, but this executor does not have it; it was sent for another "
            "session of Spark: use the data frame within the session that made it"
        )
    return path
