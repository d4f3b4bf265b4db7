"""Tensors find their places whatever the file calls them and however it lays them out, or it is said why not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from formats.weights.small import safetensors, small_graph, small_state

from cnnfast import Network, Preprocess
from cnnfast.architectures import build
from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats import load_model
from cnnfast.formats.weights.expected import wanted
from cnnfast.formats.weights.mismatch import nearest
from cnnfast.graph import evaluate
from cnnfast.ops import Array

State = dict[str, Array]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights.safetensors"


def run(path: Path, state: State, **options: object) -> Array:
    """Return what the small network computes with the weights of a file."""
    path.write_bytes(safetensors(state))
    model = load_model(path, **({"architecture": small_graph()} | options))
    images = np.random.default_rng(1).standard_normal((3, 2, 4, 6))
    return evaluate(model.graph, images)[model.graph.outputs[0]]


def by_hand(state: State) -> Array:
    """Return what it must compute, with the weights put in by hand."""
    graph = small_graph()
    names = {"bn.scale": "bn.weight", "bn.shift": "bn.bias", "bn.mean": "bn.running_mean", "bn.var": "bn.running_var"}
    constants = {name: state[names.get(name, name)] for name in graph.constants}
    images = np.random.default_rng(1).standard_normal((3, 2, 4, 6))
    return evaluate(type(graph)(graph.inputs, graph.nodes, constants, graph.outputs), images)[graph.outputs[0]]


def to_hwc(weight: Array) -> Array:
    """Reorder the columns behind a flatten of (C, H, W) = (5, 2, 3)."""
    return weight.reshape(4, 5, 2, 3).transpose(0, 2, 3, 1).reshape(4, 30)


def test_pytorch_names(path: Path) -> None:
    state = small_state()
    np.testing.assert_array_equal(run(path, state), by_hand(state))
    counted = state | {"bn.num_batches_tracked": np.array(7)}
    np.testing.assert_array_equal(run(path, counted), by_hand(state))


@pytest.mark.parametrize("prefix", ["module.", "model.", "module._orig_mod."])
def test_a_common_prefix_is_dropped(path: Path, prefix: str) -> None:
    state = small_state()
    np.testing.assert_array_equal(run(path, {prefix + name: a for name, a in state.items()}), by_hand(state))


def test_a_prefix_that_belongs_to_the_names_stays(path: Path) -> None:
    graph = build("vgg11", (3, 32, 32))
    tensors = {want.name: np.zeros(want.shape, np.float32) for want in wanted(graph) if want.shape[0] < 600}
    path.write_bytes(safetensors(tensors))
    with pytest.raises(ModelFileError, match="expected, but not in the file") as caught:
        load_model(path, architecture="vgg11", input_shape=(3, 32, 32))
    assert "features.0.weight" not in str(caught.value)


def test_ohwi(path: Path) -> None:
    state = small_state()
    other = state | {
        "conv.weight": np.ascontiguousarray(state["conv.weight"].transpose(0, 2, 3, 1)),
        "fc.weight": np.ascontiguousarray(to_hwc(state["fc.weight"])),
    }
    np.testing.assert_array_equal(run(path, other, layout="ohwi"), by_hand(state))
    chw = other | {"fc.weight": state["fc.weight"]}
    np.testing.assert_array_equal(run(path, chw, layout="ohwi", flatten="chw"), by_hand(state))


def test_hwio_with_the_names_of_keras(path: Path) -> None:
    state = small_state()
    other = {
        "conv.kernel": np.ascontiguousarray(state["conv.weight"].transpose(2, 3, 1, 0)),
        "conv.bias": state["conv.bias"],
        "bn.gamma": state["bn.weight"],
        "bn.beta": state["bn.bias"],
        "bn.moving_mean": state["bn.running_mean"],
        "bn.moving_variance": state["bn.running_var"],
        "fc.kernel": np.ascontiguousarray(to_hwc(state["fc.weight"]).T),
        "fc.bias": state["fc.bias"],
    }
    np.testing.assert_array_equal(run(path, other, layout="hwio"), by_hand(state))


def renamed(state: State) -> State:
    layers = {"conv": "features.0", "bn": "features.1", "fc": "head"}
    return {f"{layers[name.split('.')[0]]}.{name.split('.')[1]}": array for name, array in state.items()}


def test_rename(path: Path) -> None:
    state = small_state()
    mapping = {"features.0": "conv", "features.1": "bn", "head": "fc"}
    for rename in (mapping, "order"):
        np.testing.assert_array_equal(run(path, renamed(state), rename=rename), by_hand(state))
    with pytest.raises(ModelFileError, match="rename has 'tail', which the file does not have"):
        run(path, renamed(state), rename={"tail": "fc"})


def test_float16_and_bfloat16_are_widened(path: Path) -> None:
    state = small_state()
    halves = {name: array.astype(np.float16) for name, array in state.items()}
    np.testing.assert_array_equal(run(path, halves), by_hand({n: a.astype(np.float32) for n, a in halves.items()}))
    cut = {name: (array.view(np.uint32) & 0xFFFF0000).view(np.float32) for name, array in state.items()}
    bits = {name: (array.view(np.uint32) >> 16).astype(np.uint16).view(np.float16) for name, array in cut.items()}
    raw = safetensors(bits)
    header = raw[8 : 8 + int.from_bytes(raw[:8], "little")].replace(b'"F16"', b'"BF16"')
    path.write_bytes(len(header).to_bytes(8, "little") + header + raw[8 + int.from_bytes(raw[:8], "little") :])
    constants = load_model(path, architecture=small_graph()).graph.constants
    np.testing.assert_array_equal(constants["conv.weight"], cut["conv.weight"])


def typed(state: State, codes: dict[str, str]) -> bytes:
    """Return a file whose tensors of two bytes an element are said to be of another type."""
    raw = safetensors(state)
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    for name, code in codes.items():
        header[name]["dtype"] = code
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + raw[8 + length :]


def test_integers_of_two_bytes_are_no_bfloat16(path: Path) -> None:
    state = small_state() | {"fc.weight": np.ones((4, 30), np.float16)}
    for code in ("U16", "I16"):
        path.write_bytes(typed(state, {"fc.weight": code}))
        with pytest.raises(
            ModelFileError, match=rf"(?s)not in the file:.*fc\.weight.*{code[0].lower()}int16".replace("iint", "int")
        ):
            load_model(path, architecture=small_graph())


@pytest.mark.parametrize("code", ["F8_E4M3", "F8_E5M2", "F4", "F6_E2M3", "I4", "C64"])
def test_kinds_that_are_not_computed_with(path: Path, code: str) -> None:
    path.write_bytes(typed(small_state(), {"fc.weight": code}))
    with pytest.raises(ModelFileError, match=rf"tensor 'fc\.weight': its dtype is '{code}'.*tensor\.float\(\)"):
        load_model(path, architecture=small_graph())


def mismatch(path: Path, state: State, **options: object) -> str:
    with pytest.raises(ModelFileError) as caught:
        run(path, state, **options)
    assert str(caught.value).startswith(f"{path}: the tensors do not fit the architecture ((2, 4, 6) to (4,))\n")
    return str(caught.value)


def test_all_that_does_not_fit_is_listed_at_once(path: Path) -> None:
    state = small_state()
    state["extra.weight"] = state.pop("fc.weight")
    state["surplus"] = np.zeros(3, np.float32)
    state["bn.bias"] = np.zeros(6, np.float32)
    message = mismatch(path, state)
    assert "fc.weight (4, 30), nearest: extra.weight (4, 30)" in message
    assert "bn.bias (6,), expected (5,)" in message
    assert "surplus (3,)" in message


def test_the_advice_is_what_helps(path: Path) -> None:
    state = small_state()
    turned = renamed(state) | {"features.0.weight": state["conv.weight"].transpose(0, 2, 3, 1).copy()}
    message = mismatch(path, turned)
    mapping = '{"features.0": "conv", "features.1": "bn", "head": "fc"}'
    assert f'it fits with layout="ohwi", rename={mapping} (or rename="order")' in message
    other = {"layout": "ohwi", "flatten": "chw", "rename": "order"}
    np.testing.assert_array_equal(run(path, turned, **other), by_hand(state))


def test_without_an_architecture_the_nearest_is_named(path: Path) -> None:
    tensors = {want.name: np.zeros(want.shape, np.float32) for want in wanted(build("lenet", classes=7))}
    path.write_bytes(safetensors(tensors))
    with pytest.raises(ModelFileError, match='architecture="lenet"'):
        load_model(path)
    assert load_model(path, architecture="lenet").graph.shapes["fc3"] == (7,)
    assert nearest(small_state()) is None


def test_options(path: Path) -> None:
    tensors = {want.name: np.zeros(want.shape, np.float32) for want in wanted(build("lenet", (1, 28, 28), 2))}
    path.write_bytes(safetensors(tensors))
    preprocess = Preprocess((28, 28), channels="gray")
    net = Network.load(path, architecture="lenet", classes=["cat", "dog"], preprocess=preprocess)
    assert (net.input_shape, net.classes_.tolist(), net.preprocess) == ((1, 28, 28), ["cat", "dog"], preprocess)
    own = Network.from_graph(build("lenet", (1, 28, 28), 2, seed=0))
    assert Network.load(path, architecture=own).input_shape == (1, 28, 28)
    for wrong, rule in [
        ({"architecture": "lenett"}, "did you mean 'lenet'"),
        ({"architecture": 3}, "must be a name, a Network or a Graph"),
        ({"architecture": "lenet", "layout": "nhwc"}, "layout must be one of oihw, ohwi, hwio"),
        ({"architecture": "lenet", "flatten": "nhwc"}, "flatten must be chw or hwc"),
        ({"architecture": "lenet", "rename": "random"}, "rename must be a mapping"),
        ({"color": 1}, "takes no option 'color'; it takes: architecture"),
    ]:
        with pytest.raises(ConfigError, match=rule):
            load_model(path, **wrong)


def test_chess_pieces(shared_data: Path) -> None:
    """Filters laid out OHWI, 13 classes of squares of a chess board: the message says how to read them."""
    path = shared_data / "models" / "chess_cv_pieces.safetensors"
    with pytest.raises(ModelFileError, match='architecture="cnn-16-32-64"'):
        load_model(path)
    with pytest.raises(ModelFileError, match='it fits with layout="ohwi": its filters are laid out as OHWI, not OIHW'):
        load_model(path, architecture="cnn-16-32-64")
    net = Network.load(path, architecture="cnn-16-32-64", layout="ohwi")
    assert (net.input_shape, net.output_shape) == ((3, 32, 32), (13,))
