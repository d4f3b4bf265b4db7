"""Every kernel against the NumPy reference in float64, over the one table of cases."""

from __future__ import annotations

import numpy as np
import pytest
from bounds import assert_close
from cases import CASES, Case

from cnnfast.plan import make_plan


def run(case: Case, images: int, threads: int = 1) -> np.ndarray:
    """Return what the planned kernels make of a case."""
    plan = make_plan(case.graph())
    feed = [axes_chw(array) for array in case.feed(images=images).values()]
    result = np.full((images, int(np.prod(case.output_shape))), np.nan, np.float32)
    plan.program.run(feed, [result], threads)
    return result.reshape(images, *case.output_shape)


def axes_chw(array: np.ndarray) -> np.ndarray:
    """Return an array (N, ...) with exactly three axes behind N."""
    return array.reshape(*array.shape, *(1,) * (4 - array.ndim))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_equals_the_reference(case: Case) -> None:
    images = 3
    assert_close(run(case, images), case.reference(images=images), case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_not_a_number_stays_with_its_image(case: Case) -> None:
    feed = case.feed(images=2)
    for array in feed.values():
        array[1].reshape(-1)[0] = np.nan
    plan = make_plan(case.graph())
    result = np.empty((2, int(np.prod(case.output_shape))), np.float32)
    plan.program.run([axes_chw(a) for a in feed.values()], [result], 1)
    inputs, parameters = case.arrays(images=2)
    names = case.input_names
    truth_inputs = [feed.get(name, inputs[i]) for i, name in enumerate(names)]
    with np.errstate(invalid="ignore"):
        truth = case.op.reference(*(a.astype(np.float64) for a in [*truth_inputs, *parameters]))
    truth = np.broadcast_to(truth, (2, *case.output_shape)).reshape(2, -1)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(truth))
