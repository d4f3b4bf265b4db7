"""Resize and Upsample, over height and width."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.operators.operator_list import operator
from cnnfast.formats.onnx.values import BATCHES, OnnxImages, Static, whole
from cnnfast.ops import Resize

NAMES = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "cubic": "cubic"}


@operator("Upsample", "Resize")
def resize(call: NodeCall) -> OnnxImages:
    """Interpolate each channel at another resolution."""
    x = call.images(0)
    if len(x.shape) != 3:
        raise UnsupportedError(f"images of shape {x.shape}; (C, H, W) is run")
    mode = call.text("mode", "nearest")
    if mode not in NAMES:
        raise UnsupportedError(f"mode {mode!r}")
    sizes, scales = _sizes(call, x)
    # said of tf_crop_and_resize, which is not run
    call.ignore("extrapolation_value", "cubic_coeff_a", "keep_aspect_ratio_policy")
    options = _coordinates(call) | dict(scale_h=scales[0], scale_w=scales[1])
    if NAMES[mode] == "cubic":
        options["cubic"] = call.real("cubic_coeff_a", -0.75)
        if x.integers is not None:
            raise UnsupportedError(
                f"it overshoots the range of {x.integers}; put DequantizeLinear or Cast in front of it"
            )
    # the weights of an interpolation sum to 1, so it may be done before or after integers are made numbers
    y = call.emit(Resize(sizes, NAMES[mode], **options), x.real)
    return replace(y, integers=x.integers)


def _coordinates(call: NodeCall) -> dict[str, Any]:
    """Return where pixels are, as `Resize` says it; before opset 11 there was no choice."""
    if call.kind == "Upsample" or call.opset < 11:
        return dict(coordinates="asymmetric", rounding="floor")
    where = call.text("coordinate_transformation_mode", "half_pixel")
    if where not in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric"):
        raise UnsupportedError(f"coordinate_transformation_mode {where!r}")
    flags = {name: call.flag(name) for name in ("antialias", "exclude_outside")}
    return dict(coordinates=where, rounding=call.text("nearest_mode", "round_prefer_floor"), **flags)


def _sizes(call: NodeCall, x: OnnxImages) -> tuple[tuple[int, int], tuple[float, float]]:
    """Return the new height and width, and the scales where they are given (else 0)."""
    index = 1 if call.kind == "Upsample" or call.opset < 11 else 2
    axes = [axis % 4 for axis in call.integers("axes", range(4))]
    if len(set(axes)) != len(axes):
        raise ModelFileError(f"the axes {axes[:8]} of {call.kind} name one of four twice")
    if call.opset >= 11 and call.has(3) and (sizes := _given_sizes(call)):
        if len(sizes) != len(axes):
            raise ModelFileError(f"sizes {sizes[:8]} of {call.kind} do not fit the axes {axes}")
        return _by_sizes(call, x, dict(zip(axes, sizes, strict=True)))
    if call.kind == "Upsample" and call.opset < 9:
        scales = call.reals("scales", ())
    else:
        scales = [float(v) for v in call.static(index).reshape(-1)]
    if len(scales) != len(axes) or not all(0 < s < 1e6 for s in scales):
        raise ModelFileError(f"scales {scales[:8]} of {call.kind} do not fit the axes {axes[:8]}")
    factor = dict(zip(axes, scales, strict=True))
    if factor.get(0, 1.0) != 1 or factor.get(1, 1.0) != 1:
        raise UnsupportedError(f"scales {scales}: only height and width may change")
    by_axis = factor.get(2, 1.0), factor.get(3, 1.0)
    height, width = (math.floor(size * scale) for size, scale in zip(x.shape[1:], by_axis, strict=True))
    return (height, width), by_axis


def _given_sizes(call: NodeCall) -> list[int]:
    """Return the sizes that a node states; the first may be the number of images."""
    value = call.value(3)
    if not isinstance(value, Static):
        raise UnsupportedError("its sizes are computed from the images")
    a, b = map(whole, value.pair)
    if a != b and (len(a) != 4 or a[1:] != b[1:] or (a[0], b[0]) != BATCHES):
        raise UnsupportedError(f"sizes {a} for {BATCHES[0]} images and {b} for {BATCHES[1]}")
    return a


def _by_sizes(call: NodeCall, x: OnnxImages, given: dict[int, int]) -> tuple[tuple[int, int], tuple[float, float]]:
    if given.get(1, x.shape[0]) != x.shape[0]:
        raise UnsupportedError(f"sizes {list(given.values())}: only height and width may change")
    wanted = [given.get(axis, x.shape[axis - 1]) for axis in (2, 3)]
    policy = call.text("keep_aspect_ratio_policy", "stretch")
    ratios = [wanted[axis - 2] / x.shape[axis - 1] for axis in (2, 3) if axis in given]
    if policy == "stretch" or not ratios:
        return (wanted[0], wanted[1]), (0.0, 0.0)
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    height, width = (
        int(np.floor(x.shape[axis - 1] * scale + 0.5)) if axis in given else x.shape[axis - 1] for axis in (2, 3)
    )
    return (height, width), (scale if 2 in given else 1.0, scale if 3 in given else 1.0)
