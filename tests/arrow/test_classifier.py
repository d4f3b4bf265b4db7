"""Record batches in, record batches out: every type of column gives what `Network` gives for its pixels."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install cnnfast[arrow]")

import pyarrow as pa
import pyarrow.compute as pc
from picture_tables import NEST, SHAPE, TYPES, encoded, png, random_images, tensor

from cnnfast import Network, Preprocess
from cnnfast.arrow import Classifier
from cnnfast.errors import CnnfastError, ConfigError, InputError
from cnnfast.layers import Linear, Reshape, Softmax

COUNT = 20


@pytest.fixture(scope="module")
def net() -> Network:
    return Network.load("cifar10-cs61c")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return random_images(COUNT)


def batch_of(column: Any, **others: Any) -> Any:
    return pa.record_batch({"picture": column, **others})


def digest(batches: Any) -> str:
    """Return a SHA-256 of all rows, wherever batches begin and end."""
    total = hashlib.sha256()
    for batch in batches:
        for row in batch.to_pylist():
            total.update(repr(row).encode())
    return total.hexdigest()


@pytest.mark.parametrize("kind", TYPES)
def test_a_type_of_column_gives_what_the_network_gives(kind: str, net: Network, images: np.ndarray) -> None:
    batch = batch_of(TYPES[kind](images))
    labels, probabilities = net.topk(images, k=2)
    result = Classifier(net, top=2, probabilities=True, features=True)(batch)
    assert result["label_1"].to_pylist() == labels[:, 0].tolist()
    assert result["label_2"].to_pylist() == labels[:, 1].tolist()
    np.testing.assert_array_equal(result["probability_2"].to_numpy(), probabilities[:, 1])
    np.testing.assert_array_equal(np.array(result["probabilities"].to_pylist(), np.float32), net.predict_proba(images))
    np.testing.assert_array_equal(np.array(result["features"].to_pylist(), np.float32), net.features(images))
    assert result["error"].null_count == COUNT


@pytest.mark.parametrize("kind", TYPES)
def test_a_slice_of_a_column_is_its_rows(kind: str, net: Network, images: np.ndarray) -> None:
    batch = batch_of(TYPES[kind](images))
    classify = Classifier(net, probabilities=True)
    assert classify(batch.slice(3, 9)).equals(classify(batch).slice(3, 9))
    assert classify(batch.slice(COUNT)).num_rows == 0


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "struct<bytes, path>"])
def test_null_is_a_row_with_an_error(kind: str, net: Network, images: np.ndarray) -> None:
    column = TYPES[kind](images)
    null = pa.nulls(1, column.type)
    column = pa.concat_arrays([column.slice(0, 1), null, column.slice(2, 1), null, column.slice(4, 1)])
    result = Classifier(net)(batch_of(column))
    assert result["error"].to_pylist() == [None, "is null", None, "is null", None]
    expected = net.predict(images[:5]).tolist()
    assert result["label"].to_pylist() == [expected[0], None, expected[2], None, expected[4]]
    assert result["probability"].is_null().to_pylist() == [False, True, False, True, False]


def test_no_result_depends_on_the_record_batches(net: Network) -> None:
    column = encoded(random_images(300, seed=1)).to_pylist()
    column[17], column[255], column[256] = None, b"", b"no picture"
    rows = {
        "encoded": pa.table({"picture": column, "id": range(300)}),
        "tensor": pa.table({"picture": tensor(random_images(300, seed=1)), "id": range(300)}),
    }
    for table in rows.values():
        found = {
            digest(Classifier(net, keep=["id"], probabilities=True, batch=batch).stream(table.to_batches(size)))
            for size, batch in ((1, None), (7, None), (64, 5), (255, None), (256, 256), (300, None), (300, 1))
        }
        assert len(found) == 1


def test_the_digest_sees_a_row_that_differs(net: Network, images: np.ndarray) -> None:
    classify = Classifier(net)
    batch = batch_of(tensor(images))
    assert digest([classify(batch)]) != digest([classify(batch.slice(0, 19)), classify(batch.slice(0, 1))])


def test_empty_batches_keep_their_place(net: Network, images: np.ndarray) -> None:
    for column in (encoded(images), tensor(images)):
        batch = batch_of(column)
        sizes = (0, 3, 0, 0, 5, 0)
        results = list(Classifier(net).stream(batch.slice(0, size) for size in sizes))
        assert [result.num_rows for result in results] == list(sizes)
    assert list(Classifier(net).stream([])) == []


def test_paths_and_what_is_wrong_with_them(tmp_path: Path, net: Network, images: np.ndarray) -> None:
    (tmp_path / "a.png").write_bytes(png(images[0]))
    (tmp_path / "empty.png").write_bytes(b"")
    paths = [
        str(tmp_path / "a.png"),
        str(tmp_path / "empty.png"),
        str(tmp_path),
        "missing.png",
        "s3://bucket/a.png",
        "",
    ]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        result = Classifier(net)(batch_of(pa.array([*paths, None], kind)))
        assert result["label"].to_pylist() == [net.predict(images[:1])[0], *[None] * 6]
        reasons = result["error"].to_pylist()
        assert reasons[:4] == [None, "is empty", "is a folder, not a picture", "no such file"]
        assert "is an address" in reasons[4]
        assert reasons[6] == "is null"


def test_a_struct_without_bytes_has_a_path(tmp_path: Path, net: Network, images: np.ndarray) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(images[1]))
    rows = [{"bytes": png(images[0]), "path": "ignored"}, {"bytes": None, "path": str(path)}, {}, None]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    result = Classifier(net)(batch_of(pa.array(rows, kind)))
    assert result["label"].to_pylist()[:2] == net.predict(images[:2]).tolist()
    assert result["error"].to_pylist()[2:] == ["has neither bytes nor a path", "is null"]


def test_rows_of_another_length_and_null_pixels_are_errors_of_their_rows(net: Network, images: np.ndarray) -> None:
    flat = [image.ravel().tolist() for image in images[:4]]
    flat[1] = flat[1][:-1]
    flat[2] = [None, *flat[2][1:]]
    result = Classifier(net)(batch_of(pa.array(flat, pa.list_(pa.uint8()))))
    assert result["error"].to_pylist() == [
        *(None, "has 3071 bytes, but 32 x 32 x 3 are 3072", "has pixels that are null", None)
    ]
    assert result["label"].to_pylist()[3] == net.predict(images[3:4])[0]
    nested = images[:3].tolist()
    nested[1][5][6][0] = None
    result = Classifier(net)(batch_of(pa.array(nested, NEST)))
    assert result["error"].to_pylist() == [None, "has pixels that are null", None]


def test_pixels_of_another_size_are_fitted_as_those_of_pictures(net: Network) -> None:
    large = np.random.default_rng(3).integers(0, 256, (4, 50, 40, 3), dtype=np.uint8)
    gray = large[..., 0].copy()
    classify = Classifier(net)
    assert classify(batch_of(tensor(large))).equals(classify(batch_of(encoded(large))))
    assert classify(batch_of(tensor(gray))).equals(classify(batch_of(encoded(gray))))


def test_gray_and_bgr_networks() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 28, 28), dtype=np.uint8)
    net = Network.load("mnist-mlp")
    classify = Classifier(net)
    assert classify(batch_of(tensor(pixels)))["label"].to_pylist() == net.predict(pixels).tolist()
    assert classify(batch_of(tensor(pixels))).equals(classify(batch_of(encoded(pixels))))
    layers = [Reshape((48,)), Linear(rng.normal(size=(4, 48)), np.zeros(4)), Softmax()]
    bgr = Network.from_layers(layers, (3, 4, 4), preprocess=Preprocess(size=(4, 4), channels="bgr"))
    colors = rng.integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    result = Classifier(bgr)(batch_of(tensor(colors)))
    assert result.equals(Classifier(bgr)(batch_of(encoded(colors))))
    assert result["label"].type == pa.int64()
    assert result["label"].to_pylist() == bgr.predict(colors[..., ::-1]).tolist()


def test_several_answers_are_lists() -> None:
    rng = np.random.default_rng(0)
    layers = [Reshape((48,)), Linear(rng.normal(size=(6, 48)) / 99, np.zeros(6)), Reshape((2, 3)), Softmax(2)]
    net = Network.from_layers(layers, (3, 4, 4), classes=list("abc"), preprocess="1/255")
    colors = rng.integers(0, 256, (4, 4, 4, 3), dtype=np.uint8)
    column = encoded(colors).to_pylist()
    column[2] = None
    result = Classifier(net, probabilities=True)(batch_of(pa.array(column, pa.binary())))
    expected = net.predict(colors).tolist()
    assert result["label"].to_pylist() == [expected[0], expected[1], None, expected[3]]
    given = np.array([row for row in result["probabilities"].to_pylist() if row], np.float32)
    np.testing.assert_array_equal(given, net.predict_proba(colors[[0, 1, 3]]))
    assert result.schema == Classifier(net, probabilities=True).schema(pa.schema({"picture": pa.binary()}))


def test_a_single_output_has_two_classes() -> None:
    layers = [Reshape((48,)), Linear(np.full((1, 48), 0.01), np.full(1, -0.2))]
    net = Network.from_layers(layers, (3, 4, 4), classes=["bright"], preprocess="1/255")
    colors = np.stack([np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)])
    result = Classifier(net, probabilities=True)(batch_of(tensor(colors)))
    assert result["label"].to_pylist() == ["not bright", "bright"]
    assert result["label"].to_pylist() == net.predict(colors).tolist()


def test_a_result_that_is_not_a_number_is_an_error_of_its_row() -> None:
    layers = [Reshape((48,)), Linear(np.full((2, 48), 3e38), np.zeros(2)), Linear([[1, -1], [1, 1]], np.zeros(2))]
    net = Network.from_layers(layers, (3, 4, 4), preprocess="raw")
    colors = np.stack([np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)])
    for column in (tensor(colors), encoded(colors)):
        result = Classifier(net)(batch_of(column))
        assert result["error"].to_pylist() == [None, "the network's result is not a number"]


def test_kept_columns_are_as_they_were(net: Network, images: np.ndarray) -> None:
    field = pa.field("when", pa.timestamp("us", "UTC"), nullable=False, metadata={"unit": "microseconds"})
    words = pa.array(["a", "b"] * 10).dictionary_encode()
    schema = pa.schema([field, pa.field("word", words.type), pa.field("picture", pa.binary())])
    batch = pa.record_batch([pa.array(range(COUNT), field.type), words, encoded(images)], schema=schema)
    classify = Classifier(net, keep=["word", "when"])
    result = classify(batch)
    assert result.schema.names == ["word", "when", "label", "probability", "error"]
    assert result.schema.field("when").equals(field, check_metadata=True)
    assert result["word"].equals(words)
    assert result.schema == classify.schema(schema)


def test_pickled_it_is_the_same(net: Network, images: np.ndarray) -> None:
    classify = Classifier(net, keep=["id"], top=3)
    batch = batch_of(tensor(images), id=pa.array(range(COUNT)))
    again = pickle.loads(pickle.dumps(classify))
    assert again(batch).equals(classify(batch))


def test_frames_come_by_way_of_arrow(net: Network, images: np.ndarray) -> None:
    expected = net.predict(images).tolist()
    classify = Classifier(net, column="picture", keep=["id"])
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    pixels = [image.ravel() for image in images]
    for column in (encoded(images).to_pylist(), pixels):
        frame = pandas.DataFrame({"id": range(COUNT), "picture": column})
        assert classify(frame).to_pandas()["label"].tolist() == expected
    with pytest.raises(InputError, match="DataFrame cannot be converted to Arrow"):
        classify(pandas.DataFrame({"id": range(2), "picture": list(images[:2])}))


def test_frames_of_polars(net: Network, images: np.ndarray) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    classify = Classifier(net, keep=["id"])
    for column in (images, encoded(images).to_pylist()):
        frame = polars.DataFrame({"id": range(COUNT), "picture": column})
        result = polars.from_arrow(classify(frame))
        assert result["label"].to_list() == net.predict(images).tolist()
        assert classify.schema(frame.to_arrow().schema).names == result.columns


SPARK = pa.struct(
    [
        *(("origin", pa.string()), ("height", pa.int32()), ("width", pa.int32())),
        *(("nChannels", pa.int32()), ("mode", pa.int32()), ("data", pa.binary())),
    ]
)

WRONG_SCHEMAS = {
    "missing": (pa.schema({"a": pa.binary()}), "x", r"there is no column 'x'; the columns are: a \(binary\)"),
    "misspelled": (
        pa.schema({"content": pa.binary()}),
        "contnet",
        r"no column 'contnet'; .*; did you mean 'content'\?$",
    ),
    "inside": (
        pa.schema({"a": pa.struct({"b": pa.binary()})}),
        "a.b",
        "select a field of a struct as a column of its own",
    ),
    "twice": (pa.schema([("x", pa.binary()), ("x", pa.binary())]), "x", "there are 2 columns 'x'"),
    "several": (pa.schema({"a": pa.binary(), "b": pa.binary()}), None, r"2 columns could have them \(a, b\)"),
    "none": (pa.schema({"a": pa.int64()}), None, r"no column fits.*a \(int64\)"),
    "floats": (pa.schema({"a": pa.list_(pa.float32())}), "a", "pixels are uint8, 0 to 255"),
    "integers": (pa.schema({"a": pa.list_(pa.int64(), 3072)}), "a", "pixels are uint8, 0 to 255"),
    "float tensor": (pa.schema({"a": pa.fixed_shape_tensor(pa.float32(), SHAPE)}), "a", "pixels are uint8"),
    "spark": (pa.schema({"a": SPARK}), "a", "is the image struct of Spark.*binaryFile"),
    "length": (pa.schema({"a": pa.list_(pa.uint8(), 3071)}), "a", "has 3071 bytes in each row.*3072"),
    "channels": (pa.schema({"a": pa.fixed_shape_tensor(pa.uint8(), (3, 32, 32))}), "a", "dim_names="),
    "no pixels": (pa.schema({"a": pa.fixed_shape_tensor(pa.uint8(), (0, 32, 3))}), "a", "pixels of shape"),
}


@pytest.mark.parametrize("case", WRONG_SCHEMAS)
def test_a_schema_without_pictures_is_refused_at_once(case: str, net: Network) -> None:
    schema, column, message = WRONG_SCHEMAS[case]
    with pytest.raises(InputError, match=message):
        Classifier(net, column=column).schema(schema)


def test_a_column_of_pictures_is_found_next_to_names(net: Network) -> None:
    """As Spark's binaryFile has it, and the data sets of Hugging Face."""
    for schema in (
        {"path": pa.string(), "length": pa.int64(), "content": pa.binary()},
        {"content": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "split": pa.string(), "label": pa.int64()},
    ):
        assert Classifier(net).picture_column(pa.schema(schema)).name == "content"


def test_two_columns_of_one_name(net: Network, images: np.ndarray) -> None:
    pictures = encoded(images[:2])
    batch = pa.RecordBatch.from_arrays([pa.array([1, 2]), pa.array([3, 4]), pictures], ["a", "a", "picture"])
    assert Classifier(net)(batch)["label"].to_pylist() == net.predict(images[:2]).tolist()
    with pytest.raises(InputError, match="'a' cannot be kept: there are 2 columns of that name; rename all but one"):
        Classifier(net, keep=["a"])(batch)


def test_a_dict_of_arrays_as_ray_gives_it() -> None:
    with pytest.raises(InputError, match=r"but is \{'content': .*; for batches of Ray Data set batch_format='pyarrow'"):
        Classifier("cifar10-cs61c")({"content": np.array([b"one"], object)})


def test_columns_and_frames_that_are_not_tables_yet(net: Network) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    with pytest.raises(InputError, match=r"is one column, a Series; give its .to_frame\(\)"):
        Classifier(net)(pandas.Series([b""]))
    polars = pytest.importorskip("polars", reason="polars is not installed")
    with pytest.raises(InputError, match="collect it first"):
        Classifier(net)(polars.DataFrame({"a": [b""]}).lazy())


def test_wrong_arguments(net: Network, images: np.ndarray) -> None:
    batch = batch_of(encoded(images), label=pa.array(range(COUNT)))
    with pytest.raises(ConfigError, match=r"'label' has the name of a column of results.*prefix"):
        Classifier(net, keep=["label"])(batch)
    assert Classifier(net, keep=["label"], prefix="p_")(batch).schema.names == [
        "label",
        "p_label",
        "p_probability",
        "p_error",
    ]
    with pytest.raises(InputError, match="'x' cannot be kept: there is no column of that name; the columns") as caught:
        Classifier(net, keep=["x"])(batch)
    assert str(caught.value).count("the columns are") == 1
    with pytest.raises(InputError, match="named twice"):
        Classifier(net, keep=["picture", "picture"])(batch)
    for options in (
        {"top": 11},
        {"top": 0},
        {"keep": "id"},
        {"threads": 0},
        {"batch": 0},
        {"features": 1},
        {"column": 3},
    ):
        with pytest.raises(CnnfastError):
            Classifier(net, **options)
    with pytest.raises(InputError, match="takes floats, and no uint8 pixels"):
        Classifier(Network.from_layers([Linear(np.eye(2))], (2,)))
    for wrong in (None, 3, "a.parquet", [batch]):
        with pytest.raises(InputError, match="data must be a record batch"):
            Classifier(net)(wrong)
    with pytest.raises(InputError, match="record batch 1 has other columns"):
        list(Classifier(net, column="picture").stream([batch, batch_of(encoded(images))]))
    with pytest.raises(InputError, match="number 0 is 3"):
        list(Classifier(net).stream([3]))


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_bytes_that_are_pixels(kind: pa.DataType) -> None:
    images = random_images(20)
    rows: list[bytes | None] = [image.tobytes() for image in images]
    rows[3], rows[5], rows[6] = None, b"ab", b""
    batch = pa.record_batch({"path": ["x"] * 20, "pixels": pa.array(rows, kind)}).slice(1)
    result = Classifier("cifar10-cs61c", pixels=(32, 32, 3))(batch)
    wrong = "has {} bytes, but 32 x 32 x 3 are 3072"
    assert {i: e for i, e in enumerate(result["error"].to_pylist(), 1) if e} == {
        3: "is null",
        5: wrong.format(2),
        6: wrong.format(0),
    }
    expected = Network.load("cifar10-cs61c").predict(images).tolist()
    assert [got or want for got, want in zip(result["label"].to_pylist(), expected[1:], strict=True)] == expected[1:]


def test_pixels_of_fixed_size(net: Network, images: np.ndarray) -> None:
    """As Parquet has them, and pyarrow writes them."""
    rows = [None if n == 3 else image.tobytes() for n, image in enumerate(images)]
    whole = pa.array(rows, pa.binary(32 * 32 * 3))
    for column in (whole, pc.run_end_encode(whole), whole.dictionary_encode()):
        for part in (column, column.slice(2, 9), column.slice(20)):
            start = {COUNT: 0, 9: 2, 0: 20}[len(part)]
            result = Classifier(net, pixels=SHAPE, probabilities=True)(batch_of(part))
            assert result["error"].to_pylist() == ["is null" if start + n == 3 else None for n in range(len(part))]
            for n, values in enumerate(result["probabilities"].to_pylist()):
                expected = net.predict_proba(images[start + n : start + n + 1])[0]
                assert values is None if start + n == 3 else np.float32(values).tolist() == expected.tolist()
    short = Classifier(net, pixels=SHAPE)(batch_of(pa.array([b"ab", None], pa.binary(2))))
    assert short["error"].to_pylist() == ["has 2 bytes, but 32 x 32 x 3 are 3072", "is null"]


def test_lists_of_int16_as_spark_has_them() -> None:
    images = random_images(6)
    rows: list[list[int | None] | None] = [image.ravel().tolist() for image in images]
    rows[1], rows[2], rows[3] = None, [256, *images[2].ravel()[1:].tolist()], [None, *images[3].ravel()[1:].tolist()]
    result = Classifier("cifar10-cs61c")(pa.record_batch({"pixels": pa.array(rows, pa.list_(pa.int16()))}))
    odd = [None, "is null", "has pixels outside of 0 to 255", "has pixels that are null", None, None]
    assert result["error"].to_pylist() == odd
    expected = Network.load("cifar10-cs61c").predict(images).tolist()
    assert result["label"].to_pylist() == [None if why else label for why, label in zip(odd, expected, strict=True)]


@pytest.mark.parametrize("shape", [3, (32, 32), (32, 32, 2), (0, 1, 3), "abc"])
def test_shapes_that_pixels_cannot_have(shape: Any) -> None:
    with pytest.raises(ConfigError, match="pixels must be"):
        Classifier("cifar10-cs61c", pixels=shape)


def test_pixels_are_looked_for_in_binary_columns_only() -> None:
    schema = pa.schema({"path": pa.string(), "id": pa.int64()})
    with pytest.raises(InputError, match=r"column is not given, and no column fits"):
        Classifier("cifar10-cs61c", pixels=(32, 32, 3)).schema(schema)
    with pytest.raises(InputError, match=r"column 'path' is string, but pixels=\(32, 32, 3\) says that it is binary"):
        Classifier("cifar10-cs61c", column="path", pixels=(32, 32, 3)).schema(schema)


@pytest.mark.parametrize("rows", [0, 2])
@pytest.mark.parametrize("options", [{}, {"column": "content"}, {"pixels": (32, 32, 3)}], ids=str)
def test_a_part_of_a_frame_without_any_picture(rows: int, options: Any) -> None:
    """Its column has the type null, by which pandas and Dask must not fail."""
    table = pa.table({"id": pa.array(range(rows), pa.int64()), "content": pa.nulls(rows)})
    classify = Classifier("cifar10-cs61c", keep=["id"], **options)
    result = classify(table)
    assert result["error"].to_pylist() == ["is null"] * rows
    assert result.schema == classify.schema(pa.schema({"id": pa.int64(), "content": pa.binary()}))
    for other in (pa.binary(), pa.string()):
        if not options:
            schema = pa.schema({"note": pa.null(), "picture": other})
            assert classify.picture_column(schema).name == "picture"


def test_a_path_is_for_files() -> None:
    with pytest.raises(InputError, match=r"is 'pictures.parquet'; classify_dataset reads files"):
        Classifier("cifar10-cs61c")("pictures.parquet")
