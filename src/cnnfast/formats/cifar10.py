"""What the two CIFAR-10 formats leave unsaid: the labels, and how a byte becomes a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnfast.images.preprocess import Preprocess

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def byte_minus_half() -> Preprocess:
    """Return the preprocessing of ConvNetJS's CIFAR-10 demo: ``byte / 255 - 0.5``.

    Examples
    --------
    >>> byte_minus_half().mean
    (0.5, 0.5, 0.5)
    """
    from cnnfast.images.preprocess import Preprocess

    return Preprocess(size=(32, 32), scale=1 / 255, mean=(0.5,) * 3, std=(1.0,) * 3)
