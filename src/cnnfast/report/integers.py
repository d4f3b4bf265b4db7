"""A network of floats next to the integers made of it: which labels change, how sure that is, and how fast each is."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnfast.calibration.certainty import CERTAIN, interval
from cnnfast.network.network import Network
from cnnfast.ops import Array

BATCH = 256
"""Images of a batch whose time is taken."""

ROUNDS = 7
"""How often each network is timed, in turns; what counts is the least time."""

SHORTEST = 0.02
"""Seconds that a round takes at least, of as many calls as that needs."""

SAME_SPEED = 1.05
"""What is not faster by more than this is called no faster."""


@dataclass(eq=False, repr=False)
class LabelCounts:
    """What became of the labels of images whose classes are known.

    Attributes
    ----------
    images : int
    right : int
        In float.
    lost, gained : int
        Right in float and wrong in integers, and the other way round.
    between_wrong : int
        Wrong in both, with another label.

    Examples
    --------
    >>> counts = LabelCounts()
    >>> counts.add(np.array([0, 0, 0, 0]), np.array([0, 0, 1, 2]), np.array([0, 1, 0, 1]))
    >>> counts.lost, counts.gained, counts.between_wrong, counts.accuracy, counts.integer_accuracy, counts.agreement
    (1, 1, 1, 0.5, 0.5, 0.25)
    """

    images: int = 0
    right: int = 0
    lost: int = 0
    gained: int = 0
    between_wrong: int = 0

    def add(self, labels: Array, floats: Array, integers: Array) -> None:
        """Count images by the number of their class, and by what each network says."""
        before, after = floats == labels, integers == labels
        self.images += len(labels)
        self.right += int(before.sum())
        self.lost += int((before & ~after).sum())
        self.gained += int((after & ~before).sum())
        self.between_wrong += int((~before & ~after & (floats != integers)).sum())

    @property
    def accuracy(self) -> float:
        """Of the network of floats."""
        return self.right / self.images

    @property
    def integer_accuracy(self) -> float:
        """Of the network of integers."""
        return (self.right - self.lost + self.gained) / self.images

    @property
    def agreement(self) -> float:
        """The share of the images with the same label."""
        return 1 - (self.lost + self.gained + self.between_wrong) / self.images

    @property
    def gain(self) -> tuple[float, float]:
        """How much accuracy the integers gain, and by how much that may be off, with 95 % certainty.

        Both networks see the same images, so only labels that change between right and wrong count (McNemar); one more
        of them is assumed (Agresti and Min, 2005), since that none is seen among a few images says little.
        """
        changed, gain, images = self.lost + self.gained + 1, self.gained - self.lost, self.images + 2
        return gain / self.images, CERTAIN * math.sqrt(changed - gain * gain / images) / images

    def facts(self) -> dict[str, Any]:
        """Return the counts and what follows from them, as JSON has it."""
        return {
            "images": self.images,
            "accuracy": {"float": self.accuracy, "integers": self.integer_accuracy},
            "accuracy_95": {
                "float": interval(self.accuracy, self.images),
                "integers": interval(self.integer_accuracy, self.images),
            },
            "gain": dict(zip(("accuracy", "within"), self.gain, strict=True)),
            "agreement": self.agreement,
            "changed": {"to_wrong": self.lost, "to_right": self.gained, "between_wrong": self.between_wrong},
        }


def speeds(networks: dict[str, Network], images: Array) -> dict[str, dict[str, float]]:
    """Return images per second of each network, a batch at a time and a single picture at a time.

    Parameters
    ----------
    networks : dict of str to Network
        They take turns, so that all meet the same machine.
    images : uint8 array (N, H, W, C)
    """
    some = np.resize(images, (BATCH, *images.shape[1:]))
    return {"batch": _in_turns(networks, some), "single": _in_turns(networks, some[:1])}


def _in_turns(networks: dict[str, Network], images: Array) -> dict[str, float]:
    calls = {}
    for name, net in networks.items():
        # the first call plans the network and packs its weights
        _seconds(net, images, 1)
        calls[name] = max(1, math.ceil(SHORTEST / max(_seconds(net, images, 1), 1e-6)))
    best = dict.fromkeys(networks, math.inf)
    for _ in range(ROUNDS):
        for name, net in networks.items():
            best[name] = min(best[name], _seconds(net, images, calls[name]) / calls[name])
    return {name: len(images) / seconds for name, seconds in best.items()}


def _seconds(net: Network, images: Array, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        net.predict_proba(images, layout="nhwc")
    return time.perf_counter() - start
