"""References against numbers that one can check with a pencil, and against formulas of another kind."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnfast import ops
from cnnfast.errors import GraphError
from cnnfast.ops import Op

COUNT = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
"""1 2 3 / 4 5 6 / 7 8 9"""


def close(actual: np.ndarray, expected: object) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-14, atol=1e-14)


def test_conv2d_is_a_cross_correlation() -> None:
    weight = np.array([[[[1.0, 2.0], [0.0, -1.0]]]])
    close(ops.Conv2d().reference(COUNT, weight), [[[[0, 2], [6, 8]]]])
    close(ops.Conv2d().reference(COUNT, weight, np.array([10.0])), [[[[10, 12], [16, 18]]]])


def test_conv2d_pads_top_left_bottom_right() -> None:
    one = np.ones((1, 1, 1, 1))
    close(ops.Conv2d(padding=(1, 0, 0, 2)).reference(COUNT[:, :, :1, :1], one), [[[[0, 0, 0], [1, 0, 0]]]])


def test_conv2d_stride_and_dilation() -> None:
    close(ops.Conv2d(stride=2).reference(COUNT, np.ones((1, 1, 1, 1))), [[[[1, 3], [7, 9]]]])
    close(ops.Conv2d(dilation=2).reference(COUNT, np.ones((1, 1, 2, 2))), [[[[20]]]])


def test_conv2d_groups_see_their_own_channels() -> None:
    x = np.array([1.0, 10.0, 100.0, 1000.0]).reshape(1, 4, 1, 1)
    weight = np.array([[1.0, 1.0], [1.0, 2.0]]).reshape(2, 2, 1, 1)
    close(ops.Conv2d(groups=2).reference(x, weight).ravel(), [11, 2100])
    close(
        ops.Conv2d(groups=4).reference(x, np.arange(8.0).reshape(8, 1, 1, 1)).ravel(),
        [0, 1, 20, 30, 400, 500, 6000, 7000],
    )


def test_linear() -> None:
    weight = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    close(ops.Linear().reference(np.array([[1.0, 10.0]]), weight), [[21, 43, 65]])
    close(ops.Linear().reference(np.array([[1.0, 10.0]]), weight, np.array([0.5, 0.0, -1.0])), [[21.5, 43, 64]])


def test_max_pool() -> None:
    close(ops.MaxPool(2).reference(COUNT), [[[[5]]]])
    close(ops.MaxPool(2, ceil_mode=True).reference(COUNT), [[[[5, 6], [8, 9]]]])
    close(ops.MaxPool(2, 1).reference(COUNT), [[[[5, 6], [8, 9]]]])
    close(ops.MaxPool(2, 2, 1).reference(-COUNT), [[[[-1, -2], [-4, -5]]]])


def test_avg_pool_divisors() -> None:
    close(ops.AvgPool(2).reference(COUNT), [[[[3]]]])
    close(ops.AvgPool(2, ceil_mode=True).reference(COUNT), [[[[3, 4.5], [7.5, 9]]]])
    close(ops.AvgPool(2, 2, 1).reference(COUNT), [[[[1, 2.5], [5.5, 7]]]])
    close(ops.AvgPool(2, 2, 1, count_padding=True).reference(COUNT), [[[[0.25, 1.25], [2.75, 7]]]])


def test_avg_pool_in_ceil_mode_counts_padding_but_not_the_overhang() -> None:
    """PyTorch: ``avg_pool2d(x, 3, 2, padding=1, ceil_mode=True)`` on 1..4 divides the last window by 2 * 2."""
    x = np.arange(1.0, 5.0).reshape(1, 1, 1, 4)
    op = ops.AvgPool((1, 3), (1, 2), (0, 1, 0, 1), ceil_mode=True, count_padding=True)
    close(op.reference(x), [[[[1, 3, 2]]]])
    close(op.divisors(1, 4), [[3, 3, 2]])


def test_global_pools() -> None:
    close(ops.GlobalAvgPool().reference(COUNT), [[[[5]]]])
    close(ops.GlobalMaxPool(keep_dims=False).reference(COUNT), [[9]])


def test_batch_norm() -> None:
    x = np.array([[3.0, 10.0]])
    params = [np.array(p) for p in ([2.0, 1.0], [1.0, 0.0], [1.0, 10.0], [3.0, 0.0])]
    close(ops.BatchNorm(1.0).reference(x, *params), [[3, 0]])
    factor, offset = ops.BatchNorm(1.0).factors(*params)
    close(factor * x + offset, [[3, 0]])


def test_lrn_window_leans_to_the_later_channels() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1)
    energies = np.array([1 + 4, 4 + 9, 9 + 16, 16])
    close(ops.Lrn(2, alpha=2.0, beta=1.0, bias=1.0).reference(x).ravel(), [1, 2, 3, 4] / (1 + energies))
    energies = np.array([1 + 4, 1 + 4 + 9, 4 + 9 + 16, 9 + 16])
    close(ops.Lrn(3, alpha=3.0, beta=0.5, bias=0.0).reference(x).ravel(), [1, 2, 3, 4] / np.sqrt(energies))


def test_softmax() -> None:
    close(ops.Softmax().reference(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]])
    close(ops.Softmax().reference(np.array([[1e4, 0.0]])), [[1, 0]])
    close(ops.LogSoftmax().reference(np.log([[1.0, 2.0, 5.0]])), [np.log([0.125, 0.25, 0.625])])
    close(ops.LogSoftmax().reference(np.array([[1e4, 0.0]])), [[0, -1e4]])
    close(ops.Softmax(3).reference(np.zeros((1, 2, 3, 4))), np.full((1, 2, 3, 4), 0.25))


def test_add_and_mul_broadcast_one_image_however_many_there_are() -> None:
    image, row = np.ones((5, 2, 3, 4)), np.arange(20.0).reshape(5, 4)
    for op, identity in ((ops.Add(), 1), (ops.Mul(), 0)):
        y = op.reference(image, row)
        assert y.shape == (5, *op.shape((2, 3, 4), (4,)))
        close(y, np.broadcast_to(row[:, None, None, :] + identity, y.shape))
        close(op.reference(row, image), y)


def test_concat_repeats_a_constant_for_each_image() -> None:
    y = ops.Concat().reference(np.zeros((3, 1, 2, 2)), np.ones((1, 2, 2, 2)))
    close(y.sum(axis=(1, 2, 3)), [8, 8, 8])


def test_moves() -> None:
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    close(ops.Flatten().reference(x), x.reshape(1, 24))
    close(ops.Reshape((4, -1)).reference(x), x.reshape(1, 4, 6))
    close(ops.Transpose((0, 2, 3, 1)).reference(x)[0, 1, 2], [6, 18])
    close(ops.Pad((1, 0, 0, 1), 9.0).reference(x[:, :1, :1, :1]), [[[[9, 9], [0, 9]]]])
    assert ops.Identity().reference(x) is x
    assert ops.Dropout().reference(x) is x


X = np.array([-8.0, -3.0, -1.0, -0.25, 0.0, 0.25, 1.0, 3.0, 8.0])

FORMULAS = [
    (ops.Relu(), lambda x: x if x > 0 else 0.0),
    (ops.Clip(), lambda x: min(max(x, 0), 6)),
    (ops.Clip(-2, -1), lambda x: min(max(x, -2), -1)),
    (ops.LeakyRelu(0.1), lambda x: x if x > 0 else 0.1 * x),
    (ops.Elu(0.5), lambda x: x if x > 0 else 0.5 * (math.exp(x) - 1)),
    (ops.Sigmoid(), lambda x: 1 / (1 + math.exp(-x))),
    (ops.Tanh(), lambda x: (math.exp(2 * x) - 1) / (math.exp(2 * x) + 1)),
    (ops.HardSigmoid(), lambda x: min(max(x / 6 + 0.5, 0), 1)),
    (ops.HardSigmoid(0.2, 0.4), lambda x: min(max(0.2 * x + 0.4, 0), 1)),
    (ops.HardSwish(), lambda x: x * min(max(x + 3, 0), 6) / 6),
    (ops.Silu(), lambda x: x / (1 + math.exp(-x))),
    (ops.Gelu(), lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2))),
    (ops.Gelu("tanh"), lambda x: x / (1 + math.exp(-2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
]


@pytest.mark.parametrize(("op", "formula"), FORMULAS, ids=[f"{op.name} {op.describe()}" for op, _ in FORMULAS])
def test_activation(op: Op, formula: object) -> None:
    close(op.reference(X[None]), [[formula(x) for x in X]])  # type: ignore[operator]


def test_prelu_slopes() -> None:
    x = -np.ones((1, 2, 1, 2))
    close(ops.PRelu().reference(x, np.array([0.5, 2.0])), [[[[-0.5, -0.5]], [[-2, -2]]]])
    close(ops.PRelu().reference(x, np.array([0.5])), x / 2)


@pytest.mark.parametrize(
    "op",
    [ops.Sigmoid(), ops.Tanh(), ops.Elu(), ops.Silu(), ops.Gelu(), ops.Gelu("tanh"), ops.Softmax(), ops.HardSwish()],
    ids=str,
)
def test_large_numbers_do_not_overflow(op: Op) -> None:
    assert np.isfinite(op.reference(np.array([[-1e30, -1e3, 1e3, 1e30]]))).all()


def test_fused_does_its_parts_in_order() -> None:
    x, weight, residual = COUNT, np.full((1, 1, 1, 1), -1.0), np.full((1, 1, 3, 3), 5.0)
    fused = ops.Fused(ops.Conv2d(), (ops.Add(), ops.PRelu(), ops.MaxPool(2)), 2)
    close(fused.reference(x, weight, residual, np.array([0.5])), [[[[4]]]])
    assert [len(extra) for _, extra in fused.steps("x", "w", "r", "s")] == [2, 1, 1, 0]
    assert [fused.is_data_input(i) for i in range(4)] == [True, False, True, False]


def test_references_keep_float32() -> None:
    x = np.ones((1, 2, 4, 4), np.float32)
    slope = np.ones(2, np.float32)
    for op in (
        ops.Relu(),
        ops.Clip(),
        ops.Elu(),
        ops.Sigmoid(),
        ops.Gelu(),
        ops.Silu(),
        ops.HardSwish(),
        ops.Softmax(),
        ops.Lrn(3),
        ops.MaxPool(2),
        ops.Pad(1),
    ):
        assert op.reference(x).dtype == np.float32, op
    assert ops.PRelu().reference(x, slope).dtype == np.float32
    assert ops.Conv2d().reference(x, np.ones((1, 2, 3, 3), np.float32)).dtype == np.float32


def test_divisors_take_no_memory_for_absurd_padding() -> None:
    far = (1 << 20) - 1
    assert ops.AvgPool(1 << 20, 1 << 20, far).divisors(2, 2).shape == (2, 2)
    assert ops.AvgPool(1 << 20, 1 << 20, far, count_padding=True).divisors(2, 2)[0, 0] == 2.0**40


def test_arithmetic_keeps_the_order_of_its_operands() -> None:
    a, b = np.array([[6.0, -3.0]]), np.array([[2.0]])
    close(ops.Sub().reference(a, b), [[4, -5]])
    close(ops.Div().reference(a, b), [[3, -1.5]])
    close(ops.Div().reference(b, np.array([[0.0]])), [[np.inf]])
    close(ops.Maximum().reference(a, b), [[6, 2]])
    close(ops.Minimum().reference(a, b), [[2, -3]])


def test_functions() -> None:
    close(ops.Softplus().reference(np.array([[0.0, 1e4, -1e4]])), [[math.log(2), 1e4, 0]])
    close(ops.Mish().reference(np.array([[1.0]])), [[math.tanh(math.log(1 + math.e))]])
    close(ops.Softsign().reference(np.array([[-3.0]])), [[-0.75]])
    close(ops.Erf().reference(np.array([[0.5]])), [[math.erf(0.5)]])
    close(ops.Sign().reference(np.array([[-3.0, 0.0, 1e-30, np.inf]])), [[-1, 0, 1, 1]])
    close(ops.Round().reference(np.array([[-0.5, 0.5, 1.5, -2.6, 1e20]])), [[0, 0, 2, -3, 1e20]])


def test_matrices_of_two_values() -> None:
    a, b = np.array([[[1.0, 2.0], [3.0, 4.0]]]), np.array([[[5.0], [6.0]]])
    close(ops.MatMul().reference(a, b), [[[17], [39]]])
    assert ops.MatMul().shape((1, 1, 2, 3), (4, 5, 3, 6)) == (4, 5, 2, 6)
    for x, y in (((2, 3), (2, 3)), ((3,), (3,)), ((2, 2, 3), (3, 3, 2)), ((2, 3), (1, 3, 2))):
        with pytest.raises(GraphError, match="matmul needs"):
            ops.MatMul().shape(x, y)


def test_reductions() -> None:
    close(ops.ReduceMean((2,)).reference(COUNT), [[[[4, 5, 6]]]])
    close(ops.ReduceSum((3,), keep_dims=False).reference(COUNT), [[[6, 15, 24]]])
    close(ops.ReduceMax((1, 2, 3), keep_dims=False).reference(COUNT), [[9]])
    close(ops.ReduceMin((2, 3)).reference(-COUNT), [[[[-9]]]])


def test_norms_with_the_statistics_of_an_image() -> None:
    x = np.array([1.0, 3.0, 10.0, 30.0]).reshape(1, 4, 1, 1)
    close(ops.GroupNorm(2, eps=0.0).reference(x).ravel(), [-1, 1, -1, 1])
    scale, shift = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 0.0, 0.0, 10.0])
    close(ops.GroupNorm(2, eps=0.0).reference(x, scale, shift).ravel(), [-1, 2, -3, 14])
    close(ops.LayerNorm((1,), eps=3.0).reference(np.array([[1.0, 3.0]]), np.array([1.0, 2.0])), [[-0.5, 1]])
    close(ops.LayerNorm((3,), eps=0.0).reference(np.array([[[[1.0, 3.0], [5.0, 5.5]]]])), [[[[-1, 1], [-1, 1]]]])


def test_slice() -> None:
    close(ops.Slice((0, 0, 2), (1, 2, 3), (1, 2, -1)).reference(COUNT), [[[[3, 2, 1], [9, 8, 7]]]])


def test_pad_modes() -> None:
    row = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 1, 3)
    sides = (0, 2, 0, 1)
    close(ops.Pad(sides, mode="edge").reference(row).ravel(), [1, 1, 1, 2, 3, 3])
    close(ops.Pad(sides, mode="reflect").reference(row).ravel(), [3, 2, 1, 2, 3, 2])
    close(ops.Pad(sides, mode="symmetric").reference(row).ravel(), [2, 1, 1, 2, 3, 3])
    close(ops.Pad(sides, mode="wrap").reference(row).ravel(), [2, 3, 1, 2, 3, 1])
    close(ops.Pad(0, 7.0, channels=(1, 0)).reference(row), [[[[7, 7, 7]], [[1, 2, 3]]]])


def test_resize() -> None:
    row = np.array([1.0, 3.0]).reshape(1, 1, 1, 2)
    close(ops.Resize((1, 4)).reference(row).ravel(), [1, 1, 3, 3])
    close(ops.Resize((1, 4), "linear").reference(row).ravel(), [1, 1.5, 2.5, 3])
    close(ops.Resize((1, 3), "linear", "align_corners").reference(row).ravel(), [1, 2, 3])
    close(ops.Resize((1, 4), "linear", "asymmetric").reference(row).ravel(), [1, 2, 3, 3])
    # a cubic interpolates: at the elements themselves it is exact
    close(ops.Resize((3, 3), "cubic", "align_corners").reference(COUNT), COUNT)
