"""Who decides the number of threads.

In this order: the argument of a call, ``with cnnfast.threads(n)``, `set_num_threads`, ``CNNFAST_NUM_THREADS``,
``OMP_NUM_THREADS``, and what the operating system grants: the affinity mask and the CPU quota of the container.

A forked child of a process that has computed with several threads gets one, whoever decides: libgomp's threads do not
survive the fork, and a child that waited for them would hang.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from cnnfast._config import thread_setting
from cnnfast.errors import ConfigError

_in_context: ContextVar[int | None] = ContextVar("cnnfast_threads", default=None)
_for_process: int | None = None
_has_been_parallel = False
_lost_its_threads = False


def set_num_threads(n: int | None) -> None:
    """Use ``n`` threads from now on in this process; None returns the decision to the environment.

    Raises
    ------
    ConfigError
        If ``n`` is no integer from 1 to 4096.

    Examples
    --------
    >>> set_num_threads(2)
    >>> get_num_threads()
    2
    >>> set_num_threads(None)
    """
    global _for_process
    _for_process = None if n is None else checked(n)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Use ``n`` threads inside a ``with`` block, in this Python thread or task only.

    Raises
    ------
    ConfigError
        If ``n`` is no integer from 1 to 4096.

    Examples
    --------
    >>> with threads(1):
    ...     get_num_threads()
    1
    """
    token = _in_context.set(checked(n))
    try:
        yield
    finally:
        _in_context.reset(token)


def get_num_threads() -> int:
    """Return the number of threads that a call without an argument uses.

    Examples
    --------
    >>> get_num_threads() >= 1
    True
    """
    return decide()[0]


def decide(argument: int | None = None) -> tuple[int, str]:
    """Return the number of threads and who decided it."""
    number, who = _wish(argument)
    if _lost_its_threads and number > 1:
        return 1, "the fork: start children by spawn or forkserver for more"
    return number, who


def note_parallel() -> None:
    """Remember that this process computes with several threads."""
    global _has_been_parallel
    _has_been_parallel = True


def _after_fork_in_child() -> None:
    global _lost_its_threads
    _lost_its_threads = _lost_its_threads or _has_been_parallel


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _wish(argument: int | None) -> tuple[int, str]:
    if argument is not None:
        return checked(argument), "the argument of the call"
    inside = _in_context.get()
    if inside is not None:
        return inside, "with cnnfast.threads(n)"
    if _for_process is not None:
        return _for_process, "cnnfast.set_num_threads"
    return thread_setting() or granted()


def checked(n: object) -> int:
    """Return ``n`` if it can be a number of threads, else raise `ConfigError`."""
    try:
        number = n.__index__()  # type: ignore[attr-defined]
    except AttributeError:
        number = 0
    if isinstance(n, bool) or not 1 <= number <= 4096:
        raise ConfigError(f"the number of threads must be an integer from 1 to 4096, but is {n!r}")
    return int(number)


def granted() -> tuple[int, str]:
    """Return how many CPUs the operating system lets this process use, and by which rule."""
    try:
        cpus, rule = len(os.sched_getaffinity(0)), "the affinity mask"
    except AttributeError:
        cpus, rule = os.cpu_count() or 1, "the number of CPUs"
    quota = cgroup_quota()
    if quota is not None and quota < cpus:
        return max(1, math.ceil(quota)), "the CPU quota of the container"
    return cpus, rule


def cgroup_quota(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> float | None:
    """Return the CPU quota of the container in CPUs, from cgroup v2 or v1, or None where there is none.

    The smallest quota on the path from this process's group up to the root counts.
    """
    quotas = []
    for folder in _cgroup_folders(root, membership):
        quota = _quota_v2(folder / "cpu.max") or _quota_v1(folder)
        if quota is not None:
            quotas.append(quota)
    return min(quotas, default=None)


def _cgroup_folders(root: Path, membership: Path) -> list[Path]:
    folders = [root, root / "cpu"]
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return folders
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            base = root if not controllers else root / "cpu"
            parts = [p for p in path.split("/") if p and p != ".."]
            folders += [base.joinpath(*parts[: i + 1]) for i in range(len(parts))]
    return folders


def _quota_v2(file: Path) -> float | None:
    try:
        quota, period = file.read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_v1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 and period > 0 else None
