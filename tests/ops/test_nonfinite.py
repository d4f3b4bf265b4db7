"""NaN and infinity: what the references make of them, which every kernel must repeat."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnfast import ops
from cnnfast.ops import Op

NAN, INF = math.nan, math.inf

AT_INFINITY: list[tuple[ops.Activation, float, float]] = [
    (ops.Relu(), 0, INF),
    (ops.Clip(), 0, 6),
    (ops.Clip(-1, 1), -1, 1),
    (ops.LeakyRelu(0.1), -INF, INF),
    (ops.LeakyRelu(-0.1), INF, INF),
    (ops.Elu(2.0), -2, INF),
    (ops.Sigmoid(), 0, 1),
    (ops.Tanh(), -1, 1),
    (ops.HardSigmoid(), 0, 1),
    (ops.HardSwish(), NAN, INF),
    (ops.Silu(), NAN, INF),
    (ops.Gelu(), NAN, INF),
    (ops.Gelu("tanh"), NAN, INF),
]
"""``x * gate(x)`` is minus infinity times zero at the left end, as in PyTorch."""


@pytest.mark.parametrize(("op", "left", "right"), AT_INFINITY, ids=[repr(op) for op, *_ in AT_INFINITY])
def test_activation(op: ops.Activation, left: float, right: float) -> None:
    with np.errstate(invalid="ignore"):
        y = op.reference(np.array([[-INF, INF, NAN, 1.0]]))
    np.testing.assert_array_equal(y[0, :3], [left, right, NAN])
    assert np.isfinite(y[0, 3])


def test_prelu() -> None:
    y = ops.PRelu().reference(np.array([[-INF, INF, NAN]]), np.array([0.5]))
    np.testing.assert_array_equal(y, [[-INF, INF, NAN]])


def spoiled(value: float) -> np.ndarray:
    """Return two images of 5x5 ones with ``value`` in the middle of the first."""
    x = np.ones((2, 1, 5, 5))
    x[0, 0, 2, 2] = value
    return x


@pytest.mark.parametrize("op", [ops.MaxPool(3, 1, 1), ops.AvgPool(3, 1, 1)], ids=str)
def test_nan_spoils_the_windows_that_hold_it_and_no_other(op: Op) -> None:
    bad = np.isnan(op.reference(spoiled(NAN)))
    assert bad[0, 0, 1:4, 1:4].all()
    assert bad.sum() == 9


def test_nan_in_a_convolution_stays_in_its_windows_and_in_its_image() -> None:
    bad = np.isnan(ops.Conv2d(padding=1).reference(spoiled(NAN), np.ones((2, 1, 3, 3))))
    assert bad[0, :, 1:4, 1:4].all()
    assert bad.sum() == 18


def test_infinity_times_a_weight_of_zero_is_nan() -> None:
    weight = np.ones((1, 1, 3, 3))
    weight[0, 0, 0, 0] = 0
    with np.errstate(invalid="ignore"):
        y = ops.Conv2d().reference(spoiled(INF), weight)[0, 0]
    assert np.isnan(y[2, 2])
    assert np.isinf(y).sum() == 8


def test_max_pool_of_minus_infinity_and_of_padding() -> None:
    x = np.full((1, 1, 2, 2), -INF)
    assert (ops.MaxPool(2, 1, 1).reference(x) == -INF).all()
    assert (ops.MaxPool(2, 1, 1).reference(-x) == INF).all()


def test_linear_keeps_images_apart() -> None:
    y = ops.Linear().reference(np.array([[NAN, 1.0], [2.0, 3.0]]), np.ones((3, 2)))
    np.testing.assert_array_equal(y, [[NAN] * 3, [5.0] * 3])


@pytest.mark.parametrize("op", [ops.Softmax(), ops.LogSoftmax()], ids=str)
def test_softmax(op: Op) -> None:
    rows = np.array([[NAN, 0.0, 1.0], [INF, 0.0, 1.0], [-INF, 0.0, 0.0], [-INF, -INF, -INF]])
    y = op.reference(rows)
    assert np.isnan(y[0]).all()
    assert np.isnan(y[1, 0])
    np.testing.assert_allclose(y[2], [0, 0.5, 0.5] if op == ops.Softmax() else [-INF, *[-math.log(2)] * 2])
    assert np.isnan(y[3]).all()


def test_the_others_pass_nan_on() -> None:
    x = spoiled(NAN)
    one = np.ones(1)
    for y in (
        ops.BatchNorm().reference(x, one, one, one, one),
        ops.Lrn(3).reference(x),
        ops.Add().reference(x, x),
        ops.Pad(1).reference(x),
        ops.GlobalAvgPool().reference(x),
        ops.GlobalMaxPool().reference(x),
    ):
        assert np.isnan(y[0]).sum() == 1
        assert np.isfinite(y[1]).all()
