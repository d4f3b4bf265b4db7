"""Print the peak of multiply-adds of one core, for each instruction set that this CPU has."""

from __future__ import annotations

from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.info import cpu_model


def peaks(repeats: int = 5) -> dict[str, float]:
    """Return the best of a few measurements for each instruction set, in GFLOP/s, float32."""
    active, found = kernels.active_isa(), {}
    for isa in kernels.supported_isas():
        kernels.select_isa(isa)
        found[isa] = max(kernels.fma_peak() for _ in range(repeats))
    kernels.select_isa(active)
    return found


if __name__ == "__main__":
    print(cpu_model())
    for isa, gflops in peaks().items():
        print(f"{isa:10}{gflops:8.1f} GFLOP/s")
