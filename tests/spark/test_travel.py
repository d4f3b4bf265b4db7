"""Files on their way to the executors, with a session that only looks at how it is asked."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_networks import small_net

from cnnfast import Network
from cnnfast.spark.travel import send_file, send_network

NAMES = ("cifar10-cs61c", "mnist-mlp")


class Session:
    """Takes artifacts as Spark does: it refuses one whose copy, made by another thread, is not yet whole."""

    def __init__(self, name: str) -> None:
        self.sparkContext = SimpleNamespace(applicationId=name, addFile=self.addArtifacts)
        self.copying: set[str] = set()
        self.given: list[str] = []

    def addArtifacts(self, path: str, file: bool = True) -> None:
        assert path not in self.copying, "a duplicate artifact"
        assert Path(path).is_file()
        self.copying.add(path)
        time.sleep(0.05)
        self.copying.remove(path)
        self.given.append(Path(path).name)


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


def test_networks_that_are_in_no_file_do_not_meet_in_the_outbox(session: Session) -> None:
    nets = [small_net(classes=list(classes)) for classes in ("abcd", "efgh")]
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda job: send_network(session, nets[job % 2]), range(16)))
    assert names == names[:2] * 8


def test_a_file_is_sent_once_by_many_threads(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    Network.load(NAMES[0]).save(path)
    with ThreadPoolExecutor(4) as pool:
        names = set(pool.map(lambda _: send_file(session, path), range(8)))
    assert names == set(session.given)
    assert len(session.given) == 1
