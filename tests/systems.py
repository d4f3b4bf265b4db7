"""Marks of tests about what only some systems have."""

from __future__ import annotations

import errno
import os
import platform
import sys
import sysconfig

import pytest

POSIX = os.name == "posix"

posix = pytest.mark.skipif(not POSIX, reason="about POSIX: its signals, pipes, links, names or limits")
linux = pytest.mark.skipif(sys.platform != "linux", reason="about Linux: what it tells of processes, or lets them set")

MUSL = "musl" in (sysconfig.get_config_var("SOABI") or "")
"""Whether Python was built for musl, as on Alpine Linux."""

FLUSHES = platform.machine() in ("x86_64", "AMD64", "aarch64", "arm64")
"""Whether the CPU can count denormal numbers as zero."""

NO_SUCH_FILE = "No such file" if POSIX else "No such file|File not found|cannot find the file"
NAME_TOO_LONG = os.strerror(errno.ENAMETOOLONG) if POSIX else NO_SUCH_FILE
FILE_EXISTS = "File exists" if POSIX else "File already exists|when that file already exists"
"""What the system says; on Windows the library of C, Wine or the system itself."""


def with_slashes(text: object) -> str:
    """Return what a command says or writes with slashes in paths, which has backslashes on Windows."""
    return str(text).replace(os.sep, "/")
