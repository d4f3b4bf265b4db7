"""References against numbers that one can check with a pencil, and against formulas of another kind."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnfast.errors import GraphError
from cnnfast.ops import (
    Add,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Conv2d,
    Div,
    Dropout,
    Elu,
    Erf,
    Flatten,
    Fused,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    Identity,
    LayerNorm,
    LeakyRelu,
    Linear,
    LogSoftmax,
    Lrn,
    MatMul,
    Maximum,
    MaxPool,
    Minimum,
    Mish,
    Mul,
    Op,
    Pad,
    PRelu,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceSum,
    Relu,
    Reshape,
    Resize,
    Round,
    Sigmoid,
    Sign,
    Silu,
    Slice,
    Softmax,
    Softplus,
    Softsign,
    Sub,
    Tanh,
    Transpose,
)

COUNT = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
"""1 2 3 / 4 5 6 / 7 8 9"""


def close(actual: np.ndarray, expected: object) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-14, atol=1e-14)


def test_conv2d_is_a_cross_correlation() -> None:
    weight = np.array([[[[1.0, 2.0], [0.0, -1.0]]]])
    close(Conv2d().reference(COUNT, weight), [[[[0, 2], [6, 8]]]])
    close(Conv2d().reference(COUNT, weight, np.array([10.0])), [[[[10, 12], [16, 18]]]])


def test_conv2d_pads_top_left_bottom_right() -> None:
    one = np.ones((1, 1, 1, 1))
    close(Conv2d(padding=(1, 0, 0, 2)).reference(COUNT[:, :, :1, :1], one), [[[[0, 0, 0], [1, 0, 0]]]])


def test_conv2d_stride_and_dilation() -> None:
    close(Conv2d(stride=2).reference(COUNT, np.ones((1, 1, 1, 1))), [[[[1, 3], [7, 9]]]])
    close(Conv2d(dilation=2).reference(COUNT, np.ones((1, 1, 2, 2))), [[[[20]]]])


def test_conv2d_groups_see_their_own_channels() -> None:
    x = np.array([1.0, 10.0, 100.0, 1000.0]).reshape(1, 4, 1, 1)
    weight = np.array([[1.0, 1.0], [1.0, 2.0]]).reshape(2, 2, 1, 1)
    close(Conv2d(groups=2).reference(x, weight).ravel(), [11, 2100])
    close(
        Conv2d(groups=4).reference(x, np.arange(8.0).reshape(8, 1, 1, 1)).ravel(), [0, 1, 20, 30, 400, 500, 6000, 7000]
    )


def test_linear() -> None:
    weight = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    close(Linear().reference(np.array([[1.0, 10.0]]), weight), [[21, 43, 65]])
    close(Linear().reference(np.array([[1.0, 10.0]]), weight, np.array([0.5, 0.0, -1.0])), [[21.5, 43, 64]])


def test_max_pool() -> None:
    close(MaxPool(2).reference(COUNT), [[[[5]]]])
    close(MaxPool(2, ceil_mode=True).reference(COUNT), [[[[5, 6], [8, 9]]]])
    close(MaxPool(2, 1).reference(COUNT), [[[[5, 6], [8, 9]]]])
    close(MaxPool(2, 2, 1).reference(-COUNT), [[[[-1, -2], [-4, -5]]]])


def test_avg_pool_divisors() -> None:
    close(AvgPool(2).reference(COUNT), [[[[3]]]])
    close(AvgPool(2, ceil_mode=True).reference(COUNT), [[[[3, 4.5], [7.5, 9]]]])
    close(AvgPool(2, 2, 1).reference(COUNT), [[[[1, 2.5], [5.5, 7]]]])
    close(AvgPool(2, 2, 1, count_padding=True).reference(COUNT), [[[[0.25, 1.25], [2.75, 7]]]])


def test_avg_pool_in_ceil_mode_counts_padding_but_not_the_overhang() -> None:
    """PyTorch: ``avg_pool2d(x, 3, 2, padding=1, ceil_mode=True)`` on 1..4 divides the last window by 2 * 2."""
    x = np.arange(1.0, 5.0).reshape(1, 1, 1, 4)
    op = AvgPool((1, 3), (1, 2), (0, 1, 0, 1), ceil_mode=True, count_padding=True)
    close(op.reference(x), [[[[1, 3, 2]]]])
    close(op.divisors(1, 4), [[3, 3, 2]])


def test_global_pools() -> None:
    close(GlobalAvgPool().reference(COUNT), [[[[5]]]])
    close(GlobalMaxPool(keep_dims=False).reference(COUNT), [[9]])


def test_batch_norm() -> None:
    x = np.array([[3.0, 10.0]])
    params = [np.array(p) for p in ([2.0, 1.0], [1.0, 0.0], [1.0, 10.0], [3.0, 0.0])]
    close(BatchNorm(1.0).reference(x, *params), [[3, 0]])
    factor, offset = BatchNorm(1.0).factors(*params)
    close(factor * x + offset, [[3, 0]])


def test_lrn_window_leans_to_the_later_channels() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1)
    energies = np.array([1 + 4, 4 + 9, 9 + 16, 16])
    close(Lrn(2, alpha=2.0, beta=1.0, bias=1.0).reference(x).ravel(), [1, 2, 3, 4] / (1 + energies))
    energies = np.array([1 + 4, 1 + 4 + 9, 4 + 9 + 16, 9 + 16])
    close(Lrn(3, alpha=3.0, beta=0.5, bias=0.0).reference(x).ravel(), [1, 2, 3, 4] / np.sqrt(energies))


def test_softmax() -> None:
    close(Softmax().reference(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]])
    close(Softmax().reference(np.array([[1e4, 0.0]])), [[1, 0]])
    close(LogSoftmax().reference(np.log([[1.0, 2.0, 5.0]])), [np.log([0.125, 0.25, 0.625])])
    close(LogSoftmax().reference(np.array([[1e4, 0.0]])), [[0, -1e4]])
    close(Softmax(3).reference(np.zeros((1, 2, 3, 4))), np.full((1, 2, 3, 4), 0.25))


def test_add_and_mul_broadcast_one_image_however_many_there_are() -> None:
    image, row = np.ones((5, 2, 3, 4)), np.arange(20.0).reshape(5, 4)
    for op, identity in ((Add(), 1), (Mul(), 0)):
        y = op.reference(image, row)
        assert y.shape == (5, *op.shape((2, 3, 4), (4,)))
        close(y, np.broadcast_to(row[:, None, None, :] + identity, y.shape))
        close(op.reference(row, image), y)


def test_concat_repeats_a_constant_for_each_image() -> None:
    y = Concat().reference(np.zeros((3, 1, 2, 2)), np.ones((1, 2, 2, 2)))
    close(y.sum(axis=(1, 2, 3)), [8, 8, 8])


def test_moves() -> None:
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    close(Flatten().reference(x), x.reshape(1, 24))
    close(Reshape((4, -1)).reference(x), x.reshape(1, 4, 6))
    close(Transpose((0, 2, 3, 1)).reference(x)[0, 1, 2], [6, 18])
    close(Pad((1, 0, 0, 1), 9.0).reference(x[:, :1, :1, :1]), [[[[9, 9], [0, 9]]]])
    assert Identity().reference(x) is x
    assert Dropout().reference(x) is x


X = np.array([-8.0, -3.0, -1.0, -0.25, 0.0, 0.25, 1.0, 3.0, 8.0])

FORMULAS = [
    (Relu(), lambda x: x if x > 0 else 0.0),
    (Clip(), lambda x: min(max(x, 0), 6)),
    (Clip(-2, -1), lambda x: min(max(x, -2), -1)),
    (LeakyRelu(0.1), lambda x: x if x > 0 else 0.1 * x),
    (Elu(0.5), lambda x: x if x > 0 else 0.5 * (math.exp(x) - 1)),
    (Sigmoid(), lambda x: 1 / (1 + math.exp(-x))),
    (Tanh(), lambda x: (math.exp(2 * x) - 1) / (math.exp(2 * x) + 1)),
    (HardSigmoid(), lambda x: min(max(x / 6 + 0.5, 0), 1)),
    (HardSigmoid(0.2, 0.4), lambda x: min(max(0.2 * x + 0.4, 0), 1)),
    (HardSwish(), lambda x: x * min(max(x + 3, 0), 6) / 6),
    (Silu(), lambda x: x / (1 + math.exp(-x))),
    (Gelu(), lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2))),
    (Gelu("tanh"), lambda x: x / (1 + math.exp(-2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
]


@pytest.mark.parametrize(("op", "formula"), FORMULAS, ids=[f"{op.name} {op.describe()}" for op, _ in FORMULAS])
def test_activation(op: Op, formula: object) -> None:
    close(op.reference(X[None]), [[formula(x) for x in X]])  # type: ignore[operator]


def test_prelu_slopes() -> None:
    x = -np.ones((1, 2, 1, 2))
    close(PRelu().reference(x, np.array([0.5, 2.0])), [[[[-0.5, -0.5]], [[-2, -2]]]])
    close(PRelu().reference(x, np.array([0.5])), x / 2)


@pytest.mark.parametrize(
    "op", [Sigmoid(), Tanh(), Elu(), Silu(), Gelu(), Gelu("tanh"), Softmax(), HardSwish()], ids=str
)
def test_large_numbers_do_not_overflow(op: Op) -> None:
    assert np.isfinite(op.reference(np.array([[-1e30, -1e3, 1e3, 1e30]]))).all()


def test_fused_does_its_parts_in_order() -> None:
    x, weight, residual = COUNT, np.full((1, 1, 1, 1), -1.0), np.full((1, 1, 3, 3), 5.0)
    fused = Fused(Conv2d(), (Add(), PRelu(), MaxPool(2)), 2)
    close(fused.reference(x, weight, residual, np.array([0.5])), [[[[4]]]])
    assert [len(extra) for _, extra in fused.steps("x", "w", "r", "s")] == [2, 1, 1, 0]
    assert [fused.is_data_input(i) for i in range(4)] == [True, False, True, False]


def test_references_keep_float32() -> None:
    x = np.ones((1, 2, 4, 4), np.float32)
    slope = np.ones(2, np.float32)
    for op in (Relu(), Clip(), Elu(), Sigmoid(), Gelu(), Silu(), HardSwish(), Softmax(), Lrn(3), MaxPool(2), Pad(1)):
        assert op.reference(x).dtype == np.float32, op
    assert PRelu().reference(x, slope).dtype == np.float32
    assert Conv2d().reference(x, np.ones((1, 2, 3, 3), np.float32)).dtype == np.float32


def test_divisors_take_no_memory_for_absurd_padding() -> None:
    far = (1 << 20) - 1
    assert AvgPool(1 << 20, 1 << 20, far).divisors(2, 2).shape == (2, 2)
    assert AvgPool(1 << 20, 1 << 20, far, count_padding=True).divisors(2, 2)[0, 0] == 2.0**40


def test_arithmetic_keeps_the_order_of_its_operands() -> None:
    a, b = np.array([[6.0, -3.0]]), np.array([[2.0]])
    close(Sub().reference(a, b), [[4, -5]])
    close(Div().reference(a, b), [[3, -1.5]])
    close(Div().reference(b, np.array([[0.0]])), [[np.inf]])
    close(Maximum().reference(a, b), [[6, 2]])
    close(Minimum().reference(a, b), [[2, -3]])


def test_functions() -> None:
    close(Softplus().reference(np.array([[0.0, 1e4, -1e4]])), [[math.log(2), 1e4, 0]])
    close(Mish().reference(np.array([[1.0]])), [[math.tanh(math.log(1 + math.e))]])
    close(Softsign().reference(np.array([[-3.0]])), [[-0.75]])
    close(Erf().reference(np.array([[0.5]])), [[math.erf(0.5)]])
    close(Sign().reference(np.array([[-3.0, 0.0, 1e-30, np.inf]])), [[-1, 0, 1, 1]])
    close(Round().reference(np.array([[-0.5, 0.5, 1.5, -2.6, 1e20]])), [[0, 0, 2, -3, 1e20]])


def test_matrices_of_two_values() -> None:
    a, b = np.array([[[1.0, 2.0], [3.0, 4.0]]]), np.array([[[5.0], [6.0]]])
    close(MatMul().reference(a, b), [[[17], [39]]])
    assert MatMul().shape((1, 1, 2, 3), (4, 5, 3, 6)) == (4, 5, 2, 6)
    for x, y in (((2, 3), (2, 3)), ((3,), (3,)), ((2, 2, 3), (3, 3, 2)), ((2, 3), (1, 3, 2))):
        with pytest.raises(GraphError, match="matmul needs"):
            MatMul().shape(x, y)


def test_reductions() -> None:
    close(ReduceMean((2,)).reference(COUNT), [[[[4, 5, 6]]]])
    close(ReduceSum((3,), keep_dims=False).reference(COUNT), [[[6, 15, 24]]])
    close(ReduceMax((1, 2, 3), keep_dims=False).reference(COUNT), [[9]])
    close(ReduceMin((2, 3)).reference(-COUNT), [[[[-9]]]])


def test_norms_with_the_statistics_of_an_image() -> None:
    x = np.array([1.0, 3.0, 10.0, 30.0]).reshape(1, 4, 1, 1)
    close(GroupNorm(2, eps=0.0).reference(x).ravel(), [-1, 1, -1, 1])
    scale, shift = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 0.0, 0.0, 10.0])
    close(GroupNorm(2, eps=0.0).reference(x, scale, shift).ravel(), [-1, 2, -3, 14])
    close(LayerNorm((1,), eps=3.0).reference(np.array([[1.0, 3.0]]), np.array([1.0, 2.0])), [[-0.5, 1]])
    close(LayerNorm((3,), eps=0.0).reference(np.array([[[[1.0, 3.0], [5.0, 5.5]]]])), [[[[-1, 1], [-1, 1]]]])


def test_slice() -> None:
    close(Slice((0, 0, 2), (1, 2, 3), (1, 2, -1)).reference(COUNT), [[[[3, 2, 1], [9, 8, 7]]]])


def test_pad_modes() -> None:
    row = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 1, 3)
    sides = (0, 2, 0, 1)
    close(Pad(sides, mode="edge").reference(row).ravel(), [1, 1, 1, 2, 3, 3])
    close(Pad(sides, mode="reflect").reference(row).ravel(), [3, 2, 1, 2, 3, 2])
    close(Pad(sides, mode="symmetric").reference(row).ravel(), [2, 1, 1, 2, 3, 3])
    close(Pad(sides, mode="wrap").reference(row).ravel(), [2, 3, 1, 2, 3, 1])
    close(Pad(0, 7.0, channels=(1, 0)).reference(row), [[[[7, 7, 7]], [[1, 2, 3]]]])


def test_resize() -> None:
    row = np.array([1.0, 3.0]).reshape(1, 1, 1, 2)
    close(Resize((1, 4)).reference(row).ravel(), [1, 1, 3, 3])
    close(Resize((1, 4), "linear").reference(row).ravel(), [1, 1.5, 2.5, 3])
    close(Resize((1, 3), "linear", "align_corners").reference(row).ravel(), [1, 2, 3])
    close(Resize((1, 4), "linear", "asymmetric").reference(row).ravel(), [1, 2, 3, 3])
    # a cubic interpolates: at the elements themselves it is exact
    close(Resize((3, 3), "cubic", "align_corners").reference(COUNT), COUNT)
