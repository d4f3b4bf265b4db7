"""Tables of paths and labels: which columns, which files, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from systems import posix

from cnnfast.data import open_dataset
from cnnfast.errors import ConfigError, DataError
from cnnfast.images.preprocess import Preprocess

RULE = Preprocess(size=(4, 4))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", (5, 5), "red").save(tmp_path / name)
    return tmp_path


def written(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "path,label\na.png,cat\nb.png,dog\n",
        "label;path\ncat;a.png\ndog;b.png\n",
        "\ufeffFile Name,extra,CLASS,file\r\nx,1,cat,a.png\r\ny,2,dog,b.png\r\n",
        "picture\tspecies\tdecided_by\na.png\tcat\tx\nb.png\tdog\ty\n",
    ],
    ids=["plain", "semicolon, other order", "as a spreadsheet saves it", "tabs"],
)
def test_columns_are_found_by_name(folder: Path, text: str) -> None:
    dataset = open_dataset(written(folder, text))
    assert dataset.classes == ("cat", "dog")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 1]
    (batch,) = dataset.batches(8, RULE)
    assert [Path(name).name for name in batch.names] == ["a.png", "b.png"]


def test_parquet_is_the_same_as_csv(folder: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    column = pa.array(["dog", "cat", None]).dictionary_encode()
    parquet.write_table(
        pa.table({"file": ["a.png", "b.png", "c.png"], "class": column, "p": [1.0] * 3}), folder / "l.parquet"
    )
    with pytest.warns(UserWarning, match="1 of 3 rows have no label"):
        dataset = open_dataset(folder / "l.parquet")
    assert dataset.classes == ("cat", "dog")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [1, 0]


def test_columns_of_other_names_are_stated(folder: Path) -> None:
    path = written(folder, "where,what,label\na.png,cat,x\nb.png,dog,x\n")
    assert open_dataset(path, columns=("where", "what")).classes == ("cat", "dog")
    with pytest.raises(DataError, match=r"has no column of paths; its columns.*'where', 'what', 'label'.*--columns"):
        open_dataset(path)
    with pytest.raises(DataError, match="has no column 'whither'; its columns are: 'where', 'what', 'label'"):
        open_dataset(path, columns=("whither", "what"))
    with pytest.raises(ConfigError, match="columns belong to a table"):
        open_dataset(folder / "a.png", columns=("where", "what"))


def test_a_split_is_chosen(folder: Path) -> None:
    path = written(folder, "path,label,split\na.png,cat,train\nb.png,dog,Train\nc.png,dog,test\n")
    assert len(open_dataset(path, split="train")) == 2
    assert len(open_dataset(path, split="test")) == 1


def test_paths_are_relative_to_the_table_or_to_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = folder / "inside"
    inside.mkdir()
    monkeypatch.chdir(folder)
    dataset = open_dataset(written(inside, "path,label\n../a.png,cat\nb.png,dog\n" + f"{folder / 'c.png'},dog\n"))
    (batch,) = dataset.batches(8, RULE)
    assert not batch.failed
    assert len(batch.names) == 3


def test_a_table_from_windows_is_read_elsewhere(folder: Path) -> None:
    (folder / "xab").mkdir()
    (folder / "a.png").rename(folder / "xab" / "a.png")
    path = written(folder, "path,label\nxab\\a.png,cat\nb.png,dog\n")
    (batch,) = open_dataset(path).batches(8, RULE)
    assert [Path(name).name for name in batch.names] == ["a.png", "b.png"]


@posix
def test_a_backslash_in_a_name_counts_first(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "a.png").rename(folder / "sub" / "a.png")
    (folder / "b.png").rename(folder / "sub\\a.png")
    path = written(folder, "path,label\nsub\\a.png,cat\nc.png,dog\n")
    (batch,) = open_dataset(path).batches(8, RULE)
    assert batch.names[0] == str(folder / "sub\\a.png")


@posix
def test_names_that_are_no_valid_text_are_found(folder: Path) -> None:
    os.rename(folder / "a.png", os.fsencode(folder) + b"/\xff.png")
    path = folder / "labels.csv"
    path.write_bytes(b"path,label\n\xff.png,cat\nb.png,dog\n")
    (batch,) = open_dataset(path).batches(8, RULE)
    assert not batch.failed


def test_the_apostrophe_before_a_formula_is_taken_off(folder: Path) -> None:
    (folder / "a.png").rename(folder / "=1.png")
    (batch,) = open_dataset(written(folder, "path,label\n'=1.png,cat\nb.png,dog\n")).batches(8, RULE)
    assert Path(batch.names[0]).name == "=1.png"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; its first row must name the columns"),
        ("path,label\n", "has no row of a picture"),
        ("path,label\na.png,\nb.png, \n", "all of its labels are empty"),
        ("path,label\na.png,cat\ngone.png,dog\n", r"1 of 2 files are not there: .*gone.png \(row 3\)"),
        ("path,label\na.png,cat\n./a.png,dog\n", "is 'cat' in row 2, but 'dog' in row 3; keep one"),
        ("path,label\na.png,cat,dog\n", "row 2 has 3 cells, but the first row names 2 columns"),
        ("path,path\na.png,cat\n", "two columns have one name"),
        ("a.png,cat\nb.png,dog\n", "has no column of paths; its columns, named by the first row, are: 'a.png', 'cat'"),
        ('path,label\n"a.png,cat\n', "cannot be read as CSV"),
    ],
)
def test_what_is_refused(folder: Path, text: str, message: str) -> None:
    path = written(folder, text)
    with pytest.raises(DataError, match=message) as caught:
        open_dataset(path)
    assert str(caught.value).startswith(str(path))


def test_a_picture_that_is_named_twice_counts_once(folder: Path) -> None:
    assert len(open_dataset(written(folder, "path,label\na.png,cat\n./a.png,cat\nb.png,dog\n"))) == 2
