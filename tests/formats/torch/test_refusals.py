"""What a module may do that cnnfast does not: told at once, with what is nearest."""

from __future__ import annotations

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from cnnfast import Preprocess, from_torch  # noqa: E402
from cnnfast.errors import ConfigError, GraphError, UnsupportedError  # noqa: E402


class Strange(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 4, 2, stride=2)
        self.fold = nn.Unfold(2)
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(x)
        x = torch.cumsum(x, 1)
        x = x - x.mean(0, keepdim=True)
        return self.fc(F.relu(x).mean((2, 3)))


def refusal(module: nn.Module, shape: tuple[int, ...] = (3, 8, 8)) -> str:
    with pytest.raises(UnsupportedError) as caught:
        from_torch(module, shape)
    return str(caught.value)


def test_all_nodes_are_told_at_once() -> None:
    first, *rows = refusal(Strange()).splitlines()
    assert first.startswith("cnnfast does not run 3 of the ")
    assert "conv_transpose2d" in rows[0]
    assert "stride=[2, 2]" in rows[0]
    assert "of shape (N, 4, 16, 16): nearest: upsample_nearest2d and conv2d" in rows[0]
    assert "'cumsum' (cumsum, dim=1) of shape (N, 4, 16, 16)" in rows[1]
    assert "works along axis 0, which counts the images" in rows[2]
    assert len(rows) == 3


class Call(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize(
    ("function", "rule"),
    [
        (lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True), "attention with a mask"),
        (lambda x: x.flatten(1) @ x.flatten(1).t(), "counts the images; supported there: transpose"),
        (lambda x: x.round(decimals=1), "decimals=1; supported: 0"),
        (lambda x: x.permute(1, 0, 2, 3), "what the module returns counts the images by axis 1"),
        (lambda x: x.permute(1, 0, 2, 3).relu(), "whose axis 1 counts the images; supported there: transpose"),
        (lambda x: x.permute(1, 0, 2, 3).unbind(1)[0], "works along axis 1, which counts the images"),
        (lambda x: x.transpose(0, 2).select(2, 0), "works along axis 2, which counts the images"),
        (lambda x: x.reshape(-1, 8), "mixes the images of a batch"),
        (lambda x: x.sum(), "mixes the images of a batch|all images"),
        (lambda x: F.dropout(x, 0.5, True), "random|dropout"),
        (lambda x: F.avg_pool2d(x, 2, divisor_override=3), "divisor_override=3"),
        (lambda x: F.batch_norm(x, None, None, training=True), "running statistics"),
        (lambda x: x**9, "the exponent 9"),
        (lambda x: x.norm(3, 1), "ord=3; supported: 1 and 2"),
        (lambda x: x.amax((1, 2, 3)), "keepdim=True keeps an axis"),
        (lambda x: x.argmax(1), "return the scores"),
        (lambda x: x.half().float(), "float16"),
        (lambda x: (x, x), "returns 2 values"),
        (lambda x: torch.zeros(13, 3), "does not depend on the images"),
        (lambda x: x if x.sum() > 0 else -x, "must not depend on the values"),
    ],
)
def test_what_is_refused(function, rule: str) -> None:
    message = refusal(Call(function))
    assert any(part in message for part in rule.split("|")), message


def test_arguments() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2))
    preprocess = Preprocess((8, 8), mean=(0.5,))
    net = from_torch(module, classes=["cat", "dog"], preprocess=preprocess)
    assert (net.input_shape, net.classes_.tolist(), net.preprocess) == ((3, 8, 8), ["cat", "dog"], preprocess)
    for wrong in (None, (), (3, 0, 8), (3.0, 8, 8), 8):
        with pytest.raises(ConfigError, match="input_shape must be that of one image"):
            from_torch(module, wrong)
    with pytest.raises(GraphError, match=r"the module fails on images of shape \(N, 3, 9, 9\)"):
        from_torch(module, (3, 9, 9))
    with pytest.raises(ConfigError, match=r"must be a torch\.nn\.Module, but is a str"):
        from_torch("resnet18", (3, 8, 8))
    with pytest.raises(GraphError, match="must be 2 labels"):
        from_torch(module, (3, 8, 8), classes=["a", "b", "c"])


def test_half_and_double_precision() -> None:
    module = nn.Linear(3, 2)
    assert from_torch(module.half(), (3,)).graph.constants["linear.weight"].dtype == "float32"
    assert from_torch(module.double(), (3,)).graph.constants["linear.weight"].dtype == "float64"


def test_torch_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, cnnfast; cnnfast.from_torch; cnnfast.Network; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
