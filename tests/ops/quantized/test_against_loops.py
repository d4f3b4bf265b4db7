"""Every op on bytes against loops over Python integers: equal, not close."""

from __future__ import annotations

import numpy as np
import pytest
from quantized_loops import (
    f32,
    from_memory,
    integer_conv2d,
    mean,
    plus,
    requantized,
    requantized_add,
    sat,
    times,
)

from cnnfast.ops.base import Array
from cnnfast.ops.quantized import (
    Dequantize,
    DequantizeSums,
    IntegerConv2d,
    IntegerLinear,
    Lookup,
    Quantize,
    QuantizedAdd,
    QuantizedAvgPool,
    QuantizedGlobalAvgPool,
    QuantizedMul,
    Requantize,
    RequantizeAdd,
    corrected_bias,
)

SCALES = (0.0078125, 0.1, 3.7e-5, 1.9, 1 / 3)
ZEROS = (0, 1, 77, 128, 255)


def rng() -> np.random.Generator:
    return np.random.default_rng(15)


def random_bytes(*shape: int) -> Array:
    return rng().integers(0, 256, shape, dtype=np.uint8)


def random_sums(*shape: int) -> Array:
    """Return sums of all magnitudes, among them those that float32 has to round."""
    sizes = rng().integers(0, 31, shape)
    return (rng().choice([-1, 1], shape) * rng().integers(0, 1 << sizes)).astype(np.int32)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("zero", ZEROS)
def test_quantize_and_dequantize(scale: float, zero: int) -> None:
    scale = f32(scale)
    x = np.concatenate([(rng().normal(size=400) * 90 * scale), (np.arange(-300, 300) + 0.5) * scale]).astype(np.float32)
    expected = [sat(plus(times(float(v), f32(1 / scale)), zero)) for v in x]
    y = Quantize(scale, zero).reference(x)
    assert y.dtype == np.uint8
    assert y.tolist() == expected
    every = np.arange(256, dtype=np.uint8)
    back = Dequantize(scale, zero).reference(every)
    assert back.dtype == np.float32
    assert back.tolist() == [times(float(q - zero), scale) for q in range(256)]
    assert Quantize(scale, zero).reference(back).tolist() == list(range(256))


def test_halves_go_to_even_and_what_is_no_number_to_the_lowest() -> None:
    x = np.array([0.5, 1.5, 2.5, 253.5, 254.5, 255.5, -0.5, -9, np.inf, -np.inf, np.nan, 1e38], np.float32)
    assert Quantize(1.0, 0).reference(x).tolist() == [0, 2, 2, 254, 254, 255, 0, 0, 255, 0, 0, 255]


CONVOLUTIONS = (
    (IntegerConv2d(0), (3, 5, 6), (4, 3, 3, 3)),
    (IntegerConv2d(128, padding=1), (4, 5, 5), (8, 4, 3, 3)),
    (IntegerConv2d(255, padding=(0, 1, 2, 3)), (5, 6, 7), (3, 5, 2, 4)),
    (IntegerConv2d(7, stride=2, padding=2), (3, 9, 8), (5, 3, 5, 5)),
    (IntegerConv2d(93, stride=(1, 2), padding=1, dilation=2), (2, 9, 9), (4, 2, 3, 3)),
    (IntegerConv2d(13, padding=1, groups=6), (6, 5, 4), (6, 1, 3, 3)),
    (IntegerConv2d(200, padding=1, groups=2), (6, 4, 4), (8, 3, 3, 3)),
    (IntegerConv2d(31), (9, 3, 3), (7, 9, 1, 1)),
)


@pytest.mark.parametrize(("op", "shape", "filters"), CONVOLUTIONS, ids=lambda v: str(v))
def test_integer_conv2d(op: IntegerConv2d, shape: tuple[int, ...], filters: tuple[int, ...]) -> None:
    x = random_bytes(2, *shape)
    weight = rng().integers(-127, 128, filters, dtype=np.int8)
    bias = rng().integers(-(1 << 20), 1 << 20, filters[0], dtype=np.int32)
    y = op.reference(x, weight, bias)
    assert y.dtype == np.int32
    assert y.shape[1:] == op.shape(shape, filters, bias.shape)
    for image, result in zip(x, y, strict=True):
        np.testing.assert_array_equal(result, integer_conv2d(op, image, weight, bias))


@pytest.mark.parametrize("zero", ZEROS)
def test_integer_linear_is_also_what_kernels_make_of_it(zero: int) -> None:
    x = random_bytes(3, 50)
    weight = rng().integers(-127, 128, (6, 50), dtype=np.int8)
    bias = rng().integers(-(1 << 24), 1 << 24, 6, dtype=np.int32)
    y = IntegerLinear(zero).reference(x, weight, bias)
    assert y.dtype == np.int32
    expected = [
        [from_memory(r.tolist(), w.tolist(), int(b), zero) for w, b in zip(weight, bias, strict=True)] for r in x
    ]
    assert y.tolist() == expected
    first = [from_memory([0] * 50, w.tolist(), int(b), zero) for w, b in zip(weight, bias, strict=True)]
    assert corrected_bias(weight, bias, zero).tolist() == first


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("zero", "low", "high"), [(0, 0, 255), (128, 128, 255), (17, 17, 203), (255, 0, 255)])
def test_requantize(scale: float, zero: int, low: int, high: int) -> None:
    scale = f32(scale)
    sums = random_sums(2, 5, 6, 7)
    # units for which the results fill the range, whatever the scale
    unit = np.array([scale, scale / 3, scale / 700, scale / 2**15, scale / 2**22], np.float32)
    y = Requantize(scale, zero, low=low, high=high).reference(sums, unit)
    assert y.dtype == np.uint8
    for n, o, i, j in np.ndindex(sums.shape):
        expected = requantized(int(sums[n, o, i, j]), float(unit[o]), scale, zero, low, high)
        assert y[n, o, i, j] == expected, (n, o, i, j)


@pytest.mark.parametrize("zero", [0, 121])
@pytest.mark.parametrize("r_zero", [0, 90])
def test_requantize_add(zero: int, r_zero: int) -> None:
    sums, r = random_sums(2, 4, 5, 5), random_bytes(2, 4, 5, 5)
    scale, r_scale = f32(0.037), f32(0.021)
    unit = np.array([0.04, 1e-3, 3e-6, 1e-8], np.float32)
    y = RequantizeAdd(scale, zero, r_scale, r_zero, low=zero).reference(sums, r, unit)
    for n, o, i, j in np.ndindex(sums.shape):
        total, byte = int(sums[n, o, i, j]), int(r[n, o, i, j])
        expected = requantized_add(total, float(unit[o]), byte, (scale, zero), (r_scale, r_zero), low=zero)
        assert y[n, o, i, j] == expected, (n, o, i, j)


def test_dequantize_sums() -> None:
    sums, unit = random_sums(3, 4), np.array([0.1, 3e-7, 2.5, 1e-12], np.float32)
    y = DequantizeSums().reference(sums, unit)
    assert y.dtype == np.float32
    assert y.tolist() == [[times(f32(int(s)), float(u)) for s, u in zip(row, unit, strict=True)] for row in sums]


def test_add_and_mul() -> None:
    a, b = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    (sa, za), (sb, zb), (sy, zy) = (f32(0.021), 40), (f32(0.5), 128), (f32(0.31), 99)
    added = QuantizedAdd(sy, zy, sa, za, sb, zb, low=3, high=250).reference(a, b)
    ma, mb = f32(sa / sy), f32(sb / sy)
    multiplied = QuantizedMul(sy, zy, sa, za, sb, zb).reference(a, b)
    m = f32(sa * sb / sy)
    for i, j in zip(range(0, 256, 7), range(0, 256, 3), strict=False):
        for p, q in ((i, j), (j, i), (255 - i, j)):
            x, y = int(a[p, q]) - za, int(b[p, q]) - zb
            assert added[p, q] == sat(plus(plus(times(x, ma), times(y, mb)), zy), 3, 250)
            assert multiplied[p, q] == sat(plus(times(x * y, m), zy))


def test_a_gate_broadcasts_over_the_image() -> None:
    x, gate = random_bytes(2, 3, 4, 4), random_bytes(2, 3, 1, 1)
    op = QuantizedMul(0.25, 10, 0.05, 100, 1 / 255, 0)
    assert op.shape((3, 4, 4), (3, 1, 1)) == (3, 4, 4)
    np.testing.assert_array_equal(op.reference(x, gate), op.reference(x, np.broadcast_to(gate, x.shape)))


@pytest.mark.parametrize(
    "window",
    [
        {"kernel": 2},
        {"kernel": 3, "stride": 2, "padding": 1},
        {"kernel": 3, "stride": 2, "padding": 1, "count_padding": True},
        {"kernel": (2, 3), "stride": 2, "ceil_mode": True},
        {"kernel": 2, "dilation": 2, "padding": (1, 0, 1, 1)},
    ],
    ids=str,
)
def test_avg_pool(window: dict[str, int]) -> None:
    grids = (f32(0.02), 50), (f32(0.015), 30)
    op = QuantizedAvgPool(*grids[1], *grids[0], **window)
    x = random_bytes(1, 2, 7, 8)
    y = op.reference(x)
    assert y.shape[1:] == op.shape((2, 7, 8))
    divisors = op.on_numbers().divisors(7, 8)
    for c, i, j in np.ndindex(y.shape[1:]):
        rows = [i * op.stride[0] + p * op.dilation[0] - op.padding[0] for p in range(op.kernel[0])]
        columns = [j * op.stride[1] + q * op.dilation[1] - op.padding[1] for q in range(op.kernel[1])]
        inside = [int(x[0, c, r, s]) for r in rows for s in columns if 0 <= r < 7 and 0 <= s < 8]
        assert y[0, c, i, j] == mean(inside, float(divisors[i, j]), *grids), (c, i, j)


@pytest.mark.parametrize(("halves", "center"), [("up", 0), ("out", 128)])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 9, 49, 64, 100, 196, 256, 399, 400])
def test_halves_away_from_a_byte(halves: str, center: int, count: int) -> None:
    """Every sum that there can be, against the division of integers in LiteRT."""
    op = QuantizedAvgPool(0.3, 9, 0.3, 9, kernel=(1, count), halves=halves)
    sums = np.arange(255 * count + 1)
    whole, rest = sums // count, sums % count
    x = np.repeat(whole[:, None], count, axis=1)
    x[np.arange(count) < rest[:, None]] += 1
    found = op.reference(x.astype(np.uint8)[:, None, None, :]).ravel()
    distance = sums - center * count
    np.testing.assert_array_equal(found, center + np.sign(distance) * ((np.abs(distance) + count // 2) // count))


@pytest.mark.parametrize("keep_dims", [True, False])
def test_global_avg_pool(keep_dims: bool) -> None:
    grids = (f32(0.02), 50), (f32(0.006), 61)
    x = random_bytes(3, 4, 5, 7)
    y = QuantizedGlobalAvgPool(*grids[1], *grids[0], keep_dims=keep_dims).reference(x)
    assert y.shape == ((3, 4, 1, 1) if keep_dims else (3, 4))
    expected = [[mean(channel.ravel().tolist(), 35, *grids) for channel in image] for image in x]
    assert y.reshape(3, 4).tolist() == expected


def test_lookup_with_one_table_and_with_one_for_each_channel() -> None:
    x = random_bytes(2, 3, 4, 5)
    tables = random_bytes(3, 256)
    one, each = Lookup(1.0, 0).reference(x, tables[1]), Lookup(1.0, 0).reference(x, tables)
    for n, c, i, j in np.ndindex(x.shape):
        assert one[n, c, i, j] == tables[1, x[n, c, i, j]]
        assert each[n, c, i, j] == tables[c, x[n, c, i, j]]


def test_the_largest_byte_of_a_window_is_that_of_the_largest_sum() -> None:
    """So that a kernel may take the maximum of the sums, and round once for each window."""
    sums = random_sums(1, 3, 40, 40)
    op, unit = Requantize(0.1, 20), np.array([0.07, 3e-5, 1e-8], np.float32)
    largest = sums.reshape(1, 3, 20, 2, 20, 2).max(axis=(3, 5))
    bytes_first = op.reference(sums, unit).reshape(1, 3, 20, 2, 20, 2).max(axis=(3, 5))
    np.testing.assert_array_equal(bytes_first, op.reference(largest, unit))


def test_a_fused_multiply_add_would_be_seen() -> None:
    """The product is rounded before the zero point is added, and lands on a half, which goes to the even byte."""
    total, m, zero = -17106, f32(0.006459721829742193), 128
    assert round(f32(total * m + zero)) == 17
    assert requantized(total, m, 1.0, zero) == 18
    assert Requantize(1.0, zero).reference(np.array([[total]], np.int32), np.array([m], np.float32)) == 18
