"""Gradients of the ops that move elements: the way back."""

from __future__ import annotations

import numpy as np

from cnnfast.ops.base import Array
from cnnfast.ops.gradients.base import Gradients, gradient_of
from cnnfast.ops.identity import Dropout, Identity
from cnnfast.ops.reshape import Flatten, Pad, Reshape, Transpose


@gradient_of(Flatten, Reshape)
def _reshape(op: Flatten | Reshape, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    return (dy.reshape(inputs[0].shape),)


@gradient_of(Transpose)
def _transpose(op: Transpose, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    return (np.transpose(dy, np.argsort(op.order)),)


@gradient_of(Pad)
def _pad(op: Pad, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    top, left, _, _ = op.padding
    return (dy[:, :, top : top + inputs[0].shape[2], left : left + inputs[0].shape[3]],)


@gradient_of(Identity, Dropout)
def _nothing(op: Identity | Dropout, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    """Dropout as it predicts; in training it multiplies by `dropout_mask` both ways."""
    return (dy,)
