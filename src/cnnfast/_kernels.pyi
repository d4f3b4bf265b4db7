"""What the extension module offers to the rest of the package; see ``_kernels.pyx``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Shape3 = tuple[int, int, int]

StepParts = tuple[
    str,
    Mapping[str, int],
    Mapping[str, float],
    Sequence[int | Array],
    Sequence[Array | None],
    Sequence[Array | None],
    int,
    int,
]
"""(kernel, ints, floats, operands, parameters, tables, dst, workspace)"""

KERNELS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]

class Program:
    def __init__(
        self,
        steps: Iterable[StepParts],
        arena: int,
        inputs: Sequence[tuple[Shape3, int, int, int]],
        outputs: Sequence[tuple[int, int]],
        lanes: int = 1,
    ) -> None: ...
    def run(
        self,
        images: Sequence[Array],
        results: Sequence[Array],
        threads: int,
        pixels: tuple[Array, Array] | None = None,
    ) -> None: ...
    def profile(
        self,
        images: Sequence[Array],
        results: Sequence[Array],
        rounds: int,
        pixels: tuple[Array, Array] | None = None,
    ) -> list[float]: ...

def known_isas() -> list[str]: ...
def supported_isas() -> list[str]: ...
def active_isa() -> str: ...
def select_isa(name: str) -> None: ...
def fma_peak(rounds: int = 200_000) -> float: ...
def max_threads() -> int: ...
def count_threads(threads: int) -> int: ...
def lanes() -> int: ...
def tile_channels() -> tuple[int, int, int]: ...
