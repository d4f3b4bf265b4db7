"""Files that are small and ask for much: read or refused within seconds of processor time and half a gigabyte."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from systems import posix

pytest.importorskip("onnx", reason="ONNX files are read with the package onnx; install cnnfast[onnx]")

from formats.onnx_small import classifier, model, node
from fuzz.limits import limited
from onnx import ModelProto, helper

from cnnfast.errors import CnnfastError, ModelFileError, UnsupportedError
from cnnfast.formats import load_model

MILLION = np.ones(1_500_000, np.float32)


def read(folder: Path, proto: ModelProto) -> object:
    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    with limited():
        return load_model(path)


def many_inputs() -> ModelProto:
    proto = model([node("Add", "x x", "a0"), *(node("Relu", f"a{i}", f"a{i + 1}") for i in range(6000))], ("N", 4))
    proto.graph.node.append(node("Relu", "a6000", "y"))
    proto.graph.input.extend(helper.make_tensor_value_info(f"in{i}", 1, ["N", 3, 8, 8]) for i in range(6000))
    return proto


READ: dict[str, Callable[[], ModelProto]] = {
    "a sum of 19,000": lambda: model([node("Sum", " ".join(["x"] * 19_000))], ("N", 4)),
    "15,000 pieces": lambda: model(
        [node("Split", "x", " ".join(["y", *(f"p{i}" for i in range(14_999))]), axis=1)], ("N", 15_000)
    ),
    "6,000 inputs and nodes": many_inputs,
    "a large constant that is looked at in 12,000 ways": lambda: model(
        [
            node("Reshape", "c row", "a0"),
            *(node("Reshape", f"a{i} row", f"a{i + 1}") for i in range(12_000)),
            node("Add", "x a12000"),
        ],
        ("N", 1_500_000),
        {"c": MILLION, "row": np.array([1, -1])},
    ),
    "a large constant that 3,000 nodes read": lambda: model(
        [*(node("Add", f"{f'a{i - 1}' if i else 'x'} c", f"a{i}") for i in range(3000)), node("Relu", "a2999")],
        ("N", 1_500_000),
        {"c": MILLION[None]},
    ),
    "Resize to nothing much": lambda: model(
        [node("Resize", "x - s")], weights={"s": np.array([1, 1, 0.2, 0.2], np.float32)}
    ),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_large_but_honest_is_read(name: str, tmp_path: Path) -> None:
    read(tmp_path, READ[name]())


REFUSED: dict[str, tuple[Callable[[], ModelProto], str]] = {
    "a sum of 30,000": (lambda: model([node("Sum", " ".join(["x"] * 30_000))], ("N", 4)), "more than 20000 nodes"),
    "5,000 unknown operators": (
        lambda: model(
            [node(f"Op{i}", f"a{i - 1}" if i else "x", f"a{i}") for i in range(5000)] + [node("Relu", "a4999")]
        ),
        "does not run 5000 of its nodes",
    ),
    "a constant that doubles": (
        lambda: model(
            [*(node("Concat", f"c{i} c{i}", f"c{i + 1}", axis=0) for i in range(40)), node("Add", "x c40")],
            weights={"c0": np.ones(64, np.float32)},
        ),
        "would take .* bytes; .* are left of what reading may take.*CNNFAST_MAX_BYTES",
    ),
    "a huge constant": (
        lambda: model(
            [node("ConstantOfShape", "huge", "c"), node("Add", "x c")], weights={"huge": np.array([1 << 20, 1 << 20])}
        ),
        "would take .* bytes; .* are left of what reading may take",
    ),
    "80 large images": (
        lambda: model(
            [
                *(node("Expand", "x s", f"e{i}") for i in range(80)),
                node("Sum", " ".join(f"e{i}" for i in range(80))),
            ],
            ("N", 1, 1, 1),
            {"s": np.array([1, 64, 512, 512])},
        ),
        "result of Expand would take 67108864 bytes",
    ),
    "images beyond all measure": (
        lambda: model([node("Expand", "x s")], ("N", 1, 1, 1), {"s": np.array([1, 1 << 40, 1 << 40, 1 << 40])}),
        "result of Expand would take",
    ),
    "two billion channels in groups": (
        lambda: model(
            [node("GroupNormalization", "x one one", num_groups=1)],
            ("N", 2_000_000_000, 1, 1),
            {"one": np.ones(1, np.float32)},
            opset=18,
        ),
        "would take 8000000000 bytes",
    ),
    "products that never end": (
        lambda: model(
            [node("MatMul", "c c", "m0"), *(node("MatMul", "c c", f"m{i}") for i in range(1, 300)), *sums(300)],
            ("N", 512, 512),
            {"c": np.ones((512, 512), np.float32)},
        ),
        "would be computed from .* elements",
    ),
}


def sums(count: int) -> list[object]:
    return [node("Sum", " ".join(["x", *(f"m{i}" for i in range(count))]))]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_too_large_is_refused_before_it_is_made(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNFAST_MAX_BYTES", str(1 << 27))
    make, said = REFUSED[name]
    with pytest.raises(CnnfastError, match=said):
        read(tmp_path, make())


def test_an_option_allows_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [node("ConstantOfShape", "size", "c"), node("Add", "x c")]
    proto = model(nodes, ("N", 1 << 20), {"size": np.array([1 << 20])})
    monkeypatch.setenv("CNNFAST_MAX_BYTES", str(1 << 20))
    with pytest.raises(UnsupportedError, match=r"would take 8388608 bytes; .* and 1048576"):
        read(tmp_path, proto)
    monkeypatch.setenv("CNNFAST_MAX_BYTES", str(1 << 25))
    read(tmp_path, proto)


def test_a_constant_is_not_copied(tmp_path: Path) -> None:
    """Weights as they are in the file serve the network: two names of one tensor are one piece of memory."""
    weights = {"w": np.ones((4, 4), np.float32)}
    graph = read(tmp_path, model([node("Add", "x w", "a"), node("Mul", "a w")], ("N", 4, 4), weights)).graph  # type: ignore[attr-defined]
    first, second = graph.constants.values()
    assert np.shares_memory(first, second)


def test_an_exception_that_nobody_foresaw_names_node_and_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnnfast.formats.onnx.call import NodeCall

    def broken(call: NodeCall) -> object:
        return [][1]

    from cnnfast.formats.onnx import operators

    monkeypatch.setitem(operators.OPERATORS, "Relu", broken)
    with pytest.raises(
        ModelFileError, match=r"net.onnx: node 'node_r': Relu cannot be read: IndexError: list index"
    ) as caught:
        read(tmp_path, classifier())
    assert isinstance(caught.value.__cause__.__cause__.__cause__, IndexError)  # type: ignore[union-attr]


@posix
def test_names_that_are_no_text_and_links_that_go_in_circles(tmp_path: Path) -> None:
    circle = tmp_path / "circle.onnx"
    circle.symlink_to(circle)
    with pytest.raises((CnnfastError, OSError)):
        load_model(circle)
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    path = folder / os.fsdecode(b"n\xe9t.onnx")
    path.write_bytes(classifier().SerializeToString())
    assert load_model(path).graph.outputs == ("y",)
    path.write_bytes(classifier().SerializeToString()[:-50])
    with pytest.raises(ModelFileError, match="damaged"):
        load_model(path)
