"""References against loops in plain Python, over random attributes and sizes."""

from __future__ import annotations

from typing import Any

import loops
import numpy as np
import pytest
from cases import Case, cases_of
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnfast.ops import AvgPool, Conv2d, Linear, MaxPool

SMALL = 20_000
"""Multiply-adds above which a case is too slow for loops in Python."""


def small(*ops: type) -> list[Case]:
    return [c for c in cases_of(*ops) if c.op.cost(*c.inputs, *c.parameters).flops <= 2 * SMALL]


@pytest.mark.parametrize("case", small(Conv2d), ids=str)
def test_conv2d_case(case: Case) -> None:
    (x,), parameters = case.arrays()
    expected = np.stack([loops.conv2d(case.op, image, *parameters) for image in x])
    np.testing.assert_allclose(case.reference(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", small(Linear), ids=str)
def test_linear_case(case: Case) -> None:
    (x,), parameters = case.arrays()
    expected = np.stack([loops.linear(row, *parameters) for row in x])
    np.testing.assert_allclose(case.reference(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", small(MaxPool), ids=str)
def test_max_pool_case(case: Case) -> None:
    (x,), _ = case.arrays()
    np.testing.assert_array_equal(case.reference(), np.stack([loops.max_pool(case.op, image) for image in x]))


@pytest.mark.parametrize("case", small(AvgPool), ids=str)
def test_avg_pool_case(case: Case) -> None:
    (x,), _ = case.arrays()
    expected = np.stack([loops.avg_pool(case.op, image) for image in x])
    np.testing.assert_allclose(case.reference(), expected, rtol=1e-12, atol=1e-12)


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


def image(channels: int, size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((1, channels, *size))


@given(
    groups=st.integers(1, 3),
    per_group=pairs(1, 2),
    size=pairs(1, 7),
    kernel=pairs(1, 3),
    stride=pairs(1, 3),
    dilation=pairs(1, 3),
    padding=st.tuples(*[st.integers(0, 3)] * 4),
)
def test_conv2d(
    groups: int, per_group: tuple[int, int], size: Any, kernel: Any, stride: Any, dilation: Any, padding: Any
) -> None:
    op = Conv2d(stride, padding, dilation, groups)
    x, weight = image(groups * per_group[0], size), image(1, kernel)[0]
    weight = weight * np.arange(1, 1 + groups * per_group[1] * per_group[0]).reshape(-1, per_group[0], 1, 1)
    assume(min(op.shape(x.shape[1:], weight.shape)) > 0)
    np.testing.assert_allclose(op.reference(x, weight)[0], loops.conv2d(op, x[0], weight), rtol=1e-12, atol=1e-12)


@given(st.data(), pairs(1, 8), pairs(1, 3), pairs(1, 3), pairs(1, 2), st.booleans(), st.booleans())
def test_pools(
    data: st.DataObject, size: Any, kernel: Any, stride: Any, dilation: Any, ceil_mode: bool, count: bool
) -> None:
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    padding = data.draw(st.tuples(*(st.integers(0, span - 1) for span in spans * 2)))
    maximum = MaxPool(kernel, stride, padding, dilation, ceil_mode)
    mean = AvgPool(kernel, stride, padding, dilation, ceil_mode, count)
    x = image(2, size)
    assume(min(maximum.shape(x.shape[1:])) > 0)
    np.testing.assert_array_equal(maximum.reference(x)[0], loops.max_pool(maximum, x[0]))
    assume(np.isfinite(maximum.reference(x)).all())
    np.testing.assert_allclose(mean.reference(x)[0], loops.avg_pool(mean, x[0]), rtol=1e-12, atol=1e-12)
