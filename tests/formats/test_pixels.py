"""What a byte means to a network: said by its file, said by the caller, or not known; never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnfast import Network, Preprocess
from cnnfast.errors import ConfigError, InputError, PictureError
from cnnfast.formats.pixels import with_pixels
from cnnfast.graph import Graph, Node
from cnnfast.images.preprocess import MODES, UNSAID
from cnnfast.layers import Conv2d, Flatten, Linear
from cnnfast.ops import Add, Concat, GlobalAvgPool, Identity, Mul, Pad, Relu, Resize, Slice

ANSWERS = ('preprocess="raw" (0 to 255)', 'preprocess="1/255" (0 to 1)', 'preprocess="tf" (-1 to 1)', "--preprocess")


def chain(*ops: Any, shape: tuple[int, int, int] = (3, 6, 6)) -> Graph:
    """Return a graph of ops one after the other; an op in a list reads the value before it as often as it says."""
    nodes, constants, last = [], {}, "x"
    for index, op in enumerate(ops):
        times, op = op if isinstance(op, tuple) else (1, op)
        inputs = [last] * times
        if isinstance(op, Add | Mul):
            constants[f"c{index}"] = np.full((), 0.5, np.float32).reshape(1)
            inputs.append(f"c{index}")
        nodes.append(Node(f"n{index}", op, tuple(inputs)))
        last = f"n{index}"
    return Graph({"x": shape}, tuple(nodes), constants, (last,))


@pytest.mark.parametrize("first", [Relu(), GlobalAvgPool(), Resize(4, "linear"), Identity(), Pad(1)])
def test_a_network_that_does_not_scale_its_input_says_nothing(first: Any) -> None:
    graph = chain(first, Relu())
    assert with_pixels(graph, None) == (graph, None)


def test_arithmetic_at_the_start_becomes_the_rule() -> None:
    rest, rule = with_pixels(chain(Mul(), Add(), Relu()), None)
    assert [node.op.name for node in rest.nodes] == ["relu"]
    assert rule == Preprocess(size=(6, 6), scale=0.5, mean=(-0.5,))


@pytest.mark.parametrize(
    "before", [[Resize(4, "linear")], [Identity(), Pad(1)], [Slice((0, 1, 1), (3, 4, 4))], [(3, Concat(1))]]
)
def test_a_network_that_scales_its_input_later_takes_bytes_as_they_are(before: list[Any]) -> None:
    graph = chain(*before, Mul(), Relu())
    assert with_pixels(graph, None) == (graph, Preprocess(size=(6, 6), scale=1.0))


def test_an_input_of_integers_says_what_a_byte_means() -> None:
    _, rule = with_pixels(chain(Relu()), None, (0.5, -64.0))
    assert rule == Preprocess(size=(6, 6), scale=0.5, mean=(64.0,))


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_leaves_the_network_as_it_is(mode: str) -> None:
    graph = chain(Mul(), Relu())
    same, rule = with_pixels(graph, mode)
    assert same is graph
    assert rule is not None
    pixels = np.array([[[[0, 100, 255]]]], np.uint8)
    small = Preprocess(size=(1, 1), **MODES[mode])
    wanted = {
        "raw": [0, 100, 255],
        "1/255": [0, 100 / 255, 1],
        "tf": [-1, 100 / 127.5 - 1, 1],
        "torch": [-0.485 / 0.229, (100 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225],
        "caffe": [0 - 103.939, 100 - 116.779, 255 - 123.68],
    }
    np.testing.assert_allclose(small(pixels).ravel(), wanted[mode], rtol=1e-6, atol=1e-6)


def bare(**options: Any) -> Network:
    rng = np.random.default_rng(0)
    layers = [Conv2d(rng.standard_normal((2, 3, 3, 3))), Flatten(), Linear(rng.standard_normal((2, 32)))]
    return Network.from_layers(layers, (3, 6, 6), **options)


@pytest.mark.parametrize("call", ["predict", "predict_proba", "forward", "topk", "features"])
def test_bytes_without_a_rule_are_refused_with_the_usual_answers(call: str) -> None:
    arguments = {"topk": {"k": 1}}.get(call, {})
    with pytest.raises(InputError) as caught:
        getattr(bare(), call)(np.zeros((1, 6, 6, 3), np.uint8), **arguments)
    assert all(answer in str(caught.value) for answer in ANSWERS)


def test_a_stream_of_pictures_is_refused_too() -> None:
    with pytest.raises((InputError, PictureError)) as caught:
        list(bare().stream(["a.png"]))
    assert UNSAID in str(caught.value)


def test_the_answers_can_be_pasted(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 6, 6, 3), np.uint8)
    bare().save(tmp_path / "bare.safetensors")
    for mode, values in {"raw": pixels * 1.0, "1/255": pixels / 255, "tf": pixels / 127.5 - 1}.items():
        wanted = bare().forward(values.astype(np.float32), layout="nhwc")
        for net in (bare(preprocess=mode), Network.load(tmp_path / "bare.safetensors", preprocess=mode)):
            np.testing.assert_allclose(net.forward(pixels), wanted, rtol=1e-4, atol=1e-4 * abs(wanted).max())


@pytest.mark.parametrize(
    ("shape", "mode", "said"),
    [
        ((3, 6, 6), "imagenet", "one of raw, 1/255, tf, torch, caffe"),
        ((3, 6, 6), 255, "must be a Preprocess or one of"),
        ((1, 6, 6), "caffe", "needs an input of 3 channels"),
        ((4, 6, 6), "raw", "needs images of 1 or 3 channels"),
        ((784,), "raw", "give a cnnfast.Preprocess with the size of the pictures"),
    ],
)
def test_modes_that_do_not_fit(shape: tuple[int, ...], mode: Any, said: str) -> None:
    graph = Graph({"x": shape}, (Node("y", Relu(), ("x",)),), {}, ("y",))
    with pytest.raises(ConfigError, match=said):
        Network.from_graph(graph, preprocess=mode)


def test_gray_tables_take_a_mode() -> None:
    graph = Graph({"x": (6, 4)}, (Node("y", Relu(), ("x",)),), {}, ("y",))
    assert Network.from_graph(graph, preprocess="1/255").preprocess == Preprocess(size=(6, 4), channels="gray")
