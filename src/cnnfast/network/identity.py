"""What a network is, as a digest: everything that its results depend on."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cnnfast.network.network import Network


def identity(net: Network) -> hashlib._Hash:
    """Return the SHA-256 of the graph, its constants and the preprocessing of a network, to be updated or read.

    Examples
    --------
    >>> from cnnfast import Network
    >>> identity(Network.load("mnist-mlp")).hexdigest() == identity(Network.load("mnist-mlp")).hexdigest()
    True
    """
    total = hashlib.sha256(repr((dict(net.graph.inputs), net.graph.nodes, net.preprocess)).encode())
    for name, array in sorted(net.graph.constants.items()):
        total.update(name.encode())
        total.update(array.reshape(-1).view(np.uint8).data)
    return total
