"""The gradient of every op by the fast engine in float32, against float64 central differences."""

from __future__ import annotations

import pytest
from train.differences import BY_WINOGRAD, error_of_loss, errors_of_case, kinds

from cnnfast.ops import OPS
from cnnfast.ops.gradients import has_gradient
from cnnfast.train.losses import LOSSES

ALLOWED = 2e-6
"""Sixteen float32 units in the last place of the largest gradient; docs/training.md states what was measured."""


@pytest.mark.parametrize("name", kinds())
def test_op(name: str) -> None:
    for case in kinds()[name]:
        if case.id not in BY_WINOGRAD:
            for value, error in errors_of_case(case).items():
                assert error < ALLOWED, f"{case.id}: gradient of {value} is off by {error:.1e}"


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name: str) -> None:
    assert error_of_loss(LOSSES[name]()) < ALLOWED


def test_every_op_that_trains_is_among_them() -> None:
    assert set(kinds()) == {name for name, op in OPS.items() if has_gradient(op.__new__(op))}
