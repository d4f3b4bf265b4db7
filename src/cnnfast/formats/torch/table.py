"""The list of ATen ops that become ops of cnnfast.

Each entry is a function ``(builder, **arguments)``: the arguments carry the names of ATen's own schema, with all
defaults filled in. It returns what the node returns: `Images`, or a tuple of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnnfast.runtime.registry import Registry

Handler = Callable[..., Any]

ATEN: Registry[str, Handler] = Registry("ops of ATen")
"""Every known op by its name in ATen, without ``aten.`` and without the overload."""

aten = ATEN.register
"""Enter a function into `ATEN` under one or several names."""
