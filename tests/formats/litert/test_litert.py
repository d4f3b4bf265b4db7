"""The reader of LiteRT: networks written by hand against NumPy, single operators, and files that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading models of LiteRT needs tflite")

from formats.litert.crafted import INPUT, Operator, Tensor, expected, model_bytes, network
from fuzz.limits import limited

from cnnfast import Network, Preprocess
from cnnfast.errors import InputError, ModelFileError, UnsupportedError
from cnnfast.formats import detect, load_model
from cnnfast.graph import evaluate
from cnnfast.ops import Array


def write(folder: Path, tensors: list[Tensor], operators: list[Operator], **ends: Any) -> Path:
    path = folder / "model"
    path.write_bytes(model_bytes(tensors, operators, **ends))
    return path


def pixels(count: int = 4) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(5).integers(0, 256, (count, *INPUT), dtype=np.uint8)


def test_a_float_network(tmp_path: Path) -> None:
    path = write(tmp_path, *network())
    assert detect(path).name == "litert"
    net = Network.load(path, preprocess="tf")
    result = net.forward(pixels())
    np.testing.assert_allclose(result, expected(network()[0], pixels() / 127.5 - 1), rtol=1e-5, atol=1e-6)
    assert Network.load(path, preprocess="raw").preprocess == Preprocess(size=INPUT[:2], scale=1.0)
    assert Network.load(path).preprocess is None
    with pytest.raises(InputError, match='say it: preprocess="raw"'):
        Network.load(path).predict(pixels())


def test_a_quantized_network_can_run_as_float(tmp_path: Path) -> None:
    path = write(tmp_path, *network(quantized=True))
    net = Network.load(path, integers=False)
    scale = np.float32(1 / 127.5)
    np.testing.assert_allclose(net.preprocess.scale, scale)
    images = (pixels() - 128.0) * scale
    np.testing.assert_allclose(net.forward(pixels()), expected(network(quantized=True)[0], images), rtol=1e-5)


def test_saved_and_read_again_gives_the_same_bits(tmp_path: Path) -> None:
    net = Network.load(write(tmp_path, *network(quantized=True)), classes=list("abcde"))
    net.save(tmp_path / "copy.safetensors")
    copy = Network.load(tmp_path / "copy.safetensors")
    np.testing.assert_array_equal(copy.forward(pixels()), net.forward(pixels()))
    assert copy.classes_.tolist() == list("abcde")


X = np.random.default_rng(0).standard_normal((2, 4, 6, 3))
W, W6 = (np.random.default_rng(2).standard_normal((rows, 5)).astype(np.float32) for rows in (3, 6))
C = np.random.default_rng(1).standard_normal((1, 1, 1, 3)).astype(np.float32)


def ints(*values: int) -> Array:
    return np.array(values, np.int32)


SINGLE: list[tuple[str, list[Array], str, dict[str, Any], Array]] = [
    ("SUB", [C], "SubOptions", {}, X - C),
    ("DIV", [C], "DivOptions", {}, X / C),
    ("MUL", [C], "MulOptions", {"FusedActivationFunction": 1}, np.maximum(X * C, 0)),
    ("MAXIMUM", [C], "", {}, np.maximum(X, C)),
    ("MINIMUM", [np.float32([0.25])], "", {}, np.minimum(X, 0.25)),
    ("SQUARED_DIFFERENCE", [], "", {}, 0 * X),
    ("RELU6", [], "", {}, np.clip(X, 0, 6)),
    ("RELU_N1_TO_1", [], "", {}, np.clip(X, -1, 1)),
    ("LOGISTIC", [], "", {}, 1 / (1 + np.exp(-X))),
    ("HARD_SWISH", [], "", {}, X * np.clip(X / 6 + 0.5, 0, 1)),
    ("TANH", [], "", {}, np.tanh(X)),
    ("ELU", [], "", {}, np.where(X > 0, X, np.expm1(X))),
    ("EXP", [], "", {}, np.exp(X)),
    ("ABS", [], "", {}, np.abs(X)),
    ("NEG", [], "", {}, -X),
    ("SQUARE", [], "", {}, X * X),
    ("LEAKY_RELU", [], "LeakyReluOptions", {"Alpha": 0.25}, np.where(X > 0, X, 0.25 * X)),
    ("PRELU", [np.float32([[[0.1, 0.2, 0.3]]])], "", {}, np.where(X > 0, X, [0.1, 0.2, 0.3] * X)),
    ("SIGN", [], "", {}, np.sign(X)),
    ("ROUND", [], "", {}, np.rint(X)),
    ("FLOOR", [], "", {}, np.floor(X)),
    ("CEIL", [], "", {}, np.ceil(X)),
    ("BATCH_MATMUL", [W], "BatchMatMulOptions", {}, X @ W),
    ("BATCH_MATMUL", [W[None].transpose(0, 2, 1)], "BatchMatMulOptions", {"AdjY": True}, X @ W),
    ("BATCH_MATMUL", [W6.T], "BatchMatMulOptions", {"AdjX": True, "AdjY": True}, X.transpose(0, 1, 3, 2) @ W6),
    ("QUANTIZE", [], "", {}, X),
    ("DEQUANTIZE", [], "", {}, X),
    ("MEAN", [ints(1, 2)], "ReducerOptions", {"KeepDims": True}, X.mean((1, 2), keepdims=True)),
    ("MEAN", [ints(1, 2)], "ReducerOptions", {}, X.mean((1, 2))),
    ("MEAN", [ints(-1)], "ReducerOptions", {}, X.mean(3)),
    ("SUM", [ints(2)], "ReducerOptions", {}, X.sum(2)),
    ("REDUCE_MAX", [ints(3)], "ReducerOptions", {"KeepDims": True}, X.max(3, keepdims=True)),
    ("PAD", [ints(0, 0, 1, 2, 0, 3, 0, 0).reshape(4, 2)], "", {}, np.pad(X, ((0, 0), (1, 2), (0, 3), (0, 0)))),
    (
        "PADV2",
        [ints(0, 0, 1, 1, 1, 1, 0, 0).reshape(4, 2), np.float32([-2])],
        *("", {}, np.pad(X, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-2)),
    ),
    (
        "MIRROR_PAD",
        [ints(0, 0, 1, 2, 2, 1, 0, 0).reshape(4, 2)],
        *("MirrorPadOptions", {"Mode": 0}, np.pad(X, ((0, 0), (1, 2), (2, 1), (0, 0)), "reflect")),
    ),
    ("RESHAPE", [ints(1, 8, 9)], "", {}, X.reshape(2, 8, 9)),
    ("RESHAPE", [ints(1, 3, 6, 4)], "", {}, X.reshape(2, 3, 6, 4)),
    ("RESHAPE", [ints(1, 12, 2, 3)], "", {}, X.reshape(2, 12, 2, 3)),
    ("RESHAPE", [ints(1, 72)], "", {}, X.reshape(2, 72)),
    ("TRANSPOSE", [ints(0, 3, 1, 2)], "", {}, X.transpose(0, 3, 1, 2)),
    ("TRANSPOSE", [ints(0, 2, 1, 3)], "", {}, X.transpose(0, 2, 1, 3)),
    ("SLICE", [ints(0, 1, 2, 0), ints(1, 2, -1, 3)], "", {}, X[:, 1:3, 2:]),
    (
        "STRIDED_SLICE",
        [ints(0, 1, 0, 0), ints(1, 9, -1, 0), ints(1, 2, 2, 1)],
        *("StridedSliceOptions", {"BeginMask": 0, "EndMask": 8}, X[:, 1::2, 0:-1:2]),
    ),
    (
        "STRIDED_SLICE",
        [ints(0, 1, -4, 0), ints(1, 2, 3, 9), ints(1, 1, 2, 1)],
        *("StridedSliceOptions", {"Offset": True}, X[:, 1:3, 2:5:2]),
    ),
    (
        "RESIZE_NEAREST_NEIGHBOR",
        [ints(8, 18)],
        *("ResizeNearestNeighborOptions", {}, X.repeat(2, 1).repeat(3, 2)),
    ),
    ("AVERAGE_POOL_2D", [], "Pool2DOptions", dict(Padding=1, StrideH=2, StrideW=3, FilterHeight=2, FilterWidth=3), X),
    ("LOG_SOFTMAX", [], "", {}, X - np.log(np.exp(X).sum(3, keepdims=True))),
    ("GELU", [], "GeluOptions", {"Approximate": True}, X),
]
"""Operator, constants behind x, table and fields of its options, and the result."""
_mean = X.reshape(2, 2, 2, 2, 3, 3).mean((2, 4))
_tanh = X / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (X + 0.044715 * X**3)))
SINGLE = [(kind, *rest, {"AVERAGE_POOL_2D": _mean, "GELU": _tanh}.get(kind, result)) for kind, *rest, result in SINGLE]


@pytest.mark.parametrize(
    ("kind", "constants", "table", "options", "result"), SINGLE, ids=[f"{i}-{case[0]}" for i, case in enumerate(SINGLE)]
)
def test_single_operators(
    kind: str, constants: list[Array], table: str, options: dict[str, Any], result: Array, tmp_path: Path
) -> None:
    tensors = [Tensor("x", (1, *X.shape[1:])), *(Tensor(f"c{i}", c.shape, c) for i, c in enumerate(constants))]
    tensors.append(Tensor("y", (1, *result.shape[1:])))
    second = [0] if kind == "SQUARED_DIFFERENCE" else range(1, len(tensors) - 1)
    operator = Operator(kind, [0, *second], [len(tensors) - 1], table, options)
    model = load_model(write(tmp_path, tensors, [operator]), preprocess="raw")
    (output,) = model.graph.outputs
    y = evaluate(model.graph, np.ascontiguousarray(X.transpose(0, 3, 1, 2)))[output]
    if y.ndim == 4:
        y = y.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(y, result, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("turned_x", [False, True])
@pytest.mark.parametrize("turned_y", [False, True])
@pytest.mark.parametrize("shape", [(4, 6, 6), (6, 6)])
def test_products_of_two_values(turned_x: bool, turned_y: bool, shape: tuple[int, ...], tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, *shape)), Tensor("e", (1, *shape)), Tensor("y", (1, *shape))]
    matmul = Operator("BATCH_MATMUL", [0, 1], [2], "BatchMatMulOptions", {"AdjX": turned_x, "AdjY": turned_y})
    model = load_model(write(tmp_path, tensors, [Operator("TANH", [0], [1]), matmul]))
    x = np.random.default_rng(0).standard_normal((2, *shape))
    stored = np.moveaxis(x, -1, 1) if len(shape) == 3 else x
    y = evaluate(model.graph, np.ascontiguousarray(stored))[model.graph.outputs[0]]
    a, b = (np.swapaxes(v, -1, -2) if turned else v for v, turned in ((x, turned_x), (np.tanh(x), turned_y)))
    np.testing.assert_allclose(np.moveaxis(y, 1, -1) if len(shape) == 3 else y, a @ b, rtol=1e-6)


def test_parts_and_their_concatenation(tmp_path: Path) -> None:
    tensors = [
        Tensor("x", (1, 4, 6, 4)),
        Tensor("axis", (), ints(3)),
        Tensor("a", (1, 4, 6, 2)),
        Tensor("b", (1, 4, 6, 2)),
        Tensor("y", (1, 4, 6, 4)),
    ]
    join = Operator("CONCATENATION", [3, 2], [4], "ConcatenationOptions", {"Axis": -1})
    model = load_model(
        write(tmp_path, tensors, [Operator("SPLIT", [1, 0], [2, 3], "SplitOptions", {"NumSplits": 2}), join])
    )
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 6))
    np.testing.assert_array_equal(evaluate(model.graph, x)["y"], x[:, [2, 3, 0, 1]])


def test_slopes_belong_to_an_axis_by_their_shape_not_their_number(tmp_path: Path) -> None:
    slopes = np.float32([0.5, -2])
    x = np.random.default_rng(0).standard_normal((3, 2, 2, 2))
    for shape in ((2,), (1, 1, 2), (1, 1, 1, 2), (1, 2, 1), (2, 1, 1)):
        tensors = [Tensor("x", (1, 2, 2, 2)), Tensor("s", shape, slopes.reshape(shape)), Tensor("y", (1, 2, 2, 2))]
        model = load_model(write(tmp_path, tensors, [Operator("PRELU", [0, 1], [2])]))
        images = x.transpose(0, 2, 3, 1)
        y = evaluate(model.graph, x)["y"].transpose(0, 2, 3, 1)
        np.testing.assert_allclose(y, np.where(images > 0, images, images * slopes.reshape(shape)))


@pytest.mark.parametrize(
    ("kind", "second", "table", "options", "shape", "rule"),
    [
        ("RESHAPE", ints(1, 24), "", {}, (1, 72), r"makes \[1, 24\] of \(1, 1, 24, 3\)"),
        ("RESHAPE", None, "ReshapeOptions", {"NewShape": [1, 24]}, (1, 72), r"makes \[1, 24\] of"),
        ("SQUEEZE", None, "SqueezeOptions", {"SqueezeDims": [2]}, (1, 24, 3), r"drops the axes \[2\]"),
        ("SQUEEZE", None, "SqueezeOptions", {"SqueezeDims": [0, 1]}, (24, 3), r"drops the axes \[0, 1\]"),
        ("SQUEEZE", None, "SqueezeOptions", {}, (1, 24, 3), r"makes \[24, 3\] of"),
        ("EXPAND_DIMS", ints(2), "", {}, (1, 1, 24, 3, 1), r"makes \[1, 1, 1, 24, 3\] of"),
        ("EXPAND_DIMS", ints(0), "", {}, (1, 1, 1, 24, 3), "new axis 0 is before"),
        ("RELU", None, "", {}, (1, 1, 24, 4), r"its result has the shape \(1, 1, 24, 3\), but the file states"),
        ("RELU", ints(1), "", {}, (1, 1, 24, 3), "has 2 inputs, but makes no use of input 1"),
    ],
)
def test_a_shape_that_the_operator_does_not_make(
    kind: str, second: Array | None, table: str, options: Any, shape: Any, rule: str, tmp_path: Path
) -> None:
    tensors = [Tensor("x", (1, 1, 24, 3)), Tensor("y", shape)]
    if second is not None:
        tensors.append(Tensor("c", second.shape, second))
    operator = Operator(kind, [0] if second is None else [0, 2], [1], table, options)
    with pytest.raises((ModelFileError, UnsupportedError), match=rule):
        load_model(write(tmp_path, tensors, [operator], outputs=(1,)))


def test_half_precision_weights_behind_a_dequantize(tmp_path: Path) -> None:
    half = np.float16([[1, 0.5, -2]])
    tensors = [Tensor("x", (1, 3)), Tensor("h", (1, 3), half), Tensor("w", (1, 3)), Tensor("y", (1, 1))]
    dense = Operator("FULLY_CONNECTED", [0, 2, -1], [3], "FullyConnectedOptions", {})
    model = load_model(write(tmp_path, tensors, [Operator("DEQUANTIZE", [1], [2]), dense]))
    np.testing.assert_array_equal(evaluate(model.graph, np.array([[1.0, 2, 3]]))["y"], [[-4]])


def test_all_unsupported_operators_are_listed_at_once(tmp_path: Path) -> None:
    tensors, operators = network()
    operators[1].kind, operators[2].kind = "CONV_3D", "CUSTOM"
    path = write(tmp_path, tensors, operators)
    with pytest.raises(UnsupportedError) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: cnnfast does not run 2 of its operators (1 CONV_3D, 1 CUSTOM")
    for part in ("'depthwise' (CONV_3D, output (1, 6, 5, 4)): nearest that is supported: CONV_2D", "'sum' (CUSTOM"):
        assert part in message


def test_of_many_refused_operators_the_first_are_named_and_all_are_counted(tmp_path: Path) -> None:
    count = 5000
    tensors = [Tensor(f"t{i}", (1, 3)) for i in range(count + 1)]
    path = write(tmp_path, tensors, [Operator("L2_NORMALIZATION", [i], [i + 1]) for i in range(count)])
    with limited(), pytest.raises(UnsupportedError) as caught:
        load_model(path)
    message = str(caught.value)
    assert "cnnfast does not run 5000 of its operators" in message
    assert message.count("(L2_NORMALIZATION, ") == 100
    assert message.endswith("and 4900 more")


def altered(change: Any) -> tuple[list[Tensor], list[Operator]]:
    tensors, operators = network()
    change(tensors, operators)
    return tensors, operators


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda t, o: setattr(t[1], "shape", (4, 3, 3, 4)), "takes 576 bytes, but its buffer has 432"),
        (lambda t, o: setattr(o[0], "inputs", [0, 99, 2]), "tensor 99 is used"),
        (lambda t, o: o[0].options.update(StrideH=0), "strides at least 1"),
        (lambda t, o: o[0].options.update(FusedActivationFunction=77), "fused activation has the number 77"),
        (lambda t, o: o[0].options.update(FusedActivationFunction=4), "has the number 4; supported: "),
        (lambda t, o: setattr(t[10], "shape", (1, 25)), r"makes \[-1, 24\] of \(1, 3, 2, 4\)"),
        (lambda t, o: setattr(o[0], "inputs", [7, 1, 2]), "computed by no operator before it"),
        (lambda t, o: o.pop(2), "computed by no operator before it"),
        (lambda t, o: setattr(t[0], "shape", (1, 6, 5, 4)), r"layer|CONV_2D 'conv': conv2d"),
        (lambda t, o: setattr(t[0], "shape", (1,)), "one image may have one to three axes"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change: Any, rule: str) -> None:
    path = write(tmp_path, *altered(change))
    with pytest.raises((ModelFileError, UnsupportedError), match=rule) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_one_input_and_one_output(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="2 inputs and 1 outputs"):
        load_model(write(tmp_path, *network(), inputs=(0, 3)))


def test_each_read_of_a_shared_constant_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight that 100 operators share is honest; each use takes memory, of which there is a limit that can be set."""
    weight, count = np.full((1, 64, 64, 1), 0.5, np.float32), 100
    tensors = [Tensor("w", weight.shape, weight), *(Tensor(f"t{i}", (1, 64, 64, 1)) for i in range(count + 1))]
    operators = [Operator("ADD", [i + 1, 0], [i + 2], "AddOptions", {}) for i in range(count)]
    path = write(tmp_path, tensors, operators, inputs=(1,), outputs=(count + 1,))
    graph = load_model(path).graph
    result = evaluate(graph, np.zeros((1, *next(iter(graph.inputs.values())))))[graph.outputs[0]]
    np.testing.assert_array_equal(result, np.full((1, 1, 64, 64), 50.0))
    monkeypatch.setenv("CNNFAST_MAX_BYTES", "1000000")
    with pytest.raises(UnsupportedError, match=r"constant 'w' would take 16384 bytes.*CNNFAST_MAX_BYTES"):
        load_model(path)
