"""What is put right in a child that is forked: the threads of its parent, which may hold locks, do not exist there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any


def in_forked_children(function: Callable[[], Any]) -> None:
    """Have a function called in every child that this process forks, before anything else runs there.

    Examples
    --------
    >>> calls = []
    >>> in_forked_children(calls.clear)
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)


def open_in_forked_children(lock: threading.Lock) -> None:
    """Have a lock open in every child that this process forks, also if a thread of the parent held it.

    Windows forks nothing, and its locks cannot be reset.

    Examples
    --------
    >>> open_in_forked_children(threading.Lock())
    """
    if hasattr(os, "register_at_fork"):
        in_forked_children(lock._at_fork_reinit)  # type: ignore[attr-defined]
