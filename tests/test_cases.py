"""The table of cases itself: complete, unambiguous, reproducible."""

import numpy as np
import pytest
from cases import CASES, Case, cases_of

from cnnfast.graph import evaluate
from cnnfast.ops import OPS


def test_every_op_has_a_case() -> None:
    assert set(OPS) == {case.op.name for case in CASES}


def test_ids_are_unique_and_start_with_the_op() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    assert all(case.id.startswith(case.op.name) for case in CASES)


def test_every_case_has_a_reason() -> None:
    assert all(case.reason for case in CASES)


def test_cases_of_selects_by_op_and_tag() -> None:
    assert cases_of() == list(CASES)
    assert {case.op.name for case in cases_of(OPS["linear"], OPS["softmax"], tag="cs61c")} == {"linear", "softmax"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_graph_computes_what_the_reference_computes(case: Case) -> None:
    expected = case.reference(seed=1, images=2)
    assert expected.shape == (2, *case.output_shape)
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(evaluate(case.graph(seed=1), case.feed(seed=1, images=2))["y"], expected)


def test_arrays_are_the_same_for_any_number_of_images() -> None:
    case = CASES[0]
    (few,), few_parameters = case.arrays(seed=7, images=1)
    (many,), many_parameters = case.arrays(seed=7, images=5)
    np.testing.assert_array_equal(few, many[:1])
    for a, b in zip(few_parameters, many_parameters, strict=True):
        np.testing.assert_array_equal(a, b)
