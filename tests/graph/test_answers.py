"""What a network answers: one label for each image, or one at each of several positions, never one by a guess."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnfast import CnnfastError, GraphError, Network, Preprocess, UnsupportedError
from cnnfast.cli import main
from cnnfast.graph import Graph, Node
from cnnfast.graph.answers import answers_of, label_counts
from cnnfast.layers import (
    AnyLayer,
    Conv2d,
    Flatten,
    Linear,
    LogSoftmax,
    Relu,
    Reshape,
    Sigmoid,
    Softmax,
    Transpose,
)

VALUES = np.random.default_rng(0).standard_normal((37, 3 * 4 * 5)).astype(np.float32)


def shaped(shape: tuple[int, ...], *layers: AnyLayer, classes: list[str] | None = None) -> Network:
    """A network whose scores are its input in another shape, so that only what comes after them counts."""
    return Network.from_layers([Linear(np.eye(60)), Reshape(shape), *layers], (60,), classes=classes)


def softmax(scores: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


SHAPES = [((12, 5), 2), ((12, 5), 1), ((3, 4, 5), 1), ((3, 4, 5), 2), ((3, 4, 5), 3), ((1, 12, 5), 3), ((12, 1, 5), 1)]


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("last", [Softmax, LogSoftmax])
def test_the_softmax_says_which_axis_holds_the_classes(
    shape: tuple[int, ...], axis: int, last: Callable[[int], AnyLayer]
) -> None:
    net = shaped(shape, last(axis))
    expected = np.moveaxis(softmax(VALUES.reshape(-1, *shape), axis), axis, -1)
    positions = shape[: axis - 1] + shape[axis:]
    assert net.answer_shape == positions
    assert net.classes_.tolist() == list(range(shape[axis - 1]))
    for count in (1, 37):
        found = net.predict_proba(VALUES[:count])
        assert found.shape == (count, *positions, shape[axis - 1])
        np.testing.assert_allclose(found, expected[:count], rtol=2e-6, atol=1e-9)
    np.testing.assert_array_equal(net.predict(VALUES), found.argmax(axis=-1))
    labels, probabilities = net.topk(VALUES, k=3)
    np.testing.assert_array_equal(probabilities, -np.sort(-found, axis=-1)[..., :3])
    np.testing.assert_array_equal(labels, np.argsort(-found, axis=-1, kind="stable")[..., :3])


@pytest.mark.parametrize(
    ("layers", "axis"),
    [
        ([Softmax(2), Reshape((3, 4, 5))], 3),
        ([Softmax(2), Transpose((0, 2, 1))], 1),
        ([Softmax(2), Reshape((1, 12, 5)), Transpose((0, 3, 1, 2))], 1),
        ([LogSoftmax(2), Reshape((3, 4, 5)), Transpose((0, 1, 3, 2))], 2),
    ],
)
def test_moves_behind_the_softmax_are_followed(layers: list[AnyLayer], axis: int) -> None:
    net = shaped((12, 5), *layers)
    found = net.predict_proba(VALUES)
    by_softmax = softmax(VALUES.reshape(-1, 12, 5), 2)
    np.testing.assert_allclose(found.reshape(37, 12, 5), by_softmax, rtol=2e-6, atol=1e-9)
    assert net.output_shape[axis - 1] == found.shape[-1] == 5


@pytest.mark.parametrize("moves", [[Flatten()], [Reshape((60, 1, 1))], [Reshape((1, 1, 60)), Flatten()]])
def test_probabilities_that_only_move_are_not_put_through_a_second_softmax(moves: list[AnyLayer]) -> None:
    net = shaped((60, 1, 1), Softmax(1), *moves)
    np.testing.assert_allclose(net.predict_proba(VALUES), softmax(VALUES, 1), rtol=2e-6, atol=1e-9)
    many = shaped((60, 1, 1), Sigmoid(), *moves)
    np.testing.assert_allclose(many.predict_proba(VALUES), 1 / (1 + np.exp(-VALUES.astype(np.float64))), rtol=2e-6)


def test_labels_say_which_axis_holds_the_classes_where_no_softmax_does() -> None:
    names = [f"letter {i}" for i in range(12)]
    net = shaped((12, 5), classes=names)
    np.testing.assert_allclose(
        net.predict_proba(VALUES), softmax(VALUES.reshape(-1, 12, 5), 1).transpose(0, 2, 1), rtol=2e-6, atol=1e-9
    )
    assert net.predict(VALUES)[3, 2] == names[VALUES.reshape(-1, 12, 5)[3, :, 2].argmax()]
    sigmoids = shaped((12, 5), Sigmoid(), classes=names[:5])
    expected = 1 / (1 + np.exp(-VALUES.astype(np.float64).reshape(-1, 12, 5)))
    np.testing.assert_allclose(sigmoids.predict_proba(VALUES), expected, rtol=2e-6)
    all_of_them = shaped((12, 5), classes=[str(i) for i in range(60)])
    np.testing.assert_allclose(all_of_them.predict_proba(VALUES), softmax(VALUES, 1), rtol=2e-6, atol=1e-9)


UNCLEAR = {
    "scores": (shaped((12, 5)), "neither a softmax at its end"),
    "a map": (shaped((1, 12, 5), Sigmoid()), "neither a softmax at its end"),
    "mixed": (shaped((12, 5), Softmax(2), Flatten()), "followed by a reshape that mixes"),
    "along nothing": (shaped((60, 1, 1), Softmax(3)), "along an axis of size 1"),
    "two axes alike": (
        Network.from_layers([Linear(np.eye(9)), Reshape((3, 3))], (9,), classes=["a", "b", "c"]),
        "which axis holds",
    ),
    "one softmax": (Network.from_layers([Linear(np.eye(1)), Softmax()], (1,)), "makes every result 1"),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_nothing_says_is_refused_with_the_way_out(name: str) -> None:
    net, why = UNCLEAR[name]
    images = np.ones((2, *net.input_shape), np.float32)
    ways: list[Callable[[], object]] = [
        lambda: net.predict(images),
        lambda: net.predict_proba(images),
        lambda: net.topk(images, 1),
        lambda: net.classes_,
        lambda: net.answer_shape,
        net.compile,
    ]
    named = net.is_binary or net.class_names is not None
    for way in ways[:3] if named else ways:
        with pytest.raises(UnsupportedError, match=rf"{why}.*net.forward\(images\)"):
            way()
    assert net.forward(images).shape == (2, *net.output_shape)
    assert net.compile(raw=True)(images[:1]).shape == (1, *net.output_shape)


def test_the_number_of_labels_must_be_that_of_the_classes() -> None:
    with pytest.raises(GraphError, match="there must be 5 labels, but there are 60"):
        shaped((12, 5), Softmax(2), classes=[str(i) for i in range(60)])
    with pytest.raises(GraphError, match="there must be 60 or 12 or 5 labels, but there are 4"):
        shaped((12, 5), classes=list("abcd"))


def test_calls_are_alike_whatever_their_way(tmp_path: Path) -> None:
    net = shaped((12, 5), Softmax(1), classes=[str(i) for i in range(12)])
    expected = net.predict_proba(VALUES)
    out = np.empty((37, 5, 12), np.float32)
    assert net.predict_proba(VALUES, out=out) is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(net.predict_proba(VALUES[:, ::-1][:, ::-1].tolist()), expected)
    fast = net.compile(batch=37)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fast))(VALUES), expected)
    net.save(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(Network.load(tmp_path / "net.safetensors").predict(VALUES), net.predict(VALUES))


def letters() -> Network:
    """Two letters in a picture, each by three numbers: the brightness of its half decides."""
    weight = np.zeros((6, 32))
    for letter in range(2):
        half = np.zeros((4, 8))
        half[:, 4 * letter : 4 * letter + 4] = 1
        weight[3 * letter : 3 * letter + 3] = half.reshape(1, 32) * np.array([[-1], [0], [1]])
    layers = [Flatten(), Linear(weight, [1, 2, -1, 1, 2, -1]), Reshape((2, 3)), Softmax(2)]
    preprocess = Preprocess((4, 8), channels="gray")
    return Network.from_layers(layers, (1, 4, 8), classes=["dark", "gray", "bright"], preprocess=preprocess)


def test_a_stream_gives_the_labels_of_all_positions() -> None:
    picture = np.zeros((4, 8), np.uint8)
    picture[:, 4:] = 255
    (result,) = letters().stream([picture])
    assert result.error is None
    assert result.label == ["gray", "bright"]
    assert result.probabilities is not None
    assert result.probabilities.shape == (2, 3)


def test_what_means_one_answer_refuses_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnsupportedError, match="mirrored"):
        letters().mirrored()
    letters().save(tmp_path / "letters.safetensors")
    (tmp_path / "data" / "dark").mkdir(parents=True)
    Image.new("L", (8, 4)).save(tmp_path / "data" / "dark" / "1.png")
    model, data = str(tmp_path / "letters.safetensors"), str(tmp_path / "data")
    for words in (
        ["classify", data, "--model", model],
        ["find", "dark", data, "--model", model],
        ["evaluate", model, data],
    ):
        assert main(words) == 2, words
        assert "gives answers of shape (2,) for each image" in capsys.readouterr().err, words


def test_a_graph_that_is_probabilities_already_stays_as_it_is() -> None:
    graph = shaped((60,), Softmax()).graph
    assert answers_of(graph).graph is graph
    assert label_counts(graph) == (60,)
    named = Graph({"x": (3,)}, (Node("x:softmax", Relu().op, ("x",)), Node("y", Relu().op, ("x:softmax",))), {}, ("y",))
    assert len(answers_of(named).graph.nodes) == 3


def test_a_small_captcha_of_convolutions() -> None:
    """Scores (K, H, W) of a convolution: a label for each pixel, as a segmentation gives them."""
    rng = np.random.default_rng(3)
    weight = rng.standard_normal((7, 3, 3, 3)).astype(np.float32)
    net = Network.from_layers([Conv2d(weight, padding=1), Softmax(1)], (3, 6, 9))
    images = rng.standard_normal((18, 3, 6, 9)).astype(np.float32)
    expected = np.moveaxis(softmax(net.truncate("conv2d_1").forward(images, layout="nchw"), 1), 1, -1)
    found = net.predict_proba(images, layout="nchw")
    np.testing.assert_allclose(found, expected, rtol=4e-6, atol=1e-9)
    assert net.predict(images, layout="nchw").shape == (18, 6, 9)
    with pytest.raises(CnnfastError, match="k must be an integer from 1 to 7"):
        net.topk(images, 8, layout="nchw")
