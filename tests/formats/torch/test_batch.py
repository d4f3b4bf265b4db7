"""The number of images may be part of shapes; where it changes numbers, the module is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from cnnfast import from_torch  # noqa: E402
from cnnfast.errors import UnsupportedError  # noqa: E402

SHAPE = (3, 5, 5)
Function = Callable[[Tensor], Tensor]


class Call(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize(
    ("function", "place"),
    [
        (lambda x: x.flatten(1) / len(x), r"'div' \(div\) computes with 13 of 13 images, and with 17 of 17 images"),
        (lambda x: x * x.size(0), r"'mul' \(mul\) computes with 13 "),
        (lambda x: x.flatten(1) + torch.full((len(x), 1), float(len(x))), "computes with 13 "),
        (lambda x: x.flatten(1) / len(x) * len(x), "'div'.*\n.*'mul'"),
        (lambda x: F.leaky_relu(x, 1 / len(x)), "'leaky_relu' is LeakyRelu"),
        (lambda x: x.relu() if len(x) > 15 else x.tanh(), "of 13 images alone it computes tanh"),
        (lambda x: x.flatten(1)[:, : len(x)], ""),
        (lambda x: x.flatten(1) * (2 if len(x) > 1 else 3), "gives an image alone another result"),
        (lambda x: x + torch.rand(3, 1, 1), "'rand' .*it is random"),
    ],
)
def test_refused(function: Function, place: str) -> None:
    with pytest.raises(UnsupportedError, match=f"(?s){place}") as caught:
        from_torch(Call(function), SHAPE)
    assert any(part in str(caught.value) for part in ("depends on how many", "alone another result", "it is random"))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.view(x.size(0), -1),
        lambda x: x.reshape(len(x), 3, 25).mean(2),
        lambda x: x.flatten(1) + torch.zeros(len(x), 75),
        lambda x: x.flatten(1) + torch.ones(1, 75).expand(len(x), -1),
        lambda x: torch.cat([x, torch.ones(len(x), 1, 5, 5)], 1),
        lambda x: x.mean((2, 3), keepdim=True).squeeze(),
        lambda x: F.log_softmax(x.flatten(1), 1),
    ],
)
def test_run(function: Function) -> None:
    net, images = from_torch(Call(function), SHAPE), torch.rand(7, *SHAPE)
    np.testing.assert_allclose(net.forward(images.numpy(), layout="nchw"), function(images).numpy(), atol=1e-6)
