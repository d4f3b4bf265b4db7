"""What a model must be."""

import pytest
from formats.crafted import small_model

from cnnfast.errors import GraphError
from cnnfast.formats import Model
from cnnfast.graph import Graph, Node
from cnnfast.images.preprocess import Preprocess
from cnnfast.ops import Add, Relu


def test_several_inputs_are_refused() -> None:
    graph = Graph({"a": (3,), "b": (3,)}, (Node("y", Add(), ("a", "b")),), {}, ("y",))
    with pytest.raises(GraphError, match="one input, but has 2: a, b"):
        Model(graph)


def test_several_outputs_are_refused() -> None:
    graph = Graph({"a": (3,)}, (Node("y", Relu(), ("a",)),), {}, ("y", "a"))
    with pytest.raises(GraphError, match="one output, but has 2: y, a"):
        Model(graph)


def test_labels_must_fit_the_output() -> None:
    with pytest.raises(GraphError, match="there must be 4 labels, but there are 2"):
        Model(small_model().graph, classes=("cat", "dog"))


def test_preprocessing_must_fit_the_input() -> None:
    with pytest.raises(GraphError, match=r"images of shape \(3, 16, 16\)"):
        Model(small_model().graph, Preprocess(size=(16, 16)))


def test_notes_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        small_model().notes["source"] = "another"  # type: ignore[index]
