"""Who decides the number of threads.

In this order: the argument of a call, ``with cnnfast.threads(n)``, `set_num_threads`, ``CNNFAST_NUM_THREADS``,
``OMP_NUM_THREADS``, and what the operating system grants: the affinity mask and the CPU quota of the container. The
last three may have been lowered in the OpenMP runtime, as ``threadpoolctl.threadpool_limits`` does. The number that the
runtime starts with does not count as a decision: it ignores quotas. A build without OpenMP computes with one thread.

libgomp's threads do not survive a fork. Before Python's ``os.fork`` they are released, so that parent and child start
new ones; a child that was forked in another way always computes with one thread, because it would hang with more. So
does every child on musl, where they cannot be released.
"""

from __future__ import annotations

import math
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path

from cnnfast.errors import ConfigError
from cnnfast.runtime.arguments import quoted
from cnnfast.runtime.config import openmp_setting, thread_setting
from cnnfast.runtime.dispatch import kernels

WITHOUT_OPENMP = "this build of cnnfast, which has no OpenMP"
"""Who decides that calls compute with one thread where the compiler had no OpenMP."""

A_FEW, TIMES = 16, 4
"""More threads than both, the first and the second times the CPUs, never help; libgomp may even end the process."""

STALE = 1.0
"""Seconds after which a call looks again at the environment, the affinity mask and the quota."""

_in_context: ContextVar[int | None] = ContextVar("cnnfast_threads", default=None)
_for_process: int | None = None
_parallel: set[int] = set()
"""The Python threads whose calls have computed with several threads: libgomp keeps a team for each."""
_released: int | None = None
_lost_its_threads = False
_recent = (0, "")
_recent_until = -1.0


def set_num_threads(n: int | None) -> None:
    """Use ``n`` threads from now on in this process; None returns the decision to the environment.

    Raises
    ------
    ConfigError
        If ``n`` is not an integer from 1 to 4096.

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
        If ``n`` is not an integer from 1 to 4096.

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


def threads_or_default(n: int | None) -> AbstractContextManager[None]:
    """Use ``n`` threads inside a ``with`` block, or for None as many as would be used without it."""
    return nullcontext() if n is None else threads(n)


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
    if number > 1 and not kernels.has_openmp():
        return 1, WITHOUT_OPENMP
    if number > A_FEW and (sane := _sane(number)) < number:
        number, who = sane, f"{granted()[1]}, which is less than {who} asks for"
    if _lost_its_threads and number > 1:
        return 1, "the fork: start children by spawn or forkserver for more"
    return number, who


def of_call(argument: int | None = None) -> int:
    """Return the number of threads of a call: as `decide`, but what the environment grants may be a second old."""
    if argument is None:
        number = _in_context.get()
        if number is None:
            number = _for_process
        if number is None:
            number = _limited(*_outside())[0]
    else:
        number = checked(argument)
    if not kernels.has_openmp():
        return _single(number, asked=argument is not None or _in_context.get() or _for_process)
    if number > A_FEW:
        number = _sane(number)
    if number == 1 or _lost_its_threads:
        return 1
    _parallel.add(threading.get_ident())
    return number


def _single(number: int, asked: object) -> int:
    """Return the one thread of a build without OpenMP, with a warning to who has asked for more."""
    if number > 1 and asked:
        warnings.warn(f"{number} threads: {WITHOUT_OPENMP}, computes with 1", RuntimeWarning, stacklevel=4)
    return 1


def _sane(number: int) -> int:
    """Return a number of threads, or that of the CPUs where it is far above that; the results are the same."""
    cpus = granted()[0]
    if number <= TIMES * cpus:
        return number
    warnings.warn(f"{number} threads for {cpus} CPUs: cnnfast computes with {cpus}", RuntimeWarning, stacklevel=4)
    return cpus


def _before_fork() -> None:
    global _released
    # no thread that plans a network, and whom the child would wait for, is left behind; and one fork after the other
    kernels.planning.acquire()
    forking = threading.get_ident()
    # The team of the thread that forks; the child has no other teams.
    _released = forking if forking not in _parallel or kernels.release_threads() else None


def _after_fork_in_child() -> None:
    global _lost_its_threads, _released
    me = threading.get_ident()
    _lost_its_threads = _lost_its_threads or (me in _parallel and me != _released)
    _parallel.clear()
    _released = None
    kernels.forget_other_calls()
    # not released, because C code forks without `_before_fork`
    kernels.planning._at_fork_reinit()  # type: ignore[attr-defined]


def _after_fork_in_parent() -> None:
    global _released
    _released = None
    kernels.planning.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child, after_in_parent=_after_fork_in_parent)


def _wish(argument: int | None) -> tuple[int, str]:
    if argument is not None:
        return checked(argument), "the argument of the call"
    inside = _in_context.get()
    if inside is not None:
        return inside, "with cnnfast.threads(n)"
    if _for_process is not None:
        return _for_process, "cnnfast.set_num_threads"
    return _limited(*_outside(fresh=True))


def _outside(fresh: bool = False) -> tuple[int, str]:
    """Return what the environment and the operating system say."""
    global _recent, _recent_until
    now = time.monotonic()
    if fresh or now >= _recent_until:
        _recent = thread_setting() or granted()
        _recent_until = now + STALE
    return _recent


def _limited(number: int, who: str) -> tuple[int, str]:
    """Take away what other code has taken from OpenMP since it was loaded."""
    left = kernels.max_threads()
    if left < number and left != _UNLIMITED:
        return left, "a limit of OpenMP, as threadpoolctl sets"
    return number, who


def checked(n: object) -> int:
    """Return ``n`` if it can be a number of threads, else raise `ConfigError`."""
    try:
        number = n.__index__()  # type: ignore[attr-defined]
    # another library's number may raise what it likes
    except Exception:
        number = 0
    if isinstance(n, bool) or not 1 <= number <= 4096:
        raise ConfigError(f"the number of threads must be an integer from 1 to 4096, but is {quoted(n)}")
    return int(number)


def granted() -> tuple[int, str]:
    """Return how many CPUs the operating system lets this process use, and by which rule."""
    cpus = len(_affinity())
    rule = "the affinity mask" if hasattr(os, "sched_getaffinity") else "the number of CPUs"
    quota = cgroup_quota()
    if quota is not None and quota < cpus:
        return max(1, math.ceil(quota)), "the CPU quota of the container"
    return cpus, rule


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


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
        lines = membership.read_text(encoding="utf-8").splitlines()
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
        quota, period = file.read_text(encoding="utf-8").split()
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


_UNLIMITED = openmp_setting() or max(kernels.max_threads(), len(_affinity()))
"""How many threads OpenMP would use if it had not been told a number."""
