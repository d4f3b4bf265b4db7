"""Probabilities together with whether an image is like any that the network knows."""

from __future__ import annotations

import numpy as np

from cnnfast.calibration.familiarity import familiarity_of, threshold_in
from cnnfast.calibration.scores import ending_of, scores_network
from cnnfast.errors import ConfigError
from cnnfast.formats import Model
from cnnfast.network.network import Network
from cnnfast.ops import Array


class Recognizer:
    """Classifies, and says of each image how familiar it is; see `cnnfast.calibration.familiarity`.

    Parameters
    ----------
    net : Network
    known_above : float, optional
        The familiarity above which an image is known; by default what `calibrate` has put into the network.

    Raises
    ------
    ConfigError
        If neither says.
    UnsupportedError
        If the network gives several answers for each image.

    Examples
    --------
    >>> recognizer = Recognizer(Network.load("cifar10-cs61c"), known_above=1.0)
    >>> probabilities, familiarity = recognizer.recognize(np.zeros((3, 32, 32, 3), np.uint8))
    >>> probabilities.shape, familiarity.shape
    ((3, 10), (3,))
    """

    def __init__(self, net: Network, known_above: float | None = None) -> None:
        least = threshold_in(net.notes) if known_above is None else known_above
        if least is None:
            raise ConfigError(
                "this network does not say how familiar a known image is; `cnnfast calibrate MODEL DATA --out FILE` "
                "finds out, with labeled images that it has not learned from"
            )
        ending = ending_of(net)
        self.known_above = least
        self._is_binary = net.is_binary
        self._scores = scores_network(net, ending)
        self._end = Network(Model(ending.above()))

    def recognize(
        self, images: object, *, layout: str | None = None, threads: int | None = None
    ) -> tuple[Array, Array]:
        """Return the probabilities, bit-identical to those of `Network.predict_proba`, and the familiarity.

        Parameters
        ----------
        images, layout, threads
            As for `Network.forward`.

        Returns
        -------
        probabilities : float32 array (N, K)
        familiarity : float64 array (N,)
        """
        scores = self._scores.forward(images, layout=layout, threads=threads)
        flat = scores.reshape(len(scores), -1)
        stated = None if scores.ndim < 3 else "nchw"
        found = self._end.forward(scores, layout=stated, threads=threads).reshape(len(scores), -1)
        if self._is_binary:
            found = np.concatenate([1 - found, found], axis=1)
        return found, familiarity_of(flat)
