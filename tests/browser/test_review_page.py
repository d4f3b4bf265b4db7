"""The page of ``cnnfast review`` as people use it: keys, undo, and the file that it saves."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnfast.cli import main
from cnnfast.data import open_dataset
from cnnfast.images.preprocess import Preprocess
from cnnfast.review.card import Card
from cnnfast.review.page import write_page

HOSTILE = "<img src=x onerror=window.hacked=1>.png"
NAMES = ("=1+1.png", "one,two.png", 'say"x".png', "\udcff.png", HOSTILE, "äöü.png")


def picture(path: Path, seed: int) -> Path:
    soft = np.random.default_rng(seed).integers(0, 256, (5, 5, 3)).astype(np.uint8)
    Image.fromarray(soft).resize((64, 48), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def album(tmp_path: Path) -> list[Card]:
    cards = [Card(picture(tmp_path / name, i), "cat", 0.3 + 0.1 * i, "dog") for i, name in enumerate(NAMES)]
    Image.open(cards[1].path).save(tmp_path / "again.jpg", quality=70)
    return [*cards, Card(tmp_path / "again.jpg", "cat", 0.95)]


@pytest.fixture
def opened(album: list[Card], page: Any) -> Any:
    path = album[0].path.parent / "review.html"
    assert not write_page(path, album, ["cat", "dog"], "Pets <b>to look at</b>")
    page.goto(path.as_uri())
    return page


def left(page: Any) -> str:
    text = page.text_content("#left")
    assert text is not None
    return str(text)


def saved(page: Any, folder: Path) -> Path:
    with page.expect_download() as download:
        page.keyboard.press("s")
    assert download.value.suggested_filename == "labels.csv"
    download.value.save_as(folder / "labels.csv")
    return folder / "labels.csv"


def test_names_are_text_and_never_html(opened: Any, show: Callable[..., None]) -> None:
    assert opened.text_content("h1") == "Pets <b>to look at</b>"
    assert opened.evaluate("window.hacked") is None
    assert HOSTILE in opened.locator("figcaption small").all_text_contents()
    show(opened, "review")


def test_keys_decide_and_what_is_saved_is_read_again(opened: Any, album: list[Card], tmp_path: Path) -> None:
    opened.keyboard.press("2")
    opened.keyboard.press("Enter")
    opened.keyboard.press("1")
    assert left(opened) == "3 decided, 4 left"
    opened.keyboard.press("/")
    opened.keyboard.type("hedge-hog")
    opened.keyboard.press("Enter")
    assert left(opened) == "4 decided, 3 left"
    opened.fill("#who", "=Ada")
    opened.locator("h1").click()
    opened.locator("#who").blur()
    path = saved(opened, tmp_path)
    dataset = open_dataset(path)
    assert dataset.classes == ("cat", "dog", "hedge-hog")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [1, 0, 0, 2]
    (batch,) = dataset.batches(8, Preprocess(size=(4, 4)))
    # behind the second picture comes its near duplicate
    assert [Path(name).name for name in batch.names] == [NAMES[0], NAMES[1], "again.jpg", NAMES[2]]
    assert path.read_text("utf-8").splitlines()[1].endswith(",dog,'=Ada")


def test_undo_takes_back_one_step_after_the_other(opened: Any) -> None:
    for key in ("2", "1"):
        opened.keyboard.press(key)
    assert left(opened) == "2 decided, 5 left"
    opened.keyboard.press("u")
    opened.keyboard.press("Control+z")
    assert left(opened) == "0 decided, 7 left"
    opened.keyboard.press("u")
    assert left(opened) == "0 decided, 7 left"


def test_near_duplicates_are_decided_together_with_shift(opened: Any) -> None:
    assert opened.locator("figure.alike").count() == 2
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("Shift+Digit2")
    assert left(opened) == "2 decided, 5 left"
    opened.keyboard.press("u")
    assert left(opened) == "0 decided, 7 left"


def test_the_large_view_shows_the_picture_itself(opened: Any, album: list[Card], show: Callable[..., None]) -> None:
    opened.locator("figure").nth(3).click()
    opened.wait_for_function("document.getElementById('picture').naturalWidth === 64")
    assert opened.text_content("#name") == str(album[2].path)
    opened.keyboard.press("2")
    assert left(opened) == "1 decided, 6 left"
    show(opened, "review-large")
    opened.keyboard.press("v")
    assert not opened.evaluate("document.getElementById('large').open")


def test_classes_are_headings_and_decided_ones_can_be_hidden(opened: Any) -> None:
    opened.keyboard.press("2")
    opened.select_option("#order", "class")
    assert opened.locator("main h2").all_text_contents() == ["cat", "dog"]
    opened.select_option("#only", "left")
    assert opened.locator("figure").count() == 6
    opened.select_option("#only", "changed")
    assert opened.locator("figure").count() == 1


def test_decisions_outlive_the_window(opened: Any) -> None:
    opened.keyboard.press("2")
    opened.on("dialog", lambda dialog: dialog.accept())
    opened.reload()
    assert left(opened) == "1 decided, 6 left"


def test_two_thousand_pictures_stay_fluid(page: Any, tmp_path: Path, show: Callable[..., None]) -> None:
    cards = [Card(picture(tmp_path / f"{i % 40}.jpg", i), "cat", 0.5) for i in range(40)]
    path = tmp_path / "many.html"
    write_page(path, cards, ["cat", "dog"], "Many")
    # the page of 40 becomes one of 2,000, each with pixels of its own
    text = path.read_text("utf-8")
    found = re.search(r'"cards": (\[.*?\])(, "id")', text)
    assert found is not None
    many = ", ".join([found[1][1:-1]] * 50)
    path.write_text(text[: found.start(1)] + f"[{many}]" + text[found.end(1) :], "utf-8")
    began = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("figure.current")
    assert page.locator("figure").count() == 2000
    loaded = time.perf_counter() - began
    # time of the page itself, not of the driver: a hundred decisions, each of which moves on and counts
    spent = page.evaluate(
        """() => {
        const start = performance.now();
        for (let i = 0; i < 100; i++) document.dispatchEvent(new KeyboardEvent("keydown", {key: "2", code: "Digit2"}));
        return (performance.now() - start) / 100;
        }"""
    )
    assert left(page) == "100 decided, 1,900 left"
    print(f"2,000 pictures: shown after {loaded:.2f} s, {spent:.2f} ms per decision")
    # only what is near the window has pixels
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(300)
    assert 0 < page.locator("figure img[src]").count() < 400
    show(page, "review-many")


def test_the_file_that_is_saved_trains_a_network(tmp_path: Path, page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNFAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for i in range(12):
        color = (200, 20 * i, 30) if i % 2 else (20, 15 * i, 220)
        Image.new("RGB", (40, 40), color).save(tmp_path / "photos" / f"{i}.png")
    assert main(["classify", "photos", "--model", "cifar10-lenet", "--out", "results.csv"]) == 0
    assert main(["review", "results.csv", "--classes", "red,blue", "--by", "random"]) == 0
    page.goto((tmp_path / "review.html").as_uri())
    for i in range(12):
        name = page.locator("figure.current").get_attribute("title")
        page.keyboard.press("1" if int(Path(name).stem) % 2 else "2")
        assert left(page).startswith(f"{i + 1} decided")
    saved(page, tmp_path)
    train = "--architecture", "lenet", "--epochs", "1", "--validation", "0", "--out", "own.safetensors"
    assert main(["train", "labels.csv", *train]) == 0
    assert (
        main(["learn", "photos", "--labels", "labels.csv", "--base", "cifar10-lenet", "--out", "own2.safetensors"]) == 0
    )
