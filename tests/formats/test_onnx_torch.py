"""Networks exported by PyTorch, by both of its exporters, run by the same plan as when they are written by hand."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnfast import Network, ops
from cnnfast.graph import Graph
from cnnfast.plan import Plan, make_plan

pytest.importorskip("onnx", reason="ONNX files are read with the package onnx; install cnnfast[onnx]")
torch: Any = pytest.importorskip("torch", reason="PyTorch exports the networks of this test; it is not installed")

BENCH = Path(__file__).resolve().parents[2] / "bench"
LARGE = {"n4", "n6", "n7", "n8", "n9"}
NAMES = [pytest.param(f"n{i}", marks=[pytest.mark.slow] if f"n{i}" in LARGE else []) for i in range(1, 10)]
EXPORTERS = ("torchscript", "dynamo")

F = torch.nn.functional

FUNCTIONS: dict[type[ops.Op], Any] = {
    ops.Conv2d: lambda op, x, *p: F.conv2d(x, *p, stride=op.stride, padding=op.padding[:2], groups=op.groups),
    ops.Linear: lambda op, *x: F.linear(*x),
    ops.BatchNorm: lambda op, x, a, b, m, v: F.batch_norm(x, m, v, a, b, eps=op.eps),
    ops.MaxPool: lambda op, x: F.max_pool2d(x, op.kernel, op.stride, op.padding[:2]),
    ops.GlobalAvgPool: lambda op, x: F.adaptive_avg_pool2d(x, 1),
    ops.Relu: lambda op, x: F.relu(x),
    ops.Clip: lambda op, x: F.hardtanh(x, op.low, op.high),
    ops.Sigmoid: lambda op, x: torch.sigmoid(x),
    ops.Flatten: lambda op, x: torch.flatten(x, 1),
    ops.Add: lambda op, a, b: a + b,
}


class Module(torch.nn.Module):  # type: ignore[misc]
    """A graph of cnnfast as a PyTorch module."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        for index, array in enumerate(graph.constants.values()):
            self.register_buffer(f"w{index}", torch.from_numpy(array.astype(np.float32)))

    def forward(self, x: Any) -> Any:
        """Return the scores."""
        (entry,), (output,) = self.graph.inputs, self.graph.outputs
        values = {name: getattr(self, f"w{i}") for i, name in enumerate(self.graph.constants)} | {entry: x}
        for node in self.graph.nodes:
            values[node.name] = FUNCTIONS[type(node.op)](node.op, *(values[v] for v in node.inputs))
        return values[output]


def exported(module: Any, shape: tuple[int, ...], exporter: str, path: Path) -> Path:
    """Write a module as an ONNX file whose number of images is open."""
    x = torch.zeros(2, *shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "torchscript":
            options: dict[str, Any] = {"dynamo": False, "dynamic_axes": {"x": {0: "n"}}, "opset_version": 17}
        else:
            pytest.importorskip("onnxscript", reason="PyTorch's newer exporter needs the package onnxscript")
            options = {"dynamo": True, "dynamic_shapes": ({0: torch.export.Dim("n")},), "verbose": False}
        torch.onnx.export(module.eval(), (x,), path, input_names=["x"], output_names=["y"], **options)
    return path


def assert_same_plan(actual: Plan, expected: Plan) -> None:
    """Compare all but names; weights may differ by the rounding of an exporter that folds batch-norm in float32."""
    assert [s.kernel for s in actual.steps] == [s.kernel for s in expected.steps]
    for a, b in zip(actual.steps, expected.steps, strict=True):
        assert (dict(a.ints), dict(a.floats), a.reason) == (dict(b.ints), dict(b.floats), b.reason)
        for p, q in zip((*a.arrays(), *a.tables), (*b.arrays(), *b.tables), strict=True):
            assert (p is None) == (q is None)
            if p is not None:
                np.testing.assert_allclose(p, q, rtol=1e-4, atol=1e-5 * np.abs(q).max())
    assert actual.arena == expected.arena


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize(
    "name", [pytest.param(f"n{i}", marks=[pytest.mark.slow] if f"n{i}" in LARGE else []) for i in range(1, 10)]
)
def test_benchmark_networks_keep_their_plan(
    name: str, exporter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    from networks import BENCHES

    by_hand = BENCHES[name].network()
    path = exported(Module(by_hand.graph), by_hand.input_shape, exporter, tmp_path / "net.onnx")
    read = Network.load(path)
    assert_same_plan(make_plan(read.graph), make_plan(by_hand.graph))


class Odd(torch.nn.Module):  # type: ignore[misc]
    """What exporters write in several nodes: views, chunks, permutes, a pixel shuffle, GELU, SiLU."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.norm = torch.nn.LayerNorm(8)
        self.mix = torch.nn.Linear(8, 8)
        self.group = torch.nn.GroupNorm(2, 8)
        self.fc = torch.nn.Linear(8 * 16, 5)

    def forward(self, x: Any) -> Any:
        """Return scores."""
        x = F.gelu(self.conv(x))
        y = self.mix(self.norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        a, b = y.chunk(2, dim=1)
        x = x + torch.cat([b, F.silu(a)], 1)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        x = F.hardswish(self.group(x)) * torch.sigmoid(x.mean((2, 3), keepdim=True))
        x = F.pixel_shuffle(x, 2)[:, :, 1:-1:2, ::2]
        x = F.interpolate(x, size=(8, 8), mode="bilinear")
        x = F.avg_pool2d(torch.cat([x, F.mish(x), -x, x.abs()], 1), 2)
        return F.log_softmax(self.fc(x.reshape(x.size(0), -1)), dim=1)


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_network_of_oddities_gives_what_pytorch_gives(exporter: str, tmp_path: Path) -> None:
    module = Odd()
    network = Network.load(exported(module, (3, 8, 8), exporter, tmp_path / "odd.onnx"))
    x = np.random.default_rng(0).standard_normal((5, 3, 8, 8)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(network.forward(x, layout="nchw"), expected, rtol=1e-4, atol=1e-4)
