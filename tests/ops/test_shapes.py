"""Shape rules by hand, the errors where shapes do not fit, and costs."""

from __future__ import annotations

import math

import pytest
from cases import CASES, Case

from cnnfast import ops
from cnnfast.errors import GraphError
from cnnfast.ops import Cost, Op
from cnnfast.ops.base import Shape
from cnnfast.ops.reshape import moves_nothing, same_padding

FITS: list[tuple[Op, list[Shape], Shape]] = [
    (ops.Conv2d(padding=2), [(3, 32, 32), (16, 3, 5, 5), (16,)], (16, 32, 32)),
    (ops.Conv2d(stride=2, padding=1), [(3, 7, 8), (4, 3, 3, 3)], (4, 4, 4)),
    (ops.Conv2d(dilation=(2, 3)), [(1, 9, 9), (1, 1, 3, 3)], (1, 5, 3)),
    (ops.Conv2d(stride=5), [(1, 9, 9), (1, 1, 2, 2)], (1, 2, 2)),
    (ops.MaxPool(2), [(3, 7, 9)], (3, 3, 4)),
    (ops.MaxPool(2, ceil_mode=True), [(3, 7, 9)], (3, 4, 5)),
    (ops.MaxPool(2, 3, 1, ceil_mode=True), [(1, 4, 7)], (1, 2, 3)),
    (ops.MaxPool(3, 2, ceil_mode=True), [(1, 2, 2)], (1, 1, 1)),
    (ops.GlobalAvgPool(False), [(3, 4, 5)], (3,)),
    (ops.Flatten(), [(3, 4, 5)], (60,)),
    (ops.Reshape((5, -1)), [(3, 4, 5)], (5, 12)),
    (ops.Transpose((0, 3, 1, 2)), [(4, 5, 3)], (3, 4, 5)),
    (ops.Pad((1, 2, 3, 4)), [(1, 2, 3)], (1, 6, 9)),
    (ops.Concat(2), [(3, 2, 5), (3, 4, 5)], (3, 6, 5)),
    (ops.Add(), [(6, 1, 3), (1, 5, 1)], (6, 5, 3)),
    (ops.Mul(), [(3,), (6, 5, 3)], (6, 5, 3)),
    (ops.Pad((1, 2, 3, 4), channels=(5, 6)), [(1, 2, 3)], (12, 6, 9)),
    (ops.Slice((0, 1, 4), (3, 2, 5), (1, 2, -1)), [(3, 4, 5)], (3, 2, 5)),
    (ops.Resize((7, 9)), [(3, 4, 5)], (3, 7, 9)),
    (ops.ReduceMean((1, 3)), [(3, 4, 5)], (1, 4, 1)),
    (ops.ReduceMean((1, 3), False), [(3, 4, 5)], (4,)),
    (ops.ReduceMean((1,), False), [(3,)], (1,)),
    (ops.LayerNorm((2, 3)), [(3, 4, 5), (4, 5)], (3, 4, 5)),
    (ops.GroupNorm(2), [(4, 4, 5), (4,), (4,)], (4, 4, 5)),
]


@pytest.mark.parametrize(("op", "inputs", "expected"), FITS, ids=str)
def test_shape(op: Op, inputs: list[Shape], expected: Shape) -> None:
    assert op.shape(*inputs) == expected


MISFITS: list[tuple[Op, list[Shape], str]] = [
    (ops.Conv2d(), [(12,), (4, 3, 3, 3)], r"needs an input of shape \(C, H, W\), but got \(12,\)"),
    (ops.Conv2d(), [(3, 8, 8), (4, 2, 3, 3)], "groups=1 on 3 channels"),
    (ops.Conv2d(groups=2), [(4, 8, 8), (3, 2, 3, 3)], "groups=2 on 4 channels"),
    (ops.Conv2d(), [(3, 8, 8), (4, 3, 3)], "needs a weight of shape"),
    (ops.Conv2d(), [(3, 8, 8), (4, 3, 0, 3)], "needs a weight of shape"),
    (ops.Conv2d(), [(3, 8, 8), (4, 3, 3, 3), (3,)], "4 filters needs a bias"),
    (ops.Linear(), [(3, 2, 2), (4, 12)], "put a flatten before it"),
    (ops.Linear(), [(12,), (4, 11)], "on 12 features"),
    (ops.Linear(), [(12,), (4,)], "on 12 features"),
    (ops.Linear(), [(12,), (4, 12), (3,)], "4 outputs needs a bias"),
    (ops.MaxPool(2), [(12,)], "max_pool needs an input"),
    (ops.AvgPool(2), [(12,)], "avg_pool needs an input"),
    (ops.GlobalAvgPool(), [(12,)], "global_avg_pool needs an input"),
    (ops.Lrn(3), [(12,)], "lrn needs an input"),
    (ops.Pad(1), [(12,)], "pad needs an input"),
    (ops.BatchNorm(), [(3, 4), (3,), (3,), (3,), (3,)], "batch_norm needs"),
    (ops.BatchNorm(), [(3, 4, 4), (3,), (3,), (1,), (3,)], "batch_norm needs"),
    (ops.PRelu(), [(3, 4, 4), (4,)], "needs a slope"),
    (ops.Reshape((7, -1)), [(3, 4, 5)], "cannot turn"),
    (ops.Reshape((7,)), [(3, 4, 5)], "cannot turn"),
    (ops.Transpose((0, 1)), [(3, 4, 5)], "does not fit"),
    (ops.Concat(), [(3, 4, 5), (3, 4, 6)], "all other sizes equal"),
    (ops.Concat(), [(3, 4, 5), (3,)], "all other sizes equal"),
    (ops.Concat(4), [(3, 4, 5)], "axis of concat"),
    (ops.Concat(0), [(3, 4, 5)], "axis of concat"),
    (ops.Softmax(0), [(3,)], "counts the images"),
    (ops.Softmax(2), [(3,)], "axis of softmax"),
    (ops.LogSoftmax(-1), [(3,)], "axis of log_softmax"),
    (ops.Add(), [(3, 4), (3, 5)], "add cannot broadcast"),
    (ops.Mul(), [(3, 4, 4), (3,)], "mul cannot broadcast"),
    (ops.Pad(3, mode="reflect"), [(3, 4, 3)], "can add at most 2"),
    (ops.Pad(1, mode="wrap", channels=(4, 0)), [(3, 4, 3)], "can add at most 3"),
    (ops.Slice((0,), (1,)), [(3, 4, 3)], "does not fit"),
    (ops.Slice((1,), (3,)), [(3,)], "takes elements 1 to 3"),
    (ops.Slice((1,), (3,), (-1,)), [(3,)], "takes elements 1 to -1"),
    (ops.Resize(2), [(3,)], "resize needs an input"),
    (ops.ReduceMean((2,)), [(3,)], "axes of reduce_mean must be at most 1"),
    (ops.LayerNorm((2,)), [(3,)], "axes of layer_norm must be at most 1"),
    (ops.LayerNorm((2, 3)), [(3, 4, 5), (3,)], r"needs scale and shift of shape \(4, 5\)"),
    (ops.GroupNorm(2), [(3, 4, 5)], "must divide the 3 channels"),
    (ops.GroupNorm(2), [(4, 4, 5), (2,)], r"needs scale and shift of shape \(4,\)"),
]


@pytest.mark.parametrize(("op", "inputs", "message"), MISFITS, ids=str)
def test_shapes_that_do_not_fit(op: Op, inputs: list[Shape], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        op.shape(*inputs)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_cost_is_counted_for_one_image(case: Case) -> None:
    cost = case.op.cost(*case.inputs, *case.parameters)
    assert isinstance(cost.flops, int)
    assert cost.flops >= 2 * cost.macs >= 0


def test_costs_by_hand() -> None:
    assert ops.Conv2d(padding=2).cost((3, 32, 32), (16, 3, 5, 5), (16,)) == Cost(1_228_800, 2_457_600)
    assert ops.Conv2d(groups=96).cost((96, 34, 34), (96, 1, 3, 3)).macs == 96 * 32 * 32 * 9
    assert ops.Linear().cost((320,), (10, 320)) == Cost(3200, 6400)
    assert ops.MaxPool(2).cost((16, 32, 32)).flops == 16 * 16 * 16 * 4
    assert ops.Relu().cost((3, 4, 5)).flops == 60
    assert ops.Flatten().cost((3, 4, 5)) == Cost()
    assert ops.Lrn(1 << 20).cost((3, 4, 4)).flops <= (2 * 3 + 4) * 48


def test_fused_costs_what_its_parts_cost() -> None:
    fused = ops.Fused(ops.Conv2d(padding=1), (ops.Add(), ops.Relu(), ops.MaxPool(2)), 2)
    x, weight = (3, 8, 8), (4, 3, 3, 3)
    parts = [ops.Conv2d(padding=1).cost(x, weight), *(op.cost((4, 8, 8), (4, 8, 8)) for op in (ops.Add(), ops.Relu()))]
    parts.append(ops.MaxPool(2).cost((4, 8, 8)))
    assert fused.cost(x, weight, (4, 8, 8)) == sum(parts, Cost())
    assert fused.shape(x, weight, (4, 8, 8)) == (4, 4, 4)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [1, 7, 8, 32])
def test_same_padding_gives_one_output_for_each_stride(size: int, kernel: int, stride: int) -> None:
    before, after = same_padding(size, kernel, stride)
    assert 0 <= before <= after <= before + 1
    padded = ops.Conv2d(stride=stride, padding=(before, before, after, after))
    assert padded.shape((1, size, size), (1, 1, kernel, kernel))[1] == math.ceil(size / stride)


def test_moves_nothing() -> None:
    assert moves_nothing(ops.Transpose((0, 1, 2, 3)), (3, 4, 5), (3, 4, 5))
    assert not moves_nothing(ops.Transpose((0, 2, 1, 3)), (3, 3, 3), (3, 3, 3))
    assert moves_nothing(ops.Pad(0), (3, 4, 5), (3, 4, 5))
    assert moves_nothing(ops.Flatten(), (60,), (60,))
    assert not moves_nothing(ops.Flatten(), (60, 1, 1), (60,))
    assert not moves_nothing(ops.Relu(), (60,), (60,))
