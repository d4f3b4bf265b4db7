"""Where a step gets its images from: pictures that look different in every epoch, or features computed in advance."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.runtime.waiting import result_of
from cnnfast.train import rng
from cnnfast.train.augment import Flip, Views
from cnnfast.train.examples import Examples
from cnnfast.train.recipe import Recipe

AHEAD = 2
"""Batches whose views are being made while the engine computes: one hides the work, a second smooths it."""

Maker = Callable[[Array], Array]


class ExampleSource(Protocol):
    """What a trainer learns from: examples, and how they look in each epoch."""

    @property
    def examples(self) -> Examples:
        """The images and their labels."""
        ...

    def views(self, epoch: int) -> Maker:
        """Return what makes the input of a step, (n, ...), from the numbers of its images, (n,)."""
        ...

    def scores(self, net: Network) -> Array:
        """Return the output of a network for all images as they are, (N, K)."""
        ...


@frozen(eq=False)
class AugmentedImages:
    """Pictures (N, H, W, C) or rows (N, F), and how they are changed."""

    examples: Examples
    recipe: Recipe

    def views(self, epoch: int) -> Maker:
        """Return what makes views of pictures, as (n, C, H, W)."""
        images = self.examples.images
        change = Views(self.recipe.augment, self.recipe.seed, epoch, len(images))

        def make(which: Array) -> Array:
            views = change(images[which], which)
            return views.transpose(0, 3, 1, 2) if views.ndim == 4 else views

        return make

    def scores(self, net: Network) -> Array:
        """Return the output for the pictures as they are."""
        return net.forward(self.examples.images, layout="nhwc").reshape(len(self.examples), -1)


@frozen(eq=False)
class Features:
    """The output of the frozen part of a network for each picture, and for its mirror image if there are two arrays.

    Attributes
    ----------
    examples : Examples
        The pictures.
    arrays : one or two float32 arrays (N, ...)
    recipe : Recipe
        Its `Flip`, if any, decides between the two.
    """

    examples: Examples
    arrays: Sequence[Array]
    recipe: Recipe

    def views(self, epoch: int) -> Maker:
        """Return what chooses features."""
        if len(self.arrays) == 1:
            return lambda which: self.arrays[0][which]
        (flip,) = (a for a in self.recipe.augment if isinstance(a, Flip))
        # The mask that a flip would have drawn, found by flipping an image of the numbers 0 and 1.
        pair = np.tile(np.arange(2, dtype=np.uint8), len(self.examples)).reshape(-1, 1, 2, 1)
        change = Views([flip], self.recipe.seed, epoch, len(self.examples))
        mirrored = change(pair, np.arange(len(pair)))[:, 0, 0, 0] == 1

        def make(which: Array) -> Array:
            chosen = mirrored[which].reshape(-1, *[1] * (self.arrays[0].ndim - 1))
            return np.where(chosen, self.arrays[1][which], self.arrays[0][which])

        return make

    def scores(self, net: Network) -> Array:
        """Return the output for the features of the pictures as they are."""
        return net.forward(self.arrays[0], layout="nchw").reshape(len(self.examples), -1)


def epoch_parts(recipe: Recipe, epoch: int, count: int) -> list[Array]:
    """Return the numbers of the images of each step of an epoch."""
    return np.array_split(rng.order(recipe.seed, epoch, count), -(-count // recipe.batch))


def batches(source: ExampleSource, recipe: Recipe, epoch: int) -> Iterator[tuple[Array, Array]]:
    """Yield the numbers of the images of each step, (n,), and its input, (n, ...)."""
    parts = epoch_parts(recipe, epoch, len(source.examples))
    make = source.views(epoch)
    if not recipe.augment:
        yield from ((part, make(part)) for part in parts)
        return
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[tuple[Array, Future[Array]]] = deque()
        for part in parts:
            waiting.append((part, pool.submit(make, part)))
            if len(waiting) > AHEAD:
                done, view = waiting.popleft()
                yield done, result_of(view)
        for done, view in waiting:
            yield done, result_of(view)
