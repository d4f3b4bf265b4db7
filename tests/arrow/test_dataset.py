"""Files in, a file out: in order, interrupted anywhere, and equal to what one call of the network gives."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fresh_python import output_of

pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install cnnfast[arrow]")

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
from picture_tables import encoded, random_images, tensor

from cnnfast import Network
from cnnfast.arrow import classify_dataset, parts, sources
from cnnfast.arrow.parts import Parts
from cnnfast.errors import CnnfastError, ConfigError, DataError, InputError, OutputError, UnsupportedError

COUNT = 700


@pytest.fixture(scope="module")
def net() -> Network:
    return Network.load("cifar10-cs61c")


@pytest.fixture(scope="module")
def table() -> Any:
    """Pictures, two of them missing, with other columns; one of them has the type of a category."""
    pictures = encoded(random_images(COUNT)).to_pylist()
    pictures[5], pictures[600] = None, b"no picture"
    kind = pa.array([f"kind {i % (3 + i // 200)}" for i in range(COUNT)]).dictionary_encode()
    return pa.table({"id": range(COUNT), "content": pictures, "kind": kind})


@pytest.fixture(scope="module")
def expected(net: Network) -> list[Any]:
    labels: list[Any] = net.predict(random_images(COUNT)).tolist()
    labels[5] = labels[600] = None
    return labels


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_ROWS", 100)
    monkeypatch.setattr(sources, "PIECE_ROWS", 40)


@pytest.fixture
def pictures(tmp_path: Path, table: Any) -> Path:
    path = tmp_path / "pictures.parquet"
    pq.write_table(table, path, row_group_size=230)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".arrow", ".ipc"])
def test_parquet_becomes_any_kind_of_file(
    suffix: str, pictures: Path, tmp_path: Path, net: Network, expected: list[Any]
) -> None:
    out = tmp_path / f"labels{suffix}"
    done = classify_dataset(pictures, net, out, keep=["id"])
    result = pq.read_table(out) if suffix == ".parquet" else feather.read_table(out)
    assert result.column_names == ["id", "label", "probability", "error"]
    assert result["id"].to_pylist() == list(range(COUNT))
    assert result["label"].to_pylist() == expected
    assert (done.rows, done.resumed, done.errors) == (COUNT, 0, 2)
    assert done.failures == ((5, "is null"), (600, "not a picture in a format that Pillow can read"))
    assert done.labels == {label: expected.count(label) for label in set(expected) - {None}}
    assert sorted(os.listdir(tmp_path)) == sorted([out.name, pictures.name])


def test_every_kind_of_source_gives_one_file(tmp_path: Path, table: Any, net: Network) -> None:
    """Whatever the file, its row groups and record batches, and how many files there are."""
    whole, folder = tmp_path / "a.parquet", tmp_path / "folder"
    folder.mkdir()
    pq.write_table(table, whole)
    feather.write_feather(table, tmp_path / "a.feather", chunksize=33)
    with pa.ipc.new_stream(tmp_path / "a.arrows", table.schema) as writer:
        writer.write_table(table, max_chunksize=90)
    pq.write_table(table.slice(0, 300), folder / "part-0.parquet", row_group_size=77)
    feather.write_feather(table.slice(300, 0), folder / "part-1.feather")
    feather.write_feather(table.slice(300), folder / "part-2.feather")
    (folder / "_SUCCESS").touch()
    (folder / ".part-0.parquet.crc").write_bytes(b"crc")
    given = [
        whole,
        tmp_path / "a.feather",
        tmp_path / "a.arrows",
        folder,
        [folder / "part-0.parquet", folder / "part-2.feather"],
    ]
    found = []
    for number, source in enumerate(given):
        out = tmp_path / f"labels{number}.parquet"
        classify_dataset(source, net, out, probabilities=True, batch=None if number % 2 else 50)
        found.append(out.read_bytes())
    assert len(set(found)) == 1
    assert pq.read_table(tmp_path / "labels0.parquet")["kind"].to_pylist() == table["kind"].to_pylist()


def test_pixels_in_files(tmp_path: Path, net: Network) -> None:
    images = random_images(50)
    for name in ("a.parquet", "a.feather"):
        source = pa.table({"pixels": tensor(images)})
        (pq.write_table if name == "a.parquet" else feather.write_feather)(source, tmp_path / name)
        classify_dataset(tmp_path / name, net, tmp_path / "out.parquet", force=True)
        assert pq.read_table(tmp_path / "out.parquet")["label"].to_pylist() == net.predict(images).tolist()


def test_no_rows(tmp_path: Path, net: Network) -> None:
    source = tmp_path / "none.parquet"
    pq.write_table(pa.table({"id": pa.array([], pa.int64()), "content": pa.array([], pa.binary())}), source)
    done = classify_dataset(source, net, tmp_path / "out.parquet")
    assert done.rows == 0
    assert pq.read_table(tmp_path / "out.parquet").column_names == ["id", "label", "probability", "error"]


def test_a_frame_that_pandas_has_written(tmp_path: Path, net: Network) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    images = random_images(9)
    frame = pandas.DataFrame({"content": encoded(images).to_pylist(), "n": range(9)}, index=[f"i{i}" for i in range(9)])
    frame.to_parquet(tmp_path / "frame.parquet")
    classify_dataset(tmp_path / "frame.parquet", net, tmp_path / "out.parquet")
    result = pandas.read_parquet(tmp_path / "out.parquet")
    assert result["label"].tolist() == net.predict(images).tolist()
    assert result["__index_level_0__"].tolist() == frame.index.tolist()


class Stop(Exception):
    pass


def interrupted(after: int, error: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the source fail after some pieces."""
    whole = sources.Source.pieces

    def pieces(self: Any, columns: Any, skip: int = 0) -> Iterator[Any]:
        for number, piece in enumerate(whole(self, columns, skip)):
            if number == after:
                raise error
            yield piece

    monkeypatch.setattr(sources.Source, "pieces", pieces)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("after", [0, 1, 9, 18])
@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
def test_a_resumed_run_equals_an_undisturbed_one(
    after: int,
    error: type[BaseException],
    pictures: Path,
    tmp_path: Path,
    net: Network,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed, out = tmp_path / "undisturbed.parquet", tmp_path / "labels.parquet"
    classify_dataset(pictures, net, undisturbed)
    with monkeypatch.context() as patch:
        interrupted(after, error, patch)
        with pytest.raises(error):
            classify_dataset(pictures, net, out)
    assert not out.exists()
    kept = sorted(path.name for path in (tmp_path / "labels.parquet.parts").iterdir())
    assert kept[-1] == "run.json"
    with pytest.raises(ConfigError, match=r"labels.parquet.parts: an interrupted run has left this; use resume=True"):
        classify_dataset(pictures, net, out)
    done = classify_dataset(pictures, net, out, resume=True)
    assert done.resumed >= min(100 * (len(kept) - 1), COUNT)
    # Ctrl-C drops what is being computed, too
    assert (done.resumed > 0) == (after > (3 if error is Stop else 9))
    assert done.errors == 2
    assert out.read_bytes() == undisturbed.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["labels.parquet", "pictures.parquet", "undisturbed.parquet"]
    again = classify_dataset(pictures, net, out, resume=True)
    assert (again.resumed, again.labels, again.failures) == (COUNT, done.labels, done.failures)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("how", [{}, {"resume": True}, {"force": True}], ids=str)
def test_a_run_does_not_touch_what_another_one_is_writing(
    how: Any, pictures: Path, tmp_path: Path, net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, write, begun = tmp_path / "labels.parquet", Parts.write, []

    def write_and_run_another(self: Parts, results: Iterator[Any], done: int) -> Iterator[int]:
        for rows in write(self, results, done):
            yield rows
            if not begun and len(list(self.folder.glob("*.arrow"))) == 3:
                begun.append(done)
                with pytest.raises(OutputError, match=r"labels.parquet.parts: another run is at work here"):
                    classify_dataset(pictures, net, out, **how)

    monkeypatch.setattr(Parts, "write", write_and_run_another)
    assert classify_dataset(pictures, net, out).rows == COUNT
    assert begun
    assert pq.read_table(out)["id"].to_pylist() == list(range(COUNT))


@pytest.mark.usefixtures("small_parts")
def test_parts_that_were_removed_are_not_left_out(
    pictures: Path, tmp_path: Path, net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    join, out = Parts.join, tmp_path / "labels.parquet"

    def without_one(self: Parts, *args: Any) -> None:
        next(iter(sorted(self.folder.glob("*.arrow")))).unlink()
        join(self, *args)

    monkeypatch.setattr(Parts, "join", without_one)
    with pytest.raises(
        OutputError, match=rf"has \d+ of {COUNT} rows, so parts were removed; start over with force=True"
    ):
        classify_dataset(pictures, net, out)
    assert not out.exists()


@pytest.mark.usefixtures("small_parts")
def test_what_has_changed_is_not_resumed(
    pictures: Path, tmp_path: Path, net: Network, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "labels.parquet"
    with monkeypatch.context() as patch:
        interrupted(9, Stop, patch)
        with pytest.raises(Stop):
            classify_dataset(pictures, net, out)
    with pytest.raises(ConfigError, match="made with top = 1, and now top = 2"):
        classify_dataset(pictures, net, out, top=2, resume=True)
    with pytest.raises(ConfigError, match="made with network = "):
        classify_dataset(pictures, "cifar10-resnet", out, resume=True)
    pq.write_table(table.slice(1), pictures)
    with pytest.raises(ConfigError, match="made with source = "):
        classify_dataset(pictures, net, out, resume=True)
    (tmp_path / "labels.parquet.parts" / "000000000000.arrow").unlink()
    assert classify_dataset(pictures, net, out, force=True).rows == COUNT - 1
    with pytest.raises(ConfigError, match="exists already"):
        classify_dataset(pictures, net, out)
    with pytest.raises(ConfigError, match="made with prefix = '', and now prefix = 'p_'"):
        classify_dataset(pictures, net, out, prefix="p_", resume=True)
    pq.write_table(table, pictures)
    with pytest.raises(ConfigError, match="has 699 rows, and the source now has 700"):
        classify_dataset(pictures, net, out, resume=True)


def test_an_error_leaves_an_existing_file_alone(
    pictures: Path, tmp_path: Path, net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "labels.parquet"
    out.write_bytes(b"before")
    interrupted(1, Stop, monkeypatch)
    with pytest.raises(Stop):
        classify_dataset(pictures, net, out, force=True)
    assert out.read_bytes() == b"before"


def test_wrong_files(tmp_path: Path, pictures: Path, net: Network) -> None:
    out = tmp_path / "out.parquet"
    damaged = {"text.parquet": b"no table", "empty.parquet": b"", "old.feather": b"FEA1" + bytes(40)}
    damaged["cut.parquet"] = pictures.read_bytes()[:5000]
    damaged["cut.arrow"] = b"ARROW1\0\0" + bytes(50)
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            classify_dataset(tmp_path / name, net, out)
    data = bytearray(pictures.read_bytes())
    data[1000:60000] = bytes(59000)
    (tmp_path / "holes.parquet").write_bytes(data)
    with pytest.raises(DataError, match=r"holes\.parquet: cannot be read"):
        classify_dataset(tmp_path / "holes.parquet", net, out)
    (tmp_path / "nothing").mkdir()
    cases: list[tuple[Any, Path, type[CnnfastError], str]] = [
        (tmp_path / "missing.parquet", out, DataError, "No such file"),
        (tmp_path / "nothing", out, DataError, "has no file of Parquet"),
        ([], out, ConfigError, "empty list"),
        (3, out, ConfigError, "the source must be a list"),
        (pictures, pictures, ConfigError, "is a file of the source"),
        (pictures, tmp_path / "a.csv", ConfigError, "results are written as .parquet"),
        (pictures, tmp_path / "nowhere" / "a.parquet", OutputError, "there is no folder"),
    ]
    for source, target, error, message in cases:
        with pytest.raises(error, match=message):
            classify_dataset(source, net, target, force=True)
    with pytest.raises(InputError, match="there is no column 'x'"):
        classify_dataset(pictures, net, out, column="x", force=True)
    with pytest.raises(UnsupportedError, match=r"'kind'.*one dictionary"):
        classify_dataset(pictures, net, tmp_path / "a.feather")
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"content": [b"x"]}), other)
    with pytest.raises(DataError, match=r"other\.parquet: has other columns than"):
        classify_dataset([pictures, other], net, out, force=True)


WRITE = """
import numpy as np, pyarrow as pa, pyarrow.parquet as pq

one, kind = np.random.default_rng(0).integers(0, 256, 3072, dtype=np.uint8), pa.list_(pa.uint8(), 3072)
table = pa.table({{"pixels": pa.FixedSizeListArray.from_arrays(pa.array(np.tile(one, {rows})), 3072)}})
pq.write_table(table, {path!r}, row_group_size={rows}, use_dictionary=False, compression="none")
"""

READ = """
import resource
from cnnfast.arrow import classify_dataset

done = classify_dataset({path!r}, "cifar10-cs61c", {out!r}, threads=1)
assert done.rows == {rows} and not done.errors
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is counted in KiB on Linux")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Not even where all rows are in one row group: here of 6 MB, and of 154 MB."""
    peaks = []
    for rows in (2_000, 50_000):
        names = {"rows": rows, "path": str(tmp_path / f"{rows}.parquet"), "out": str(tmp_path / f"{rows}-out.parquet")}
        output_of(WRITE.format(**names))
        peaks.append(int(output_of(READ.format(**names))))
    assert peaks[1] < peaks[0] + 48 * 1024, peaks
