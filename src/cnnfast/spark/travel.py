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
from functools import cache
from pathlib import Path
from typing import Any

from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats.reference import refer_to
from cnnfast.network.network import Network

SUFFIX = ".safetensors"

_sent: set[tuple[str, str]] = set()
"""Sessions and the names of the files that each has been given."""

_sending = threading.RLock()
"""Held while a file is put in the outbox and given away: Spark compares a file with what an equal call is still copying,
and refuses it.
"""


@cache
def outbox() -> Path:
    """Return the folder of this process where files are kept while executors may still ask for them."""
    folder = tempfile.mkdtemp(prefix="cnnfast-spark-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def send_network(spark: Any, net: Network) -> str:
    """Give a network to all executors of a session, once, and return the name of its file there."""
    with _sending:
        file = net._file
        if file is not None and file.is_current():
            name = file.sha256 + SUFFIX
            if not (outbox() / name).exists():
                send_file(spark, shutil.copy(file.path, outbox() / f"copy-of-{name}"))
            return _give(spark, name)
        path = outbox() / f"network{SUFFIX}"
        net.save(path)
        return send_file(spark, path)


def send_file(spark: Any, path: str | os.PathLike[str]) -> str:
    """Give a file to all executors of a session, once, and return its name there.

    Parameters
    ----------
    spark : SparkSession
        Classic or Connect.
    path : path-like
        Of a file that states its SHA-256. Inside of `outbox` it is renamed, elsewhere it is copied.

    Raises
    ------
    ModelFileError
        If it states none.
    """
    found = refer_to(path)
    if found is None:
        raise ModelFileError(f"{path}: states no SHA-256 of itself, by which executors could know it")
    with _sending:
        target = outbox() / (found.sha256 + SUFFIX)
        if Path(path).parent == outbox():
            os.replace(path, target)
        elif not target.exists():
            shutil.copy(path, target)
        return _give(spark, target.name)


def _give(spark: Any, name: str) -> str:
    key = (_session_id(spark), name)
    if key not in _sent:
        path = str(outbox() / name)
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
