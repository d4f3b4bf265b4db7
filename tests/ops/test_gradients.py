"""Gradients against central differences of the references, in float64, on every case."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES, Case

from cnnfast.errors import UnsupportedError
from cnnfast.ops import OPS, BatchNorm, Op
from cnnfast.ops.gradients import (
    batch_norm_gradient,
    batch_norm_training,
    dropout_keys,
    dropout_mask,
    gradient,
    has_gradient,
)

STEP = 1e-6
SMALL = 3_000_000
"""Multiply-adds of the cases that are checked: larger ones differ in size only."""

TRAINED = [
    case for case in CASES if has_gradient(case.op) and case.op.cost(*case.inputs, *case.parameters).macs < SMALL
]


def differences_agree(f: object, arrays: list[np.ndarray], grads: tuple[np.ndarray, ...], dy: np.ndarray) -> None:
    """Compare ``sum(grad * v)`` with the central difference of ``sum(dy * f)`` along random directions v."""
    rng = np.random.default_rng(1)
    for index, (array, grad) in enumerate(zip(arrays, grads, strict=True)):
        assert grad.shape == array.shape
        for _ in range(3):
            v = rng.standard_normal(array.shape)
            ends = []
            for sign in (1, -1):
                moved = list(arrays)
                moved[index] = array + sign * STEP * v
                ends.append(float((f(*moved) * dy).sum()))  # type: ignore[operator]
            expected = (ends[0] - ends[1]) / (2 * STEP)
            scale = float(np.sqrt((grad**2).sum() * (v**2).mean())) + 1e-3
            assert abs(float((grad * v).sum()) - expected) < 1e-5 * scale, f"input {index}"


@pytest.mark.parametrize("case", TRAINED, ids=str)
def test_case(case: Case) -> None:
    inputs, parameters = case.arrays()
    arrays = [a.astype(np.float64) for a in [*inputs, *parameters]]
    y = case.op.reference(*arrays)
    dy = np.random.default_rng(2).standard_normal(y.shape)
    differences_agree(case.op.reference, arrays, gradient(case.op, tuple(arrays), y, dy), dy)


@pytest.mark.parametrize("shape", [(5, 3, 4, 2), (7, 6)], ids=str)
def test_batch_norm_in_training(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    op = BatchNorm()
    arrays = [rng.standard_normal(shape) * 2 + 1, rng.standard_normal(shape[1]), rng.standard_normal(shape[1])]
    dy = rng.standard_normal(shape)
    _, mean, var = batch_norm_training(op, *arrays)
    grads = batch_norm_gradient(op, *arrays[:2], mean, var, dy)
    differences_agree(lambda *a: batch_norm_training(op, *a)[0], arrays, grads, dy)


FOREIGN = {
    *("abs", "erf", "exp", "log", "mish", "softplus", "softsign", "sqrt", "thresholded_relu"),
    *("div", "group_norm", "layer_norm", "maximum", "minimum", "reduce_max", "reduce_mean", "reduce_min", "reduce_sum"),
    *("matmul", "resize", "round", "sign", "slice", "sub"),
}
"""Ops that come with networks of other frameworks: they predict, and are not trained through."""


def test_every_op_can_be_trained() -> None:
    assert {name for name, op in OPS.items() if not has_gradient(op.__new__(op))} == FOREIGN


def test_an_op_without_a_gradient_says_so() -> None:
    class Strange(Op):
        name = "strange"

    with pytest.raises(UnsupportedError, match="strange has no gradient"):
        gradient(Strange(), (), np.zeros(1), np.zeros(1))


def test_dropout_masks_differ_by_image_step_layer_and_seed_and_repeat() -> None:
    keys = [dropout_keys(*key, 3) for key in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))]
    masks = [dropout_mask(k, (40, 5), 0.3) for k in keys]
    images = [image.tobytes() for mask in masks for image in mask]
    assert len(set(images)) == 12
    np.testing.assert_array_equal(masks[0][:2], dropout_mask(dropout_keys(0, 0, 0, 2), (40, 5), 0.3))


def test_dropout_keeps_the_share_that_it_should() -> None:
    mask = dropout_mask(dropout_keys(3, 1, 2, 100), (1000,), 0.2)
    kept = (mask > 0).mean()
    assert abs(kept - 0.8) < 5 * np.sqrt(0.2 * 0.8 / mask.size)
    assert np.abs(np.corrcoef(mask[:50].reshape(50, -1))[np.triu_indices(50, 1)]).max() < 0.2
