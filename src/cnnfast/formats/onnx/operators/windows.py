"""Windows that slide over images: strides, dilations and padding of convolutions and pools, over one axis or two."""

from __future__ import annotations

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.call import NodeCall
from cnnfast.formats.onnx.values import OnnxImages
from cnnfast.ops import Reshape, Shape
from cnnfast.ops.reshape import same_padding

Pair = tuple[int, int]


@frozen
class Window:
    """The attributes of a convolution or pool over (C, H, W)."""

    kernel: Pair
    stride: Pair
    dilation: Pair
    padding: tuple[int, int, int, int]


def with_rows(call: NodeCall, x: OnnxImages) -> OnnxImages:
    """Return images (C, H, W); those of one axis, (C, W), become one row high."""
    if len(x.shape) == 2:
        return call.emit(Reshape((x.shape[0], 1, x.shape[1])), x)
    if len(x.shape) != 3:
        raise UnsupportedError(f"images of shape {x.shape}; it runs on (C, H, W) and (C, W)")
    return x


def without_rows(call: NodeCall, y: OnnxImages, rank: int) -> OnnxImages:
    """Return images of as many axes as before `with_rows`."""
    return call.emit(Reshape((y.shape[0], y.shape[2])), y) if rank == 2 else y


def window(call: NodeCall, kernel: tuple[int, ...], x: Shape) -> Window:
    """Return the window of a node over images of shape ``x``, (C, H, W)."""
    axes = len(kernel)
    stride, dilation = (call.integers(name, (1,) * axes) for name in ("strides", "dilations"))
    pads = call.integers("pads", (0,) * 2 * axes)
    if axes not in (1, 2) or not len(stride) == len(dilation) == axes or len(pads) != 2 * axes:
        raise ModelFileError(
            f"kernel {kernel}, strides {stride}, dilations {dilation} and pads {pads} of {call.kind} do not fit images "
            f"of shape {x}"
        )
    if axes == 1:
        kernel, stride, dilation = ((1, *v) for v in (kernel, stride, dilation))
        pads = (0, pads[0], 0, pads[1])
    if min(*kernel, *stride, *dilation) < 1:
        raise ModelFileError(
            f"kernel {kernel}, strides {stride} and dilations {dilation} of {call.kind} must be positive"
        )
    k, s, d = ((v[0], v[1]) for v in (kernel, stride, dilation))
    return Window(k, s, d, _padding(call, (pads[0], pads[1], pads[2], pads[3]), x, k, s, d))


def _padding(
    call: NodeCall, pads: tuple[int, int, int, int], x: Shape, kernel: Pair, stride: Pair, dilation: Pair
) -> tuple[int, int, int, int]:
    mode = call.text("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return pads
    if mode == "VALID":
        return 0, 0, 0, 0
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise ModelFileError(f"auto_pad of {call.kind} is {mode!r}; it must be NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    pairs = [same_padding(x[i + 1], kernel[i], stride[i], dilation[i]) for i in range(2)]
    (top, bottom), (left, right) = pairs if mode == "SAME_UPPER" else [(after, before) for before, after in pairs]
    return top, left, bottom, right
