"""The lists of kernels: Python's, Cython's and C's say the same, and nothing on them is dead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cases import CASES, Case
from integer_cases import INTEGER_CASES, IntegerCase
from kernels.engines import integer_plans
from train.nets import training_engines

import cnnfast
from cnnfast.errors import UnsupportedError
from cnnfast.plan import make_plan
from cnnfast.plan.chwn.values import ACTIVATIONS
from cnnfast.plan.elements import FUNCTIONS, REDUCTIONS
from cnnfast.plan.plan import LAYOUTS
from cnnfast.runtime.dispatch import kernels

SOURCE = Path(__file__).resolve().parents[2] / "src" / "cnnfast"
FLOAT = r"f32_(nchw_naive|(chwn|nchwc)_(direct|winograd\dx\d|\w+))"
GRAMMAR = re.compile(rf"[a-z]\w*_({FLOAT}|u8_(chwn|nchwc)_(direct|depthwise|elements|matrix))")


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
    *names, count = [name.strip().removeprefix(prefix).lower() for name in body.split(",") if name.strip()]
    assert tuple(names) == expected
    assert count.endswith("count")


@pytest.mark.parametrize("name", kernels.KERNELS)
def test_name_follows_the_grammar(name: str) -> None:
    kernel = kernels.KERNELS[name]
    assert GRAMMAR.fullmatch(name)
    assert name == kernel.name == f"{kernel.op}_{kernel.dtype}_{kernel.layout}_{kernel.algorithm}"


def test_a_record_names_its_own_function() -> None:
    rows = re.findall(r'Kernel\("(\w+)", "(\w+)", "(\w+)", <size_t>(\w+),', read("kernels/table.pxi"))
    named = [(op, "u8" if "_u8_" in function else "f32", *rest) for op, *rest, function in rows]
    assert ["_".join((op, dtype, *rest)) for op, dtype, *rest in named] == list(kernels.KERNELS)
    assert [function for *_, function in rows] == list(kernels.KERNELS)


def kernels_of(case: Case | IntegerCase, layout: str) -> list[str]:
    """Return what computes a case; nothing if there are only kernels for a batch of it."""
    try:
        if isinstance(case, IntegerCase):
            return [step.kernel for plan in integer_plans(case.graph(), layout) for step in plan.steps]
        return [step.kernel for step in make_plan(case.graph(), layout).steps]
    except UnsupportedError:
        assert layout == "nchwc" or isinstance(case, IntegerCase)
        return []


def test_every_kernel_is_reached_by_some_case() -> None:
    used = {kernel for case in (*CASES, *INTEGER_CASES) for layout in LAYOUTS for kernel in kernels_of(case, layout)}
    trained = {step.kernel for engine in training_engines() for step in engine.plan.steps}
    training = {name for name, kernel in kernels.KERNELS.items() if kernel.trains}
    assert used == set(kernels.KERNELS) - training
    assert training <= trained <= set(kernels.KERNELS)


def test_every_register_tile_is_called() -> None:
    lists = ("csrc/kernels.def", "csrc/int8/kernels.def")
    names = [name for path in lists for name in re.findall(r"^KERNEL\(\w+, (\w+),", read(path), re.MULTILINE)]
    assert len(names) > 20
    called = "".join(file.read_text() for file in SOURCE.glob("kernels/*.pxi"))
    for name in names:
        assert re.search(rf"\.{name}\b", called), f"{name} is called by no layer loop"


def test_intrinsics_are_in_the_headers_of_instruction_sets_alone() -> None:
    """Everything else is written over GNU vector types; what differs has a name there."""
    for path in sorted((SOURCE / "csrc").rglob("*.inc")):
        text = path.read_text()
        assert not re.search(r"\b_mm\d*_|__m\d+|\bv\w+q_f32\b|__AVX|__SSE|__aarch64__|__x86_64__", text), path
