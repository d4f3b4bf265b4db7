"""What is put right in a child that is forked: the threads of its parent, which may hold locks, do not exist there."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


def in_forked_children(function: Callable[[], Any]) -> None:
    """Have a function called in every child that this process forks, before anything else runs there.

    Examples
    --------
    >>> import threading
    >>> lock = threading.Lock()
    >>> in_forked_children(lock._at_fork_reinit)
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)
