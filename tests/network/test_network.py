"""The public face: what its results mean, and that it can be shared, stored, sent and interrupted."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from small_networks import head, interrupt_after, photographs, small_net

from cnnfast import GraphError, InputError, ModelFileError, Network
from cnnfast.graph import Graph, Node
from cnnfast.layers import (
    AnyLayer,
    AvgPool,
    Linear,
    LogSoftmax,
    Sigmoid,
    Softmax,
)
from cnnfast.network import runner
from cnnfast.ops import Add

SCORES = np.array([[1.0, 3.0, -2.0], [0.5, 0.5, 0.25], [-80.0, -90.0, -100.0]], np.float32)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("last", [[], [Softmax()], [LogSoftmax()]], ids=["scores", "softmax", "log-softmax"])
def test_probabilities_sum_to_one_whatever_the_network_ends_in(last: list[AnyLayer]) -> None:
    np.testing.assert_allclose(head(*last).predict_proba(SCORES), softmax(SCORES), rtol=1e-6, atol=1e-12)


def test_scores_of_an_image_shape_are_classes_too() -> None:
    """A network may end in (K, 1, 1), as those that end in a global pool do."""
    net = Network.from_layers([AvgPool(1)], (3, 1, 1))
    np.testing.assert_allclose(net.predict_proba(SCORES), softmax(SCORES), rtol=1e-6, atol=1e-12)
    assert net.forward(SCORES).shape == (3, 3, 1, 1)


def test_many_sigmoids_are_probabilities_of_their_own() -> None:
    expected = 1 / (1 + np.exp(-SCORES.astype(np.float64)))
    np.testing.assert_allclose(head(Sigmoid()).predict_proba(SCORES), expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("last", [[], [Sigmoid()]], ids=["score", "sigmoid"])
def test_one_output_is_two_classes(last: list[AnyLayer]) -> None:
    net = head(*last, classes=["cat"], outputs=1)
    assert net.classes_.tolist() == ["not cat", "cat"]
    scores = np.array([[2.0], [-1.0], [0.0]], np.float32)
    cat = 1 / (1 + np.exp(-scores.astype(np.float64)))
    np.testing.assert_allclose(net.predict_proba(scores), np.concatenate([1 - cat, cat], axis=1), rtol=1e-6)
    assert net.predict(scores).tolist() == ["cat", "not cat", "not cat"]
    labels, probabilities = net.topk(scores, k=2)
    assert labels[1].tolist() == ["not cat", "cat"]
    assert (probabilities[:, 0] >= probabilities[:, 1]).all()


def test_labels_without_names_are_numbers() -> None:
    assert head().classes_.tolist() == [0, 1, 2]
    assert head().predict(SCORES).tolist() == [1, 0, 0]
    assert head(outputs=1).classes_.tolist() == [0, 1]


def test_records_are_what_topk_gives_as_json_has_it() -> None:
    for net in (head(), Network.load("mnist-mlp")):
        images = SCORES if net.preprocess is None else np.zeros((3, 28, 28), np.uint8)
        labels, probabilities = net.topk(images, k=2)
        records = net.records(images, k=2)
        assert json.loads(json.dumps(records)) == records
        assert [[choice["label"] for choice in record] for record in records] == labels.tolist()
        found = np.array([[choice["probability"] for choice in record] for record in records])
        np.testing.assert_array_equal(found.astype(np.float32), probabilities)
        with pytest.raises(InputError, match="k must be an integer"):
            net.records(images, k=11)


def test_topk_is_sorted_and_keeps_the_first_of_equal_ones() -> None:
    net = head(classes=["a", "b", "c"])
    labels, probabilities = net.topk(SCORES, k=3)
    assert labels.tolist() == [["b", "a", "c"], ["a", "b", "c"], ["a", "b", "c"]]
    np.testing.assert_array_equal(probabilities, -np.sort(-net.predict_proba(SCORES), axis=1))
    assert net.topk(SCORES, k=np.int64(1))[0][:, 0].tolist() == net.predict(SCORES).tolist()


@pytest.mark.parametrize("k", [0, 4, -1, 1.0, True, None, "2"])
def test_k_out_of_range(k: int) -> None:
    with pytest.raises(InputError, match="k must be an integer from 1 to 3, the number of classes, but is"):
        head().topk(SCORES, k)


def test_a_result_that_is_not_a_number_has_no_label() -> None:
    net = Network.from_layers([Linear(np.full((3, 3), 3e38)), Linear(np.array([[1.0, -1, 0]] * 3))], (3,))
    values = np.array([[0, 0, 0], [9, 9, 9]], np.float32)
    with pytest.raises(InputError, match=r"the network's result for image 1 \(1 in all\) is not a number"):
        net.predict(values)
    assert np.isnan(net.predict_proba(values)[1]).all()


def test_labels_must_fit() -> None:
    with pytest.raises(GraphError, match="2"):
        head(classes=["a", "b"])


@pytest.mark.parametrize("ends", [("inputs", {"x": (2,), "z": (2,)}), ("outputs", ("y", "x"))])
def test_a_network_has_one_input_and_one_output(ends: tuple[str, object]) -> None:
    parts: dict[str, object] = {"inputs": {"x": (2,)}, "outputs": ("y",), **dict([ends])}
    graph = Graph(parts["inputs"], (Node("y", Add(), ("x", "x")),), {}, parts["outputs"])  # type: ignore[arg-type]
    with pytest.raises(GraphError):
        Network.from_graph(graph)


def test_truncate_ends_at_a_layer() -> None:
    net = small_net()
    part = net.truncate("first_relu")
    assert part.output_shape == (6, 8, 8)
    values = part.forward(photographs())
    assert values.shape == (50, 6, 8, 8)
    assert values.min() == 0
    assert [node.name for node in part.graph.nodes] == ["first", "batch_norm_1", "first_relu"]
    with pytest.raises(GraphError, match=r"there is no value 'last'; the nodes are: first, batch_norm_1"):
        net.truncate("last")


def test_saved_pickled_and_sent_it_gives_the_same_bits(tmp_path: Path) -> None:
    net = small_net(license="CC0-1.0", notes={"accuracy": "none"})
    expected = net.forward(photographs())
    path = tmp_path / "net.safetensors"
    net.save(path)
    for copy in (Network.load(path), Network.load(str(path)), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(copy.forward(photographs()), expected)
        assert copy.classes_.tolist() == net.classes_.tolist()
        assert copy.preprocess == net.preprocess
        assert (copy.license, dict(copy.notes)) == (net.license, dict(net.notes))
        assert str(copy) == str(net)


def test_a_name_that_is_nothing() -> None:
    with pytest.raises(ModelFileError, match="no-such-net: there is no such file, and no shipped network"):
        Network.load("no-such-net")


def test_a_network_does_not_change_with_the_arrays_it_was_made_of() -> None:
    weight = np.eye(3, dtype=np.float32)
    net = Network.from_layers([Linear(weight)], (3,))
    weight[:] = 7
    np.testing.assert_array_equal(net.forward(SCORES), SCORES)
    with pytest.raises(ValueError, match="read-only"):
        net.graph.constants["linear_1.weight"][0, 0] = 7


def test_one_network_in_eight_threads() -> None:
    net, images = small_net(), photographs(300)
    expected = net.forward(images)
    starts = [0, 1, 7, 16, 33, 100, 150, 299] * 4
    fresh = small_net()
    barrier = threading.Barrier(8)

    def work(start: int) -> np.ndarray:
        # all eight meet each time, the first time so that the plan is made by several at once
        barrier.wait(timeout=30)
        return fresh.forward(images[start:], threads=2)

    with ThreadPoolExecutor(8) as pool:
        for start, result in zip(starts, pool.map(work, starts), strict=True):
            np.testing.assert_array_equal(result, expected[start:])


def test_predict_releases_the_gil() -> None:
    """Another thread counts while a long call runs; it could not if the call kept the lock."""
    net, images = small_net(), np.broadcast_to(photographs(1), (60_000, 8, 8, 3))
    done, count = threading.Event(), 0

    def run() -> None:
        net.forward(images, threads=1)
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    while not done.wait(0.001):
        count += 1
    thread.join()
    assert count >= 3


@pytest.mark.thread_unsafe
def test_ctrl_c_is_heard_in_a_large_batch() -> None:
    net = small_net()
    expected = net.forward(photographs())
    with pytest.raises(KeyboardInterrupt), interrupt_after(0.2):
        net.forward(np.broadcast_to(photographs(1), (20_000_000, 8, 8, 3)), threads=1)
    np.testing.assert_array_equal(net.forward(photographs()), expected)


def test_parts_of_a_batch_that_is_copied_are_not_seen_in_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    images = photographs(200)
    whole = small_net().forward(images)
    monkeypatch.setattr(runner, "COPIED_ELEMENTS", 1)
    monkeypatch.setattr(runner, "COPIED_IMAGES", 7)
    net = small_net()
    np.testing.assert_array_equal(net.forward(memoryview(images), threads=2), whole)
    values = net.preprocess(images).astype(np.float64)
    np.testing.assert_array_equal(net.forward(values, layout="nchw", threads=2), whole)


MILLION = """
import resource, sys
import numpy as np
import cnnfast
from cnnfast.layers import Conv2d, Relu, MaxPool, Flatten, Linear
rng = np.random.default_rng(0)
net = cnnfast.Network.from_layers(
    [Conv2d(rng.random((4, 3, 5, 5)), stride=4), Relu(), MaxPool(2), Flatten(), Linear(rng.random((2, 36)))],
    (3, 32, 32), preprocess=cnnfast.Preprocess((32, 32)))
net.predict(np.zeros((1, 32, 32, 3), np.uint8))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
labels = net.predict(np.broadcast_to(rng.integers(0, 256, (1, 32, 32, 3), dtype=np.uint8), (1_000_000, 32, 32, 3)))
assert labels.shape == (1_000_000,) and (labels == labels[0]).all()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.slow
def test_a_million_images_in_constant_memory() -> None:
    """Measured: 23 MiB above the import and a first call, of which 8 are probabilities and 8 labels."""
    run = subprocess.run([sys.executable, "-c", MILLION], capture_output=True, text=True, check=True)
    assert float(run.stdout) <= 150


def test_summary_counts_parameters_and_multiply_adds() -> None:
    lines = small_net().summary().splitlines()
    assert lines[0].split() == ["layer", "op", "output", "parameters", "MACs"]
    first = next(line for line in lines if line.startswith("first "))
    assert first.split() == ["first", "conv2d", "6x8x8", str(6 * 3 * 9 + 6), "10,368"]
    assert lines[-1].split()[0] == "total"
    parameters = (6 * 27 + 6) + 4 * 6 + 6 * 54 + (24 + 4)
    macs = 64 * 6 * 27 + 64 * 6 + 64 * 6 * 54 + 24
    assert lines[-1].split()[1:] == [str(parameters), f"{macs:,}"]
    assert str(small_net()) == small_net().summary()
    assert repr(small_net()) == "<cnnfast.Network (3, 8, 8) -> (4,), 10 nodes>"


def test_explain_names_the_kernel_of_every_step_and_the_reason() -> None:
    lines = small_net().explain().splitlines()
    assert lines[0].split() == ["node", "kernel", "result", "why"]
    steps = lines[1:-1]
    assert all("_f32_chwn_" in line for line in steps)
    assert any("relu fused" in line for line in steps)
    assert any("add fused" in line for line in steps)
    assert "images in a group" in lines[-1]
