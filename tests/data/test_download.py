"""Downloads from a local server that behaves as badly as real ones do."""

import dataclasses
import gc
import gzip
import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from data.examples import COUNT, IMAGES, LABELS, cifar10_records, idx

from cnnfast.data import download as module
from cnnfast.data import open_dataset
from cnnfast.data.download import COLLECTIONS, Collection, Remote, download
from cnnfast.errors import ConfigError, DataError


class Home(ThreadingHTTPServer):
    """A server of ``files`` that can be told to misbehave.

    Attributes
    ----------
    files : dict
        Content by name.
    cut : int, optional
        Break the connection after that many bytes.
    ranges : bool
        Whether requests from the middle are honored.
    status : int, optional
        Answer everything with this.
    requests : list of (str, str or None)
        What was asked for: name and range.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.cut = None
        self.ranges = True
        self.status = None
        self.requests = []

    def handle_error(self, request, client_address):
        """Say nothing where a client hangs up early; that is part of the tests."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/data"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        home, name, wanted = self.server, self.path.removeprefix("/data/"), self.headers["Range"]
        home.requests.append((name, wanted))
        if home.status or name not in home.files:
            self.send_error(home.status or 404)
            return
        content = home.files[name]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and home.ranges else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : home.cut])

    def log_message(self, *args):
        pass


@pytest.fixture
def home():
    server = Home()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def remote(name: str, content: bytes) -> Remote:
    return Remote(name, len(content), hashlib.md5(content).hexdigest())


@pytest.fixture
def mnist(home, monkeypatch):
    """Let a small MNIST be at home."""
    for split in ("train", "t10k"):
        home.files[f"{split}-images-idx3-ubyte.gz"] = gzip.compress(idx(IMAGES[..., 0]))
        home.files[f"{split}-labels-idx1-ubyte.gz"] = gzip.compress(idx(LABELS.astype(np.uint8)))
    files = tuple(remote(name, content) for name, content in home.files.items())
    monkeypatch.setitem(COLLECTIONS, "mnist", Collection("http://unused/", files))
    return home


def archive(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture
def cifar10(home, monkeypatch):
    """Let a small CIFAR-10 be at home, in an archive that also holds what no one asked for."""
    records = cifar10_records(IMAGES, LABELS)
    official = COLLECTIONS["cifar10"]
    wanted = {f"cifar-10-batches-bin/{name}": records for name, _ in official.members}
    unwanted = {"../evil.txt": b"x", "/tmp/evil.txt": b"x", "cifar-10-batches-bin/readme.html": b"x"}
    home.files["cifar-10-binary.tar.gz"] = archive({**unwanted, **wanted})
    small = dataclasses.replace(
        official,
        files=(remote("cifar-10-binary.tar.gz", home.files["cifar-10-binary.tar.gz"]),),
        members=tuple((name, len(records)) for name, _ in official.members),
    )
    monkeypatch.setitem(COLLECTIONS, "cifar10", small)
    return home


def test_mnist_arrives_and_opens(mnist, tmp_path):
    folder = download("mnist", tmp_path / "cache", mnist.url)
    assert folder == tmp_path / "cache" / "mnist"
    assert len(open_dataset(folder, split="train")) == COUNT
    assert sorted(p.name for p in folder.iterdir()) == sorted(mnist.files)


def test_cifar10_arrives_without_what_nobody_asked_for(cifar10, tmp_path):
    folder = download("cifar10", tmp_path, cifar10.url)
    assert folder == tmp_path / "cifar10" / "cifar-10-batches-bin"
    assert len(open_dataset(folder, split="train")) == 5 * COUNT
    everything = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    assert everything == sorted(name for name, _ in COLLECTIONS["cifar10"].members)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_what_is_there_is_not_fetched_again(name, mnist, cifar10, tmp_path):
    first = download(name, tmp_path, mnist.url)
    asked = len(mnist.requests)
    assert download(name, tmp_path, "http://127.0.0.1:1/") == first
    assert len(mnist.requests) == asked


def test_cache_folder_is_that_of_the_configuration(mnist, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNFAST_CACHE", str(tmp_path / "mine"))
    assert download("mnist", base_url=mnist.url) == tmp_path / "mine" / "mnist"


def test_broken_connection_is_resumed(cifar10, tmp_path):
    cifar10.cut = 1000
    with pytest.raises(DataError, match=r"ended after 1000 of \d+ bytes; run it again for the rest"):
        download("cifar10", tmp_path, cifar10.url)
    assert (tmp_path / "cifar10" / "cifar-10-binary.tar.gz.part").stat().st_size == 1000
    cifar10.cut = None
    download("cifar10", tmp_path, cifar10.url)
    assert [wanted for _, wanted in cifar10.requests] == [None, "bytes=1000-"]


def test_server_that_starts_over_is_followed(cifar10, tmp_path):
    cifar10.cut = 1000
    with pytest.raises(DataError):
        download("cifar10", tmp_path, cifar10.url)
    cifar10.cut, cifar10.ranges = None, False
    assert len(open_dataset(download("cifar10", tmp_path, cifar10.url))) == COUNT


def test_interruption_leaves_a_part_and_the_next_call_goes_on(cifar10, tmp_path, monkeypatch):
    copy = module._copy

    def interrupted(response, file, remote, have):
        file.write(response.read(500))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_copy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download("cifar10", tmp_path, cifar10.url)
    monkeypatch.setattr(module, "_copy", copy)
    download("cifar10", tmp_path, cifar10.url)
    assert cifar10.requests[-1][1] == "bytes=500-"


def test_wrong_checksum_states_both_sums_and_keeps_the_file_aside(mnist, tmp_path):
    name = "train-images-idx3-ubyte.gz"
    right = mnist.files[name]
    mnist.files[name] = bytes(len(right))
    with pytest.raises(DataError) as caught:
        download("mnist", tmp_path, mnist.url)
    for content in (right, mnist.files[name]):
        assert hashlib.md5(content).hexdigest() in str(caught.value)
    assert [p.name for p in (tmp_path / "mnist").iterdir()] == [f"{name}.bad"]
    mnist.files[name] = right
    assert len(open_dataset(download("mnist", tmp_path, mnist.url))) == COUNT


def test_file_that_is_longer_than_stated_is_refused(mnist, tmp_path):
    mnist.files["train-images-idx3-ubyte.gz"] += bytes(10_000_000)
    with pytest.raises(DataError, match="MD5"):
        download("mnist", tmp_path, mnist.url)
    (bad,) = (tmp_path / "mnist").iterdir()
    assert bad.stat().st_size == COLLECTIONS["mnist"].files[0].size + 1


def test_damaged_file_in_the_cache_is_fetched_again(mnist, tmp_path):
    folder = download("mnist", tmp_path, mnist.url)
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    assert len(open_dataset(download("mnist", tmp_path, mnist.url))) == COUNT


@pytest.mark.parametrize("status", [404, 403, 500])
def test_what_the_server_answers_is_passed_on(mnist, tmp_path, status):
    mnist.status = status
    with pytest.raises(DataError, match=rf"train-images-idx3-ubyte.gz: the server answered {status}"):
        download("mnist", tmp_path, mnist.url)
    # a connection that was left open would be an error now
    gc.collect()


def test_no_connection_is_an_error_that_names_the_home(tmp_path):
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:1/: cannot be reached"):
        download("mnist", tmp_path, "http://127.0.0.1:1")


def test_archive_without_the_members_is_an_error(cifar10, tmp_path, monkeypatch):
    cifar10.files["cifar-10-binary.tar.gz"] = content = archive({"cifar-10-batches-bin/test_batch.bin": b"short"})
    changed = dataclasses.replace(COLLECTIONS["cifar10"], files=(remote("cifar-10-binary.tar.gz", content),))
    monkeypatch.setitem(COLLECTIONS, "cifar10", changed)
    with pytest.raises(DataError, match="lacks some of"):
        download("cifar10", tmp_path, cifar10.url)
    assert [p.name for p in (tmp_path / "cifar10").iterdir()] == ["cifar-10-binary.tar.gz"]


def test_unknown_names_and_other_schemes_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no data set 'imagenet' to download; there are: cifar10, mnist"):
        download("imagenet", tmp_path)
    with pytest.raises(ConfigError, match="http or https"):
        download("mnist", tmp_path, "file:///etc/")


def test_stated_sums_are_those_of_the_real_files(shared_data):
    for stated in COLLECTIONS["mnist"].files:
        assert remote(stated.name, (shared_data / "mnist" / stated.name).read_bytes()) == stated
