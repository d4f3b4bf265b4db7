"""References against PyTorch, in float64, on every case that PyTorch can express."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import CASES, Case, cases_of
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnfast import ops
from cnnfast.ops import Op
from cnnfast.ops.gradients import gradient, has_gradient

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed here; it is only needed as a second opinion")
F = torch.nn.functional


def padded(x: Any, padding: tuple[int, int, int, int], value: float = 0.0) -> Any:
    top, left, bottom, right = padding
    return F.pad(x, (left, right, top, bottom), value=value)


def max_pool(op: ops.MaxPool, x: Any) -> Any:
    if not op.ceil_mode:
        return F.max_pool2d(padded(x, op.padding, -torch.inf), op.kernel, op.stride, 0, op.dilation)
    return F.max_pool2d(x, op.kernel, op.stride, symmetric(op), op.dilation, ceil_mode=True)


def avg_pool(op: ops.AvgPool, x: Any) -> Any:
    if op.dilation != (1, 1):
        pytest.skip("PyTorch's average pool has no dilation")
    if op.count_padding and not op.ceil_mode:
        return F.avg_pool2d(padded(x, op.padding), op.kernel, op.stride)
    return F.avg_pool2d(x, op.kernel, op.stride, symmetric(op), op.ceil_mode, op.count_padding)


def symmetric(op: ops.MaxPool | ops.AvgPool) -> tuple[int, int]:
    top, left, bottom, right = op.padding
    if (top, left) != (bottom, right) or 2 * top > op.kernel[0] or 2 * left > op.kernel[1]:
        pytest.skip("PyTorch pads both sides alike, by half the window at most")
    return top, left


BINARY: dict[type[Op], Any] = {
    ops.Add: torch.add,
    ops.Sub: torch.sub,
    ops.Mul: torch.mul,
    ops.Div: torch.div,
    ops.Maximum: torch.maximum,
    ops.Minimum: torch.minimum,
}

REDUCE: dict[type[Op], Any] = {
    ops.ReduceMean: torch.mean,
    ops.ReduceSum: torch.sum,
    ops.ReduceMax: torch.amax,
    ops.ReduceMin: torch.amin,
}

FUNCTION: dict[type[Op], Any] = {
    ops.Abs: torch.abs,
    ops.Sqrt: torch.sqrt,
    ops.Exp: torch.exp,
    ops.Log: torch.log,
    ops.Erf: torch.erf,
    ops.Softplus: F.softplus,
    ops.Softsign: F.softsign,
    ops.Mish: F.mish,
    ops.Sign: torch.sign,
    ops.Round: torch.round,
}


def reduced(op: ops.Reduce, x: Any) -> Any:
    y = REDUCE[type(op)](x, op.axes, keepdim=op.keep_dims)
    return y[:, None] if y.ndim == 1 else y


def layer_norm(op: ops.LayerNorm, x: Any, scale: Any = None, shift: Any = None) -> Any:
    """PyTorch normalizes the last axes, so the others go in front."""
    order = [axis for axis in range(x.ndim) if axis not in op.axes] + list(op.axes)
    y = F.layer_norm(x.permute(order), [x.shape[axis] for axis in op.axes], scale, shift, op.eps)
    return y.permute([order.index(axis) for axis in range(x.ndim)])


def pad(op: ops.Pad, x: Any) -> Any:
    if op.mode == "symmetric" or (op.mode != "constant" and any(op.channels)):
        pytest.skip("PyTorch has no such pad")
    mode = {"edge": "replicate", "wrap": "circular"}.get(op.mode, op.mode)
    if mode == "constant":
        top, left, bottom, right = op.padding
        return F.pad(x, (left, right, top, bottom, *op.channels), value=op.value)
    top, left, bottom, right = op.padding
    return F.pad(x, (left, right, top, bottom), mode=mode)


def resize(op: ops.Resize, x: Any) -> Any:
    if op.mode == "nearest":
        if (op.coordinates, op.rounding) == ("asymmetric", "floor"):
            return F.interpolate(x, op.size, mode="nearest")
        pytest.skip("PyTorch has no such rounding")
    if op.scale_h or op.exclude_outside != op.antialias or op.coordinates not in ("half_pixel", "align_corners"):
        pytest.skip("PyTorch has no such scale")
    mode = {"linear": "bilinear", "cubic": "bicubic"}[op.mode]
    return F.interpolate(x, op.size, mode=mode, align_corners=op.coordinates == "align_corners", antialias=op.antialias)


def sliced(op: ops.Slice, x: Any) -> Any:
    for axis, indices in enumerate(op.indices(), start=1):
        x = x.index_select(axis, torch.tensor(indices))
    return x


def broadcast(op: Op, a: Any, b: Any) -> Any:
    rank = max(a.ndim, b.ndim)
    a, b = (t.reshape(len(t), *(1,) * (rank - t.ndim), *t.shape[1:]) for t in (a, b))
    return BINARY[type(op)](a, b)


def by_torch(op: Op, *t: Any) -> Any:
    """Compute an op with PyTorch."""
    match op:
        case ops.Conv2d():
            return F.conv2d(padded(t[0], op.padding), *t[1:], stride=op.stride, dilation=op.dilation, groups=op.groups)
        case ops.Linear():
            return F.linear(*t)
        case ops.MaxPool():
            return max_pool(op, *t)
        case ops.AvgPool():
            return avg_pool(op, *t)
        case ops.GlobalAvgPool():
            return F.adaptive_avg_pool2d(t[0], 1) if op.keep_dims else F.adaptive_avg_pool2d(t[0], 1).flatten(1)
        case ops.GlobalMaxPool():
            return F.adaptive_max_pool2d(t[0], 1) if op.keep_dims else F.adaptive_max_pool2d(t[0], 1).flatten(1)
        case ops.BatchNorm():
            x, scale, shift, mean, var = t
            return F.batch_norm(x, mean, var, scale, shift, eps=op.eps)
        case ops.Lrn():
            # PyTorch's window has its longer half in front.
            return F.local_response_norm(t[0].flip(1), op.size, op.alpha, op.beta, op.bias).flip(1)
        case ops.Relu():
            return F.relu(*t)
        case ops.Clip():
            return t[0].clamp(op.low, op.high)
        case ops.LeakyRelu():
            return F.leaky_relu(t[0], op.slope)
        case ops.PRelu():
            return F.prelu(*t)
        case ops.Elu():
            return F.elu(t[0], op.alpha)
        case ops.Sigmoid():
            return torch.sigmoid(*t)
        case ops.Tanh():
            return torch.tanh(*t)
        case ops.HardSigmoid(alpha=alpha, beta=beta):
            return F.hardsigmoid(t[0]) if op == ops.HardSigmoid() else (alpha * t[0] + beta).clamp(0, 1)
        case ops.HardSwish():
            return F.hardswish(*t)
        case ops.Silu():
            return F.silu(*t)
        case ops.Gelu():
            return F.gelu(t[0], approximate=op.approximate)
        case ops.Softmax():
            return torch.softmax(t[0], op.axis)
        case ops.LogSoftmax():
            return torch.log_softmax(t[0], op.axis)
        case ops.Binary():
            return broadcast(op, *t)
        case ops.Concat():
            return torch.cat([x.expand(max(map(len, t)), *x.shape[1:]) for x in t], op.axis)
        case ops.Pad():
            return pad(op, *t)
        case ops.ThresholdedRelu():
            return F.threshold(t[0], op.alpha, 0)
        case ops.Function():
            return FUNCTION[type(op)](*t)
        case ops.MatMul():
            return torch.matmul(*t)
        case ops.Reduce():
            return reduced(op, *t)
        case ops.LayerNorm():
            return layer_norm(op, *t)
        case ops.GroupNorm():
            return F.group_norm(t[0], op.groups, *t[1:], eps=op.eps)
        case ops.Slice():
            return sliced(op, *t)
        case ops.Resize():
            return resize(op, *t)
        case ops.Flatten():
            return torch.flatten(t[0], 1)
        case ops.Reshape():
            return t[0].reshape(len(t[0]), *op.target)
        case ops.Transpose():
            return t[0].permute(op.order)
        case ops.Identity():
            return t[0]
        case ops.Dropout():
            return F.dropout(t[0], op.rate, training=False)
    raise AssertionError(f"no PyTorch twin for {op}")


def compare(op: Op, *arrays: np.ndarray) -> None:
    with torch.inference_mode():
        expected = by_torch(op, *(torch.from_numpy(a) for a in arrays)).numpy()
    np.testing.assert_allclose(op.reference(*arrays), expected, rtol=1e-11, atol=1e-11, strict=True)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    inputs, parameters = case.arrays()
    compare(case.op, *(a.astype(np.float64) for a in [*inputs, *parameters]))


@pytest.mark.parametrize("case", [case for case in CASES if has_gradient(case.op)], ids=str)
def test_gradient(case: Case) -> None:
    inputs, parameters = case.arrays()
    arrays = [a.astype(np.float64) for a in [*inputs, *parameters]]
    y = case.op.reference(*arrays)
    dy = np.random.default_rng(2).standard_normal(y.shape)
    ours = gradient(case.op, tuple(arrays), y, dy)
    tensors = [torch.from_numpy(a).requires_grad_() for a in arrays]
    if isinstance(case.op, ops.BatchNorm):
        # PyTorch takes the statistics as given, so their gradients are left to the central differences
        ours, tensors = ours[:3], [*tensors[:3], *(t.detach() for t in tensors[3:])]
    by_torch(case.op, *tensors).backward(torch.from_numpy(dy))
    for grad, tensor in zip(ours, tensors, strict=False):
        # PyTorch keeps the 1/6 of hardsigmoid in float32
        np.testing.assert_allclose(grad, tensor.grad.numpy(), rtol=1e-7, atol=1e-9)


@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    half=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    ceil_mode=st.booleans(),
    count_padding=st.booleans(),
)
def test_pool_sizes_and_divisors(
    size: Any, kernel: Any, stride: Any, half: Any, ceil_mode: bool, count_padding: bool
) -> None:
    padding = tuple(min(p, k // 2) for p, k in zip(half, kernel, strict=True))
    maximum = ops.MaxPool(kernel, stride, padding, ceil_mode=ceil_mode)
    assume(min(maximum.shape((1, *size))) > 0)
    x = np.random.default_rng(0).standard_normal((1, 2, *size))
    compare(maximum, x)
    compare(ops.AvgPool(kernel, stride, padding, ceil_mode=ceil_mode, count_padding=count_padding), x)


@pytest.mark.parametrize("value", [-np.inf, np.inf, np.nan])
@pytest.mark.parametrize(
    "case", [case for case in cases_of(ops.Activation, ops.Softmax) if not case.parameters], ids=str
)
def test_values_that_are_not_finite(case: Case, value: float) -> None:
    with np.errstate(invalid="ignore"):
        compare(case.op, np.full((1, 2, 3, 4), value))
