"""No attribute of a file is dropped in silence: each is read, changes nothing by its nature, or is refused."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="ONNX files are read with the package onnx; install cnnfast[onnx]")

from formats.onnx_small import model, node
from onnx import NodeProto, defs, helper

from cnnfast import Network
from cnnfast.errors import CnnfastError, UnsupportedError
from cnnfast.formats.onnx.fold import FOLDS
from cnnfast.formats.onnx.operators import OPERATORS
from cnnfast.formats.onnx.translate import OLDEST

CALLS = (
    "attribute",
    "integers",
    "integer",
    "optional_integer",
    "flag",
    "real",
    "reals",
    "bound",
    "text",
    "listed",
    "ignore",
)
"""Methods of `Call` that ask for attributes by name."""

LEFT = {("QuantizeLinear", "block_size"), ("Range", "stash_type")}
"""What no operator asks for: the net below all of them refuses it, unless it has its default."""


def test_every_attribute_of_every_operator_set_is_asked_for() -> None:
    """By program, over the schemas of the installed package: an attribute that a new one brings shows up here."""
    left = set()
    for table in (OPERATORS, FOLDS):
        for kind, function in table.items():
            asked = set(names_asked_for(function, set()))
            for opset in range(OLDEST, defs.onnx_opset_version() + 1):
                left |= {(kind, name) for name in attributes(kind, opset) if name not in asked}
    assert left == LEFT


def attributes(kind: str, opset: int) -> Iterator[str]:
    try:
        yield from defs.get_schema(kind, opset, "").attributes
    except defs.SchemaError:
        # not in this operator set
        return


def names_asked_for(function: Callable[..., Any], seen: set[object]) -> Iterator[str]:
    """Yield the texts in calls of `CALLS`, in a function and in those of the reader that it mentions."""
    if function in seen:
        return
    seen.add(function)
    known = function.__globals__
    for part in ast.walk(tree_of(function)):
        if isinstance(part, ast.Name) and part.id in known:
            found = known[part.id]
            for inner in found.values() if isinstance(found, dict) else [found]:
                if inspect.isfunction(inner) and inner.__module__.startswith("cnnfast.formats.onnx"):
                    yield from names_asked_for(inner, seen)
        if isinstance(part, ast.Call) and getattr(part.func, "attr", None) in CALLS:
            yield from texts(part)
    # names in a tuple over which a function loops
    yield from (text for part in ast.walk(tree_of(function)) if isinstance(part, ast.Tuple) for text in texts(part))


def tree_of(function: Callable[..., Any]) -> ast.AST:
    source = textwrap.dedent(inspect.getsource(function)).strip()
    # a lambda is in the middle of a table
    return ast.parse("{" + source + "}" if source.startswith('"') else source)


def texts(part: ast.AST) -> Iterator[str]:
    for inner in ast.walk(part):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def load(
    folder: Path, nodes: list[NodeProto], weights: dict[str, np.ndarray] | None = None, opset: int = 21
) -> Network:
    path = folder / "net.onnx"
    path.write_bytes(model(nodes, ("N", 4, 4, 4), weights, opset=opset).SerializeToString())
    return Network.load(path)


SCALE = {"s": np.array(0.5, np.float32), "w": np.ones((2, 4, 1, 1), np.float32), "o": np.zeros(1, np.int64)}


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([node("Relu", "x", slope=3)], "'slope', which Relu does not have in operator set 21"),
        (
            [node("QuantizeLinear", "x s", "q", block_size=2), node("DequantizeLinear", "q s")],
            "'block_size' is 2; only 0",
        ),
        ([node("MaxPool", "x", kernel_shape=[2, 2], count_include_pad=1)], "'count_include_pad', which MaxPool"),
        ([node("Conv", "x w", output_padding=[1, 1])], "'output_padding', which Conv does not have"),
        ([node("Constant", "", "c", value_float=1.0, name2=3), node("Add", "x c")], "'name2', which Constant does not"),
        ([node("Squeeze", "o", "c", axes=[0]), node("Add", "x c")], "'axes', which Squeeze does not have"),
    ],
)
def test_what_nothing_reads_is_refused(nodes: list[NodeProto], said: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=said):
        load(tmp_path, nodes, SCALE)


def test_an_attribute_at_its_default_needs_no_reader(tmp_path: Path) -> None:
    nodes = [node("QuantizeLinear", "x s", "q", block_size=0), node("DequantizeLinear", "q s")]
    assert load(tmp_path, nodes, SCALE).output_shape == (4, 4, 4)


def test_an_attribute_stands_once(tmp_path: Path) -> None:
    pool = node("MaxPool", "x", kernel_shape=[2, 2])
    pool.attribute.append(helper.make_attribute("kernel_shape", [1, 1]))
    with pytest.raises(CnnfastError, match="states its attribute 'kernel_shape' 2 times"):
        load(tmp_path, [pool])


def test_what_changes_nothing_may_be_anything(tmp_path: Path) -> None:
    weights = {"p": np.ones(4, np.float32)}
    nodes = [
        node("BatchNormalization", "x p p p p", "a", momentum=0.3),
        node("MaxPool", "a", "b", kernel_shape=[2, 2], storage_order=1),
        node("Dropout", "b", "c", seed=3),
        node("LayerNormalization", "c one", "y", axis=-1, stash_type=1),
    ]
    assert load(tmp_path, nodes, {**weights, "one": np.ones(3, np.float32)}).output_shape == (4, 3, 3)


def test_constants_are_cut_as_images_are(tmp_path: Path) -> None:
    """Seven in three pieces are 3, 3 and 1: all but the last one are equal."""
    constants = {"seven": np.arange(7, dtype=np.float32)}
    nodes = [node("Split", "seven", "a b c", axis=0, num_outputs=3), node("Add", "x c")]
    network = load(tmp_path, nodes, constants, opset=18)
    np.testing.assert_array_equal(
        network.forward(np.zeros((1, 4, 4, 4), np.float32), layout="nchw"), np.full((1, 4, 4, 4), 6)
    )
    with pytest.raises(CnnfastError, match="num_outputs of Split is 2, but it has 3 results"):
        load(
            tmp_path, [node("Split", "seven", "a b c", axis=0, num_outputs=2), node("Add", "x c")], constants, opset=18
        )


def test_a_reduction_over_no_axes_leaves_constants_alone(tmp_path: Path) -> None:
    constants = {"c": np.arange(4, dtype=np.float32), "none": np.zeros(0, np.int64)}
    nodes = [node("ReduceSum", "c none", "r", noop_with_empty_axes=1), node("Add", "x r")]
    result = load(tmp_path, nodes, constants).forward(np.zeros((1, 4, 4, 4), np.float32), layout="nchw")
    np.testing.assert_array_equal(result[0, 0, 0], [0, 1, 2, 3])
