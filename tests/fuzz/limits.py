"""What a reader may take: an error that names the file, within a bound of memory and time."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from fuzz.corpora import Corpus

from cnnfast.errors import CnnfastError

MEMORY = 512 << 20
"""Address space that reading a file of a few kilobytes may add."""
SECONDS = 5.0
"""Processor time for the same."""


@contextlib.contextmanager
def limited(memory: int = MEMORY, seconds: float = SECONDS) -> Iterator[None]:
    """Bound the memory, on Linux, and check the processor time of what happens inside."""
    start = time.process_time()
    with _limited_memory(memory):
        yield
    taken = time.process_time() - start
    assert taken < seconds, f"reading took {taken:.1f} s of processor time"


@contextlib.contextmanager
def _limited_memory(more: int) -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def try_to_read(corpus: Corpus, folder: Path, content: bytes) -> bool:
    """Read a file that may be damaged; whether it could be read.

    Anything but success or an error of `cnnfast.errors` that begins with the path, anything slow, anything large is the
    caller's failure.
    """
    with limited():
        try:
            corpus.read(folder, content)
            return True
        except CnnfastError as error:
            message = str(error)
    assert str(folder) in message.partition(": ")[0], f"the error names no file: {message}"
    return False
