"""What is known about a network without running it: its shapes, its labels, and the model that it was loaded from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cnnfast.errors import GraphError
from cnnfast.formats import Model
from cnnfast.graph import Graph, constant
from cnnfast.graph.answers import Answers, answers_of
from cnnfast.images.preprocess import Preprocess
from cnnfast.ops import Array, Shape
from cnnfast.runtime.arguments import instance

if TYPE_CHECKING:
    from cnnfast.formats.reference import FileReference
    from cnnfast.formats.remembered import Remembered


MADE_BY = 'which cnnfast.Network.load("cifar10-resnet"), Network.build(layers, input_shape) and others have'


class NetworkFacts:
    """The part of `cnnfast.Network` that only looks things up in its model.

    Parameters
    ----------
    model : Model
    file : FileReference, optional
        Where the model was loaded from, for pickling.
    """

    def __init__(self, model: Model, file: FileReference | None = None) -> None:
        self._model = instance("the model", model, Model, MADE_BY, GraphError)
        self._file = file

    @property
    def graph(self) -> Graph:
        """The network as ops connected by values, as it was loaded."""
        return self._model.graph

    @property
    def preprocess(self) -> Preprocess | None:
        """How a picture becomes the input."""
        return self._model.preprocess

    @property
    def license(self) -> str | None:
        """What others may do with the weights."""
        return self._model.license

    @property
    def notes(self) -> Mapping[str, str]:
        """Free text that travels with the network: source, recipe, accuracy."""
        return self._model.notes

    @property
    def remembered(self) -> Remembered | None:
        """Features of pictures that it has learned from, put there by `cnnfast.train.remember`, or None."""
        return self._model.remembered

    @property
    def input_shape(self) -> Shape:
        """Shape of one image: (C, H, W) or (F,)."""
        (shape,) = self.graph.inputs.values()
        return shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the output for one image."""
        return self.graph.shapes[self._output]

    @property
    def _output(self) -> str:
        (name,) = self.graph.outputs
        return name

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes as a model file holds them: one for a single output; None where it has none."""
        return self._model.classes

    @cached_property
    def classes_(self) -> Array:
        """The label of each class, (K,), read-only: names where the network has them, else 0 to K - 1.

        Raises
        ------
        UnsupportedError
            If the output has several axes, and neither a softmax at its end nor the number of labels says which of them
            holds the classes.
        """
        names = self._model.classes
        if names is None:
            made = np.arange(self._answers.classes)
        else:
            made = np.array([f"not {names[0]}", names[0]] if self.is_binary else names)
        made.setflags(write=False)
        return made

    @property
    def is_binary(self) -> bool:
        """Whether the network has a single output, the probability or score of one class against all else."""
        return math.prod(self.output_shape) == 1

    @property
    def answer_shape(self) -> Shape:
        """Shape of the labels of one image: () for one label, (4,) for one at each of four positions.

        Examples
        --------
        >>> from cnnfast import Network
        >>> from cnnfast.layers import Linear, Reshape, Softmax
        >>> four = Network.from_layers([Linear(np.eye(8)), Reshape((4, 2)), Softmax(2)], input_shape=(8,))
        >>> four.answer_shape, four.predict(np.zeros((3, 8), np.float32)).shape
        ((4,), (3, 4))
        """
        return self._answers.positions

    @cached_property
    def _answers(self) -> Answers:
        names = self._model.classes
        return answers_of(self.graph, None if names is None else len(names))


def with_own_constants(graph: Graph) -> Graph:
    """Return a graph with read-only constants that nothing else can change."""
    constants = {name: constant(array, array.dtype) for name, array in graph.constants.items()}
    return Graph(graph.inputs, graph.nodes, constants, graph.outputs)
