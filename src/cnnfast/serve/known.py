"""Which batcher a network gets: one that says what is unknown, where its file says how familiar a known image is."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.serve.batcher import Batcher


def batcher_for(net: Network, **options: Any) -> Batcher:
    """Return a batcher; whether its rows tell what is unknown is its `judges`."""
    if not net.notes:
        return Batcher(net, **options)
    from cnnfast.calibration.familiarity import threshold_in

    return Batcher(net, **options) if threshold_in(net.notes) is None else JudgingBatcher(net, **options)


class JudgingBatcher(Batcher):
    """Gives behind the probabilities of each image a 1 if it is unlike those that the network has learned from, else 0.

    Parameters
    ----------
    network : Network
        With the threshold that `cnnfast.calibrate` puts into it.
    **options
        As for `Batcher`.
    """

    judges = True

    def __init__(self, network: Network, **options: Any) -> None:
        from cnnfast.calibration.recognizer import Recognizer

        super().__init__(network, **options)
        self._recognizer = Recognizer(network)

    def _compute(self, images: Array, layout: str) -> Array:
        threads = self._threads_for(len(images))
        probabilities, familiarity = self._recognizer.recognize(images, layout=layout, threads=threads)
        is_unknown = ~(familiarity > self._recognizer.known_above)
        return np.concatenate([probabilities, is_unknown[:, None].astype(np.float32)], axis=1)
