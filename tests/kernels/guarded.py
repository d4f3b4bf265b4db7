"""Memory that ends, or begins, where the process may not go: one byte too far is a crash and not a wrong number."""

from __future__ import annotations

import ctypes
import mmap
import os
from dataclasses import replace
from typing import Any

import numpy as np

from cnnfast.ops import Array
from cnnfast.plan import Plan

PAGE = mmap.PAGESIZE


def forbid(address: int) -> None:
    """Make every access to a page of memory a crash."""
    if os.name == "nt":
        old = ctypes.c_ulong()
        made = ctypes.windll.kernel32.VirtualProtect(ctypes.c_void_p(address), PAGE, 1, ctypes.byref(old))
    else:
        made = ctypes.CDLL(None).mprotect(ctypes.c_void_p(address), PAGE, 0) == 0
    assert made, "the system does not take access away"


def guarded(array: Array, at_end: bool = True) -> Array:
    """Return a copy that ends at a page which cannot be read, or begins behind one."""
    pages = -(-array.nbytes // PAGE)
    memory = mmap.mmap(-1, (pages + 1) * PAGE)
    whole: Array = np.frombuffer(memory, np.uint8)
    forbidden, start = (pages * PAGE, pages * PAGE - array.nbytes) if at_end else (0, PAGE)
    copy = whole[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    forbid(whole.ctypes.data + forbidden)
    return copy


def guarded_plan(plan: Plan, at_end: bool = True) -> Plan:
    """Return a plan whose constants, weights and tables are all next to forbidden pages."""

    def guard(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(guarded(v, at_end) if isinstance(v, np.ndarray) else v for v in values)

    steps = tuple(
        replace(s, operands=guard(s.operands), parameters=guard(s.parameters), tables=guard(s.tables))
        for s in plan.steps
    )
    return replace(plan, steps=steps)
