"""Images as calibration takes them."""

from __future__ import annotations

from cnnfast.errors import InputError
from cnnfast.graph import Graph, Node
from cnnfast.network.network import Network
from cnnfast.ops import Array, Identity


def network_inputs(net: Network, images: object, layout: str | None) -> Array:
    """Return what a network reads of images, float32 (N, *input_shape), as kernels make it of pixels.

    Raises
    ------
    InputError
        As `Network.forward`; and if there are no images.
    """
    same = Graph({"image": net.input_shape}, (Node("values", Identity(), ("image",)),), {}, ("values",))
    values = Network.from_graph(same, preprocess=net.preprocess).forward(images, layout=layout)
    if len(values) == 0:
        raise InputError("calibration needs images: 100 to 500 of the kind that the network will see")
    return values
