"""Print the peaks of one core, of multiply-adds and of products of bytes, for each instruction set of this CPU."""

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


def dot_peaks(repeats: int = 5) -> dict[str, float]:
    """Return the same in GOP/s for each way to multiply bytes, such as "avx512-vnni"."""
    active, found = kernels.active_isa(), {}
    for isa in kernels.supported_isas():
        kernels.select_isa(isa)
        for dot in kernels.dot_products():
            kernels.select_dot_product(dot)
            found[f"{isa}-{dot}"] = max(kernels.dot_peak() for _ in range(repeats))
    kernels.select_isa(active)
    return found


if __name__ == "__main__":
    print(cpu_model())
    for isa, gflops in peaks().items():
        print(f"{isa:18}{gflops:8.1f} GFLOP/s")
    for way, gops in dot_peaks().items():
        print(f"{way:18}{gops:8.1f} GOP/s of bytes")
