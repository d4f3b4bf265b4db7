"""The only reader of environment variables.

``CNNFAST_ISA``          instruction set of the kernels, by name; see ``cnnfast info``
``CNNFAST_NUM_THREADS``  number of threads; ``OMP_NUM_THREADS`` counts where it is not set
``CNNFAST_CACHE``        folder of downloaded data sets
``CNNFAST_TEST_DATA``    folder of the real data that tests use
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cnnfast.errors import ConfigError


def forced_isa() -> str | None:
    """Return the instruction set that the user forces, if any."""
    return os.environ.get("CNNFAST_ISA") or None


def thread_setting() -> tuple[int, str] | None:
    """Return the number of threads that the environment asks for, and the variable that says so.

    Raises
    ------
    ConfigError
        If the variable is no positive integer.
    """
    for variable in ("CNNFAST_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(variable)
        if text:
            # OMP_NUM_THREADS may list a number for each level of nesting; the first is the outermost
            first = text.split(",")[0].strip()
            if not first.isdecimal() or not 1 <= int(first) <= 4096:
                raise ConfigError(f"{variable}={text!r}: must be an integer from 1 to 4096; correct or unset it")
            return int(first), variable
    return None


def cache_dir() -> Path:
    """Return the folder where downloads are kept: ``CNNFAST_CACHE``, or the platform's cache folder."""
    own = os.environ.get("CNNFAST_CACHE")
    if own:
        return Path(own)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "cnnfast"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cnnfast"
