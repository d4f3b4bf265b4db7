"""Which instruction sets a CPU has: the kernel of the system knows, by its own way of asking."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from cnnfast.runtime.config import forced_isa
from cnnfast.runtime.dispatch import kernels

CPUINFO = Path("/proc/cpuinfo")
NEEDED = {
    "sse2": {"sse2"},
    "avx2": {"avx2", "fma"},
    "avx512": {"fma", "avx512f", "avx512dq", "avx512bw", "avx512vl"},
}
DOTS = {"avx2": {"vnni": "avx_vnni"}, "avx512": {"vnni": "avx512_vnni", "amx": "amx_int8"}}


@pytest.fixture(scope="module")
def flags() -> set[str]:
    if platform.machine() != "x86_64" or not CPUINFO.exists() or kernels.known_isas() == ["portable"]:
        pytest.skip("reads the flags of an x86-64 CPU from Linux")
    lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    return next(set(line.split(":")[1].split()) for line in lines if "flags" in line)


def test_every_instruction_set_of_the_cpu_is_found(flags: set[str]) -> None:
    assert kernels.supported_isas() == [name for name, needed in NEEDED.items() if needed <= flags]


def test_every_instruction_set_but_the_first_fuses(flags: set[str]) -> None:
    """Multiplying and adding with one rounding."""
    assert [name for name in kernels.known_isas() if kernels.has_fma(name)] == [
        name for name in NEEDED if "fma" in NEEDED[name]
    ]


def test_the_best_of_them_runs(flags: set[str]) -> None:
    if forced_isa():
        pytest.skip("CNNFAST_ISA decides")
    assert kernels.active_isa() == kernels.supported_isas()[-1]


@pytest.mark.parametrize("name", DOTS)
def test_every_dot_product_of_the_cpu_is_found(name: str, flags: set[str]) -> None:
    """Matrix tiles only where Linux grants them, which may be refused."""
    if name not in kernels.supported_isas():
        pytest.skip(f"this CPU has no {name}")
    before = kernels.active_isa()
    kernels.select_isa(name)
    try:
        found = kernels.dot_products()
    finally:
        kernels.select_isa(before)
    expected = ["widening", *(dot for dot, flag in DOTS[name].items() if flag in flags)]
    assert found in (expected, [dot for dot in expected if dot != "amx"])
