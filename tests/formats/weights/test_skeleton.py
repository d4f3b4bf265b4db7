"""For weights alone a network is written down that runs when it is pasted; distinct architectures need no name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from formats.pickles.assembled import saved
from formats.weights.small import safetensors, small_state

import cnnfast
from cnnfast import Network, load_weights
from cnnfast.architectures import ARCHITECTURES, build
from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats.weights.expected import wanted
from cnnfast.ops import Array

State = Mapping[str, Array]


def state_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape).astype(np.float32) * np.float32(0.3) for name, shape in shapes.items()}


def pasted(path: Path, state: State, **options: object) -> Network:
    """Return the network that the message about a file of weights writes down."""
    path.write_bytes(saved(state) if path.suffix == ".pth" else safetensors(dict(state)))
    with pytest.raises(ModelFileError, match="all else is guessed") as caught:
        Network.load(path, **options)
    text = str(caught.value)
    scope: dict[str, object] = {}
    exec(text[text.index("import cnnfast\n") :], scope)
    net = scope["net"]
    assert isinstance(net, Network)
    assert net.forward(np.ones((2, *net.input_shape), np.float32), layout="nchw").shape[0] == 2
    return net


@pytest.mark.parametrize(
    "empty", [(0, 8, 3, 3), (4, 0, 3, 3), (0, 0, 3, 3), (4, 8, 0, 3), (0,), (0, 4), (2, 0)], ids=str
)
def test_a_layer_with_an_empty_axis_is_left_out_of_the_network(empty: tuple[int, ...], tmp_path: Path) -> None:
    around = {"a.weight": (8, 3, 3, 3), "c.weight": (4, 8, 3, 3), "fc.weight": (2, 4)}
    net = pasted(tmp_path / "net.pth", state_of({**around, "b.weight": empty}))
    assert [node.op.name for node in net.graph.nodes if node.op.name in ("conv2d", "linear")] == [
        "conv2d",
        "conv2d",
        "linear",
    ]


SHAPES = {
    "padded": {
        "a.weight": (7, 3, 3, 3),
        "a.bias": (7,),
        "b.weight": (9, 7, 3, 3),
        "fc.weight": (4, 576),
        "fc.bias": (4,),
    },
    "without padding": {
        "a.weight": (7, 1, 5, 5),
        "b.weight": (9, 7, 5, 5),
        "fc.weight": (4, 144),
        "out.weight": (2, 4),
    },
    "global": {"a.weight": (8, 3, 3, 3), "b.weight": (8, 1, 3, 3), "fc.weight": (4, 8)},
    "norms": {"a.weight": (8, 3, 1, 1), "n.weight": (8,), "n.bias": (8,), "b.weight": (8, 8, 1, 1), "p.weight": (8,)},
    "dense": {"a.weight": (30, 20), "n.weight": (30,), "n.bias": (30,), "b.weight": (3, 30)},
    "odd features": {"a.weight": (7, 3, 3, 3), "fc.weight": (4, 77)},
    "odd kernels": {"a.weight": (7, 3, 1, 5), "b.weight": (7, 7, 2, 2), "fc.weight": (4, 7 * 16)},
    "branches": {"a.weight": (8, 3, 3, 3), "x.weight": (5, 6, 1, 1), "y.weight": (3, 3, 3), "b.weight": (9, 8, 3, 3)},
    "strange names": {"it's": (8, 3, 3, 3), 'a "b".weight': (4, 8, 3, 3), "é.weight": (2, 4)},
    "many": {f"layer{i}.weight": (8, 8 if i else 3, 3, 3) for i in range(60)},
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", SHAPES)
def test_it_runs_when_it_is_pasted(tmp_path: Path, name: str, suffix: str) -> None:
    net = pasted(tmp_path / f"net{suffix}", state_of(SHAPES[name]))
    assert net.graph.nodes


def test_sizes_of_images_follow_from_the_dense_layer(tmp_path: Path) -> None:
    assert pasted(tmp_path / "net.pth", state_of(SHAPES["padded"])).input_shape == (3, 32, 32)
    assert pasted(tmp_path / "net.pth", state_of(SHAPES["without padding"])).input_shape == (1, 28, 28)


def test_its_weights_are_those_of_the_file(tmp_path: Path) -> None:
    """A chain of convolution, batch-norm, pool and dense layer is guessed as it was."""
    state = small_state() | state_of({"fc.weight": (4, 5 * 256)})
    net = pasted(tmp_path / "net.safetensors", state)
    np.testing.assert_array_equal(net.graph.constants["conv.weight"], state["conv.weight"])
    np.testing.assert_array_equal(net.graph.constants["bn.var"], state["bn.running_var"])
    assert [node.op.name for node in net.graph.nodes] == [
        "conv2d",
        "batch_norm",
        "relu",
        "max_pool",
        "flatten",
        "linear",
    ]
    assert net.input_shape == (2, 32, 32)


def test_what_belongs_to_a_loss_is_no_layer(tmp_path: Path) -> None:
    net = pasted(tmp_path / "net.pth", state_of(SHAPES["padded"] | {"criterion.weight": (4,)}))
    assert net.graph.nodes[-1].op.name == "linear"


def test_other_layouts(tmp_path: Path) -> None:
    state = state_of({"a.kernel": (3, 3, 3, 7), "a.bias": (7,), "fc.kernel": (7, 4)})
    net = pasted(tmp_path / "net.safetensors", state, layout="hwio")
    np.testing.assert_array_equal(net.graph.constants["a.weight"], state["a.kernel"].transpose(3, 2, 0, 1))


def test_nothing_is_written_down_where_there_is_no_layer(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(safetensors(state_of({"n.weight": (8,), "n.bias": (8,)})))
    with pytest.raises(ModelFileError, match="and no network") as caught:
        Network.load(tmp_path / "net.safetensors")
    assert "import cnnfast" not in str(caught.value)


def weights_of(architecture: str, classes: int = 7) -> dict[str, Array]:
    return state_of({want.name: want.shape for want in wanted(build(architecture, classes=classes))})


SMALL = [name for name, a in ARCHITECTURES.items() if a.distinct and a.input_shape[1] < 64]


@pytest.mark.parametrize("name", SMALL)
def test_distinct_architectures_need_no_name(tmp_path: Path, name: str) -> None:
    for suffix, write in ((".pth", saved), (".safetensors", safetensors)):
        path = tmp_path / f"net{suffix}"
        path.write_bytes(write(weights_of(name)))
        net = Network.load(path)
        assert net.notes["architecture"] == f"{name}, recognized by the names and shapes of its weights"
        assert net.output_shape == (7,)
        named = Network.load(path, architecture=name)
        assert named.graph.nodes == net.graph.nodes


def test_others_are_not_guessed(tmp_path: Path) -> None:
    assert "lenet" not in SMALL
    (tmp_path / "net.pth").write_bytes(saved(weights_of("lenet")))
    with pytest.raises(ModelFileError, match='architecture="lenet"'):
        Network.load(tmp_path / "net.pth")
    state = weights_of("mnist-pytorch")
    for change in ({"more.weight": (3,)}, {"fc1.weight": (128, 9217)}):
        (tmp_path / "net.pth").write_bytes(saved(state | state_of(change)))
        with pytest.raises(ModelFileError, match="and no network; say which one"):
            Network.load(tmp_path / "net.pth")


def test_load_weights(tmp_path: Path) -> None:
    state = {f"net.{name}": array for name, array in small_state().items()}
    for name, write in (("a.pth", saved), ("a.safetensors", safetensors)):
        (tmp_path / name).write_bytes(write(state))
        for key, prefix in ((None, "net."), ("net", "")):
            found = load_weights(tmp_path / name, key=key and (f"state_dict.{key}" if name == "a.pth" else key))
            assert set(found) == {prefix + name for name in small_state()}
            np.testing.assert_array_equal(found[f"{prefix}fc.bias"], small_state()["fc.bias"])
            assert not found[f"{prefix}fc.bias"].flags.writeable
    with pytest.raises(ConfigError, match="key must be a text"):
        load_weights(tmp_path / "a.pth", key=3)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ModelFileError, match=r"not a model file that cnnfast knows|damaged"):
        load_weights(tmp_path / "model.json")
    Network.load("mnist-mlp").save(tmp_path / "own.safetensors")
    assert load_weights(tmp_path / "own.safetensors")


def pytorch_mnist(torch: object) -> Callable:
    F = torch.nn.functional

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = torch.nn.Conv2d(1, 32, 3, 1), torch.nn.Conv2d(32, 64, 3, 1)
            self.dropout1, self.dropout2 = torch.nn.Dropout(0.25), torch.nn.Dropout(0.5)
            self.fc1, self.fc2 = torch.nn.Linear(9216, 128), torch.nn.Linear(128, 10)

        def forward(self, x: object) -> object:
            x = self.dropout1(F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2))
            return F.log_softmax(self.fc2(self.dropout2(F.relu(self.fc1(torch.flatten(x, 1))))), dim=1)

    return Net


def pytorch_mnist_2018(torch: object) -> Callable:
    F = torch.nn.functional

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = torch.nn.Conv2d(1, 10, 5), torch.nn.Conv2d(10, 20, 5)
            self.conv2_drop = torch.nn.Dropout2d()
            self.fc1, self.fc2 = torch.nn.Linear(320, 50), torch.nn.Linear(50, 10)

        def forward(self, x: object) -> object:
            x = F.relu(F.max_pool2d(self.conv1(x), 2))
            x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2)).view(-1, 320)
            return F.log_softmax(self.fc2(F.dropout(F.relu(self.fc1(x)), training=self.training)), dim=1)

    return Net


def pytorch_quickstart(torch: object) -> Callable:
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            dense = [nn.Linear(28 * 28, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)]
            self.linear_relu_stack = nn.Sequential(*dense)

        def forward(self, x: object) -> object:
            return self.linear_relu_stack(x.flatten(1))

    return Net


@pytest.mark.parametrize("example", [pytorch_mnist, pytorch_mnist_2018, pytorch_quickstart])
def test_pytorchs_own_examples(tmp_path: Path, example: Callable) -> None:
    torch = pytest.importorskip("torch", reason="the extra torch is not installed")
    torch.manual_seed(0)
    module = example(torch)().eval()
    torch.save(module.state_dict(), tmp_path / "mnist_cnn.pt")
    images = np.random.default_rng(0).standard_normal((5, 1, 28, 28)).astype(np.float32)
    theirs = torch.log_softmax(module(torch.from_numpy(images)), 1).detach().numpy()
    scores = cnnfast.Network.load(tmp_path / "mnist_cnn.pt").forward(images, layout="nchw")
    ours = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
