"""One network in many processes and threads: fork, spawn, pools, servers, and pickles that share a file."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import shutil
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np
import pytest
from fresh_python import NEEDS_GIL, output_of
from small_networks import photographs, small_net
from systems import MUSL, linux
from workers import bits, mapped_kilobytes

from cnnfast import ModelFileError, Network
from cnnfast.runtime import shipped
from cnnfast.runtime.dispatch import kernels

pytestmark = pytest.mark.thread_unsafe

METHODS = multiprocessing.get_all_start_methods()
LIMIT = 120
"""Seconds after which a child counts as hanging."""


def expected(net: Network, start: int) -> bytes:
    return net.forward(photographs()[start:], threads=1).tobytes()


@pytest.fixture
def warm() -> Network:
    """A network that this process has computed with on several threads."""
    net = small_net()
    net.forward(photographs(), threads=2)
    return net


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    small_net().save(path)
    return path


@pytest.fixture(params=METHODS)
def pool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """A pool of two processes; children that are not forked must find the modules of the tests."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    with multiprocessing.get_context(request.param).Pool(2) as made:
        yield made


def test_every_start_method(warm: Network, pool: Pool) -> None:
    starts = [0, 3, 17, 49] * 2
    results = pool.starmap_async(bits, [(warm, start) for start in starts]).get(LIMIT)
    assert results == [expected(warm, start) for start in starts]


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_process_pool_executor(warm: Network) -> None:
    with ProcessPoolExecutor(2) as executor:
        results = list(executor.map(bits, [warm] * 4, range(4), timeout=LIMIT))
    assert results == [expected(warm, start) for start in range(4)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_joblib(warm: Network, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    for net in (warm, Network.load(file)):
        results = joblib.Parallel(n_jobs=2, timeout=LIMIT)(joblib.delayed(bits)(net, start) for start in range(4))
        assert results == [expected(net, start) for start in range(4)]


FORK = """
import os, signal, numpy as np
from cnnfast import Network
from cnnfast.runtime import threads
from cnnfast.runtime.dispatch import kernels
from cnnfast.layers import Linear
net = Network.from_layers([Linear(np.eye(4))], (4,))
x = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
parent = net.forward(x, threads=2)
child = {fork}
if child == 0:
    signal.alarm(60)
    same = np.array_equal(net.forward(x, threads=2), parent)
    os._exit(10 * same + threads.of_call(2))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), threads.of_call(2), np.array_equal(net.forward(x), parent))
"""

FORKED_BY_C = """
import _imp, ctypes
_imp.acquire_lock()
child = ctypes.PyDLL(None).fork()
if child == 0:
    ctypes.pythonapi.PyOS_AfterFork_Child()
"""


@pytest.mark.skipif("fork" not in METHODS, reason="this system cannot fork")
def test_a_forked_child_computes_with_as_many_threads() -> None:
    threads = 1 if MUSL else 2
    assert output_of(FORK.format(fork="os.fork()")) == f"1{threads} 2 True"


@pytest.mark.skipif("fork" not in METHODS, reason="this system cannot fork")
@NEEDS_GIL
def test_a_child_forked_behind_the_back_of_python_computes_with_one_thread() -> None:
    """As servers written in C do: nothing could end the threads before, and libgomp would wait for them forever."""
    code = FORK.replace("child = {fork}", FORKED_BY_C)
    assert output_of(code) == "11 2 True"


AMID_CALLS = """
import os, threading, time, numpy as np
from cnnfast import Network
from cnnfast.runtime.dispatch import kernels
net, images = Network.load("cifar10-resnet"), np.zeros((100000, 32, 32, 3), np.uint8)
net.predict(images[:1], threads=1)
def compute():
    try:
        net.predict(images, threads=1)
    except KeyboardInterrupt:
        pass
other = threading.Thread(target=compute)
other.start()
# a call looks at signals every 40 ms; it is in its loops long before
time.sleep(1)
child = os.fork()
if child == 0:
    os._exit(10 + kernels.interrupt(other.ident))
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(code, kernels.interrupt(other.ident))
other.join()
"""


@pytest.mark.skipif("fork" not in METHODS, reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_knows_nothing_of_the_calls_of_other_threads() -> None:
    assert output_of(AMID_CALLS) == "10 1"


SERVER = """
import os, sys, threading, numpy as np, cnnfast
net = cnnfast.Network.load("mnist-mlp")
pictures = np.random.default_rng(0).integers(0, 256, (64, 28, 28), np.uint8)
expected = net.predict_proba(pictures, threads=2)
# another Python thread has its own team, which no child has
other = threading.Thread(target=lambda: net.predict_proba(pictures, threads=2))
other.start(); other.join()
children = []
for worker in range(3):
    child = os.fork()
    if child == 0:
        import signal; signal.alarm(60)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(net.predict_proba(pictures, threads=2)))
                   for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        answers += [net.predict_proba(pictures) for _ in range(3)]
        os._exit(0 if len(answers) == 6 and all(np.array_equal(a, expected) for a in answers) else 1)
    children.append(child)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""


@pytest.mark.skipif("fork" not in METHODS, reason="this system cannot fork")
def test_a_server_that_loads_warms_up_and_forks() -> None:
    """As gunicorn with --preload does; the workers answer from their main thread and from others."""
    assert output_of(SERVER) == "[0, 0, 0]"


def test_threads_of_python_are_right_and_bounded_in_memory(warm: Network) -> None:
    starts = list(range(40)) * 3
    with ThreadPoolExecutor(8) as executor:
        results = list(executor.map(lambda start: bits(warm, start, threads=1 + start % 2), starts))
    assert results == [expected(warm, start) for start in starts]
    blocks, size = kernels.idle_memory()
    assert blocks <= 16
    assert size <= 64 << 20


def test_a_short_call_need_not_wait_for_a_long_one(warm: Network) -> None:
    """Both on the same network: the GIL is released, and no lock takes its place."""
    long, done, finished = np.broadcast_to(photographs(1), (60_000, 8, 8, 3)), threading.Event(), 0

    def run() -> None:
        warm.forward(long, threads=1)
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    while not done.is_set():
        warm.forward(photographs(3), threads=1)
        finished += not done.is_set()
    thread.join()
    assert finished >= 3


# Pickles ---------------------------------------------------------------------------------------------------------


def test_a_loaded_network_is_pickled_as_a_reference(file: Path) -> None:
    net = Network.load(file)
    sent = pickle.dumps(net)
    assert len(sent) < 600
    received = pickle.loads(sent)
    np.testing.assert_array_equal(received.forward(photographs()), net.forward(photographs()))
    assert pickle.dumps(received) == sent
    assert len(pickle.dumps(Network.load("cifar10-resnet"))) < 600


def test_a_shipped_network_is_pickled_as_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another installation keeps it elsewhere: the name comes first, the path second."""
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(shipped.file_of("mnist-mlp"), own)
    monkeypatch.setattr(shipped, "folder", lambda: own)
    net = Network.load("mnist-mlp")
    sent = pickle.dumps(net)
    assert len(sent) < 600
    other = tmp_path / "site-packages" / "models"
    other.mkdir(parents=True)
    shutil.copy(own / "mnist-mlp.safetensors", other)
    monkeypatch.setattr(shipped, "folder", lambda: other)
    received = pickle.loads(sent)
    assert received._file is not None
    assert Path(received._file.path).parent == other
    pixels = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    np.testing.assert_array_equal(received.forward(pixels), net.forward(pixels))
    small_net().save(other / "mnist-mlp.safetensors")
    by_path = pickle.loads(sent)
    assert by_path._file is not None
    assert Path(by_path._file.path).parent == own
    np.testing.assert_array_equal(by_path.forward(pixels), net.forward(pixels))
    (own / "mnist-mlp.safetensors").unlink()
    with pytest.raises(ModelFileError, match=r"shipped network 'mnist-mlp'.*has another one.*net\.by_value\(\)"):
        pickle.loads(sent)
    (other / "mnist-mlp.safetensors").unlink()
    with pytest.raises(ModelFileError, match="this installation of cnnfast has none"):
        pickle.loads(sent)


def test_a_file_beside_the_shipped_ones_is_no_shipped_one(file: Path) -> None:
    assert shipped.name_of(file) is None
    assert shipped.name_of(file.with_name("mnist-mlp.safetensors")) is None
    assert shipped.name_of(shipped.folder() / "mnist-mlp.md") is None


UNPICKLE = (
    "import pickle, numpy; print(pickle.load(open({path!r}, 'rb')).forward(numpy.ones((2, 8, 8, 3), 'u1')).tolist())"
)


def test_by_value_travels_to_where_the_file_is_not(file: Path, tmp_path: Path) -> None:
    net, sent = Network.load(file), tmp_path / "sent.pickle"
    expected = net.forward(np.ones((2, 8, 8, 3), np.uint8)).tolist()
    sent.write_bytes(pickle.dumps(net.by_value()))
    assert b".safetensors" not in sent.read_bytes()
    file.unlink()
    # a fresh process has not inherited the instruction set that this one was made to use
    assert output_of(UNPICKLE.format(path=str(sent)), CNNFAST_ISA=kernels.active_isa()) == str(expected)
    compiled = pickle.loads(pickle.dumps(Network.load("mnist-mlp").by_value().compile(batch=2)))
    assert compiled(np.zeros((2, 28, 28), np.uint8)).shape == (2, 10)


def test_a_network_without_a_file_is_pickled_as_a_whole(file: Path) -> None:
    net = Network.load(file)
    assert len(pickle.dumps(net.truncate("first"))) > 600
    sent = pickle.dumps(net)
    for change in (lambda: os.utime(file, (1, 1)), lambda: small_net(license="other").save(file), file.unlink):
        change()
        whole = pickle.dumps(net)
        assert len(whole) > len(sent)
        np.testing.assert_array_equal(pickle.loads(whole).forward(photographs()), net.forward(photographs()))


def test_a_file_that_changes_between_pickling_and_unpickling_is_named(file: Path) -> None:
    sent = pickle.dumps(Network.load(file))
    small_net(license="other").save(file)
    with pytest.raises(ModelFileError, match=r"pickled as a reference to this file.*now holds another one") as caught:
        pickle.loads(sent)
    assert str(caught.value).startswith(str(file))
    file.write_bytes(b"no model")
    with pytest.raises(ModelFileError, match="is not there any more"):
        pickle.loads(sent)
    file.unlink()
    with pytest.raises(ModelFileError, match="is not there any more"):
        pickle.loads(sent)


def test_a_file_that_is_damaged_later_is_named(file: Path) -> None:
    sent = pickle.dumps(Network.load(file))
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelFileError, match="it was damaged or changed after it was written"):
        pickle.loads(sent)


def test_a_relative_path_is_made_absolute(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(file.parent)
    sent = pickle.dumps(Network.load(file.name))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert pickle.loads(sent).input_shape == (3, 8, 8)


def test_copies_are_the_network_itself(warm: Network) -> None:
    assert copy.copy(warm) is warm
    assert copy.deepcopy([warm])[0] is warm


@linux
def test_workers_share_the_weights_of_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every weight is in pages of the file itself, of which no worker has its own copy."""
    path = tmp_path / "net.safetensors"
    shutil.copy(Path(Network.load("cifar10-cs61c")._file.path), path)  # type: ignore[union-attr]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    size = path.stat().st_size // 1024
    net = Network.load(path)
    with multiprocessing.get_context("spawn").Pool(2) as workers:
        for facts in workers.map_async(mapped_kilobytes, [net, net]).get(LIMIT):
            assert facts["Size"] >= size
            assert facts["Rss"] >= size // 2
            assert facts["Anonymous"] == 0
