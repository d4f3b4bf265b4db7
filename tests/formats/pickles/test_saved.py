"""What `torch.save` writes is read without PyTorch: kinds of numbers, views, both containers, both orders of bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from formats.pickles.assembled import (
    STORAGES,
    archive,
    call,
    integer,
    integers,
    mapping,
    numbers,
    saved,
    sequence,
    storage,
    stream,
    tensor,
    text,
    view,
    write,
)
from formats.weights.small import small_graph, small_state

from cnnfast.errors import ModelFileError
from cnnfast.formats import detect, load_model
from cnnfast.formats.pickles.container import opened
from cnnfast.formats.pickles.inert import Record, StoredTensor
from cnnfast.formats.pickles.storages import read_tensors
from cnnfast.ops import Array


def read(path: Path) -> tuple[dict, dict[str, Array]]:
    """Return what a file holds, and its tensors at the top."""
    with opened(path) as content:
        top = content.content
        named = [(name, value) for name, value in top.items() if isinstance(value, StoredTensor)]
        return top, read_tensors(named, content.storages, path.stat().st_size)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_state_dict_becomes_a_network(tmp_path: Path, is_zip: bool) -> None:
    path = write(tmp_path / "net.pth", saved(small_state(), is_zip))
    assert detect(path).name == "torch"
    constants = load_model(path, architecture=small_graph()).graph.constants
    np.testing.assert_array_equal(constants["conv.weight"], small_state()["conv.weight"])
    np.testing.assert_array_equal(constants["bn.var"], small_state()["bn.running_var"])


def test_pytorch_is_not_imported(tmp_path: Path) -> None:
    path = write(tmp_path / "net.pth", saved({"fc1.weight": numbers(2, 3)}))
    code = (
        "import sys, cnnfast\n"
        f"try: cnnfast.Network.load({str(path)!r}, architecture='lenet')\n"
        "except cnnfast.errors.ModelFileError: print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("kind", STORAGES)
def test_kinds_of_numbers(tmp_path: Path, kind: str, is_zip: bool) -> None:
    for sign in "<>":
        array = np.array([[0, 1, 3], [1, 100, 7]]).astype(f"{sign}{kind}")
        rows = {"0": array.tobytes()}
        body = mapping({"w": tensor("0", array)})
        content = (
            archive(body, rows, "little" if sign == "<" else "big")
            if is_zip
            else stream(body, {"0": (6, rows["0"])}, sign == "<")
        )
        (found,) = read(write(tmp_path / "net.pth", content))[1].values()
        np.testing.assert_array_equal(found, array)
        assert found.dtype == ("float32" if kind == "f2" else array.dtype.newbyteorder("="))


def test_bfloat16(tmp_path: Path) -> None:
    whole = np.array([1.5, -2.0, 3e38, 0.0], np.float32)
    upper = (whole.view(np.uint32) >> 16).astype("<u2")
    body = mapping({"w": view(storage("0", "BFloat16Storage", 4), 0, (2, 2), (2, 1))})
    (found,) = read(write(tmp_path / "net.pth", archive(body, {"0": upper.tobytes()})))[1].values()
    np.testing.assert_array_equal(found, (whole.view(np.uint32) & 0xFFFF0000).view(np.float32).reshape(2, 2))


def test_views_and_shared_rows(tmp_path: Path) -> None:
    whole = numbers(4, 6)
    row = storage("0", "FloatStorage", 24)
    views = {
        "turned": (view(row, 0, (6, 4), (1, 6)), whole.T),
        "part": (view(row, 7, (2, 3), (12, 2)), whole.reshape(-1)[[[7, 9, 11], [19, 21, 23]]]),
        "number": (view(row, 5, (), ()), np.float32(5)),
        "nothing": (view(row, 0, (0, 6), (6, 1)), np.zeros((0, 6))),
    }
    content = archive(mapping({name: made for name, (made, _) in views.items()}), {"0": whole.tobytes()})
    _, found = read(write(tmp_path / "net.pth", content))
    for name, (_, right) in views.items():
        np.testing.assert_array_equal(found[name], right)
        assert found[name].shape == right.shape
        assert not found[name].flags.writeable


def test_parts_of_storages_in_old_files(tmp_path: Path) -> None:
    part = sequence(text("part"), integer(2), integer(6))
    body = mapping({"w": view(storage("0", "FloatStorage", 9, part), 1, (5,), (1,))})
    content = stream(body, {"0": (9, numbers(9).tobytes())})
    np.testing.assert_array_equal(read(write(tmp_path / "net.pth", content))[1]["w"], [3, 4, 5, 6, 7])


def test_parameters_and_tensors_with_attributes(tmp_path: Path) -> None:
    plain = tensor("0", numbers(2, 3))
    arguments = plain[plain.index(b"(") : -1]
    attributes = (b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch.nn.parameter\nParameter\n", arguments, mapping({}))
    body = mapping(
        {
            "parameter": call("torch._utils._rebuild_parameter", plain, b"\x88", call("collections.OrderedDict")),
            "with attributes": call("torch._tensor._rebuild_from_type_v2", *attributes),
        }
    )
    _, found = read(write(tmp_path / "net.pth", archive(body, {"0": numbers(2, 3).tobytes()})))
    for array in found.values():
        np.testing.assert_array_equal(array, numbers(2, 3))
    assert len(found) == 2


INERT = {
    "namespace": b"cargparse\nNamespace\n)\x81" + mapping({"lr": b"G" + bytes(8)}) + b"b",
    "path": call("pathlib.PosixPath", text("/"), text("tmp")),
    "scalar": call("numpy.core.multiarray.scalar", call("numpy.dtype", text("f8")), text("x")),
    "date": call("datetime.datetime", text("raw")),
    "easy": b"ceasydict\nEasyDict\n)\x81(" + text("a") + integer(1) + b"u",
    "list of a class": b"cmine\nList\n)\x81(" + integer(1) + integer(2) + b"e",
    "instance": b"(imine\nOld\n" + mapping({}) + b"b",
    "set": b"\x8f(" + integer(1) + b"\x90",
    "program": call("os.system", text("echo")),
    "getattr": call("builtins.getattr", b"cos\nsystem\n", text("x")) + sequence(text("echo")) + b"R",
}
"""What a checkpoint holds besides the weights, and would have to be imported or run."""


def test_what_is_not_a_tensor_is_inert(tmp_path: Path) -> None:
    path = write(tmp_path / "net.pth", saved(small_state(), True, **INERT))
    with opened(path) as content:
        assert all(isinstance(content.content[name], Record) for name in INERT)
        assert content.content["program"].name == "os.system"
    assert load_model(path, architecture=small_graph()).graph.nodes


def made_by(name: str) -> bytes:
    return call(name, integers((2, 3)), integers((3, 1)))


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (made_by("torch._utils._rebuild_sparse_tensor"), r"'w' is made by torch\._utils\._rebuild_sparse_tensor"),
        (made_by("torch._utils._rebuild_qtensor"), "only plain ones are read"),
        (made_by("mine.Tensor"), r"asks for mine\.Tensor"),
        (view(storage("0", "QInt8Storage", 6), 0, (6,), (1,)), r"is of the kind torch\.QInt8Storage"),
        (view(storage("0", "ComplexFloatStorage", 6), 0, (6,), (1,)), "does not compute with"),
        (view(storage("0", "FloatStorage", 6), 0, (1 << 40,), (0,)), "repeats its elements"),
        (
            view(storage("0", "FloatStorage", 6), 1, (2, 3), (3, 1)),
            "ends at byte 28 of the storage '0', which ends at 24",
        ),
        (view(storage("0", "FloatStorage", 7), 0, (7,), (1,)), "ends at byte 28 .*which ends at 24"),
        (view(storage("1", "FloatStorage", 6), 0, (6,), (1,)), r"its archive lacks 'net/data/1'"),
        (view(storage("../0", "FloatStorage", 6), 0, (6,), (1,)), "its archive lacks"),
        (view(storage("0", "FloatStorage", 6), 0, (6,), (-1,)), "other arguments than PyTorch writes"),
        (view(storage("0", "FloatStorage", 6), 0, (1,) * 9, (1,) * 9), "9 axes"),
        (view(text("x"), 0, (1,), (1,)), "other arguments"),
        (call("torch._utils._rebuild_tensor_v2", integer(1)), "other arguments"),
        (storage("0", "FloatStorage", 1 << 60), "describes a storage as PyTorch does not"),
    ],
)
def test_tensors_that_are_none(tmp_path: Path, value: bytes, rule: str) -> None:
    path = write(tmp_path / "net.pth", archive(mapping({"w": value}), {"0": bytes(24)}))
    with pytest.raises(ModelFileError, match=rule):
        load_model(path, architecture=small_graph())


def test_a_shared_row_does_not_multiply(tmp_path: Path) -> None:
    """1,000 views of one megabyte, each other than the rest, would take a gigabyte."""
    row = storage("0", "FloatStorage", 1 << 18)
    views = mapping({f"w{i}": view(row, i, (1 << 17, 1), (1, 1)) for i in range(1000)})
    path = write(tmp_path / "net.pth", archive(views, {"0": bytes(1 << 20)}))
    with pytest.raises(ModelFileError, match=r"take more than 4 times .* save tensor\.clone"):
        load_model(path, architecture=small_graph())
    same = mapping({f"w{i}": view(row, 0, (1 << 17, 1), (1, 1)) for i in range(1000)})
    _, found = read(write(path, archive(same, {"0": bytes(1 << 20)})))
    assert len({array.ctypes.data for array in found.values()}) == 1


def test_old_files_that_end_early(tmp_path: Path) -> None:
    whole = saved({"w": numbers(3, 5)}, False)
    for length in (len(whole) - 1, len(whole) - 60, len(whole) - 61, 100, 30):
        with pytest.raises(ModelFileError, match=r"truncated|damaged"):
            load_model(write(tmp_path / "net.pth", whole[:length]), architecture=small_graph())
