"""Lays the weights of integer layers out as words: four channels of a product in the bytes of one."""

from __future__ import annotations

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.ops import Array

WORD = 4
"""Channels in a word."""


def block_count(channels: int, block: int = WORD) -> int:
    """Return how many blocks of channels there are.

    Examples
    --------
    >>> block_count(5)
    2
    """
    return -(-channels // block)


@frozen
class GroupWindows:
    """Which blocks of input channels each block of output channels reads: ``span`` of them from ``starts`` on."""

    starts: Array
    span: int


def group_windows(channels: int, outputs: int, groups: int, block: int = WORD) -> GroupWindows:
    """Return what each ``block`` of output channels reads; groups may end within a block.

    Examples
    --------
    >>> group_windows(channels=12, outputs=6, groups=2)
    GroupWindows(starts=array([0, 0]), span=3)
    """
    inputs, each = channels // groups, outputs // groups
    first = np.arange(block_count(outputs, block)) * block
    last = np.minimum(first + block, outputs) - 1
    low = first // each * inputs // WORD
    high = -(-(last // each + 1) * inputs // WORD)
    span = int((high - low).max())
    return GroupWindows(np.minimum(low, block_count(channels) - span), span)


def pack_conv(weight: Array, groups: int, block: int = WORD) -> Array:
    """Return weights (OC, C per group, KH, KW) as words (blocks, products, block): product, then output channel.

    The bytes of a word are four input channels of a product; weights that a block does not read are zero.

    Examples
    --------
    >>> weight = np.arange(1, 6, dtype=np.int8).reshape(1, 5, 1, 1)
    >>> pack_conv(weight, groups=1).view(np.int8).reshape(2, 4, 4)[:, 0]
    array([[1, 2, 3, 4],
           [5, 0, 0, 0]], dtype=int8)
    """
    outputs, inputs, kh, kw = weight.shape
    windows = group_windows(inputs * groups, outputs, groups, block)
    result = np.zeros((block_count(outputs, block), windows.span, kh * kw, block, WORD), np.int8)
    channel = np.arange(inputs)
    for o in range(outputs):
        place, row = divmod(o, block)
        absolute = o // (outputs // groups) * inputs + channel
        word = absolute // WORD - windows.starts[place]
        result[place, word, :, row, absolute % WORD] = weight[o].reshape(inputs, -1)
    return as_words(result)


def pack_depthwise(weight: Array, taps: Array, block: int = WORD) -> Array:
    """Return weights (C, 1, KH, KW) as words (blocks, fours of taps, channels), in the order of ``taps``.

    ``taps`` numbers the products of a channel four by four; -1 is one of weight zero.

    Examples
    --------
    >>> pack_depthwise(np.array([7, 8], np.int8).reshape(2, 1, 1, 1), np.array([0, -1, -1, -1])).view(np.int8)
    array([7, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], dtype=int8)
    """
    channels = len(weight)
    rows = np.zeros((block_count(channels, block) * block, len(taps)), np.int8)
    rows[:channels, taps >= 0] = weight.reshape(channels, -1)[:, taps[taps >= 0]]
    return as_words(rows.reshape(-1, block, len(taps) // WORD, WORD).transpose(0, 2, 1, 3))


def depthwise_taps(kh: int, kw: int) -> Array:
    """Return the products of a depthwise convolution four by four: each row by itself if it has two to four.

    Examples
    --------
    >>> depthwise_taps(2, 3)
    array([ 0,  1,  2, -1,  3,  4,  5, -1])
    """
    taps = np.arange(kh * kw)
    if 2 <= kw <= WORD:
        return np.pad(taps.reshape(kh, kw), ((0, 0), (0, WORD - kw)), constant_values=-1).reshape(-1)
    return np.pad(taps, (0, -len(taps) % WORD), constant_values=-1)


def as_words(values: Array) -> Array:
    """Return bytes, or numbers of 32 bits, as a step takes its parameters: viewed as float32."""
    result: Array = np.ascontiguousarray(values).reshape(-1).view(np.float32)
    result.flags.writeable = False
    return result


def by_block(values: Array, dtype: type, block: int = WORD) -> Array:
    """Return a number for each channel, filled up to whole blocks with zeros.

    Examples
    --------
    >>> by_block(np.array([1, 2, 3, 4, 5]), np.int32)
    array([1, 2, 3, 4, 5, 0, 0, 0], dtype=int32)
    """
    result: Array = np.zeros(block_count(len(values), block) * block, dtype)
    result[: len(values)] = values
    return result
