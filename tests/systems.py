"""Marks of tests about what only some systems have."""

from __future__ import annotations

import os
import sys
import sysconfig

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="about POSIX: its signals, pipes, links, names or limits")
linux = pytest.mark.skipif(sys.platform != "linux", reason="about Linux: what it tells of processes, or lets them set")

MUSL = "musl" in (sysconfig.get_config_var("SOABI") or "")
"""Whether Python was built for musl, as on Alpine Linux."""

NO_SUCH_FILE = "No such file|File not found|cannot find the file"
"""What Linux, macOS, Wine and Windows say of a file that is not there."""


def with_slashes(text: object) -> str:
    """Return what a command says or writes with slashes in paths, which has backslashes on Windows."""
    return str(text).replace(os.sep, "/")
