"""Small transformers for images: attention in the forms in which people write it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from cnnfast import from_torch  # noqa: E402

SHAPE = (10, 16)


class Multihead(nn.Module):
    def __init__(self, call: Callable, **how: object) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, **{"batch_first": True, **how})
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.attention, x)


class ByHand(nn.Module):
    """Queries, keys and values of one dense layer, taken apart as timm, einops and others do."""

    def __init__(self, apart: Callable, attend: Callable) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.apart, self.attend = apart, attend

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.apart(self.qkv(x))
        return self.out(self.attend(q, k, v).transpose(1, 2).reshape(x.shape))


def heads(x: Tensor) -> Tensor:
    return x.view(len(x), 10, 4, 4).transpose(1, 2)


def in_front(x: Tensor) -> Tensor:
    return x.reshape(len(x), 10, 3, 4, 4).permute(2, 0, 3, 1, 4)


def products(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return ((q @ k.transpose(-2, -1)) / 2).softmax(-1) @ v


MODULES = {
    "multihead": lambda: Multihead(lambda a, x: a(x, x, x, need_weights=False)[0]),
    "multihead with weights": lambda: Multihead(lambda a, x: a(x, x, x)[0] + a(x, x, x)[1].sum(-1, keepdim=True)),
    "multihead, weights of each head": lambda: Multihead(lambda a, x: a(x, x, x, average_attn_weights=False)[1]),
    "multihead, images second": lambda: Multihead(
        lambda a, x: a(*[x.transpose(0, 1)] * 3)[0].transpose(0, 1), batch_first=False
    ),
    "multihead, sizes of their own": lambda: Multihead(
        lambda a, x: a(x[:, :7], x[..., :6], x[..., 3:8])[0], kdim=6, vdim=5, bias=False
    ),
    "encoder layer": lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
    "encoder layer, norm first": lambda: nn.TransformerEncoderLayer(
        16, 2, 32, batch_first=True, norm_first=True, activation="gelu"
    ),
    "unbound, fused": lambda: ByHand(lambda x: in_front(x).unbind(0), F.scaled_dot_product_attention),
    "selected, written out": lambda: ByHand(lambda x: (in_front(x)[i] for i in range(3)), products),
    "chunks": lambda: ByHand(lambda x: map(heads, x.chunk(3, -1)), products),
}


@pytest.mark.parametrize("name", MODULES)
def test_attention(name: str) -> None:
    torch.manual_seed(0)
    module = MODULES[name]().double().eval()
    images = torch.randn(5, *SHAPE, dtype=torch.float64)
    with torch.no_grad():
        theirs = module(images).numpy()
    ours = from_torch(module, SHAPE).forward(images.numpy().astype(np.float32))
    np.testing.assert_allclose(ours, theirs, atol=2e-6 * abs(theirs).max())


class VisionTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 4, 4)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 32)), nn.Parameter(torch.randn(1, 65, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        return self.head(self.norm(self.encoder(x))[:, 0])


def test_a_vision_transformer() -> None:
    torch.manual_seed(0)
    module, images = VisionTransformer().eval(), torch.randn(7, 3, 32, 32)
    net = from_torch(module, (3, 32, 32))
    with torch.no_grad():
        theirs = module(images).numpy()
    ours = net.forward(images.numpy(), layout="nchw")
    np.testing.assert_allclose(ours, theirs, atol=5e-6 * abs(theirs).max())
    for i in range(7):
        np.testing.assert_array_equal(net.forward(images[i : i + 1].numpy(), layout="nchw")[0], ours[i])
