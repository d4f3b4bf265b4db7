"""How many pixels are decoded: the limit of one picture, and the budget that all threads share."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from cnnfast import get_max_pixels, read_picture, read_pictures, set_max_pixels
from cnnfast.errors import ConfigError
from cnnfast.images.pictures.pixels import AT_ONCE, DEFAULT, LARGE, PixelBudget, decoding
from cnnfast.images.preprocess import Preprocess


@pytest.fixture(autouse=True)
def limit_is_put_back() -> Iterator[None]:
    yield
    set_max_pixels(None)


def test_the_limit_is_set_and_put_back() -> None:
    set_max_pixels(10)
    assert get_max_pixels() == 10
    set_max_pixels(None)
    assert get_max_pixels() == DEFAULT


@pytest.mark.parametrize("n", [0, -1, 1.5, "9", True, 1 << 50])
def test_the_limit_is_an_integer_above_zero(n: object) -> None:
    with pytest.raises(ConfigError, match="max_pixels must be an integer from 1"):
        set_max_pixels(n)  # type: ignore[arg-type]
    assert get_max_pixels() == DEFAULT


class Watched:
    """Takes pixels of a budget in several threads, and remembers how many were held at once."""

    def __init__(self, total: int) -> None:
        self.budget = PixelBudget(total)
        self.most = 0
        self.sets: list[tuple[int, ...]] = []
        self._held: list[int] = []
        self._lock = threading.Lock()

    def take(self, pixels: int) -> None:
        with self.budget.taken(pixels):
            with self._lock:
                self._held.append(pixels)
                self.most = max(self.most, sum(self._held))
                self.sets.append(tuple(self._held))
            threading.Event().wait(0.002)
            with self._lock:
                self._held.remove(pixels)


def test_no_more_than_the_budget_is_held_at_once() -> None:
    watched = Watched(10)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(watched.take, [3, 4, 2, 10, 1, 6, 5, 7] * 5))
    assert 7 < watched.most <= 10


def test_what_is_larger_than_the_budget_is_held_alone() -> None:
    watched = Watched(10)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(watched.take, [3, 25, 4, 11, 1, 2] * 5))
    assert all(len(held) == 1 for held in watched.sets if max(held) > 10)
    assert any(len(held) > 1 for held in watched.sets)


def test_who_comes_first_is_served_first() -> None:
    """A large picture is not kept waiting forever by small ones behind it."""
    budget, order = PixelBudget(10), list[int]()

    def take(pixels: int) -> None:
        with budget.taken(pixels):
            order.append(pixels)

    threads = []
    with budget.taken(5):
        for pixels in (20, 1, 2):
            threads.append(threading.Thread(target=take, args=(pixels,)))
            threads[-1].start()
            while len(budget._waiting) < len(threads):
                threading.Event().wait(0.001)
        assert order == [], "there would be room for 1, but 20 came before"
    for thread in threads:
        thread.join()
    assert order[0] == 20
    assert sorted(order) == [1, 2, 20]


def test_an_error_gives_the_pixels_back() -> None:
    budget = PixelBudget(10)
    with pytest.raises(ZeroDivisionError), budget.taken(10):
        _ = 1 / 0
    with budget.taken(10):
        pass


@pytest.mark.parametrize("workers", [1, 4])
def test_pictures_share_the_budget_of_the_process(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(1000)
    monkeypatch.setattr("cnnfast.images.pictures.decode.decoding", watched.budget)
    file = BytesIO()
    Image.new("RGB", (20, 30)).save(file, "PNG")
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for path in paths:
        path.write_bytes(file.getvalue())
    load, inside = PngImageFile.load, list[int]()

    def noted(image: PngImageFile) -> object:
        inside.append(watched.budget._used)
        return load(image)

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", noted)
    outcomes = [picture for _, picture in read_pictures(paths, Preprocess(size=(4, 4)), workers=workers)]
    assert [isinstance(outcome, np.ndarray) for outcome in outcomes] == [True] * 20
    assert set(inside) == {600}, "two of them would be 1200"
    assert watched.budget._used == 0


def test_what_was_decoded_is_free_before_others_take_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    alive, load = list[weakref.ref[Image.Image]](), PngImageFile.load
    seen = []

    class Told(PixelBudget):
        @contextmanager
        def taken(self, pixels: int) -> Iterator[None]:
            yield
            seen.append([ref() for ref in alive])

    def remember(image: PngImageFile) -> object:
        alive.append(weakref.ref(image))
        return load(image)

    monkeypatch.setattr("cnnfast.images.pictures.decode.decoding", Told(1))
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", remember)
    file = BytesIO()
    Image.new("RGB", (20, 30)).save(file, "PNG")
    read_picture(file.getvalue(), Preprocess(size=(4, 4)))
    (found,) = seen
    assert len(found) > 0
    assert set(found) == {None}


def test_memory_of_large_pictures_is_returned_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    returned = []
    monkeypatch.setattr("cnnfast.images.pictures.pixels._return_memory", lambda: returned.append(True))
    budget = PixelBudget(LARGE)
    with budget.taken(LARGE - 1):
        pass
    assert not returned
    with budget.taken(LARGE):
        pass
    assert returned


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_child_has_a_budget_of_its_own() -> None:
    with decoding.taken(AT_ONCE):
        child = os.fork()
        if child == 0:
            with decoding.taken(AT_ONCE):
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
