"""The scores of a network: the values of which its softmax or sigmoid makes probabilities."""

from __future__ import annotations

import math

from cnnfast import ops
from cnnfast._frozen import frozen
from cnnfast.errors import UnsupportedError
from cnnfast.formats import Model
from cnnfast.graph import Graph, Node
from cnnfast.graph.answers import answers_of, deciding_node
from cnnfast.graph.passes.rewrite import fresh_name
from cnnfast.network.network import Network

SOFTMAX, SIGMOID = "softmax", "sigmoid"


@frozen(eq=False)
class Ending:
    """Where scores become probabilities.

    Attributes
    ----------
    graph : Graph
        The network, with probabilities as its output.
    node : Node
        The softmax or sigmoid.
    """

    graph: Graph
    node: Node

    @property
    def scores(self) -> str:
        """The value that holds the scores."""
        return self.node.inputs[0]

    @property
    def kind(self) -> str:
        """How probabilities are made of them."""
        return SOFTMAX if isinstance(self.node.op, ops.Softmax) else SIGMOID

    @property
    def count(self) -> int:
        """Number of scores."""
        return math.prod(self.graph.shapes[self.scores])

    def above(self) -> Graph:
        """Return the part from the scores to the probabilities."""
        nodes, known = [], {self.scores}
        for node in self.graph.nodes:
            if node.inputs[0] in known:
                nodes.append(node)
                known.add(node.name)
        return Graph({self.scores: self.graph.shapes[self.scores]}, tuple(nodes), {}, self.graph.outputs)

    def below(self) -> Graph:
        """Return the part that computes the scores."""
        if self.scores in self.graph.by_name:
            return self.graph.cut([self.scores])
        name = fresh_name("scores", self.graph.shapes)
        return Graph(self.graph.inputs, (Node(name, ops.Identity(), (self.scores,)),), {}, (name,))


def ending_of(net: Network) -> Ending:
    """Return where the scores of a network become probabilities.

    Raises
    ------
    UnsupportedError
        If it gives several answers for each image, or it is unknown which axis has its classes.

    Examples
    --------
    >>> ending_of(Network.load("mnist-mlp")).scores
    'fc3'
    """
    if net.answer_shape:
        raise UnsupportedError(
            f"this network gives answers of shape {net.answer_shape} for each image; only one with a single answer has "
            "probabilities that can be calibrated"
        )
    names = net.class_names
    graph = answers_of(net.graph, None if names is None else len(names)).graph
    node = deciding_node(graph)
    assert node is not None, "answers_of puts a softmax or sigmoid behind scores"
    return Ending(graph, node)


def scores_network(net: Network, ending: Ending) -> Network:
    """Return the network that gives scores instead of probabilities."""
    return Network(Model(ending.below(), net.preprocess))
