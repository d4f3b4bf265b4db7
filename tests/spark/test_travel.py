"""Files on their way to the executors, with a session that only looks at how it is asked."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fresh_python import output_of
from small_networks import photographs, small_net

from cnnfast import Network
from cnnfast.formats.reference import FileReference
from cnnfast.spark.travel import send_network

NAMES = ("cifar10-cs61c", "mnist-mlp")


class Session:
    """Takes artifacts as Spark does: it refuses one whose copy, made by another thread, is not yet whole."""

    range = createDataFrame = None

    def __init__(self, name: str) -> None:
        self.sparkContext = SimpleNamespace(applicationId=name, addFile=self.addArtifacts)
        self.copying: set[str] = set()
        self.given: list[str] = []
        self.contents: list[bytes] = []

    def addArtifacts(self, path: str, file: bool = True) -> None:
        assert path not in self.copying, "a duplicate artifact"
        assert Path(path).is_file()
        self.copying.add(path)
        time.sleep(0.05)
        self.copying.remove(path)
        self.given.append(Path(path).name)
        self.contents.append(Path(path).read_bytes())


@pytest.fixture
def session(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr("cnnfast.spark.travel._version", lambda: (4, 0))
    return Session(request.node.name)


def test_each_network_is_sent_once_by_many_threads(session: Session) -> None:
    nets = [Network.load(name) for name in NAMES]
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda job: send_network(session, nets[job % 2]), range(16)))
    assert names == names[:2] * 8
    assert sorted(session.given) == sorted(names[:2])


def test_a_network_that_borrows_weights_travels_with_them(session: Session, tmp_path: Path) -> None:
    base, head = tmp_path / "base.safetensors", tmp_path / "head.safetensors"
    small_net().save(base)
    small_net(classes=list("efgh")).save(head, borrow=base)
    net, alone = Network.load(head), tmp_path / "executor" / "net.safetensors"
    assert send_network(session, net) == send_network(session, net)
    assert len(session.given) == 1
    alone.parent.mkdir()
    alone.write_bytes(session.contents[0])
    images = photographs(3)
    np.testing.assert_array_equal(Network.load(alone).predict_proba(images), net.predict_proba(images))


def test_networks_that_are_in_no_file_do_not_meet_in_the_outbox(session: Session) -> None:
    nets = [small_net(classes=list(classes)) for classes in ("abcd", "efgh")]
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda job: send_network(session, nets[job % 2]), range(16)))
    assert names == names[:2] * 8


def test_jobs_of_runs_that_begin_at_the_same_time(session: Session) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install cnnfast[arrow]")
    from cnnfast.spark.training import SparkExecutor

    nets = [small_net(classes=list(classes)) for classes in ("abcd", "efgh")]

    def begin(number: int) -> str:
        executor = SparkExecutor(session, parts=2)
        executor.begin(nets[number % 2])  # type: ignore[arg-type]  # it is only saved
        return executor._name

    expected = [send_network(session, net) for net in nets]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(begin, range(16))) == expected * 8


def test_a_copy_that_was_interrupted_is_not_sent(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_of_it(source: str, target: Path) -> None:
        target.write_bytes(Path(source).read_bytes()[:500])
        raise KeyboardInterrupt

    net = saved(small_net(classes=list("ijkl")), tmp_path / "net.safetensors")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy", half_of_it)
        with pytest.raises(KeyboardInterrupt):
            send_network(session, net)
    send_network(session, net)
    assert session.contents == [(tmp_path / "net.safetensors").read_bytes()]


def test_a_file_that_changes_while_it_is_copied(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = saved(small_net(classes=list("mnop")), tmp_path / "net.safetensors")
    content = (tmp_path / "net.safetensors").read_bytes()
    small_net(classes=list("qrst")).save(tmp_path / "net.safetensors")
    monkeypatch.setattr(FileReference, "is_current", lambda self: True)
    name = send_network(session, net)
    assert session.contents == [content]
    assert net._file is not None
    assert name == f"{net._file.sha256}.safetensors"


def saved(net: Network, path: Path) -> Network:
    net.save(path)
    return Network.load(path)


FORK = """
import os, signal, sys, threading
from pathlib import Path
from types import SimpleNamespace
from cnnfast import Network
from cnnfast.spark import travel

travel._version = lambda: (3, 5)
given = []
session = SimpleNamespace(sparkContext=SimpleNamespace(applicationId="one", addFile=given.append))
travel.send_network(session, Network.load("mnist-mlp"))
held, ended = threading.Event(), threading.Event()
def hold():
    with travel._sending:
        held.set()
        ended.wait()
other = threading.Thread(target=hold)
other.start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(60)
    travel.send_network(session, Network.load("cifar10-cs61c"))
    sys.exit(7 if Path(given[1]).parent != Path(given[0]).parent else 1)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
ended.set()
other.join()
print(status, len(given), Path(given[0]).is_file())
travel.send_network(session, Network.load("cifar10-lenet"))
print(Path(given[1]).is_file())
"""


@pytest.mark.skipif("not hasattr(__import__('os'), 'fork')", reason="this system cannot fork")
def test_a_child_sends_from_a_folder_of_its_own_and_leaves_that_of_its_parent() -> None:
    assert output_of(FORK).split() == ["7", "1", "True", "True"]


@pytest.mark.slow  # with pyspark, but without Java
def test_models_that_are_saved_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install cnnfast[spark]")
    from cnnfast.spark import model

    def slow_copy(session: object, local: Path, target: str) -> None:
        time.sleep(0.02)
        shutil.copy(local, target)

    monkeypatch.setattr(model, "_copy_to", slow_copy)
    monkeypatch.setattr(model._ModelWriter, "sparkSession", None)
    monkeypatch.setattr(model.DefaultParamsWriter, "saveMetadata", lambda *_: None)
    nets = [small_net(classes=list(classes)) for classes in ("abcd", "efgh")]

    def saved_classes(number: int) -> list[str]:
        folder = tmp_path / str(number)
        folder.mkdir()
        model._ModelWriter(SimpleNamespace(network=nets[number % 2])).saveImpl(str(folder))  # type: ignore[arg-type]
        classes: list[str] = Network.load(folder / model.FILE).classes_.tolist()
        return classes

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(saved_classes, range(8))) == [list("abcd"), list("efgh")] * 4


@pytest.mark.slow  # with pyspark, but without Java
def test_a_large_model_stays_as_it_was_when_another_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install cnnfast[spark]")
    from cnnfast.spark import model

    def rows(path: str) -> SimpleNamespace:
        content = Path(path).read_bytes()
        return SimpleNamespace(select=lambda name: SimpleNamespace(first=lambda: [content]))

    monkeypatch.setattr("cnnfast.formats.tensors.MAP_ABOVE", 0)
    session = SimpleNamespace(read=SimpleNamespace(format=lambda kind: SimpleNamespace(load=rows)))
    monkeypatch.setattr(model._ModelReader, "sparkSession", session)
    monkeypatch.setattr(model.DefaultParamsReader, "loadMetadata", lambda *_: {"uid": "one"})
    monkeypatch.setattr(model.DefaultParamsReader, "getAndSetParams", lambda *_: None)
    nets = [Network.load(name) for name in ("cifar10-lenet", "cifar10-cs61c")]
    for number, net in enumerate(nets):
        (tmp_path / str(number)).mkdir()
        net.save(tmp_path / str(number) / model.FILE)
    loaded = [model._ModelReader().load(str(tmp_path / str(number))).network for number in range(2)]
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    for net, again in zip(nets, loaded, strict=True):
        np.testing.assert_array_equal(again.predict_proba(images), net.predict_proba(images))
