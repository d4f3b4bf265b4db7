"""The rule that decides how a convolution is computed. It decides the bits, so a change here is a change of results."""

from __future__ import annotations

import pytest

from cnnfast.ops import Conv2d, Shape
from cnnfast.plan.choose import algorithm

SAME3, SAME5 = Conv2d(padding=1), Conv2d(padding=2)

RULES: list[tuple[str, Conv2d, Shape, Shape, str]] = [
    ("VGG, large image", SAME3, (64, 64, 3, 3), (64, 32, 32), "winograd4x3"),
    ("VGG, small image", SAME3, (256, 256, 3, 3), (256, 8, 8), "winograd4x3"),
    ("ResNet-20", SAME3, (16, 16, 3, 3), (16, 32, 32), "winograd4x3"),
    ("CS61C, second layer", SAME5, (20, 16, 5, 5), (20, 16, 16), "winograd4x5"),
    ("CS61C, third layer", SAME5, (20, 20, 5, 5), (20, 8, 8), "winograd4x5"),
    (
        "VGG, first layer: few channels, but many filters share their transform",
        SAME3,
        (64, 3, 3, 3),
        (64, 32, 32),
        "winograd4x3",
    ),
    ("few channels and few filters: the transforms cost more", SAME3, (3, 3, 3, 3), (3, 32, 32), "direct"),
    ("one channel", SAME3, (1, 1, 3, 3), (1, 32, 32), "direct"),
    ("strided", Conv2d(stride=2, padding=1), (64, 64, 3, 3), (64, 16, 16), "direct"),
    ("strided along one axis", Conv2d(stride=(1, 2), padding=1), (64, 64, 3, 3), (64, 32, 16), "direct"),
    ("dilated", Conv2d(dilation=2, padding=2), (64, 64, 3, 3), (64, 32, 32), "direct"),
    ("depthwise", Conv2d(padding=1, groups=64), (64, 1, 3, 3), (64, 32, 32), "direct"),
    ("groups", Conv2d(padding=1, groups=2), (64, 32, 3, 3), (64, 32, 32), "direct"),
    ("1x1", Conv2d(), (96, 16, 1, 1), (96, 32, 32), "direct"),
    ("7x7", Conv2d(padding=3), (64, 64, 7, 7), (64, 32, 32), "direct"),
    ("not square", Conv2d(padding=(0, 1)), (64, 64, 1, 3), (64, 32, 32), "direct"),
    ("kernel as large as the image", Conv2d(), (10, 64, 3, 3), (10, 1, 1), "dense"),
    ("1x1 on a pixel, the gate of squeeze-and-excitation", Conv2d(), (16, 64, 1, 1), (16, 1, 1), "dense"),
    ("depthwise to a pixel", Conv2d(groups=64), (64, 1, 7, 7), (64, 1, 1), "direct"),
]


@pytest.mark.parametrize(("op", "weight", "output", "expected"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_rule(op: Conv2d, weight: Shape, output: Shape, expected: str) -> None:
    how, why = algorithm(op, weight, output)
    assert how == expected
    assert why


def test_the_reason_names_what_stands_against_winograd() -> None:
    assert algorithm(Conv2d(padding=1, groups=2), (64, 32, 3, 3), (64, 32, 32))[1] == "2 groups"
    assert algorithm(Conv2d(padding=3), (64, 64, 7, 7), (64, 32, 32))[1] == "kernel 7x7"
    assert algorithm(Conv2d(dilation=2), (64, 64, 3, 3), (64, 32, 32))[1] == "dilation (2, 2)"
    assert "fewer operations" in algorithm(SAME3, (64, 64, 3, 3), (64, 32, 32))[1]


def test_more_channels_never_turn_winograd_off() -> None:
    """The transforms are shared by the channels, so there is one threshold and not several."""
    for op, k in ((SAME3, 3), (SAME5, 5)):
        chosen = [algorithm(op, (n, n, k, k), (n, 16, 16))[0].startswith("winograd") for n in range(1, 129)]
        assert chosen == sorted(chosen)
        assert True in chosen
