"""The lists of kernels: Python's, Cython's and C's say the same, and nothing on them is dead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cases import CASES, Case

import cnnfast
from cnnfast.errors import UnsupportedError
from cnnfast.plan import make_plan
from cnnfast.plan.chwn.values import ACTIVATIONS
from cnnfast.plan.elements import FUNCTIONS, REDUCTIONS
from cnnfast.plan.plan import LAYOUTS
from cnnfast.runtime.dispatch import kernels

SOURCE = Path(__file__).resolve().parents[2] / "src" / "cnnfast"
GRAMMAR = re.compile(r"[a-z]\w*_f32_(nchw_naive|(chwn|nchwc)_(direct|winograd\dx\d|\w+))")


def read(name: str) -> str:
    return (SOURCE / name).read_text()


def test_this_is_the_source_of_what_is_tested() -> None:
    if not Path(cnnfast.__file__).resolve().is_relative_to(SOURCE):
        pytest.skip("cnnfast is installed from elsewhere")


LISTS = {
    "activation": ("ACT_", ACTIVATIONS),
    "function": ("FUN_", FUNCTIONS),
    "reduction": ("", tuple(op.name for op in REDUCTIONS)),
}


@pytest.mark.parametrize("enum", LISTS)
def test_lists_have_the_same_order_in_c(enum: str) -> None:
    prefix, expected = LISTS[enum]
    (body,) = re.findall(rf"enum {enum} \{{(.*?)\}}", read("csrc/tiles.h"), re.DOTALL)
    names = [name.strip().removeprefix(prefix).lower() for name in body.split(",") if name.strip()]
    assert tuple(names) == expected


@pytest.mark.parametrize("name", kernels.KERNELS)
def test_name_follows_the_grammar(name: str) -> None:
    assert GRAMMAR.fullmatch(name)


def kernels_of(case: Case, layout: str) -> list[str]:
    """Return what computes a case; nothing if there are only kernels for a batch of it."""
    try:
        return [step.kernel for step in make_plan(case.graph(), layout).steps]
    except UnsupportedError:
        assert layout == "nchwc"
        return []


def test_every_kernel_is_reached_by_some_case() -> None:
    used = {kernel for case in CASES for layout in LAYOUTS for kernel in kernels_of(case, layout)}
    assert used == set(kernels.KERNELS)


def test_every_register_tile_is_declared_to_cython_and_called() -> None:
    names = re.findall(r"^KERNEL\(\w+, (\w+),", read("csrc/kernels.def"), re.MULTILINE)
    assert len(names) > 20
    declared = read("_csrc.pxd")
    called = "".join(file.read_text() for file in SOURCE.glob("kernels/*.pxi"))
    for name in names:
        assert re.search(rf"\b{name}\b", declared), f"{name} is not in _csrc.pxd"
        assert re.search(rf"\.{name}\b", called), f"{name} is called by no layer loop"
