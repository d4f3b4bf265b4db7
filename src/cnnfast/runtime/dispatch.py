"""Loads the kernels and chooses their instruction set, once."""

from __future__ import annotations

from pathlib import Path

from cnnfast.errors import ConfigError
from cnnfast.runtime.config import forced_isa, openmp_that_sleeps

with openmp_that_sleeps():
    import cnnfast._kernels as kernels

Entry = kernels.Entry
Program = kernels.Program

__all__ = ["Entry", "Program", "kernels"]

INTERFACE = 26
"""What steps, tables and packed weights mean: the number that the kernels state too, see ``_kernels.pyx``."""


def _check_interface() -> None:
    made = Path(kernels.__file__)
    newer = made.with_name("_kernels.abi3.so")
    if made.name != newer.name and newer.exists() and "t-" not in made.name:
        raise ConfigError(f"{made}: these compiled kernels hide those in {newer.name} next to them; remove one of both")
    built = getattr(kernels, "INTERFACE", 0)
    if built != INTERFACE:
        raise ConfigError(
            f"{kernels.__file__}: these compiled kernels have interface {built}, but the Python code next to them "
            f"needs {INTERFACE}; build them again (python setup.py build_ext --inplace) or install cnnfast again"
        )


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


_check_interface()
if _name := forced_isa():
    _force(_name)
