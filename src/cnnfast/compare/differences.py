"""Which layer of one side is which of the other, and how far apart they are."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.compare.backends import BOUND, Backend
from cnnfast.errors import ConfigError
from cnnfast.ops import Array, Shape


@frozen
class Difference:
    """How far two results are apart.

    Attributes
    ----------
    left, right : str
        The layers.
    kind : str
        What the left one is.
    shape : Shape
        Of one image, as the left side has it.
    size : float
        The largest difference of two elements, divided by the largest element of the right side.
    image : int
    place : tuple of int
        Where the largest difference is.
    values : (float, float)
        What both sides have there.
    """

    left: str
    right: str
    kind: str
    shape: Shape
    size: float
    image: int
    place: tuple[int, ...]
    values: tuple[float, float]


@frozen
class Comparison:
    """What has been found.

    Attributes
    ----------
    images : int
    layers : tuple of Difference
        In the order of the left side, the output last.
    same_top1 : int
        How many images get the same label.
    bound : float
    left_out : tuple of str
        Layers that both sides have, but one gives no real numbers for: integers whose meaning is unknown.
    """

    images: int
    layers: tuple[Difference, ...]
    same_top1: int
    bound: float
    left_out: tuple[str, ...] = ()

    @property
    def output(self) -> Difference:
        """The difference of the outputs."""
        return self.layers[-1]

    @property
    def first(self) -> Difference | None:
        """The first layer that differs by more than the bound; not a number counts as different."""
        return next((layer for layer in self.layers if not layer.size <= self.bound), None)

    @property
    def is_alike(self) -> bool:
        """Whether the outputs are within the bound and all labels agree."""
        return self.output.size <= self.bound and self.same_top1 == self.images


def compare(left: Backend, right: Backend, images: tuple[Array, Array], bound: float = BOUND) -> Comparison:
    """Run both sides and compare every layer that both have.

    Parameters
    ----------
    left, right : Backend
    images : (array, array)
        float32 (N, C, H, W) or (N, F), for each side as it wants them.
    bound : float

    Raises
    ------
    ConfigError
        If the outputs have different numbers of elements.
    """
    pairs = matching(left, right)
    ours = left.run(images[0], [a for a, _ in pairs])
    theirs = right.run(images[1], [b for _, b in pairs])
    if ours[left.output][0].size != theirs[right.output][0].size:
        raise ConfigError(
            f"{left.title} gives {ours[left.output].shape[1:]} and {right.title} {theirs[right.output].shape[1:]}: "
            "two networks can be compared that have as many outputs"
        )
    found = []
    left_out = tuple(a for a, b in pairs if b not in theirs)
    for a, b in pairs:
        other = _laid_out(theirs[b], ours[a].shape) if b in theirs else None
        if other is not None:
            found.append(difference(a, b, left.layers[a], ours[a], other))
    labels = [result.reshape(len(result), -1).argmax(axis=1) for result in (ours[left.output], theirs[right.output])]
    return Comparison(len(images[0]), tuple(found), int((labels[0] == labels[1]).sum()), bound, left_out)


def matching(left: Backend, right: Backend) -> list[tuple[str, str]]:
    """Return which layers belong together, the outputs last: by name, else what is of one kind and shape in order."""
    names = [name for name in left.layers if name in right.layers]
    if 2 * len(names) >= min(len(left.layers), len(right.layers)):
        pairs = [(name, name) for name in names]
    else:
        first, second = ([str(layer) for layer in side.layers.values()] for side in (left, right))
        mine, yours = list(left.layers), list(right.layers)
        blocks = difflib.SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
        pairs = [(mine[block.a + i], yours[block.b + i]) for block in blocks for i in range(block.size)]
    outputs = (left.output, right.output)
    return [pair for pair in pairs if not set(pair) & set(outputs)] + [outputs]


def _laid_out(theirs: Array, shape: Sequence[int]) -> Array | None:
    """Return a result as the other side has it: the channels may be last, and axes of size 1 may be missing."""
    if theirs.shape == tuple(shape):
        return theirs
    if theirs.ndim == 4 and len(shape) == 4 and np.moveaxis(theirs, -1, 1).shape == tuple(shape):
        return np.moveaxis(theirs, -1, 1)
    one_axis = sum(size > 1 for size in shape[1:]) <= 1
    return theirs.reshape(shape) if theirs.size == np.prod(shape) and one_axis else None


def difference(left: str, right: str, layer: tuple[str, Shape], ours: Array, theirs: Array) -> Difference:
    """Return how far apart two results of one shape are; equal infinities do not differ, NaN differs from all."""
    with np.errstate(invalid="ignore"):
        apart = np.where(ours == theirs, 0.0, np.abs(ours.astype(np.float64) - theirs))
    at = np.unravel_index(int(np.argmax(np.where(np.isnan(apart), np.inf, apart))), apart.shape)
    scale = float(np.abs(theirs).max(initial=0)) or 1.0
    place = tuple(int(i) for i in at)
    values = float(ours[at]), float(theirs[at])
    return Difference(left, right, *layer, float(apart[at]) / scale, place[0], place[1:], values)
