"""Loads the kernels and chooses their instruction set, once."""

from __future__ import annotations

import cnnfast._kernels as kernels
from cnnfast._config import forced_isa
from cnnfast.errors import ConfigError

__all__ = ["kernels"]


def _force(name: str) -> None:
    if name not in kernels.known_isas():
        raise ConfigError(
            f"CNNFAST_ISA={name!r}: this build knows {', '.join(kernels.known_isas())}; "
            f"this CPU runs {', '.join(kernels.supported_isas())}"
        )
    if name not in kernels.supported_isas():
        raise ConfigError(
            f"CNNFAST_ISA={name!r}: this CPU cannot run it, only {', '.join(kernels.supported_isas())}; "
            "unset the variable to let cnnfast choose"
        )
    kernels.select_isa(name)


if _name := forced_isa():
    _force(_name)
