"""Which algorithm a convolution uses: a fixed rule on its shape.

The rule ignores the machine, because the algorithm decides the order of additions and so the bits of the result: the
machine decides tiles and threads, never the algorithm. The constants were tuned once by measurement; see
docs/adr/0002-algorithm-by-shape.md.
"""

from __future__ import annotations

from collections.abc import Container

from cnnfast.ops import Conv2d, Shape
from cnnfast.plan.winograd import OUTPUTS

INPUT_COST = {3: 220, 5: 560}
OUTPUT_COST = {3: 170, 5: 330}
"""Cost of transforming one tile of one channel, in multiply-adds of a vector."""

WINOGRAD = {f"winograd{OUTPUTS}x{kernel}": kernel for kernel in INPUT_COST}
"""Size of the kernel of a convolution, by the algorithms that transform it."""

ALGORITHMS = frozenset({"dense", "direct", *WINOGRAD})


def algorithm(op: Conv2d, weight: Shape, output: Shape, allowed: Container[str] = ALGORITHMS) -> tuple[str, str]:
    """Return the algorithm of a convolution and the reason.

    One that is not ``allowed`` is replaced by ``"direct"``; for benchmarks and tests only, since it changes the bits.

    Examples
    --------
    >>> algorithm(Conv2d(padding=1), (64, 64, 3, 3), (64, 32, 32))[0]
    'winograd4x3'
    >>> algorithm(Conv2d(stride=2), (64, 64, 3, 3), (64, 16, 16))
    ('direct', 'stride (2, 2)')
    """
    oc, oh, ow = output
    _, c, kh, kw = weight
    if (oh, ow) == (1, 1) and op.groups == 1:
        return "dense", "one output pixel"
    if op.groups > 1:
        return "direct", f"{op.groups} groups"
    if kh != kw or kh not in INPUT_COST:
        return "direct", f"kernel {kh}x{kw}"
    if op.stride != (1, 1):
        return "direct", f"stride {op.stride}"
    if op.dilation != (1, 1):
        return "direct", f"dilation {op.dilation}"
    direct = oh * ow * kh * kw * c * oc
    tiles = -(-oh // OUTPUTS) * -(-ow // OUTPUTS)
    tiles = tiles if tiles == 1 else -(-tiles // 4) * 4
    products = (kh + OUTPUTS - 1) ** 2 * c * oc
    winograd = tiles * (products + INPUT_COST[kh] * c + OUTPUT_COST[kh] * oc)
    reason = f"{direct / winograd:.2f} x fewer operations by Winograd"
    fast = f"winograd{OUTPUTS}x{kh}"
    if fast not in allowed:
        return "direct", f"{fast} not allowed"
    return (fast if winograd < direct else "direct"), reason
