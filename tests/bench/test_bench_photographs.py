"""``bench/bench_photographs.py``: the photographs are what they should be, and no way with wrong labels is timed."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from bench_photographs import OURS_FULL, checked, ratio, row
from photographs.made import SIZES, make
from photographs.ways import FULL, REDUCED, WAYS
from photographs.worker import Pass
from PIL import Image


class Fake:
    """A process that gives the same labels again and again."""

    def __init__(self, labels: list[int]) -> None:
        self._labels = np.array(labels)

    def run(self) -> Pass | str:
        return Pass(0.5, 0.25, self._labels)


class Broken:
    def run(self) -> str:
        return "ImportError: no such decoder"


def test_photographs_differ_and_are_the_same_again(tmp_path):
    paths = make(tmp_path / "one", "0.3", 3)
    again = make(tmp_path / "two", "0.3", 3)
    contents = [path.read_bytes() for path in paths]
    assert contents == [path.read_bytes() for path in again]
    assert len(set(contents)) == 3
    for path in paths:
        with Image.open(path) as image:
            assert (image.size, image.format) == (SIZES["0.3"], "JPEG")
        assert 30_000 < path.stat().st_size < 300_000


@pytest.mark.parametrize("number", range(len(WAYS)), ids=[way.name for way in WAYS])
def test_every_way_that_can_run_here_gives_the_labels_of_the_full_decode(number, tmp_path):
    way = WAYS[number]
    modules = {"PyTurboJPEG": "turbojpeg", "opencv-python-headless": "cv2", "pillow": "PIL"}
    needed = [modules.get(package, package) for package in way.packages]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing or importlib.util.find_spec("onnx") is None or "DataLoader" in way.name:
        pytest.skip(f"{way.name} is not run here: {missing or 'it starts processes, or writes ONNX'}")
    paths = make(tmp_path, "0.3", 24)
    truth = WAYS[OURS_FULL].prepare(paths, 1)()
    found = way.prepare(paths, 2)()
    assert len(np.unique(truth)) >= 3
    assert np.mean(found == truth) >= 0.95


def test_ways_with_other_labels_and_ways_that_fail_are_not_timed():
    labels = list(range(4)) * 10
    other = next(i for i in range(len(WAYS)) if i != OURS_FULL)
    agreement, refused = checked({OURS_FULL: Fake(labels), other: Fake([0] * 40), len(WAYS) - 1: Broken()})
    assert agreement == {OURS_FULL: 1.0}
    assert [why["why"] for why in refused] == ["only 25% of the labels agree", "ImportError: no such decoder"]
    with pytest.raises(SystemExit, match="fewer than three labels"):
        checked({OURS_FULL: Fake([1] * 40)})
    with pytest.raises(SystemExit, match="no such decoder"):
        checked({OURS_FULL: Broken()})


def test_the_ratio_is_that_of_the_best_of_each_kind():
    seconds = {"cnnfast": 1.0, "OpenCV": 4.0, "simplejpeg": 3.0, "OpenCV, reduced": 2.0}
    numbers = {way.name: i for i, way in enumerate(WAYS)}
    rows = [row(numbers[name], 1.0, [Pass(s, 2 * s, np.array([]))], 10) for name, s in seconds.items()]
    assert ratio({"rows": rows}, FULL) == "3.00, by processor time 3.00"
    assert ratio({"rows": rows}, REDUCED) == "2.00, by processor time 2.00"
    assert ratio({"rows": rows[1:]}, FULL) == "not measured"
