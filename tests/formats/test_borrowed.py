"""Files that leave out what another one in their folder holds: the same networks, and clear words without it."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from formats.crafted import changed, put, split

from cnnfast import Network
from cnnfast.cli import main
from cnnfast.errors import ModelFileError
from cnnfast.formats import Model, load_model, save
from cnnfast.formats.native import lender_of
from cnnfast.formats.reference import refer_to
from cnnfast.graph import Graph, Node
from cnnfast.ops import Array, Linear, Relu

BASE, HEAD = "base.safetensors", "head.safetensors"


def model(seed: int, shared: int = 0) -> Model:
    """Return two dense layers: the first has weights of one seed, the second of another."""
    first = np.random.default_rng(shared).standard_normal((96, 64)).astype(np.float32)
    rng = np.random.default_rng(100 + seed)
    nodes = (Node("a", Linear(), ("x", f"w{seed}", "b")), Node("r", Relu(), ("a",)), Node("y", Linear(), ("r", "head")))
    constants = {f"w{seed}": first, "b": first[0].repeat(2)[:96], "head": rng.standard_normal((3, 96)).astype("f4")}
    return Model(Graph({"x": (64,)}, nodes, constants, ("y",)))


def constants(path: Path) -> dict[str, Array]:
    return dict(load_model(path).graph.constants)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    base, head = tmp_path / BASE, tmp_path / HEAD
    save(model(0), base)
    save(model(1), head, borrow=base)
    return base, head


@pytest.mark.parametrize("dtype", [None, "float16", "int8"])
def test_the_same_network_in_fewer_bytes(tmp_path: Path, dtype: str | None) -> None:
    base, whole, head = (tmp_path / name for name in (BASE, "whole.safetensors", HEAD))
    save(model(0), base, dtype=dtype)
    save(model(1), whole, dtype=dtype)
    save(model(1), head, dtype=dtype, borrow=base)
    assert constants(head).keys() == constants(whole).keys()
    for name, array in constants(whole).items():
        assert array.dtype == constants(head)[name].dtype
        np.testing.assert_array_equal(array, constants(head)[name])
    held = safetensors.numpy.load_file(head)
    assert "w1" not in held
    # small ones are not worth a line
    assert {"b", "head"} <= held.keys()
    assert head.stat().st_size < 0.6 * whole.stat().st_size
    again = tmp_path / "again.safetensors"
    save(load_model(head), again, dtype=dtype, borrow=base)
    assert again.read_bytes() == head.read_bytes()
    save(load_model(head), again, dtype=dtype)
    assert again.read_bytes() == whole.read_bytes()


def test_the_name_in_the_lender_may_be_another(files: tuple[Path, Path]) -> None:
    description = split(files[1].read_bytes())[1]
    assert description["version"] == 3
    assert description["scales"] == {}
    assert description["borrowed"]["file"] == BASE
    assert description["borrowed"]["tensors"] == {"w1": "w0"}


def test_a_file_may_lend_what_it_holds_itself_but_not_what_it_borrows(files: tuple[Path, Path]) -> None:
    base, head = files
    third = head.with_name("third.safetensors")
    with pytest.raises(ModelFileError, match=r"no tensor of 1,024 bytes or more in common with .*head\.safetensors"):
        save(model(2), third, borrow=head)
    assert not third.exists()
    assert [lender_of(path) for path in files] == [None, base]


@pytest.mark.parametrize(
    ("lender", "rule"),
    [
        ("other/base.safetensors", "in another one"),
        (HEAD, "the same file"),
        ("gone.safetensors", "gone.safetensors: the model file cannot be read: No such file"),
        ("notes.txt", "notes.txt: the file has 5 bytes"),
        ("foreign.safetensors", "foreign.safetensors: states no SHA-256"),
        ("unlike.safetensors", "no tensor of 1,024 bytes or more in common"),
    ],
)
def test_what_cannot_lend(files: tuple[Path, Path], lender: str, rule: str) -> None:
    base, head = files
    folder = base.parent
    (folder / "other").mkdir()
    shutil.copy(base, folder / "other" / BASE)
    (folder / "notes.txt").write_text("hello")
    safetensors.numpy.save_file(constants(base), folder / "foreign.safetensors")
    save(model(3, shared=1), folder / "unlike.safetensors")
    before = head.read_bytes()
    with pytest.raises(ModelFileError, match=rule):
        save(model(1), head, borrow=folder / lender)
    assert head.read_bytes() == before


def test_a_lender_that_is_gone_damaged_or_another_one(files: tuple[Path, Path]) -> None:
    base, head = files
    right = base.read_bytes()
    base.unlink()
    with pytest.raises(
        ModelFileError, match=r"head\.safetensors: it borrows 1 tensor from 'base\.safetensors', of SHA-2.* copy"
    ):
        Network.load(head)
    base.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    with pytest.raises(ModelFileError, match=r"head\.safetensors: .*base\.safetensors: the SHA-256 of the file is"):
        Network.load(head)
    save(model(4), base)
    with pytest.raises(
        ModelFileError, match=r"head\.safetensors: .* is now another one, of SHA-256 [0-9a-f]{64}: put it back"
    ):
        Network.load(head)
    base.write_bytes(right)
    Network.load(head)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (put("version", value=2), "keys .* scales, but it has version"),
        (put("borrowed", value=None), "what is borrowed must be an object with the keys file, sha256, tensors"),
        (put("borrowed", "more", value=1), "what is borrowed must be an object with the keys"),
        (put("borrowed", "file", value="../base.safetensors"), "the name of a file in its own folder"),
        (put("borrowed", "file", value="/etc/passwd"), "the name of a file in its own folder"),
        (put("borrowed", "file", value="c:base.safetensors"), "the name of a file in its own folder"),
        (put("borrowed", "file", value="a\\base.safetensors"), "the name of a file in its own folder"),
        (put("borrowed", "file", value=".."), "the name of a file in its own folder"),
        (put("borrowed", "file", value="a\0b"), "printable"),
        (put("borrowed", "file", value=7), "printable"),
        (put("borrowed", "file", value=HEAD), "head.*is now another one"),
        (put("borrowed", "file", value="folder"), "not there"),
        (put("borrowed", "sha256", value="0" * 63), "64 hexadecimal digits"),
        (put("borrowed", "sha256", value=None), "64 hexadecimal digits"),
        (put("borrowed", "sha256", value="0" * 64), "is now another one"),
        (put("borrowed", "tensors", value={}), "must be an object of names"),
        (put("borrowed", "tensors", value=["w1"]), "must be an object of names"),
        (put("borrowed", "tensors", value={"w1": 1}), "printable"),
        (put("borrowed", "tensors", value={"w1": "gone"}), "has no tensor 'gone'"),
        (put("borrowed", "tensors", value={"w1": "w0", "head": "head"}), "'head' is in the file, and yet borrowed"),
        (put("borrowed", "tensors", value={"w1": "head"}), "'a'"),
        (put("borrowed", "tensors", value={"w2": "w0"}), "'w1', which nothing provides"),
    ],
)
def test_a_description_that_lies(files: tuple[Path, Path], change: Callable[[dict[str, Any]], None], rule: str) -> None:
    head = files[1]
    (head.parent / "folder").mkdir()
    head.write_bytes(changed(head.read_bytes(), change))
    with pytest.raises(ModelFileError, match=rule) as caught:
        load_model(head)
    assert str(head) in str(caught.value)


def test_a_pickle_is_a_reference_only_while_both_files_are_what_they_were(files: tuple[Path, Path]) -> None:
    base, head = files
    net = Network.load(head)
    small = pickle.dumps(net)
    assert len(small) < 600
    images = np.random.default_rng(0).standard_normal((5, 64)).astype(np.float32)
    expected = net.forward(images)
    np.testing.assert_array_equal(pickle.loads(small).forward(images), expected)
    base.unlink()
    whole = pickle.dumps(net)
    assert len(whole) > 20_000
    np.testing.assert_array_equal(pickle.loads(whole).forward(images), expected)
    with pytest.raises(ModelFileError, match=r"base\.safetensors.* is not there"):
        pickle.loads(small)


def test_most_files_are_not_parsed_twice(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(text: str) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr("cnnfast.formats.description.lender", parse)
    reference = refer_to(files[0])
    assert reference is not None
    assert reference.lender is None


def test_a_note_of_that_name_is_no_lender(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    plain = model(0)
    save(Model(plain.graph, notes={"borrowed": "from a friend"}), path)
    assert lender_of(path) is None


def test_the_shipped_integers_borrow_the_weights_of_the_floats() -> None:
    floats, integers = refer_to(shipped("cifar10-resnet")), refer_to(shipped("cifar10-resnet-int8"))
    assert floats is not None
    assert integers is not None
    assert integers.lender == floats.path
    assert Path(integers.path).stat().st_size < 50_000


def shipped(name: str) -> Path:
    from cnnfast.runtime.shipped import file_of

    return file_of(name)


def test_the_command(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    base, head = files
    whole, again = head.with_name("whole.safetensors"), head.with_name("again.safetensors")
    assert main(["convert", str(head), str(whole)]) == 0
    assert main(["convert", str(whole), str(again), "--borrow", str(base)]) == 0
    assert again.read_bytes() == head.read_bytes()
    assert "again.safetensors" in capsys.readouterr().out
    assert main(["convert", str(whole), str(whole.with_suffix(".onnx")), "--borrow", str(base)]) != 0
    assert "an ONNX file holds all of its weights" in capsys.readouterr().err
