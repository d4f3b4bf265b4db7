"""A process that tries one seed after the other, and is watched: it may crash, hang, or end with an error."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO


def watched(command: Sequence[str], seed: int, patience: float) -> Iterator[tuple[int, str, float]]:
    """Run a process, and yield what it says of each seed: the seed, the outcome, and how long it took.

    It prints ``try SEED`` before and ``done OUTCOME SECONDS`` after each. If it ends badly, or says nothing for
    ``patience`` seconds, the last seed has that as its outcome.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines, errors = _lines(process.stdout), _tail(process.stderr)
        try:
            while (line := lines.get(timeout=patience)) is not None:
                word, _, rest = line.partition(" ")
                if word == "try":
                    seed = int(rest)
                elif word == "done":
                    outcome, _, took = rest.rpartition(" ")
                    yield seed, outcome, float(took)
        except queue.Empty:
            process.kill()
            yield seed, "hangs", patience
        else:
            if process.wait():
                yield seed, f"the process ended with {process.returncode}: {errors()}".removesuffix(": "), 0.0


def _lines(stream: IO[str]) -> queue.Queue[str | None]:
    """Return the lines of a stream as they come, and None at their end."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in stream:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _tail(stream: IO[str]) -> Callable[[], str]:
    """Return a function for the last lines of a stream, which is read all the time, so that its writer never waits."""
    tail: list[str] = []

    def read() -> None:
        for line in stream:
            tail.append(line)
            del tail[:-8]

    reader = threading.Thread(target=read, daemon=True)
    reader.start()

    def text() -> str:
        reader.join()
        return "".join(tail).strip()

    return text
