"""`Network.classify`: everything that shows pictures gives records of plain Python, each as one by one."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_networks import head, small_net

from cnnfast import InputError, Network, Preprocess, read_picture
from cnnfast.layers import Flatten, Linear, Reshape, Softmax

NET = small_net()
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (30, 40, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, one of them in a subfolder and turned by EXIF, and a broken one."""
    (tmp_path / "sub").mkdir()
    Image.fromarray(PIXELS).save(tmp_path / "b.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / "sub" / "c.png", exif=turned)
    (tmp_path / "z.png").write_bytes(b"\x89PNG")
    return tmp_path


def expected(path: Path) -> tuple[Any, float]:
    """Return label and score by the long way."""
    assert NET.preprocess is not None
    probabilities = NET.predict_proba(read_picture(path, NET.preprocess))[0]
    return NET.classes_[probabilities.argmax()].item(), float(probabilities.max())


def check(record: dict[str, Any], path: Path) -> None:
    label, score = expected(path)
    assert record["error"] is None
    assert record["label"] == label
    assert np.float32(record["score"]) == np.float32(score)
    assert json.loads(json.dumps(record)) == record
    assert type(record["label"]) in (str, int)
    assert type(record["score"]) is float


def test_every_way_to_give_a_picture_gives_the_same_record(folder: Path) -> None:
    path = folder / "b.png"
    content = path.read_bytes()
    with path.open("rb") as file:
        records = NET.classify(file)
    pillow = Image.open(path)
    ways: list[Any] = [path, str(path), content, bytearray(content), memoryview(content), io.BytesIO(content)]
    ways += [pillow, PIXELS, PIXELS[None], [PIXELS], np.array([str(path)]), (p for p in [path]), {path}]
    for way in ways:
        records += NET.classify(way)
    records += NET.classify(np.moveaxis(PIXELS, 2, 0), layout="nchw")
    assert len(records) == len(ways) + 2
    for record in records:
        check(record, path)
    assert pillow.size == (40, 30)
    assert pillow.mode == "RGB"


def test_a_folder_gives_all_of_its_pictures_and_errors_stay_in_their_records(folder: Path) -> None:
    records = NET.classify([folder, folder / "missing.jpg", 7])
    names = [folder / "b.png", folder / "sub" / "c.png", folder / "z.png", folder / "missing.jpg"]
    assert [record["item"] for record in records] == [*map(str, names), 4]
    check(records[0], names[0])
    check(records[1], names[1])
    assert [record["label"] for record in records[2:]] == [None] * 3
    assert records[3]["error"].endswith("missing.jpg: no such file")
    assert NET.classify(folder) == records[:3]
    json.dumps(records)


def test_a_folder_without_pictures_says_so(tmp_path: Path) -> None:
    (record,) = NET.classify(tmp_path)
    assert record["error"] == f"{tmp_path}: is a folder without pictures"
    assert record["label"] is None
    assert NET.classify([]) == []


def test_a_folder_names_what_a_missing_package_would_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pillow_heif", "pillow_heif.as_plugin", "rawpy"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("cnnfast.images.pictures.kinds._is_there", lambda module: False)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x1cftypheic" + bytes(40))
    (tmp_path / "b.nef").write_bytes(b"II*\0" + bytes(40))
    (tmp_path / "c.mp4").write_bytes(b"video")
    net = Network.load("cifar10-lenet")
    a, b = net.classify(tmp_path)
    assert "cnnfast[heif]" in a["error"]
    assert "cnnfast[raw]" in b["error"]
    (tmp_path / "a.heic").unlink()
    (tmp_path / "b.nef").unlink()
    (record,) = net.classify(tmp_path)
    assert "is a folder without pictures; 1 file not read: 1 .mp4; pip install 'cnnfast[video]'" in record["error"]


def test_pictures_of_pillow_follow_the_rule_of_files(folder: Path, tmp_path: Path) -> None:
    """Turned as EXIF states, transparency over the background, 16 bits by their high byte."""
    deep = Image.fromarray((RNG.integers(0, 65536, (20, 30))).astype(np.uint16))
    clear = Image.fromarray(np.dstack([PIXELS, RNG.integers(0, 256, (30, 40), np.uint8)]))
    for number, image in enumerate((Image.open(folder / "sub" / "c.png"), deep, clear, clear.convert("P"))):
        path = tmp_path / f"{number}.png"
        image.save(path, exif=image.getexif())
        check(NET.classify(image)[0], path)
        (result,) = NET.stream([image])
        assert result.label == expected(path)[0]


def test_a_damaged_picture_of_pillow_is_an_error_in_its_record(folder: Path) -> None:
    path = folder / "cut.png"
    path.write_bytes((folder / "b.png").read_bytes()[:900])
    with Image.open(path) as image:
        (record,) = NET.classify([image])
    assert "cut.png: cannot be decoded" in record["error"]


def test_arrays_with_alpha_and_gray_ones_are_pictures_too() -> None:
    alpha = np.dstack([PIXELS, np.full((30, 40), 255, np.uint8)])
    assert NET.classify(alpha) == NET.classify(PIXELS)
    gray = PIXELS[..., 0]
    assert NET.classify(gray) == NET.classify(np.dstack([gray] * 3))
    both = NET.classify(np.stack([gray, gray.T[:30, :].repeat(2, axis=1)[:, :40]]))
    assert len(both) == 2
    assert both[0] == NET.classify(gray)[0]


def test_bgr_networks_get_arrays_in_red_green_blue() -> None:
    rule = Preprocess((30, 40), channels="bgr")
    net = Network.build([Flatten(), Linear(3), Softmax()], (3, 30, 40), preprocess=rule)
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    assert net.classify(PIXELS) == net.classify(file.getvalue())
    assert net.predict_proba(PIXELS[..., ::-1]).max() == np.float32(net.classify(PIXELS)[0]["score"])


def test_several_labels() -> None:
    (record,) = NET.classify(PIXELS, k=3)
    assert len(record["top"]) == 3
    assert record["top"][0] == {"label": record["label"], "score": record["score"]}
    assert record["top"] == sorted(record["top"], key=lambda one: -one["score"])
    with pytest.raises(InputError, match="k must be an integer from 1 to"):
        NET.classify(PIXELS, k=99)


def test_floats_and_rows_are_the_input_itself() -> None:
    net = head()
    rows = RNG.standard_normal((5, *net.input_shape)).astype(np.float32)
    for way in (rows, rows.tolist(), list(rows)):
        assert [r["label"] for r in net.classify(way)] == net.predict(rows).tolist()
    with pytest.raises(InputError, match="channels first or last: say layout"):
        NET.classify(np.zeros((2, *NET.input_shape), np.float32))
    with pytest.raises(InputError, match="preprocess="):
        net.classify("cat.jpg")


def test_several_answers_for_an_image_are_nested_lists() -> None:
    net = Network.from_layers([Linear(np.eye(8)), Reshape((4, 2)), Softmax(2)], input_shape=(8,))
    (record,) = net.classify(np.zeros((1, 8), np.float32), k=2)
    assert record["label"] == [0] * 4
    assert record["score"] == [0.5] * 4
    assert record["top"][3] == [{"label": 0, "score": 0.5}, {"label": 1, "score": 0.5}]


def test_a_result_that_is_not_a_number_is_an_error_in_its_record() -> None:
    net = Network.from_layers([Flatten(), Linear(np.full((2, 4), 3e38)), Softmax()], (1, 2, 2), preprocess="raw")
    good, bad = net.classify(np.stack([np.zeros((2, 2, 1), np.uint8), np.full((2, 2, 1), 255, np.uint8)]))
    assert good["label"] == 0
    assert bad["label"] is None
    assert "not a number" in bad["error"]


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (np.moveaxis(PIXELS, 2, 0), "channels first; say layout='nchw'"),
        (np.zeros((5, 3, 30, 40), np.uint8), "channels first; say layout='nchw'"),
        (np.zeros((5, 30, 40, 7), np.uint8), "with c of 1, 3 or 4, but the shape is"),
        (np.zeros((0, 40, 3), np.uint8), "the shape is"),
        (np.zeros((30, 40, 3), np.int64), r"dtype is int64.*astype\('uint8'\)"),
        (None, "classify takes a path, a folder.*but got None"),
        ({"a": 1}, "classify takes a path, a folder"),
        ([[1.0], [2.0, 3.0]], "cannot be read as an array"),
    ],
)
def test_what_cannot_be_classified_is_named(pictures: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        NET.classify(pictures)


def test_a_stream_of_one_path_says_what_to_use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    with pytest.raises(InputError, match=re.escape(f"net.classify({folder.name!r})") + ".*find_pictures"):
        NET.stream(folder.name)
