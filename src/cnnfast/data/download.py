"""Fetching CIFAR-10 and MNIST from their homes, checked, resumable, and into place only when complete.

A file arrives as ``NAME.part``. An interruption leaves that, and the next call asks for the rest. When all bytes are
there the checksum is compared: if it is wrong the file becomes ``NAME.bad``, so that the next call starts over.
The homes state MD5 sums; they tell damage in transit, and are not a defense against deliberate tampering.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from cnnfast._bar import open_bar
from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError, DataError
from cnnfast.runtime.arguments import path_of, quoted, text

TIMEOUT_SECONDS = 30
CHUNK = 1 << 18


@frozen
class Remote:
    """A file as its home describes it."""

    name: str
    size: int
    md5: str


@frozen
class Collection:
    """A data set to fetch.

    Attributes
    ----------
    home : str
        URL of the folder that holds the files, with a slash at the end.
    files : tuple of Remote
    unpacked : str, optional
        The folder that a tar archive brings; the archive is deleted once that is in place.
    members : tuple of (str, int)
        Name and size of the files to take from the archive.
    """

    home: str
    files: tuple[Remote, ...]
    unpacked: str | None = None
    members: tuple[tuple[str, int], ...] = ()


COLLECTIONS = {
    "cifar10": Collection(
        "https://www.cs.toronto.edu/~kriz/",
        (Remote("cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530"),),
        "cifar-10-batches-bin",
        (*((f"data_batch_{i}.bin", 30_730_000) for i in range(1, 6)), ("test_batch.bin", 30_730_000)),
    ),
    "mnist": Collection(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        (
            Remote("train-images-idx3-ubyte.gz", 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            Remote("train-labels-idx1-ubyte.gz", 28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
            Remote("t10k-images-idx3-ubyte.gz", 1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
            Remote("t10k-labels-idx1-ubyte.gz", 4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
    ),
}
"""What can be fetched; the home of MNIST is the mirror that PyTorch keeps, as the original asks to be spared."""


def download(name: str, cache: str | os.PathLike[str] | None = None, base_url: str | None = None) -> Path:
    """Fetch a data set into the cache, unless it is there, and return its folder.

    Parameters
    ----------
    name : {"cifar10", "mnist"}
    cache : path, optional
        Folder to keep data sets in; by default the user's cache folder, or ``CNNFAST_CACHE``.
    base_url : str, optional
        Another home with the same files, http or https.

    Returns
    -------
    Path
        A folder for `cnnfast.data.open_dataset`.

    Raises
    ------
    ConfigError
        For an unknown name, or a home that is not http or https.
    DataError
        If the home cannot be reached, the connection breaks, or the checksum is wrong.

    Examples
    --------
    >>> from cnnfast.data import open_dataset
    >>> from cnnfast.data.download import download
    >>> dataset = open_dataset(download("mnist"))  # doctest: +SKIP
    """
    if not isinstance(name, str) or name not in COLLECTIONS:
        raise ConfigError(f"there is no data set {quoted(name)} to download; there are: {', '.join(COLLECTIONS)}")
    collection = COLLECTIONS[name]
    text("base_url", base_url)
    home = (base_url or collection.home).rstrip("/") + "/"
    if urllib.parse.urlsplit(home).scheme not in ("http", "https"):
        raise ConfigError(f"a home to download from must be an http or https URL, but is {home!r}")
    folder = (_default_cache() if cache is None else path_of("cache", cache)) / name
    with _naming_failures(home):
        folder.mkdir(parents=True, exist_ok=True)
        if collection.unpacked is None:
            for remote in collection.files:
                _fetch(home, remote, folder)
            return folder
        target = folder / collection.unpacked
        if not _is_complete(target, collection):
            archives = [_fetch(home, remote, folder) for remote in collection.files]
            for archive in archives:
                _unpack(archive, target, collection)
                archive.unlink()
        return target


def _default_cache() -> Path:
    from cnnfast.runtime.config import cache_dir

    return cache_dir()


@contextmanager
def _naming_failures(home: str) -> Iterator[None]:
    again = "run it again to continue from there"
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(
            f"{error.url}: the server answered {error.code} {error.reason}; is this still the home?"
        ) from error
    except urllib.error.URLError as error:
        raise DataError(f"{home}: cannot be reached: {error.reason}; {again}") from error
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{home}: download failed: {error if error.args else type(error).__name__}; {again}") from error


def _fetch(home: str, remote: Remote, folder: Path) -> Path:
    """Bring one file into the folder, and return where it is."""
    target = folder / remote.name
    if target.is_file() and target.stat().st_size == remote.size and _md5(target) == remote.md5:
        return target
    part = folder / f"{remote.name}.part"
    url = urllib.parse.urljoin(home, remote.name)
    _receive(url, remote, part)
    found = _md5(part)
    if found != remote.md5:
        bad = folder / f"{remote.name}.bad"
        os.replace(part, bad)
        raise DataError(f"{url}: has the MD5 sum {found}, but its home states {remote.md5}; what came is kept as {bad}")
    os.replace(part, target)
    return target


def _receive(url: str, remote: Remote, part: Path) -> None:
    """Append to ``part`` what it lacks; start over where the server does not send from the middle."""
    have = part.stat().st_size if part.is_file() else 0
    if have > remote.size:
        part.unlink()
        have = 0
    if have == remote.size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        resumed = response.status == 206 and str(response.headers["Content-Range"]).startswith(f"bytes {have}-")
        if have and not resumed:
            have = 0
        with open(part, "ab" if have else "wb") as file:
            _copy(response, file, remote, have)
    have = part.stat().st_size
    if have < remote.size:
        raise DataError(f"{url}: the connection ended after {have} of {remote.size} bytes; run it again for the rest")


def _copy(response: Any, file: Any, remote: Remote, have: int) -> None:
    bar = open_bar(remote.size, have, "B", unit_scale=True, desc=remote.name)
    with nullcontext() if bar is None else bar:
        # One byte more than stated is taken, so that a file that is too long fails its checksum.
        left = remote.size + 1 - have
        while left > 0 and (piece := response.read(min(CHUNK, left))):
            file.write(piece)
            left -= len(piece)
            if bar is not None:
                bar.update(len(piece))


def _md5(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _is_complete(folder: Path, collection: Collection) -> bool:
    files = [(folder / name, size) for name, size in collection.members]
    return all(file.is_file() and file.stat().st_size == size for file, size in files)


def _unpack(archive: Path, target: Path, collection: Collection) -> None:
    """Take the stated members, of the stated sizes, out of an archive, and move them into place together."""
    wanted = dict(collection.members)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpack-") as scratch:
        try:
            with tarfile.open(archive, "r:gz") as tar:
                for member in tar:
                    folder, _, name = member.name.rpartition("/")
                    if member.isfile() and folder == collection.unpacked and wanted.get(name) == member.size:
                        tar.extract(member, scratch, filter="data")
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise DataError(f"{archive}: cannot be unpacked: {error}; delete it and run the download again") from error
        unpacked = Path(scratch) / str(collection.unpacked)
        if not _is_complete(unpacked, collection):
            raise DataError(f"{archive}: lacks some of {', '.join(wanted)} of the expected size; delete it")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(unpacked, target)
