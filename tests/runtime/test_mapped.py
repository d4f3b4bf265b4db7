"""Files under mapped arrays: what replaces one is harmless, and what writes over one is an error."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_networks import photographs, small_net
from systems import posix

from cnnfast import ModelFileError, Network, quantize
from cnnfast.graph import Graph
from cnnfast.runtime.mapped import check_not_rewritten, mapped_file
from cnnfast.train import Recipe, fit

RULE = r"base\.safetensors: was written over, or touched, after a network had mapped it"


def scaled(net: Network, by: float) -> Network:
    """Return a network whose file has as many bytes, and other weights."""
    graph = net.graph
    constants = {name: (array * by).astype(array.dtype) for name, array in graph.constants.items()}
    changed = Graph(graph.inputs, graph.nodes, constants, graph.outputs)
    return Network.from_graph(changed, preprocess=net.preprocess, classes=net.class_names, notes=net.notes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of equal size, and one that borrows the weights of the first."""
    net = scaled(small_net(), 1)
    net.save(tmp_path / "base.safetensors")
    scaled(net, 1.5).save(tmp_path / "other.safetensors")
    names = [f"new {name}" for name in net.classes_]
    head = Network.from_graph(net.graph, preprocess=net.preprocess, classes=names)
    head.save(tmp_path / "head.safetensors", borrow=tmp_path / "base.safetensors")
    return tmp_path


@pytest.fixture(params=["base", "head"])
def kept(request: pytest.FixtureRequest, folder: Path) -> Network:
    return Network.load(folder / f"{request.param}.safetensors")


def received(net: Network) -> Network:
    """Return a network as a worker gets it: its file is mapped."""
    again = pickle.loads(pickle.dumps(net))
    assert isinstance(again, Network)
    return again


def write_over(folder: Path) -> None:
    before = (folder / "base.safetensors").stat()
    shutil.copyfile(folder / "other.safetensors", folder / "base.safetensors")
    # two writes within one tick of the clock of a file system are still two
    os.utime(folder / "base.safetensors", ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))


USES: dict[str, Callable[[Network, Path], object]] = {
    "predict": lambda net, folder: net.predict_proba(photographs(3)),
    "many": lambda net, folder: net.predict_proba(photographs(70)),
    "features": lambda net, folder: net.features(photographs(3)),
    "save": lambda net, folder: net.save(folder / "saved.safetensors"),
    "pickle": lambda net, folder: pickle.dumps(net),
    "by_value": lambda net, folder: pickle.dumps(net.by_value()),
    "train": lambda net, folder: fit(net, (photographs(8), np.arange(8) % 4), Recipe(batch=4, epochs=1)),
    "quantize": lambda net, folder: quantize(net, photographs(8)),
    "mirrored": lambda net, folder: net.mirrored().predict_proba(photographs(3)),
}


@posix
@pytest.mark.parametrize("use", USES)
def test_what_is_written_over_is_an_error(kept: Network, folder: Path, use: str) -> None:
    worker = received(kept)
    write_over(folder)
    for _ in range(2):
        with pytest.raises(ModelFileError, match=RULE):
            USES[use](worker, folder)
    assert not (folder / "saved.safetensors").exists()


def test_what_is_replaced_or_deleted_changes_nothing(kept: Network, folder: Path) -> None:
    images, workers = photographs(70), [received(kept) for _ in range(3)]
    expected = kept.predict_proba(images)
    os.replace(folder / "other.safetensors", folder / "base.safetensors")
    np.testing.assert_array_equal(workers[0].predict_proba(images), expected)
    (folder / "base.safetensors").unlink()
    np.testing.assert_array_equal(workers[1].predict_proba(images), expected)
    np.testing.assert_array_equal(received(workers[2]).predict_proba(images), expected)


@pytest.mark.parametrize("name", ["small", "mnist-mlp"])
def test_a_network_that_has_computed_keeps_its_weights(folder: Path, name: str) -> None:
    if name != "small":
        net = scaled(Network.load(name), 1)
        net.save(folder / "base.safetensors")
        scaled(net, 1.5).save(folder / "other.safetensors")
    kept = Network.load(folder / "base.safetensors")
    shape = kept.input_shape
    images = np.random.default_rng(0).standard_normal((70, *shape)).astype(np.float32)
    worker = received(kept)
    for few_or_many in (images, images[:1]):
        np.testing.assert_array_equal(
            worker.forward(few_or_many, layout="nchw"), kept.forward(few_or_many, layout="nchw")
        )
    write_over(folder)
    for few_or_many in (images, images[:1]):
        np.testing.assert_array_equal(
            worker.forward(few_or_many, layout="nchw"), kept.forward(few_or_many, layout="nchw")
        )


def test_what_was_read_into_memory_is_never_an_error(kept: Network, folder: Path) -> None:
    write_over(folder)
    again = pickle.loads(pickle.dumps(kept))
    images = photographs(3)
    np.testing.assert_array_equal(again.predict_proba(images), kept.predict_proba(images))


@posix
def test_views_lead_back_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "base.safetensors"
    path.write_bytes(bytes(range(64)))
    view = mapped_file(path)[8:].view("f4").reshape(2, 7)[1:]
    check_not_rewritten([view, view.copy(), np.asarray(view)])
    path.write_bytes(bytes(32))
    check_not_rewritten([view.copy()])
    for one in (view, np.asarray(view)):
        with pytest.raises(ModelFileError, match=RULE):
            check_not_rewritten([one])
