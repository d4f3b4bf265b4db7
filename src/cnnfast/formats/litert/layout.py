"""Which axis of the images counts the channels: LiteRT wants N, H, W, C, and a file made from PyTorch turns its own."""

from __future__ import annotations

from cnnfast.errors import ConfigError
from cnnfast.formats.litert.model import LiteRtModel, Operator

FIRST_TO_LAST = [0, 2, 3, 1]
"""The order of axes that makes N, H, W, C of N, C, H, W."""

CHANNELS = (1, 3, 4)

IN_PLACE = frozenset(
    [
        *("QUANTIZE", "DEQUANTIZE", "CAST", "ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "NEG", "ABS"),
        *("PAD", "PADV2", "MIRROR_PAD", "SLICE", "STRIDED_SLICE", "CONCATENATION", "SPLIT"),
        *("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LOGISTIC", "TANH"),
    ]
)
"""Operators whose results have the axes of the images where the images have them."""


def has_channels_first(model: LiteRtModel, input_layout: str | None) -> bool:
    """Return whether the input of a model is N, C, H, W: as the user specifies, else by what the model does first.

    Raises
    ------
    ConfigError
        If the user specifies it of an input that is not an image.
    """
    tensor = model.tensors[model.inputs[0]]
    if len(tensor.shape) != 4:
        if input_layout is not None:
            raise ConfigError(
                f"input_layout={input_layout!r} is for images (N, H, W, C), but the input is {tensor.shape}"
            )
        return False
    if input_layout is not None:
        return input_layout == "nchw"
    return tensor.shape[3] not in CHANNELS and _is_turned(model)


def _is_turned(model: LiteRtModel) -> bool:
    """Return whether everything that reads the images brings their second axis to the end."""
    images, ends = {model.inputs[0]}, []
    for operator in model.operators:
        if images.isdisjoint(operator.inputs):
            continue
        if operator.kind in IN_PLACE:
            images.update(operator.outputs)
        else:
            ends.append(_turns(model, operator))
    return bool(ends) and all(ends)


def _turns(model: LiteRtModel, operator: Operator) -> bool:
    if operator.kind == "TRANSPOSE" and len(operator.inputs) > 1:
        order = model.array(operator.inputs[1])
        return order is not None and order.ravel().tolist() == FIRST_TO_LAST
    if operator.kind != "RESHAPE" or not operator.outputs:
        return False
    before, after = (model.tensors[index].shape for index in (operator.inputs[0], operator.outputs[0]))
    # a single channel needs no transpose
    return before[1:2] == (1,) and after == (before[0], *before[2:], 1)
