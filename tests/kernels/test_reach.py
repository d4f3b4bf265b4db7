"""The net below the planner: a program refuses a step that could touch memory outside its arena, weights or tables."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from cases import CASES
from integer_cases import INTEGER_CASES
from kernels.engines import execute, integer_plans, using
from small_graphs import net

from cnnfast.errors import GraphError, UnsupportedError
from cnnfast.graph import evaluate
from cnnfast.ops import Conv2d, MaxPool
from cnnfast.plan import Plan, Step, make_plan
from cnnfast.runtime.dispatch import kernels

LAYOUTS = ("chwn", "nchwc", "nchw")

HARMLESS = {
    *("act", "which", "how", "pool", "resume", "block", "size", "groups"),
    *("KH", "KW", "SH", "SW", "PT", "PL", "DH", "DW", "vectors", "at_once", "step"),
    *(
        "zero",
        "low",
        "high",
        "wide",
        "shifted",
        "to_float",
        "r_zero",
        "x_zero",
        "a_zero",
        "b_zero",
        "a_spread",
        "b_spread",
    ),
    *("by_channel", "value"),
}
"""Geometry that says no place by itself: switches, and windows that are cut where the image ends."""

FAR = 10**8

INFERENCE = [name for name, kernel in kernels.KERNELS.items() if not kernel.trains]


@cache
def plans_by_kernel() -> dict[str, tuple[Plan, int]]:
    """Return for each kernel a plan of the table of cases that has a step of it, and the number of the step."""
    found: dict[str, tuple[Plan, int]] = {}
    for case in (*CASES, *INTEGER_CASES):
        for layout in LAYOUTS:
            try:
                plans = list(integer_plans(case.graph(), layout))
            except UnsupportedError:
                continue
            for plan in plans:
                for index, step in enumerate(plan.steps):
                    known = found.get(step.kernel)
                    # of several the one with the most elements: strides of axes of one element say nothing
                    if known is None or sum(step.ints.values()) > sum(known[0].steps[known[1]].ints.values()):
                        found[step.kernel] = (plan, index)
    return found


def moves_nothing(step: Step, name: str) -> bool:
    """Return whether a number is the distance along an axis of one element, or of a residual that is not there."""
    g, vector = step.ints, kernels.lanes() if kernels.KERNELS[step.kernel].layout == "nchwc" else 1
    if name.startswith("r_"):
        return len(step.operands) == 1
    if name == "x_group":
        return g["groups"] == 1
    if name.endswith("_c") and "blocks" in g:
        return (g["channels"] if g["to_float"] else g["blocks"]) == 1
    if name.endswith("_c") and (name, kernels.KERNELS[step.kernel].op) in (("y_c", "quantize"), ("x_c", "dequantize")):
        vector = 4
    if name.endswith("_c"):
        inputs, outputs = (g[next(n for n in names if n in g)] for names in (("C", "OC", "O"), ("OC", "O", "C")))
        return (inputs if name == "x_c" else outputs) <= vector
    if name.endswith("_r"):
        return g.get("H", 2) == 1
    if name[0] in "abxyw" and name[1:].isdigit():
        axis = int(name[1:])
        if f"R{axis}" in g:
            return g[f"K{axis}"] == 1 and (g[f"R{axis}"] == 1 or (name[0] == "y" and "how" in g))
        return g[[n for n in "ABCMKO" if n in g][axis]] == 1
    return False


def changed(plan: Plan, index: int, **changes: object) -> Plan:
    """Return a plan with another step."""
    steps = list(plan.steps)
    steps[index] = replace(steps[index], **changes)  # type: ignore[arg-type]
    return replace(plan, steps=tuple(steps))


def refused(plan: Plan) -> bool:
    """Return whether the program of a plan is refused."""
    try:
        plan.program  # noqa: B018
    except ValueError as error:
        return "does not fit" in str(error) or "outside the arena" in str(error)
    return False


@pytest.mark.parametrize("kernel", INFERENCE)
def test_a_size_or_distance_that_is_far_too_large(kernel: str) -> None:
    plan, index = plans_by_kernel()[kernel]
    plan.program  # noqa: B018
    ints = plan.steps[index].ints
    for name, value in ints.items():
        if name in HARMLESS:
            continue
        if not moves_nothing(plan.steps[index], name):
            assert refused(changed(plan, index, ints={**ints, name: value + FAR})), name


@pytest.mark.parametrize("kernel", INFERENCE)
def test_a_place_in_a_table_that_is_far_away(kernel: str) -> None:
    plan, index = plans_by_kernel()[kernel]
    step = plan.steps[index]
    tables = list(step.tables)
    if len(step.operands) == 1 and len(tables) > 3:
        # this table of a layer says where a residual is
        tables[3 if kernels.KERNELS[kernel].dtype == "u8" else -1] = None
    for number, table in enumerate(tables):
        for place in (FAR, -FAR):
            if table is None:
                continue
            wrong = table.copy()
            wrong[len(wrong) // 2] = place
            assert refused(changed(plan, index, tables=(*tables[:number], wrong, *tables[number + 1 :]))), number
        if table is not None:
            short = (*tables[:number], table[: len(table) // 2].copy(), *tables[number + 1 :])
            assert len(table) < 2 or refused(changed(plan, index, tables=short)), number


@pytest.mark.parametrize("kernel", INFERENCE)
def test_weights_that_are_too_few(kernel: str) -> None:
    plan, index = plans_by_kernel()[kernel]
    arrays = plan.steps[index].arrays()
    for number, array in enumerate(arrays):
        if array is not None and array.size > 1:
            flat = np.ascontiguousarray(array.reshape(-1)[:-1])
            assert refused(changed(plan, index, parameters=(*arrays[:number], flat, *arrays[number + 1 :]))), number


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_arena_that_ends_too_early(layout: str) -> None:
    """Arenas end within a few elements of what the furthest step touches."""
    for case in (*CASES, *INTEGER_CASES):
        try:
            plan = make_plan(case.graph(), layout)
        except UnsupportedError:
            continue
        plan.program  # noqa: B018
        if plan.steps and plan.arena > 64:
            assert refused(replace(plan, arena=plan.arena - 32)), case.id


@pytest.mark.parametrize("field", ["act", "which", "how", "pool", "resume"])
def test_a_number_that_chooses_nothing(field: str) -> None:
    """There are that many activations, functions and reductions, and no other number stands for one of them."""
    tried = 0
    for plan, index in plans_by_kernel().values():
        ints = plan.steps[index].ints
        for number in (-1, 100) if field in ints else ():
            with pytest.raises(GraphError, match=f"{field} is {number}, and must be from 0 to"):
                changed(plan, index, ints={**ints, field: number}).program  # noqa: B018
            tried += 1
    assert tried


def test_fields_must_be_those_of_the_kernel() -> None:
    plan, index = plans_by_kernel()["relu_f32_nchw_naive"]
    for ints in ({}, {"count": 1, "more": 2}):
        with pytest.raises(GraphError, match=r"relu_f32_nchw_naive takes \['count'\] and \[\], but was given"):
            changed(plan, index, ints=ints).program  # noqa: B018


def test_what_a_wrong_plan_says() -> None:
    plan, index = plans_by_kernel()["normalize_f32_chwn_direct"]
    wrong = changed(plan, index, ints={**plan.steps[index].ints, "R2": FAR})
    with pytest.raises(
        GraphError, match=r"kernel normalize_f32_chwn_direct does not fit: its result reaches .* please report"
    ):
        wrong.program  # noqa: B018


@pytest.mark.parametrize("isa", kernels.supported_isas())
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("height", range(8, 16))
def test_a_tile_that_a_pool_leaves_out_touches_nothing(isa: str, kernel: int, height: int) -> None:
    """Where a fused pool drops the last row, the last tiles of Winograd may have no result, and begin behind it."""
    graph = net(
        ("conv", Conv2d(padding=kernel // 2), "x", "w"), ("y", MaxPool(2), "conv"),
        x=(20, height, 9), w=(23, 20, kernel, kernel),
    )  # fmt: skip
    feed = np.random.default_rng(0).standard_normal((2, 20, height, 9)).astype(np.float32)
    expected = evaluate(graph, {"x": feed})["y"].reshape(2, -1)
    for layout in ("chwn", "nchwc"):
        with using(f"{layout}-{isa}"):
            (result,) = execute(make_plan(graph, layout), [feed])
        assert np.abs(result - expected).max() <= 1e-4 * np.abs(expected).max()
