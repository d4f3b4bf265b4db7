"""The only reader of environment variables.

``CNNFAST_ISA``          instruction set of the kernels, by name; see ``cnnfast info``
``CNNFAST_NUM_THREADS``  number of threads; ``OMP_NUM_THREADS`` counts where it is not set
``CNNFAST_MAX_BYTES``    bytes that reading or planning a network may take beyond its weights
``CNNFAST_CACHE``        folder of downloads and cached features; else in ``XDG_CACHE_HOME`` or ``LOCALAPPDATA``

``OMP_WAIT_POLICY`` and ``GOMP_SPINCOUNT`` are OpenMP's own; where neither is set, its threads hardly spin.

docs/threading.md describes how the number of threads is decided. Variables that only tests, the build or benchmarks
read are listed in CONTRIBUTING.md, docs/other-builds.md and docs/benchmarking.md.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnfast.errors import ConfigError


def forced_isa() -> str | None:
    """Return the instruction set that the user forces, if any."""
    return os.environ.get("CNNFAST_ISA") or None


def thread_setting() -> tuple[int, str] | None:
    """Return the number of threads that the environment asks for, and the variable that does so.

    Raises
    ------
    ConfigError
        If the variable is not a positive integer.
    """
    for variable in ("CNNFAST_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(variable)
        if text:
            number = _first_number(text)
            if number is None:
                raise ConfigError(f"{variable}={text!r}: must be an integer from 1 to 4096; correct or unset it")
            return number, variable
    return None


def openmp_setting() -> int | None:
    """Return ``OMP_NUM_THREADS``, or None if it is unset or not a number."""
    return _first_number(os.environ.get("OMP_NUM_THREADS", ""))


def _first_number(text: str) -> int | None:
    """Return a number of threads; there may be one for each level of nesting, of which the first is the outermost."""
    first = text.split(",")[0].strip()
    return int(first) if first.isdecimal() and 1 <= int(first) <= 4096 else None


MAX_BYTES = 1 << 30
"""What planning a network may take beyond its weights, where the user sets nothing."""


def max_bytes() -> int:
    """Return how many bytes planning a network may take: ``CNNFAST_MAX_BYTES``, or `MAX_BYTES`.

    Raises
    ------
    ConfigError
        If the variable is not a positive integer.
    """
    text = os.environ.get("CNNFAST_MAX_BYTES")
    if not text:
        return MAX_BYTES
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) > 0):
        raise ConfigError(f"CNNFAST_MAX_BYTES={text[:40]!r}: must be a positive number of bytes; correct or unset it")
    return int(text)


SPIN_COUNT = "2000"
"""Turns of a waiting thread before it sleeps, some tens of microseconds. libgomp's own default is 300,000, during which
threads that have nothing to do keep CPUs busy for milliseconds after every call."""


@contextmanager
def openmp_that_sleeps() -> Iterator[None]:
    """Let libgomp's threads sleep soon after a call, if it is loaded inside of the block, which is when it looks.

    The environment is left as it was, and the user's own settings for waiting take precedence. A libgomp that another
    package has loaded before keeps its settings.
    """
    if "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ:
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT
    try:
        yield
    finally:
        del os.environ["GOMP_SPINCOUNT"]


def cache_dir() -> Path:
    """Return the folder where downloads are kept: ``CNNFAST_CACHE``, or the platform's cache folder."""
    own = os.environ.get("CNNFAST_CACHE")
    if own:
        return Path(own)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "cnnfast"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "cnnfast" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cnnfast"
