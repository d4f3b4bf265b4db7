"""What the extension module offers to the rest of the package; see ``_kernels.pyx``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import RLock
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

INTERFACE: int
planning: RLock

class Kernel:
    """What is known of one kernel; see ``kernels/table.pxi``."""

    @property
    def name(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def layout(self) -> str: ...
    @property
    def algorithm(self) -> str: ...
    @property
    def ints(self) -> tuple[str, ...]: ...
    @property
    def floats(self) -> tuple[str, ...]: ...
    @property
    def splits(self) -> bool: ...
    @property
    def needs_barrier(self) -> bool: ...
    @property
    def trains(self) -> bool: ...

KERNELS: dict[str, Kernel]

class Program:
    def __init__(
        self,
        steps: Iterable[StepParts] | Callable[[], Iterable[StepParts]],
        arena: int,
        inputs: Sequence[tuple[Shape3, int, int, int]],
        outputs: Sequence[tuple[int, int]],
        lanes: int = 1,
        group: int = 1,
        small_batch: Callable[[], tuple[Program, float] | None] | None = None,
        work: float = 0,
    ) -> None: ...
    def run(
        self,
        images: Sequence[Array],
        results: Sequence[Array],
        threads: int,
        pixels: tuple[Array, Array] | None = None,
        groups: int | None = None,
    ) -> None: ...
    def profile(
        self,
        images: Sequence[Array],
        results: Sequence[Array],
        rounds: int,
        pixels: tuple[Array, Array] | None = None,
    ) -> list[float]: ...

class Entry:
    def __init__(
        self,
        program: Program,
        shape: Shape3,
        result: tuple[int, ...],
        pixels: tuple[Array, Array] | None,
        bounds: tuple[float, float] | None,
        batch: int,
        array: type,
        empty: Callable[[tuple[int, ...]], Array],
    ) -> None: ...
    def run(self, images: object, layout: str | None, checks: int, threads: int, out: Array | None) -> Array | None: ...
    def axes(
        self, shape: tuple[int, ...], strides: tuple[int, ...], layout: str | None, is_bytes: bool
    ) -> tuple[int, int, int, int, int] | None: ...

def partition_batch(images: int, group: int, threads: int, cost: float, work: float = 0) -> tuple[int, int]: ...
def share_images(calls: int, threads: int, work: float, duration: Callable[[int, int], float]) -> list[int]: ...
def partition_batches(
    batches: Iterable[int], group: int, threads: int, cost: float, work: float, duration: Callable[[int, int], float]
) -> list[tuple[int, int]]: ...
def transform_weights(
    weight: Array, g: Array, starts: Sequence[int], out: Array, elements_first: bool, threads: int
) -> None: ...
def interrupt(thread: int) -> int: ...
def idle_memory() -> tuple[int, int]: ...
def release_threads() -> bool: ...

class Training:
    def __init__(
        self,
        program: Program,
        phases: Sequence[tuple[int, int, Mapping[str, Any] | None]],
        sizes: tuple[int, int, int],
        gradients: int,
        batch: int,
        threads: int,
        live: int,
    ) -> None: ...
    def step(
        self,
        images: Sequence[Array],
        results: Sequence[Array],
        gradients: Array,
        threads: int,
        pixels: tuple[Array, Array] | None = None,
        seconds: Array | None = None,
    ) -> None: ...
    def partial(
        self,
        images: Sequence[Array],
        results: Sequence[Array],
        sums: Array,
        per_chunk: int,
        threads: int,
        pixels: tuple[Array, Array] | None = None,
    ) -> None: ...
    def combine(self, sums: Array, images: int, gradients: Array, threads: int) -> None: ...
    def memory(self) -> tuple[int, int, int]: ...

def chunk_groups(groups: int) -> int: ...
def pack_winograd(
    source: Array, index: Array, g: Array, target: Array, OC: int, C: int, kernel: int, most: int, threads: int
) -> None: ...
def gather(source: Array, index: Array, target: Array) -> None: ...
def known_isas() -> list[str]: ...
def supported_isas() -> list[str]: ...
def active_isa() -> str: ...
def select_isa(name: str) -> None: ...
def fma_peak(rounds: int = 200_000) -> float: ...
def dot_products() -> list[str]: ...
def active_dot_product() -> str: ...
def select_dot_product(name: str) -> None: ...
def has_matrix_tiles() -> bool: ...
def dot_peak(rounds: int = 200_000) -> float: ...
def has_openmp() -> bool: ...
def max_threads() -> int: ...
def count_threads(threads: int) -> int: ...
def lanes() -> int: ...
def near_cache() -> int: ...
def tile_channels() -> tuple[int, int, int, int]: ...
def turned_channels() -> int: ...
def tile_vectors() -> tuple[int, int, int]: ...
