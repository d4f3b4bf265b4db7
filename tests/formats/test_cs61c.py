"""The CS61C network: the folder's reader, and the reference against what the original program computed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.glibc_rand import draw
from formats.shared_cifar10 import records, substituted, tiles_of
from systems import NO_SUCH_FILE

from cnnfast.errors import ModelFileError
from cnnfast.formats import cifar10, detect, load_model
from cnnfast.graph import evaluate

CAT = cifar10.CLASSES.index("cat")
SHAPES = {"layer1_conv": (5, 5, 3, 16), "layer4_conv": (5, 5, 16, 20), "layer7_conv": (5, 5, 20, 20)}


def write_snapshot(folder: Path, seed: int = 0) -> dict[str, Any]:
    """Write a snapshot of random weights and return them, in the order of the files."""
    rng = np.random.default_rng(seed)
    values: dict[str, Any] = {}
    for name, (sx, sy, depth, filters) in SHAPES.items():
        values[name] = rng.standard_normal(sx * sy * depth * filters + filters)
        _write(folder / f"{name}.txt", f"{sx} {sy} {depth} {filters}", values[name])
    values["layer10_fc"] = rng.standard_normal(3210)
    _write(folder / "layer10_fc.txt", "320 10", values["layer10_fc"])
    return values


def _write(path: Path, first: str, values: Any) -> None:
    path.write_text("\n".join([first, *map(repr, values.tolist())]) + "\n", encoding="utf-8")


def test_order_of_the_weights(tmp_path: Path) -> None:
    values = write_snapshot(tmp_path)
    assert detect(tmp_path).name == "cs61c"
    model = load_model(tmp_path)
    constants = model.graph.constants
    for name, (sx, sy, depth, filters) in SHAPES.items():
        weight, bias = constants[f"{name[:6]}.weight"], constants[f"{name[:6]}.bias"]
        assert weight.shape == (filters, depth, sy, sx)
        f, x, y, d = 3, 1, 4, 2
        assert weight[f, d, y, x] == values[name][((f * sx + x) * sy + y) * depth + d]
        np.testing.assert_array_equal(bias, values[name][-filters:])
    o, x, y, d = 7, 1, 2, 19
    column = (d * 4 + y) * 4 + x
    assert constants["layer10.weight"][o, column] == values["layer10_fc"][o * 320 + (4 * y + x) * 20 + d]
    assert model.classes == cifar10.CLASSES


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("layer4_conv", None, NO_SUCH_FILE),
        ("layer4_conv", "", "line 1 must be 'sx sy depth filters'"),
        ("layer4_conv", "5 5 16", "line 1 must be"),
        ("layer4_conv", "5 5 16 -20", "line 1 must be"),
        ("layer4_conv", "5 5 16 99999999999999999999", "line 1 must be"),
        ("layer4_conv", "5 5 16 20\n1.0\n", "asks for 8000 weights and 20 biases, but 1 numbers"),
        ("layer1_conv", "1 1 3 1\n1\n2\nx\n4\n", "must be numbers"),
        ("layer1_conv", "1 1 3 1\n1\n2\nnan\n4\n", "line 4 is 'nan', but weights must be finite"),
        ("layer1_conv", "1 1 2 1\n1\n2\n3\n", "does not fit into the network of the project"),
        ("layer1_conv", "40 40 3 1" + "\n1" * 4801, "leaves nothing"),
        ("layer10_fc", "10 1" + "\n1" * 11, "10 inputs, but the layer before gives 320"),
    ],
)
def test_damage_is_named(tmp_path: Path, name: str, content: str | None, rule: str) -> None:
    write_snapshot(tmp_path)
    path = tmp_path / f"{name}.txt"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(ModelFileError, match=rule) as caught:
        load_model(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")


def test_convnetjs_holds_the_same_network(shared_data: Path) -> None:
    folder = load_model(shared_data / "cs61c" / "snapshot")
    script = load_model(shared_data / "convnetjs" / "cifar10_snapshot.json")
    assert folder.graph.nodes == script.graph.nodes
    assert (folder.preprocess, folder.classes) == (script.preprocess, script.classes)
    differing = 0
    for name, weight in folder.graph.constants.items():
        other = script.graph.constants[name]
        np.testing.assert_array_equal(weight.astype(np.float32), other.astype(np.float32), strict=True)
        differing += int((weight != other).sum())
    # The folder's text was cut to 20 decimals, which moves the last bits of the two smallest weights.
    assert differing == 2


@pytest.mark.parametrize("record", [1, 2, 3, 4])
def test_all_volumes_of_the_original(shared_data: Path, record: int) -> None:
    model = load_model(shared_data / "cs61c" / "snapshot")
    assert model.preprocess is not None
    images = model.preprocess(records(shared_data, [record]), np.float64)
    values = evaluate(model.graph, images)
    lines = (shared_data / "cs61c" / "ref" / f"{record}.txt").read_text().split()
    assert len(lines) == 12
    for index, line in enumerate(lines):
        name, *fields = line.split(",")
        assert name == f"LAYER{index}"
        sx, sy, depth = map(int, fields[:3])
        volume = np.array(fields[3:], np.float64).reshape(sx, sy, depth).transpose(2, 1, 0)
        ours = values[f"layer{index}"][0].reshape(volume.shape)
        np.testing.assert_allclose(ours, volume, rtol=0, atol=1e-11 * np.abs(volume).max(), err_msg=name)


def test_cat_probabilities_of_the_original(shared_data: Path) -> None:
    # The three runs draw the same images first; the kernels, which are faster, are tested on all of them.
    numbers = draw(100)
    genuine = [position for position, number in enumerate(numbers) if number not in substituted(shared_data)]
    model = load_model(shared_data / "cs61c" / "snapshot")
    assert model.preprocess is not None
    images = model.preprocess(records(shared_data, numbers), np.float64)
    ours = evaluate(model.graph, images)["layer11"][:, CAT]
    for name in ("par100", "par1200", "par24000"):
        lines = (shared_data / "cs61c" / "ref" / f"{name}.txt").read_text().split()
        stated = np.array([float(line.split(",")[1]) for line in lines[:100]])
        np.testing.assert_allclose(ours[genuine], stated[genuine], rtol=0, atol=5e-6, err_msg=name)


def test_batch_probabilities(shared_data: Path) -> None:
    stated = np.load(shared_data / "cs61c" / "test_batch_probs_float64.npy")[:200]
    model = load_model(shared_data / "cs61c" / "snapshot")
    assert model.preprocess is not None
    images = model.preprocess(tiles_of(shared_data, "test_batch")[:200], np.float64)
    np.testing.assert_allclose(evaluate(model.graph, images)["layer11"], stated, rtol=0, atol=1e-12)
