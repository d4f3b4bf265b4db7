"""The ops on bytes against ONNX Runtime: within one step of the result's scale, and mostly equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnfast.ops.base import Array
from cnnfast.ops.quantized import (
    Dequantize,
    IntegerConv2d,
    IntegerLinear,
    Quantize,
    QuantizedAdd,
    QuantizedGlobalAvgPool,
    QuantizedMul,
    Requantize,
)

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(kind: str, inputs: dict[str, Array], result: Any, domain: str = "", **attributes: Any) -> Array:
    """Return what ONNX Runtime computes with one node; inputs that are None are left out."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    node = helper.make_node(kind, list(inputs), ["y"], domain=domain, **attributes)
    constants = [numpy_helper.from_array(array, name) for name, array in inputs.items()]
    target = helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(np.dtype(result)), None)
    graph = helper.make_graph([node], "one", [], [target], constants)
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=8)
    (y,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {})
    return np.asarray(y)


def within_one_step(ours: Array, theirs: Array, equal: float) -> None:
    """Check that bytes differ by one at most, and that a share of them is equal."""
    assert ours.dtype == theirs.dtype == np.uint8
    difference = np.abs(ours.astype(int) - theirs.astype(int))
    assert difference.max() <= 1
    assert (difference == 0).mean() >= equal
    assert len(np.unique(theirs)) > 50


def scalar(value: float) -> Array:
    return np.array(value, np.float32)


def zero(value: int) -> Array:
    return np.array(value, np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(16)


def random_bytes(*shape: int) -> Array:
    return rng().integers(0, 256, shape, dtype=np.uint8)


def test_quantize_linear_and_back() -> None:
    x = (rng().normal(size=20_000) * 3).astype(np.float32)
    scale, origin = scalar(0.03), zero(117)
    theirs = run("QuantizeLinear", {"x": x, "s": scale, "z": origin}, np.uint8)
    ours = Quantize(0.03, 117).reference(x)
    within_one_step(ours, theirs, equal=0.999)
    back = run("DequantizeLinear", {"x": ours, "s": scale, "z": origin}, np.float32)
    np.testing.assert_array_equal(Dequantize(0.03, 117).reference(ours), back)


@pytest.mark.parametrize(
    ("channels", "filters", "attributes"),
    [
        (8, (16, 8, 3, 3), {"padding": (1, 1, 1, 1)}),
        (3, (8, 3, 5, 5), {"padding": (2, 1, 0, 2), "stride": (2, 2)}),
        (12, (12, 1, 3, 3), {"padding": (1, 1, 1, 1), "groups": 12}),
        (8, (12, 8, 1, 1), {}),
    ],
    ids=str,
)
def test_qlinear_conv(channels: int, filters: tuple[int, ...], attributes: dict[str, Any]) -> None:
    x = random_bytes(2, channels, 12, 11)
    weight = rng().integers(-127, 128, filters, dtype=np.int8)
    bias = rng().integers(-5000, 5000, filters[0], dtype=np.int32)
    x_scale, w_scale = 0.02, rng().uniform(1e-3, 4e-3, filters[0]).astype(np.float32)
    op = IntegerConv2d(131, **attributes)
    sums = op.reference(x, weight, bias)
    unit = (np.float32(x_scale) * w_scale.astype(np.float64)).astype(np.float32)
    scale = float(np.abs(sums * unit[:, None, None]).max() / 150)
    inputs = {
        "x": x,
        "xs": scalar(x_scale),
        "xz": zero(131),
        "w": weight,
        "ws": w_scale,
        "wz": np.zeros(filters[0], np.int8),
        "ys": scalar(scale),
        "yz": zero(120),
        "b": bias,
    }
    given = {"pads": list(op.padding), "strides": list(op.stride), "group": op.groups}
    theirs = run("QLinearConv", inputs, np.uint8, **given)
    within_one_step(Requantize(scale, 120).reference(sums, unit), theirs, equal=0.999)


def test_qlinear_matmul() -> None:
    x, weight = random_bytes(30, 64), rng().integers(-127, 128, (20, 64), dtype=np.int8)
    sums = IntegerLinear(99).reference(x, weight, np.zeros(20, np.int32))
    inputs = {
        "x": x,
        "xs": scalar(0.02),
        "xz": zero(99),
        "w": np.ascontiguousarray(weight.T),
        "ws": scalar(0.003),
        "wz": np.array(0, np.int8),
        "ys": scalar(0.05),
        "yz": zero(128),
    }
    theirs = run("QLinearMatMul", inputs, np.uint8)
    unit = np.full(20, np.float64(np.float32(0.02)) * np.float32(0.003), np.float32)
    within_one_step(Requantize(0.05, 128).reference(sums, unit), theirs, equal=0.999)


@pytest.mark.parametrize(("kind", "op"), [("QLinearAdd", QuantizedAdd), ("QLinearMul", QuantizedMul)])
def test_qlinear_add_and_mul(kind: str, op: type[QuantizedAdd | QuantizedMul]) -> None:
    a, b = random_bytes(40, 256), random_bytes(40, 256)[::-1].copy()
    inputs = {
        "a": a,
        "as": scalar(0.02),
        "az": zero(100),
        "b": b,
        "bs": scalar(0.05),
        "bz": zero(30),
        "ys": scalar(0.09),
        "yz": zero(77),
    }
    theirs = run(kind, inputs, np.uint8, domain="com.microsoft")
    within_one_step(op(0.09, 77, 0.02, 100, 0.05, 30).reference(a, b), theirs, equal=0.99)


def test_qlinear_global_average_pool() -> None:
    x = random_bytes(4, 16, 5, 5)
    x[:, :8] //= 3
    inputs = {"x": x, "xs": scalar(0.02), "xz": zero(100), "ys": scalar(0.011), "yz": zero(200)}
    theirs = run("QLinearGlobalAveragePool", inputs, np.uint8, domain="com.microsoft", channels_last=0)
    ours = QuantizedGlobalAvgPool(0.011, 200, 0.02, 100).reference(x)
    difference = np.abs(ours.astype(int) - theirs.astype(int))
    assert difference.max() <= 1
    assert (difference == 0).mean() > 0.95
