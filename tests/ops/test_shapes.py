"""Shape rules by hand, the errors where shapes do not fit, and costs."""

from __future__ import annotations

import math

import pytest
from cases import CASES, Case

from cnnfast.errors import GraphError
from cnnfast.ops import (
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv2d,
    Cost,
    Flatten,
    Fused,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
    Linear,
    LogSoftmax,
    Lrn,
    MaxPool,
    Mul,
    Op,
    Pad,
    PRelu,
    ReduceMean,
    Relu,
    Reshape,
    Resize,
    Slice,
    Softmax,
    Transpose,
)
from cnnfast.ops.base import Shape
from cnnfast.ops.reshape import moves_nothing, same_padding

FITS: list[tuple[Op, list[Shape], Shape]] = [
    (Conv2d(padding=2), [(3, 32, 32), (16, 3, 5, 5), (16,)], (16, 32, 32)),
    (Conv2d(stride=2, padding=1), [(3, 7, 8), (4, 3, 3, 3)], (4, 4, 4)),
    (Conv2d(dilation=(2, 3)), [(1, 9, 9), (1, 1, 3, 3)], (1, 5, 3)),
    (Conv2d(stride=5), [(1, 9, 9), (1, 1, 2, 2)], (1, 2, 2)),
    (MaxPool(2), [(3, 7, 9)], (3, 3, 4)),
    (MaxPool(2, ceil_mode=True), [(3, 7, 9)], (3, 4, 5)),
    (MaxPool(2, 3, 1, ceil_mode=True), [(1, 4, 7)], (1, 2, 3)),
    (MaxPool(3, 2, ceil_mode=True), [(1, 2, 2)], (1, 1, 1)),
    (GlobalAvgPool(False), [(3, 4, 5)], (3,)),
    (Flatten(), [(3, 4, 5)], (60,)),
    (Reshape((5, -1)), [(3, 4, 5)], (5, 12)),
    (Transpose((0, 3, 1, 2)), [(4, 5, 3)], (3, 4, 5)),
    (Pad((1, 2, 3, 4)), [(1, 2, 3)], (1, 6, 9)),
    (Concat(2), [(3, 2, 5), (3, 4, 5)], (3, 6, 5)),
    (Add(), [(6, 1, 3), (1, 5, 1)], (6, 5, 3)),
    (Mul(), [(3,), (6, 5, 3)], (6, 5, 3)),
    (Pad((1, 2, 3, 4), channels=(5, 6)), [(1, 2, 3)], (12, 6, 9)),
    (Slice((0, 1, 4), (3, 2, 5), (1, 2, -1)), [(3, 4, 5)], (3, 2, 5)),
    (Resize((7, 9)), [(3, 4, 5)], (3, 7, 9)),
    (ReduceMean((1, 3)), [(3, 4, 5)], (1, 4, 1)),
    (ReduceMean((1, 3), False), [(3, 4, 5)], (4,)),
    (ReduceMean((1,), False), [(3,)], (1,)),
    (LayerNorm((2, 3)), [(3, 4, 5), (4, 5)], (3, 4, 5)),
    (GroupNorm(2), [(4, 4, 5), (4,), (4,)], (4, 4, 5)),
]


@pytest.mark.parametrize(("op", "inputs", "expected"), FITS, ids=str)
def test_shape(op: Op, inputs: list[Shape], expected: Shape) -> None:
    assert op.shape(*inputs) == expected


MISFITS: list[tuple[Op, list[Shape], str]] = [
    (Conv2d(), [(12,), (4, 3, 3, 3)], r"needs an input of shape \(C, H, W\), but got \(12,\)"),
    (Conv2d(), [(3, 8, 8), (4, 2, 3, 3)], "groups=1 on 3 channels"),
    (Conv2d(groups=2), [(4, 8, 8), (3, 2, 3, 3)], "groups=2 on 4 channels"),
    (Conv2d(), [(3, 8, 8), (4, 3, 3)], "needs a weight of shape"),
    (Conv2d(), [(3, 8, 8), (4, 3, 0, 3)], "needs a weight of shape"),
    (Conv2d(), [(3, 8, 8), (4, 3, 3, 3), (3,)], "4 filters needs a bias"),
    (Linear(), [(3, 2, 2), (4, 12)], "put a flatten before it"),
    (Linear(), [(12,), (4, 11)], "on 12 features"),
    (Linear(), [(12,), (4,)], "on 12 features"),
    (Linear(), [(12,), (4, 12), (3,)], "4 outputs needs a bias"),
    (MaxPool(2), [(12,)], "max_pool needs an input"),
    (AvgPool(2), [(12,)], "avg_pool needs an input"),
    (GlobalAvgPool(), [(12,)], "global_avg_pool needs an input"),
    (Lrn(3), [(12,)], "lrn needs an input"),
    (Pad(1), [(12,)], "pad needs an input"),
    (BatchNorm(), [(3, 4), (3,), (3,), (3,), (3,)], "batch_norm needs"),
    (BatchNorm(), [(3, 4, 4), (3,), (3,), (1,), (3,)], "batch_norm needs"),
    (PRelu(), [(3, 4, 4), (4,)], "needs a slope"),
    (Reshape((7, -1)), [(3, 4, 5)], "cannot turn"),
    (Reshape((7,)), [(3, 4, 5)], "cannot turn"),
    (Transpose((0, 1)), [(3, 4, 5)], "does not fit"),
    (Concat(), [(3, 4, 5), (3, 4, 6)], "all other sizes equal"),
    (Concat(), [(3, 4, 5), (3,)], "all other sizes equal"),
    (Concat(4), [(3, 4, 5)], "axis of concat"),
    (Concat(0), [(3, 4, 5)], "axis of concat"),
    (Softmax(0), [(3,)], "counts the images"),
    (Softmax(2), [(3,)], "axis of softmax"),
    (LogSoftmax(-1), [(3,)], "axis of log_softmax"),
    (Add(), [(3, 4), (3, 5)], "add cannot broadcast"),
    (Mul(), [(3, 4, 4), (3,)], "mul cannot broadcast"),
    (Pad(3, mode="reflect"), [(3, 4, 3)], "can add at most 2"),
    (Pad(1, mode="wrap", channels=(4, 0)), [(3, 4, 3)], "can add at most 3"),
    (Slice((0,), (1,)), [(3, 4, 3)], "does not fit"),
    (Slice((1,), (3,)), [(3,)], "takes elements 1 to 3"),
    (Slice((1,), (3,), (-1,)), [(3,)], "takes elements 1 to -1"),
    (Resize(2), [(3,)], "resize needs an input"),
    (ReduceMean((2,)), [(3,)], "axes of reduce_mean must be at most 1"),
    (LayerNorm((2,)), [(3,)], "axes of layer_norm must be at most 1"),
    (LayerNorm((2, 3)), [(3, 4, 5), (3,)], r"needs scale and shift of shape \(4, 5\)"),
    (GroupNorm(2), [(3, 4, 5)], "must divide the 3 channels"),
    (GroupNorm(2), [(4, 4, 5), (2,)], r"needs scale and shift of shape \(4,\)"),
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
    assert Conv2d(padding=2).cost((3, 32, 32), (16, 3, 5, 5), (16,)) == Cost(1_228_800, 2_457_600)
    assert Conv2d(groups=96).cost((96, 34, 34), (96, 1, 3, 3)).macs == 96 * 32 * 32 * 9
    assert Linear().cost((320,), (10, 320)) == Cost(3200, 6400)
    assert MaxPool(2).cost((16, 32, 32)).flops == 16 * 16 * 16 * 4
    assert Relu().cost((3, 4, 5)).flops == 60
    assert Flatten().cost((3, 4, 5)) == Cost()
    assert Lrn(1 << 20).cost((3, 4, 4)).flops <= (2 * 3 + 4) * 48


def test_fused_costs_what_its_parts_cost() -> None:
    fused = Fused(Conv2d(padding=1), (Add(), Relu(), MaxPool(2)), 2)
    x, weight = (3, 8, 8), (4, 3, 3, 3)
    parts = [Conv2d(padding=1).cost(x, weight), *(op.cost((4, 8, 8), (4, 8, 8)) for op in (Add(), Relu()))]
    parts.append(MaxPool(2).cost((4, 8, 8)))
    assert fused.cost(x, weight, (4, 8, 8)) == sum(parts, Cost())
    assert fused.shape(x, weight, (4, 8, 8)) == (4, 4, 4)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [1, 7, 8, 32])
def test_same_padding_gives_one_output_for_each_stride(size: int, kernel: int, stride: int) -> None:
    before, after = same_padding(size, kernel, stride)
    assert 0 <= before <= after <= before + 1
    padded = Conv2d(stride=stride, padding=(before, before, after, after))
    assert padded.shape((1, size, size), (1, 1, kernel, kernel))[1] == math.ceil(size / stride)


def test_moves_nothing() -> None:
    assert moves_nothing(Transpose((0, 1, 2, 3)), (3, 4, 5), (3, 4, 5))
    assert not moves_nothing(Transpose((0, 2, 1, 3)), (3, 3, 3), (3, 3, 3))
    assert moves_nothing(Pad(0), (3, 4, 5), (3, 4, 5))
    assert moves_nothing(Flatten(), (60,), (60,))
    assert not moves_nothing(Flatten(), (60, 1, 1), (60,))
    assert not moves_nothing(Relu(), (60,), (60,))
