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
    """Each element gets the sum of the gradients of its copies."""
    x = inputs[0]
    numbers = np.arange(x[0].size).reshape(x.shape[1:])
    around = op.around()
    if op.mode == "constant":
        copies = np.pad(numbers, around, constant_values=x[0].size)
    else:
        copies = np.pad(numbers, around, mode=op.mode)  # type: ignore[call-overload]
    dx = np.zeros((len(x), x[0].size + 1), dy.dtype)
    np.add.at(dx.T, copies.reshape(-1), dy.reshape(len(x), -1).T)
    return (dx[:, :-1].reshape(x.shape),)


@gradient_of(Identity, Dropout)
def _nothing(op: Identity | Dropout, inputs: tuple[Array, ...], y: Array, dy: Array) -> Gradients:
    """Dropout in prediction; in training it multiplies by `dropout_mask` both ways."""
    return (dy,)
