"""Each ATen op of the table against PyTorch itself, with the arguments that change what it does."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from cnnfast.formats.torch.export import Exported, export  # noqa: E402
from cnnfast.formats.torch.given import module_of  # noqa: E402
from cnnfast.formats.torch.read import ATEN, graph_of, read_module  # noqa: E402
from cnnfast.graph import evaluate  # noqa: E402


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("vector", torch.linspace(-1, 1, 6, dtype=torch.float64))
        self.register_buffer("matrix", torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(6, 4))
        self.weight = nn.Parameter(torch.linspace(-1, 1, 6 * 6 * 9, dtype=torch.float64).reshape(6, 6, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


IMAGES = {
    "conv same": lambda m, x: F.conv2d(x, m.weight, padding="same", dilation=2),
    "conv valid": lambda m, x: F.conv2d(x, m.weight, m.vector, (1, 2), "valid"),
    "conv grouped": lambda m, x: F.conv2d(x, m.weight[:, :2], None, 2, (2, 1), 1, 3),
    "convolution of TorchScript": lambda m, x: torch.ops.aten.convolution(
        x, m.weight[:, :3], m.vector, [2, 1], [1, 0], [1, 1], False, [0, 0], 2
    ),
    "weights that are computed": lambda m, x: F.conv2d(x, m.weight / m.weight.norm() + torch.ones(3, 3).double()),
    "instance norm": lambda m, x: F.instance_norm(x, weight=m.vector, bias=m.vector),
    "group norm": lambda m, x: F.group_norm(x, 3, m.vector, m.vector + 1, 1e-3),
    "group norm, bias alone": lambda m, x: F.group_norm(x, 2, None, m.vector),
    "layer norm of all": lambda m, x: F.layer_norm(x, (6, 7, 8)),
    "layer norm of the last two, permuted": lambda m, x: F.layer_norm(x.permute(0, 2, 3, 1), (8, 6)),
    "max pool": lambda m, x: F.max_pool2d(x, (3, 2), (2, 1), (1, 0), ceil_mode=True),
    "max pool, dilated": lambda m, x: F.max_pool2d(x, 3, 1, 1, 2),
    "average pool": lambda m, x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
    "average pool, padding counts": lambda m, x: F.avg_pool2d(x, (2, 3), None, 1),
    "adaptive, even": lambda m, x: F.adaptive_avg_pool2d(x, (7, 4)),
    "adaptive, uneven": lambda m, x: F.adaptive_avg_pool2d(x, (3, 5)),
    "adaptive, larger": lambda m, x: F.adaptive_avg_pool2d(x, (9, 10)),
    "adaptive max": lambda m, x: F.adaptive_max_pool2d(x, (3, 1)),
    "adaptive max of all": lambda m, x: F.adaptive_max_pool2d(x, 1),
    "mean of rows": lambda m, x: x.mean(2, keepdim=True),
    "mean, permuted": lambda m, x: x.permute(0, 2, 3, 1).mean((1, -1)),
    "mean kept, permuted": lambda m, x: x.permute(0, 2, 3, 1).mean(1, keepdim=True),
    "sum of channels": lambda m, x: x.sum(1),
    "amax and amin": lambda m, x: x.amax((2, 3)) - x.amin((2, 3)),
    "max along an axis": lambda m, x: x.max(1).values,
    "softmax": lambda m, x: F.softmax(x, 1),
    "softmax, permuted": lambda m, x: F.softmax(x.permute(0, 2, 3, 1), -1),
    "log softmax": lambda m, x: F.log_softmax(x.flatten(1), -1),
    "relu6 and leaky relu": lambda m, x: F.relu6(8 * x) + F.leaky_relu(x, 0.2),
    "in place": lambda m, x: F.relu_(x + 0).mul_(2).add_(1),
    "elu, selu, celu": lambda m, x: F.elu(x, 0.7) + F.selu(x) + F.celu(x, 1.3),
    "gelu": lambda m, x: F.gelu(x) + F.gelu(x, approximate="tanh"),
    "hard ones": lambda m, x: F.hardswish(4 * x) * F.hardsigmoid(3 * x) + F.hardtanh(x, -0.3, 0.4),
    "smooth ones": lambda m, x: F.silu(x) + F.mish(x) + F.softplus(x) + torch.tanh(x) * torch.sigmoid(x),
    "prelu": lambda m, x: F.prelu(x, m.vector),
    "clamp": lambda m, x: x.clamp(min=-0.2) + x.clamp(max=0.3) + x.clamp(-0.1, 0.1),
    "clamp of one end": lambda m, x: x.clamp_min(-0.2) + torch.ops.aten.clamp_max(x, 0.3),
    "softplus of a beta": lambda m, x: F.softplus(x, beta=2) + F.logsigmoid(x),
    "addcmul": lambda m, x: (
        torch.addcmul(x, x, x, value=0.5) + torch.addcmul(x, m.vector[:, None, None], m.vector[:, None, None], value=2)
    ),
    "powers": lambda m, x: x**3 + x**8 + torch.pow(x, 2.0),
    "normalized": lambda m, x: (
        F.normalize(x) + F.normalize(x, p=1, dim=(2, 3)) + x.flatten(1).norm(dim=1, keepdim=True)[:, :, None, None]
    ),
    "glu": lambda m, x: F.glu(x, 1) + F.glu(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
    "flip": lambda m, x: torch.flip(x, (1, -1)),
    "alias": lambda m, x: torch.ops.aten.alias(x) + 1,
    "roots and powers": lambda m, x: (x.abs() + 1).sqrt() + (x.exp() + 1).rsqrt() + x**2 + (x.abs() + 1) ** -0.5,
    "log, erf, reciprocal": lambda m, x: (x.abs() + 1).log() - torch.erf(x) + (x.abs() + 2).reciprocal() + (-x),
    "numbers on both sides": lambda m, x: 2 - (1 / (x.abs() + 1) - 3) * 0.5 + 1,
    "alpha": lambda m, x: torch.add(x, x, alpha=2) - torch.sub(x, m.vector[:, None, None], alpha=3),
    "extremes": lambda m, x: (
        torch.maximum(x, torch.zeros_like(x) + 0.125) + torch.minimum(x, x.mean((2, 3), keepdim=True))
    ),
    "a vector for the channels": lambda m, x: x * m.vector.view(1, 6, 1, 1) + m.vector[:, None, None],
    "a vector for the last axis": lambda m, x: (x.permute(0, 2, 3, 1) * m.vector).permute(0, 3, 1, 2),
    "two orders": lambda m, x: x[:, :, :6, :6].permute(0, 2, 3, 1) + x[:, :, :6, :6],
    "dense over channels": lambda m, x: F.linear(x.permute(0, 2, 3, 1), m.matrix.t(), None),
    "dense over columns": lambda m, x: F.linear(x, m.weight.reshape(-1)[:40].reshape(5, 8)),
    "dense after flatten": lambda m, x: x.mean((2, 3)) @ m.matrix,
    "dense, without bias": lambda m, x: torch.mm(x.mean((2, 3)), m.matrix),
    "dense with bias": lambda m, x: torch.addmm(m.matrix[0], x.mean((2, 3)), m.matrix),
    "views": lambda m, x: x.view(-1, 6, 56).unsqueeze(2).squeeze(2).reshape(x.size(0), 3, 2, 7, 8).flatten(1, 2),
    "channel shuffle": lambda m, x: F.channel_shuffle(x, 3),
    "pixel unshuffle": lambda m, x: F.pixel_unshuffle(x[:, :, :6], 2),
    "pixel shuffle": lambda m, x: F.pixel_shuffle(x[:, :4], 2),
    "transposed": lambda m, x: x.transpose(2, 3).transpose(-1, 1).contiguous(),
    "slices": lambda m, x: x[:, 1:5:2, ::2, -3:],
    "slices, permuted": lambda m, x: x.permute(0, 2, 3, 1)[:, 1:3, :, ::2],
    "select": lambda m, x: x[:, :, 2] + x[:, :, -1],
    "chunk and split": lambda m, x: x.chunk(3, 1)[1] * x.split([1, 2, 3], 1)[1] + x.split(2, 1)[2],
    "cat, permuted": lambda m, x: torch.cat([x.permute(0, 2, 3, 1), 2 * x.permute(0, 2, 3, 1)], -1),
    "cat of two orders": lambda m, x: torch.cat([x.transpose(2, 3)[:, :, :7, :7], x[:, :, :, :7]], 1),
    "cat with zeros": lambda m, x: torch.cat([x.new_zeros(x.size(0), 2, 7, 8), x, torch.ones_like(x)], 1),
    "stack": lambda m, x: torch.stack([x.sum(1), x.mean(1)], 1),
    "expand": lambda m, x: x.mean((2, 3), keepdim=True).expand(-1, -1, 3, 2),
    "pad": lambda m, x: F.pad(x, (1, 2, 3, 0), value=0.5),
    "pad the channels": lambda m, x: F.pad(x, (0, 0, 0, 0, 2, 1)),
    "crop": lambda m, x: F.pad(x, (-1, 2, 0, -3)),
    "pad, other modes": lambda m, x: F.pad(x, (1, 2, 3, 0), "reflect") - F.pad(x, (2, 1, 0, 3), "replicate"),
    "pad, around": lambda m, x: F.pad(x, (1, 2, 3, 0), "circular"),
    "nearest": lambda m, x: F.interpolate(x, scale_factor=2) + F.interpolate(x, (14, 16)),
    "bilinear": lambda m, x: F.interpolate(x, (9, 5), mode="bilinear"),
    "bilinear, corners": lambda m, x: F.interpolate(x, scale_factor=1.5, mode="bilinear", align_corners=True),
    "bicubic": lambda m, x: F.interpolate(x, scale_factor=(2, 1.3), mode="bicubic"),
    "detached": lambda m, x: x.detach().type_as(m.vector).clone() + x.new_ones(x.shape),
    "sign and round": lambda m, x: torch.sign(x) + torch.round(3 * x) + torch.round(x, decimals=0),
    "products of two": lambda m, x: x.flatten(2) @ x.flatten(2).transpose(1, 2),
    "products of two, bmm": lambda m, x: torch.bmm(x.flatten(2).transpose(1, 2), x.flatten(2)),
    "products of heads": lambda m, x: (x.transpose(2, 3) @ x).permute(0, 2, 1, 3).reshape(len(x), 8, 48),
    "attention": lambda m, x: F.scaled_dot_product_attention(x, x[:, :, :5] * 2, x[:, :, 1:6]),
    "attention with a scale": lambda m, x: F.scaled_dot_product_attention(x, x, x, scale=0.3),
    "unbound": lambda m, x: x.unbind(1)[0] * x.unbind(-1)[3].sum(1)[:, :, None],
    "images counted behind": lambda m, x: x.permute(1, 0, 2, 3)[2] + x.permute(1, 2, 0, 3).unbind(0)[1].transpose(0, 1),
    "dense over rows": lambda m, x: F.linear(x.flatten(2), m.weight.reshape(-1)[:168].reshape(3, 56), m.vector[:3]),
    "dense over rows, permuted": lambda m, x: F.linear(x.flatten(2).transpose(1, 2), m.matrix.t(), m.vector[:4]),
    "dense over the last of four": lambda m, x: F.linear(x.view(len(x), 2, 3, 7, 8), m.matrix.flatten().view(3, 8)),
    "dropped in training only": lambda m, x: F.dropout(x, 0.5, m.training) + F.dropout2d(x, 0.5, m.training),
    "largest elements, not where they are": lambda m, x: F.max_pool2d(x, 2, return_indices=True)[0],
}


SHAPE = (6, 7, 8)


@functools.cache
def exported(name: str) -> Exported:
    return export(module_of(Function(IMAGES[name]).train(), SHAPE, 2), SHAPE)


@pytest.mark.parametrize("name", IMAGES)
def test_an_op(name: str) -> None:
    graph = graph_of(exported(name), SHAPE)
    images = np.random.default_rng(0).standard_normal((3, *SHAPE))
    with torch.no_grad():
        theirs = Function(IMAGES[name]).eval()(torch.from_numpy(images)).numpy()
    ours = evaluate(graph, images)[graph.outputs[0]]
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10, strict=True)


def test_every_entry_of_the_table_is_tested() -> None:
    reached = {"dropout"}  # which is refused; see test_refusals.py
    for steps in (exported(name).steps for name in IMAGES):
        reached |= {step.op for step in steps}
    reached |= {step.op for step in export(nn.BatchNorm2d(6).eval(), SHAPE).steps}
    assert not set(ATEN) - reached


def test_the_module_stays_as_it_is() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    read_module(module, (3, 8, 8))
    assert module.training
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
