"""fold_pad."""

from __future__ import annotations

from small_graphs import names, net

from cnnfast.graph.passes import fold_pad
from cnnfast.ops import Add, AvgPool, Conv2d, MaxPool, Op, Pad, Relu

PAD = Pad((0, 1, 2, 1))


def after_pad(op: Op, *parameters: str, pad: Pad = PAD) -> list[Op]:
    graph = net(("pad", pad, "x"), ("y", op, "pad", *parameters), w=(2, 3, 4, 4))
    return [node.op for node in fold_pad(graph).nodes]


def test_into_a_convolution() -> None:
    assert after_pad(Conv2d(stride=2, padding=1), "w") == [Conv2d(stride=2, padding=(1, 2, 3, 2))]


def test_into_an_average_pool() -> None:
    assert after_pad(AvgPool(3)) == [AvgPool(3, 3, (0, 1, 2, 1), count_padding=True)]
    counted = AvgPool(4, 1, 1, count_padding=True)
    assert after_pad(counted) == [AvgPool(4, 1, (1, 2, 3, 2), count_padding=True)]


def test_only_where_it_computes_the_same() -> None:
    assert len(after_pad(AvgPool(3, 1, 1))) == 2
    assert len(after_pad(AvgPool(3, 1, ceil_mode=True))) == 2
    assert len(after_pad(AvgPool(2))) == 2
    assert len(after_pad(MaxPool(3))) == 2
    assert len(after_pad(Relu())) == 2
    assert len(after_pad(Conv2d(), "w", pad=Pad(1, 0.5))) == 2
    assert len(after_pad(Conv2d(1 << 20, 1 << 20), "w", pad=Pad(1))) == 2


def test_several_pads_in_a_row() -> None:
    graph = net(("a", Pad(1), "x"), ("b", Pad((0, 2)), "a"), ("y", Conv2d(), "b", "w"), w=(2, 3, 3, 3))
    after = fold_pad(graph)
    assert names(after) == ["y"]
    assert after.nodes[0].op == Conv2d(padding=(1, 3))


def test_a_pad_that_something_else_reads_stays_for_that() -> None:
    graph = net(
        ("pad", Pad(1), "x"),
        ("conv", Conv2d(padding=1), "pad", "w"),
        ("y", Add(), "conv", "pad"),
        w=(3, 3, 3, 3),
    )
    after = fold_pad(graph)
    assert names(after) == ["pad", "conv", "y"]
    assert after.by_name["conv"].inputs[0] == "x"
    assert after.by_name["conv"].op == Conv2d(padding=2)
