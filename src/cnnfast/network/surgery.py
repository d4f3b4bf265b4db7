"""Networks made of a network: its beginning, a new end for other classes, and the mean over two views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from cnnfast import ops
from cnnfast.errors import GraphError, UnsupportedError
from cnnfast.formats import Model
from cnnfast.graph import Graph, Node, constant
from cnnfast.graph.feature_layer import feature_layer
from cnnfast.network.facts import with_own_constants
from cnnfast.network.pictures import NetworkPictures
from cnnfast.ops import Array
from cnnfast.runtime.arguments import labels, listed, whole

if TYPE_CHECKING:
    from cnnfast.formats.reference import FileReference
    from cnnfast.layers import Layer
    from cnnfast.layers.lazy import LazyLayer


MOST_BASES = 4
"""Parts of a network up to a layer that are kept, with their weights packed, for features of that layer."""


def with_mirror(graph: Graph) -> Graph:
    """Return the graph that computes the scores of each image and of its mirror image, and continues with their mean.

    A softmax or sigmoid at the end stays there.

    Raises
    ------
    GraphError
        If the input is not an image, or there are several inputs or outputs.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1 or len(next(iter(graph.inputs.values()))) != 3:
        raise GraphError("only a network of one image, (C, H, W), and one output has a mirrored twin")
    ((image, (c, h, w)),), (output,) = graph.inputs.items(), graph.outputs
    last = graph.by_name.get(output)
    end = last if last is not None and isinstance(last.op, ops.Softmax | ops.Sigmoid) else None
    base = graph if end is None else graph.cut([end.inputs[0]])
    (scores,) = base.outputs
    turned = {name: f"mirror:{name}" for name in (image, *base.by_name)}
    nodes = [*base.nodes, Node(turned[image], ops.Slice((0, 0, w - 1), (c, h, w), (1, 1, -1)), (image,))]
    nodes += [Node(turned[n.name], n.op, tuple(turned.get(v, v) for v in n.inputs)) for n in base.nodes]
    nodes.append(Node("mirror:sum", ops.Add(), (scores, turned[scores])))
    nodes.append(Node("mirror:mean", ops.Mul(), ("mirror:sum", "mirror:half")))
    if end is not None:
        nodes.append(Node(end.name, end.op, ("mirror:mean",)))
    constants = {**base.constants, "mirror:half": constant(np.full((1,), 0.5))}
    return Graph(graph.inputs, tuple(nodes), constants, (nodes[-1].name,))


class NetworkSurgery(NetworkPictures):
    """The part of `cnnfast.Network` that makes other networks of it."""

    def __init__(self, model: Model, file: FileReference | None = None) -> None:
        super().__init__(model, file)
        self._bases: dict[str, NetworkSurgery] = {}
        """Beginnings of this network whose values were asked for, each planned once."""

    def _made_of(self, graph: Graph, classes: tuple[str, ...] | None) -> Self:
        return type(self)(Model(graph, self.preprocess, classes, self.license, dict(self.notes)))

    def truncate(self, layer: str) -> Self:
        """Return the network that ends at a layer, with its values as output.

        Raises
        ------
        GraphError
            If there is no such layer; the message lists them.

        Examples
        --------
        >>> from cnnfast import Network
        >>> Network.load("cifar10-cs61c").truncate("max_pool_1").output_shape
        (16, 16, 16)
        """
        from cnnfast.graph.integers import with_float_outputs

        return self._made_of(with_float_outputs(self.graph.cut([layer]), self.graph), None)

    def features(
        self,
        images: object,
        layer: str | None = None,
        *,
        layout: str | None = None,
        outliers: str = "raise",
        threads: int | None = None,
    ) -> Array:
        """Compute what the network knows about each image before it decides.

        Parameters
        ----------
        images, layout, outliers, threads
            As for `forward`.
        layer : str, optional
            Whose values; by default those that the last dense layer reads.

        Returns
        -------
        float32 array (N, F)

        Raises
        ------
        GraphError
            If there is no such layer.
        InputError
            As for `forward`.

        Examples
        --------
        >>> from cnnfast import Network
        >>> Network.load("cifar10-cs61c").features(np.zeros((2, 32, 32, 3), np.uint8)).shape
        (2, 320)
        """
        layer = feature_layer(self.graph) if layer is None else layer
        base = self._bases.get(layer) if isinstance(layer, str) else None
        if base is None:
            base = self.truncate(layer)
            known = list(self._bases)
            for oldest in known[: max(len(known) + 1 - MOST_BASES, 0)]:
                self._bases.pop(oldest, None)
            self._bases[layer] = base
        values = base.forward(images, layout=layout, outliers=outliers, threads=threads)
        return values.reshape(-1, math.prod(base.output_shape))

    def mirrored(self) -> Self:
        """Return the network that decides by the mean of its scores for an image and for its mirror image.

        That is right a little more often, where left and right do not matter, and takes twice as long. The scores are
        the values before a softmax or sigmoid at the end.

        Raises
        ------
        GraphError
            If the network does not take one image and give one output.
        UnsupportedError
            If it gives several answers for each image: they may belong to places in it.

        Examples
        --------
        >>> from cnnfast import Network
        >>> net, images = Network.load("cifar10-cs61c"), np.arange(3072, dtype=np.uint8).reshape(1, 32, 32, 3)
        >>> both = net.mirrored()
        >>> bool(np.allclose(both.forward(images), both.forward(images[:, :, ::-1]), atol=1e-6))
        True
        """
        if self.answer_shape:
            raise UnsupportedError(
                f"this network gives answers of shape {self.answer_shape} for each image; only a network with a single "
                "answer has a mirrored twin, because the answers for a mirror image may be in other places"
            )
        return self._made_of(with_mirror(self.graph), self.class_names)

    def with_head(
        self,
        classes: Sequence[str],
        layers: Sequence[int | Layer | LazyLayer] = (),
        *,
        layer: str | None = None,
        seed: int = 0,
    ) -> Self:
        """Return the network with a new, untrained end; see `cnnfast.train.fit`.

        Parameters
        ----------
        classes : sequence of str
            What to tell apart; a dense layer with an output for each is the last one.
        layers : sequence of int and layers
            What comes before it; an int stands for a dense layer of that many outputs. Layers such as
            ``Conv2d(16, 3)`` get random weights as in `Network.build`. Where a dense layer follows a map, a flatten is
            put between them.
        layer : str, optional
            What is kept, up to this layer; by default all before the last dense layer.
        seed : int
            Of the new weights.

        Raises
        ------
        GraphError
            If there is no such layer, or shapes do not fit.

        Examples
        --------
        >>> from cnnfast import Network
        >>> from cnnfast.layers import Relu
        >>> pets = Network.load("cifar10-cs61c").with_head(["cat", "dog"], layers=[16, Relu()])
        >>> pets.output_shape, pets.classes_.tolist()
        ((2,), ['cat', 'dog'])
        """
        from cnnfast.network.head import with_head

        names = tuple(map(str, listed("classes", labels("classes", classes, GraphError), GraphError)))
        whole("seed", seed, least=0)
        at = feature_layer(self.graph) if layer is None else layer
        graph = with_head(self.graph, len(names), layers, at, seed)
        return type(self)(Model(with_own_constants(graph), self.preprocess, names, self.license, {}))
