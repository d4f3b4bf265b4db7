"""Every kernel against the NumPy reference in float64, over the one table of cases."""

from __future__ import annotations

import numpy as np
import pytest
from bounds import assert_close
from cases import CASES, Case, cases_of
from kernels.engines import ENGINES, FUSED, plan_of, run, using

from cnnfast.ops import Conv2d
from cnnfast.plan import make_plan
from cnnfast.runtime.dispatch import kernels


def outcome(engine: str, case: Case, images: int, threads: int = 1) -> np.ndarray:
    """Return what an engine makes of a case."""
    (result,) = run(engine, case.graph(), list(case.feed(images=images).values()), threads)
    return result.reshape(images, *case.output_shape)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_equals_the_reference(case: Case, engine: str) -> None:
    with using(engine) as layout:
        group = plan_of(case.graph(), layout).group
    for images in sorted({1, group - 1, group, group + 1} - {0}):
        assert_close(outcome(engine, case, images), case.reference(images=images), case, layout)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_not_a_number_stays_with_its_image(case: Case, engine: str) -> None:
    feed = case.feed(images=2)
    clean = run(engine, case.graph(), [a.copy() for a in feed.values()])[0]
    for array in feed.values():
        array[1].reshape(-1)[0] = np.nan
    dirty = run(engine, case.graph(), list(feed.values()))[0]
    np.testing.assert_array_equal(dirty[0], clean[0])
    inputs, parameters = case.arrays(images=2)
    truth_inputs = [feed.get(name, inputs[i]) for i, name in enumerate(case.input_names)]
    with np.errstate(invalid="ignore"):
        truth = case.op.reference(*(a.astype(np.float64) for a in [*truth_inputs, *parameters]))
    truth = np.broadcast_to(truth, (2, *case.output_shape)).reshape(2, -1)
    if isinstance(case.op, Conv2d):
        # Winograd spreads it over the tile; nothing that depends on it may come out clean
        assert np.isnan(dirty[np.isnan(truth)]).all()
    else:
        np.testing.assert_array_equal(np.isnan(dirty), np.isnan(truth))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_equal_bits_in_any_place_and_on_any_instruction_set(case: Case) -> None:
    if not FUSED:
        pytest.skip("this CPU has no fused multiply-add")
    images = 2 * 16 + 3
    feed = list(case.feed(images=images).values())
    results = {isa: run(f"chwn-{isa}", case.graph(), feed)[0] for isa in FUSED}
    best = results[FUSED[-1]]
    for isa, result in results.items():
        np.testing.assert_array_equal(result, best, err_msg=isa)
    for first, last in ((0, 1), (1, 18), (16, images), (34, 35)):
        part = run(f"chwn-{FUSED[-1]}", case.graph(), [a[first:last] for a in feed])[0]
        np.testing.assert_array_equal(part, best[first:last])


@pytest.mark.parametrize("isa", kernels.supported_isas())
@pytest.mark.parametrize("case", CASES, ids=str)
def test_equal_bits_with_channels_in_the_lanes(case: Case, isa: str) -> None:
    feed = list(case.feed(images=3).values())
    images, channels = (run(f"{layout}-{isa}", case.graph(), feed)[0] for layout in ("chwn", "nchwc"))
    np.testing.assert_array_equal(channels.view(np.int32), images.view(np.int32))


def test_cases_reach_every_algorithm_of_convolution() -> None:
    graphs = [case.graph() for case in cases_of(Conv2d)]
    used = {step.kernel for graph in graphs for layout in ("chwn", "nchwc") for step in make_plan(graph, layout).steps}
    layers = [k for k in kernels.KERNELS.values() if k.op in ("conv2d", "dense") and k.dtype == "f32"]
    assert {k.name for k in layers if k.algorithm != "naive"} <= used
