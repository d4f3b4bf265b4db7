"""A step from chunks that were computed apart is the step in one go, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from kernels.engines import ENGINES, using
from train.nets import NETS, batch, net

import cnnfast
from cnnfast.architectures import build
from cnnfast.errors import ConfigError, InputError, UnsupportedError
from cnnfast.graph import Graph
from cnnfast.runtime.dispatch import kernels
from cnnfast.train import initialize
from cnnfast.train.engine.chunks import Partial, chunk_count, chunk_images, images_of, pieces
from cnnfast.train.engine.chwn import ChwnEngine
from cnnfast.train.engine.reference import ReferenceEngine
from cnnfast.train.losses import SoftmaxCrossEntropy

L = kernels.lanes()
STEP = 3


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with cnnfast.threads(1):
        yield


def engine(graph: Graph, images: int, **options: object) -> ChwnEngine:
    return ChwnEngine(graph, SoftmaxCrossEntropy(0.1), images, seed=5, **options)  # type: ignore[arg-type]


def state(computed: ChwnEngine, loss: float, scores: np.ndarray) -> list[bytes]:
    arrays = [*computed.gradients.values(), *computed.parameters.values()]
    return [np.float64(loss).tobytes(), scores.tobytes(), *(array.tobytes() for array in arrays)]


def apart(
    graph: Graph, x: np.ndarray, labels: np.ndarray, parts: list[range], threads: int = 1, **options: object
) -> list[bytes]:
    """Return the state after a step of which every part was computed by an engine of its own, the last part first."""
    total = len(x)
    partials: list[Partial] = []
    for part in reversed(parts):
        where = images_of(part, total)
        own = engine(graph, where.stop - where.start, threads=threads, **options)
        partials.append(own.partial(x[where], labels[where], STEP, total=total, chunk=part))
    driver = engine(graph, 1, **options)
    return state(driver, *driver.combine(partials, total))


def has_norms(graph: Graph) -> bool:
    return any(node.op.name == "batch_norm" for node in graph.nodes)


@pytest.mark.parametrize("images", [1, L + 1, 16 * L, 33 * L - 3])
@pytest.mark.parametrize("name", [name for name in NETS if not has_norms(net(name))])
def test_every_network_and_size_of_batch(name: str, images: int) -> None:
    graph, (x, labels) = net(name), batch(images)
    whole = engine(graph, images)
    expected = state(whole, *whole.step(x, labels, STEP))
    for parts in (2, 5, 16):
        assert apart(graph, x, labels, pieces(images, parts)) == expected, parts


@pytest.mark.parametrize("isa", [name for name in ENGINES if name != "nchw"])
def test_every_instruction_set_and_several_threads(isa: str) -> None:
    with using(isa):
        graph, (x, labels) = net("shapes"), batch(150)
        whole = engine(graph, 150, threads=2)
        expected = state(whole, *whole.step(x, labels, STEP))
        assert apart(graph, x, labels, pieces(150, 3), threads=2) == expected


@pytest.mark.parametrize("name", ["cs61c", "lenet", "mlp"])
def test_architectures_where_a_chunk_has_several_groups(name: str) -> None:
    graph, images = initialize(build(name)), 16 * 2 * L + 5
    (shape,) = graph.inputs.values()
    rng = np.random.default_rng(2)
    x, labels = rng.standard_normal((images, *shape)).astype(np.float32), rng.integers(0, 10, images)
    whole = engine(graph, images)
    expected = state(whole, *whole.step(x, labels, STEP))
    assert chunk_images(images) > L
    assert apart(graph, x, labels, pieces(images, 4)) == expected


@pytest.mark.parametrize("name", ["norms", "preact"])
def test_statistics_of_a_chunk_are_those_of_a_batch_of_its_images(name: str) -> None:
    images = 17 * L + 5
    graph, (x, labels) = net(name), batch(images)
    whole = engine(graph, images, norm_over="chunk")
    expected = state(whole, *whole.step(x, labels, STEP))
    assert apart(graph, x, labels, pieces(images, 5), norm_over="chunk") == expected
    slow = ReferenceEngine(graph, SoftmaxCrossEntropy(0.1), images)
    gradients = {name: np.zeros(array.shape) for name, array in slow.gradients.items()}
    moved = {name: np.zeros(array.shape) for name, array in slow.parameters.items()}
    start = {name: array.copy() for name, array in slow.parameters.items()}
    for number in range(chunk_count(images)):
        part = images_of(range(number, number + 1), images)
        slow.step(x[part], labels[part], STEP)
        share = (part.stop - part.start) / images
        for name, array in slow.gradients.items():
            gradients[name] += share * array
        for name, array in slow.parameters.items():
            moved[name] += share * array
            array[...] = start[name]
    largest = max(float(np.abs(array).max()) for array in gradients.values())
    for name, array in gradients.items():
        np.testing.assert_allclose(whole.gradients[name], array, rtol=0, atol=2e-5 * largest, err_msg=name)
    for name, array in moved.items():
        np.testing.assert_allclose(whole.parameters[name], array, rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_batch_norm_of_the_whole_batch_is_refused() -> None:
    x, labels = batch(L)
    with pytest.raises(UnsupportedError, match="norm_over='chunk'"):
        engine(net("norms"), L).partial(x, labels, STEP, total=L, chunk=0)


def test_frozen_batch_norms_pass() -> None:
    graph, (x, labels) = net("norms"), batch(3 * L)
    last = ["linear_2.weight", "linear_2.bias"]
    whole = engine(graph, 3 * L, trainable=last)
    expected = state(whole, *whole.step(x, labels, STEP))
    assert apart(graph, x, labels, pieces(3 * L, 3), trainable=last) == expected


def test_images_that_are_not_those_of_the_chunk_are_refused() -> None:
    graph, (x, labels) = net("plain"), batch(20 * L)
    own = engine(graph, 20 * L)
    with pytest.raises(ConfigError, match="0 to 9, but was asked for 10"):
        own.partial(x[: 2 * L], labels[: 2 * L], STEP, total=20 * L, chunk=10)
    with pytest.raises(ConfigError, match=rf"is images {2 * L} to {4 * L - 1}, but {L} images came"):
        own.partial(x[:L], labels[:L], STEP, total=20 * L, chunk=1)
    with pytest.raises(InputError, match="1 to"):
        own.partial(x[:0], labels[:0], STEP, total=20 * L, chunk=1)


def test_chunks_that_do_not_make_a_batch_are_refused() -> None:
    graph, (x, labels) = net("plain"), batch(2 * L)
    own = engine(graph, 2 * L)
    parts = [own.partial(x[i * L :][:L], labels[i * L :][:L], STEP, total=2 * L, chunk=i) for i in (0, 1)]
    for wrong in ([parts[0]], [parts[0], parts[0]], [*parts, parts[1]]):
        with pytest.raises(ConfigError, match="each of 2 chunks once"):
            own.combine(wrong, 2 * L)
    with pytest.raises(ConfigError, match="CNNFAST_ISA"):
        own.combine([parts[0], replace(parts[1], isa="another")], 2 * L)
    with pytest.raises(InputError, match="of another step"):
        engine(net("shapes"), 2 * L).combine(parts, 2 * L)
