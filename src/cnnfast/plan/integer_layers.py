"""Convolutions and dense layers of integers, whatever the lanes hold, and how their sums become bytes or floats."""

from __future__ import annotations

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import UnsupportedError
from cnnfast.ops import Array, Fused, MaxPool, Op, Shape
from cnnfast.ops.quantized import (
    DequantizeSums,
    IntegerConv2d,
    IntegerLinear,
    Requantize,
    RequantizeAdd,
    check_sums,
    corrected_bias,
)
from cnnfast.plan.chwn.values import ChwnLowering, byte_rule
from cnnfast.plan.lowering import NodeIO, packed
from cnnfast.plan.pack import aligned
from cnnfast.plan.pack_words import as_words, by_block

LARGEST = float(1 << 30)
"""Products beyond which floats are limited before they are rounded: well inside of 32 bits."""


@frozen
class Rounding:
    """What the sums of a layer are turned into."""

    ints: dict[str, int]
    floats: dict[str, float]
    multipliers: Array
    residual: str | None
    pool: bool


@byte_rule(Fused)
def _fused(lowering: ChwnLowering, op: Fused, site: NodeIO) -> None:
    """Emit a layer with what follows its sums; a pool that the kernel does not take is a separate step."""
    (base, inputs), (rounding, extra), *rest = op.steps(*site.inputs)
    shape = base.shape(*(lowering.shapes[v] for v in inputs))
    pool = rest[0][0] if rest else None
    fits = isinstance(base, IntegerConv2d) and shape[1:] != (1, 1) and _is_halving(pool, shape)
    value = site.result if fits or pool is None else f"{site.result}:0"
    if value != site.result:
        lowering.add_bytes(value, shape)
    if not isinstance(base, IntegerConv2d | IntegerLinear):
        raise UnsupportedError(f"nothing rounds the result of {base.name}")
    end = _rounding(lowering, rounding, extra, fits)
    lowering.layers[base.name](lowering, base, NodeIO(site.node, inputs, value), end, shape)
    if pool and value != site.result:
        lowering.lower(pool, NodeIO(site.node, (value,), site.result))


@byte_rule(IntegerConv2d, IntegerLinear)
def _alone(lowering: ChwnLowering, op: Op, site: NodeIO) -> None:
    raise UnsupportedError(f"the sums of {op.name} are read by more than one op, or by none that rounds them")


def _is_halving(pool: Op | None, shape: Shape) -> bool:
    return isinstance(pool, MaxPool) and pool == MaxPool((2, 2)) and min(shape[1:]) >= 2


def _rounding(lowering: ChwnLowering, op: Op, extra: tuple[str, ...], pool: bool) -> Rounding:
    unit = lowering.graph.constants[extra[-1]]
    ints = dict(zero=0, low=0, high=255, to_float=0, r_zero=0)
    match op:
        case DequantizeSums():
            return Rounding(ints | dict(to_float=1), dict(r_m=0.0), packed(unit), None, pool)
        case Requantize():
            ints |= dict(zero=op.zero, low=op.low, high=op.high)
            return Rounding(ints, dict(r_m=0.0), op.multipliers(unit), None, pool)
        case RequantizeAdd():
            ints |= dict(zero=op.zero, low=op.low, high=op.high, r_zero=op.r_zero)
            multiplier = float(op.residual_multiplier())
            return Rounding(ints, dict(r_m=multiplier), op.multipliers(unit), lowering.bytes_at(extra[0]), pool)
        case _:
            raise UnsupportedError(f"{op.name} behind a layer of integers")


def layer_parameters(
    op: Op, weight: Array, bias: Array, end: Rounding, words: Array, block: int
) -> tuple[tuple[Array, ...], int]:
    """Return the parameters of a step, in blocks of channels, and whether a product could leave 32 bits."""
    zero: int = op.x_zero  # type: ignore[attr-defined]
    check_sums(op.name, weight, bias, zero)
    rows = weight.reshape(len(weight), -1).astype(np.int64)
    start, sums = corrected_bias(weight, bias, zero), rows.sum(axis=1)
    reach = (np.abs(start) + 255 * np.abs(rows).sum(axis=1)) * end.multipliers.astype(np.float64)
    wide = int(reach.max() + 256 * (1 + end.floats["r_m"]) > LARGEST)
    numbers = (as_words(by_block(values, np.int32, block)) for values in (start, sums))
    factors = packed(by_block(end.multipliers, np.float32, block))
    return tuple(aligned(array) for array in (factors, words, *numbers)), wide


def emit_layer(
    lowering: ChwnLowering,
    site: NodeIO,
    kernel: str,
    end: Rounding,
    ints: dict[str, int],
    parameters: tuple[Array, ...],
    tables: tuple[Array | None, ...],
    why: str,
    workspace: int = 0,
) -> None:
    """Append the step of a layer, which reads what is added to its sums as well."""
    reads = (site.inputs[0], end.residual) if end.residual else site.inputs[:1]
    fused = [name for name, there in (("add", end.residual), ("max_pool", end.pool)) if there]
    lowering.emit(
        site, kernel, reads, dtype="u8", ints=end.ints | ints, floats=end.floats, parameters=parameters, tables=tables,
        reason=", ".join([why, *(f"{name} fused" for name in fused)]), workspace=workspace,
    )  # fmt: skip
