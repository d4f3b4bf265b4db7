"""What shape an operator of LiteRT makes, N included: what a converter would write into the file."""

from __future__ import annotations

from typing import Any

from cnnfast.ops import Array

Shape = list[int]
Options = dict[str, Any]


def result_of(kind: str, shape: Shape, constants: list[Array], options: Options) -> Shape:
    """Return the shape of a result; whatever does not fit raises some error."""
    if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"):
        return _windows(kind, shape, constants, options)
    if kind == "FULLY_CONNECTED":
        rows = shape[:-1] if options.get("KeepNumDims") else [1]
        return [*rows, constants[0].shape[0]]
    if kind in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"):
        axes = {int(axis) % len(shape) for axis in constants[0]}
        kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
        return kept if options.get("KeepDims") else [size for axis, size in enumerate(kept) if axis not in axes]
    if kind in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        return [shape[0], *(int(size) for size in constants[0]), shape[3]]
    return OTHERS[kind](shape, constants, options) if kind in OTHERS else shape


def _windows(kind: str, shape: Shape, constants: list[Array], options: Options) -> Shape:
    if kind.endswith("CONV_2D"):
        kernel, channels = constants[0].shape[1:3], constants[0].shape[0 if kind == "CONV_2D" else 3]
    else:
        kernel, channels = (options["FilterHeight"], options["FilterWidth"]), shape[3]
    sides = []
    for size, reach, side in zip(shape[1:3], kernel, "HW", strict=True):
        whole = (reach - 1) * options.get(f"Dilation{side}Factor", 1) + 1
        places = size if options["Padding"] == 0 else size - whole + 1
        sides.append(-(-places // options[f"Stride{side}"]))
    return [shape[0], *sides, channels]


def _slice(shape: Shape, constants: list[Array], options: Options) -> Shape:
    begin, count = constants
    return [size - b if c == -1 else int(c) for size, b, c in zip(shape, begin, count, strict=True)]


def _strided_slice(shape: Shape, constants: list[Array], options: Options) -> Shape:
    sizes = []
    for axis, (size, begin, end, step) in enumerate(zip(shape, *constants, strict=True)):
        first, last = int(begin), int(end)
        first = 0 if options.get("BeginMask", 0) >> axis & 1 else range(size + 1)[slice(first, None)].start
        last = last + first if options.get("Offset") else last
        last = size if options.get("EndMask", 0) >> axis & 1 else last
        sizes.append(len(range(size)[slice(first, last, int(step))]))
    return sizes


def _joined(shape: Shape, constants: list[Array], options: Options) -> Shape:
    axis = options["Axis"] % len(shape)
    return [2 * size if axis == own else size for own, size in enumerate(shape)]


def _parts(shape: Shape, constants: list[Array], options: Options) -> Shape:
    axis = int(constants[0]) % len(shape)
    return [size // options["NumSplits"] if axis == own else size for own, size in enumerate(shape)]


def _expanded(shape: Shape, constants: list[Array], options: Options) -> Shape:
    axis = int(constants[0][0])
    return [*shape[:axis], 1, *shape[axis:]]


def _reshaped(shape: Shape, constants: list[Array], options: Options) -> Shape:
    return [shape[0], *(int(size) for size in constants[0][1:])]


OTHERS = {
    "SPLIT": _parts,
    "EXPAND_DIMS": _expanded,
    "RESHAPE": _reshaped,
    "SQUEEZE": lambda shape, constants, options: [size for size in shape if size != 1],
    "TRANSPOSE": lambda shape, constants, options: [shape[axis] for axis in constants[0]],
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "CONCATENATION": _joined,
    **dict.fromkeys(
        ("PAD", "PADV2", "MIRROR_PAD"),
        lambda shape, constants, options: [
            size + int(sides.sum()) for size, sides in zip(shape, constants[0], strict=True)
        ],
    ),
}
