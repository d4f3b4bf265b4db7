"""Files are opened ahead of those that decode them: in order, not too many, and all are closed."""

from __future__ import annotations

import itertools
import os
import threading
import time

import numpy as np
import pytest
from PIL import Image

from cnnfast.errors import PictureError
from cnnfast.images.pictures import ahead as module
from cnnfast.images.pictures.ahead import THREADS, WINDOW, ReadAhead
from cnnfast.images.pictures.many import read_pictures
from cnnfast.images.preprocess import Preprocess

RULE = Preprocess(size=(2, 2))


class SlowDisk:
    """Takes a while to open a file, and counts files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.opened: list[str] = []
        self.files: list = []
        self.at_once = self.most_at_once = 0
        self._seconds, self._lock, self._open_path = seconds, threading.Lock(), module.open_path
        monkeypatch.setattr(module, "open_path", self)

    def __call__(self, path: str):
        with self._lock:
            self.opened.append(path)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self._seconds)
        try:
            file = self._open_path(path)
        finally:
            with self._lock:
                self.at_once -= 1
        self.files.append(file)
        return file

    @property
    def open_files(self) -> int:
        return sum(not file.closed for file in self.files)


@pytest.fixture
def paths(tmp_path):
    for number in range(100):
        (tmp_path / f"{number:02}").write_bytes(str(number).encode())
    return [str(tmp_path / f"{number:02}") for number in range(100)]


def test_files_are_opened_several_at_a_time_before_the_first_is_taken(paths, monkeypatch):
    disk = SlowDisk(monkeypatch, 0.02)
    with ReadAhead() as ahead:
        added = [ahead.add(path) for path in paths]
        added[WINDOW - 1].coming.result()
        for one in added[:WINDOW]:
            one.coming.result()
        assert 1 < disk.most_at_once <= THREADS
        assert sorted(disk.opened) == paths[:WINDOW]
        assert disk.open_files == WINDOW
        for number, one in enumerate(added):
            with ahead.taken(one) as file:
                assert file.read() == str(number).encode()
            assert disk.open_files <= WINDOW
    assert len(disk.opened) == len(paths)
    assert disk.open_files == 0


def test_what_is_not_begun_is_opened_when_it_is_taken(paths):
    """Nothing waits for another one's turn, so they may be taken in any order."""
    with ReadAhead() as ahead:
        added = [ahead.add(path) for path in paths]
        for number in reversed(range(len(paths))):
            with ahead.taken(added[number]) as file:
                assert file.read() == str(number).encode()


def test_many_threads_take_every_file_once(paths, monkeypatch):
    disk = SlowDisk(monkeypatch, 0)
    found = []
    with ReadAhead() as ahead:
        added = [ahead.add(path) for path in paths]

        def take(numbers: range) -> None:
            for number in numbers:
                with ahead.taken(added[number]) as file:
                    found.append(int(file.read()))

        threads = [threading.Thread(target=take, args=(range(first, 100, 5),)) for first in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert sorted(found) == list(range(100))
    assert sorted(disk.opened) == paths
    assert disk.open_files == 0


def test_what_no_one_takes_is_closed(paths, monkeypatch):
    disk = SlowDisk(monkeypatch, 0.01)
    before = threading.active_count()
    with ReadAhead() as ahead:
        added = [ahead.add(path) for path in paths]
        with ahead.taken(added[3]):
            pass
    assert disk.open_files == 0
    assert len(disk.opened) < len(paths)
    assert threading.active_count() == before


def test_a_file_that_cannot_be_opened_is_an_error_when_it_is_taken(paths, tmp_path):
    with ReadAhead() as ahead:
        added = [ahead.add(path) for path in (paths[0], tmp_path / "absent", tmp_path, paths[1])]
        for one, reason in ((added[1], "absent: no such file"), (added[2], "is a folder")):
            with pytest.raises(PictureError, match=reason), ahead.taken(one):
                pass
        with ahead.taken(added[3]) as file:
            assert file.read() == b"1"


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="the system takes no advice")
@pytest.mark.parametrize(("most", "asked"), [(None, 300_000), (1000, 1000)])
def test_the_system_is_asked_to_read_all_or_the_beginning(tmp_path, monkeypatch, most, asked):
    (tmp_path / "large").write_bytes(bytes(300_000))
    seen = []
    monkeypatch.setattr(os, "posix_fadvise", lambda file, start, count, advice: seen.append((start, start + count)))
    with ReadAhead(most) as ahead, ahead.taken(ahead.add(tmp_path / "large")):
        pass
    assert seen[0][0] == 0
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(seen))
    assert seen[-1][0] < asked <= seen[-1][1]


def test_a_system_that_refuses_advice_is_no_harm(paths, monkeypatch):
    def refuse(*_: int) -> None:
        raise OSError

    monkeypatch.setattr(os, "posix_fadvise", refuse, raising=False)
    monkeypatch.setattr(os, "POSIX_FADV_WILLNEED", 3, raising=False)
    with ReadAhead() as ahead, ahead.taken(ahead.add(paths[7])) as file:
        assert file.read() == b"7"


def test_pictures_on_a_slow_disk_are_opened_while_others_are_decoded(tmp_path, monkeypatch):
    pictures = [tmp_path / f"{number:02}.png" for number in range(12)]
    for number, path in enumerate(pictures):
        Image.new("L", (4, 4), number).save(path)
    disk = SlowDisk(monkeypatch, 0.02)
    outcomes = list(read_pictures([*pictures, tmp_path / "absent.png"], RULE, workers=1))
    assert [int(np.max(picture)) for _, picture in outcomes[:-1]] == list(range(12))
    assert isinstance(outcomes[-1][1], PictureError)
    assert disk.most_at_once > 1
    assert disk.open_files == 0
