"""The input and the output of ONNX files: which of several, where the channels are, and what the user must say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cnnfast import Network, Preprocess
from cnnfast.errors import ConfigError, ModelFileError, UnsupportedError

pytest.importorskip("onnx", reason="ONNX files are read with the package onnx; install cnnfast[onnx]")

from formats.onnx_small import model, node
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator

from cnnfast.plan import make_plan

RNG = np.random.default_rng(0)
FILTERS = RNG.standard_normal((4, 3, 3, 3)).astype(np.float32)


def saved(proto: ModelProto, folder: Path) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def expected(proto: ModelProto, x: np.ndarray) -> np.ndarray:
    return np.asarray(ReferenceEvaluator(proto).run(None, {"x": x})[0])


# ---- layout

FRONTS: dict[str, list[NodeProto]] = {
    "nothing": [node("Identity", "x", "t0")],
    "shape besides": [node("Shape", "x", "s"), node("Gather", "s axis", "n"), node("Identity", "x", "t0")],
    "pad": [node("Pad", "x pads", "t0")],
    "flip by Gather": [node("Gather", "x order", "t0", axis=3)],
    "flip by Slice": [node("Slice", "x last front axis step", "t0")],
    "Neg and Max": [node("Neg", "x", "q"), node("Max", "q mean", "t0")],
    "a mean of each image": [node("ReduceMean", "x", "m", axes=[1, 2, 3], keepdims=1), node("Sub", "x m", "t0")],
    "channels cut apart and joined": [
        node("Split", "x", "a b c", axis=3),
        node("Concat", "c b a", "t0", axis=3),
    ],
    "clip, power, sign of root": [
        node("Abs", "x", "p"),
        node("Sqrt", "p", "r"),
        node("Clip", "r low high", "t0"),
    ],
}
CONSTANTS = {
    "w": FILTERS,
    "mean": floats(3),
    "axis": np.array([3]),
    "pads": np.array([0, 1, 1, 0, 0, 1, 1, 0]),
    "order": np.array([2, 1, 0]),
    "last": np.array([-1]),
    "front": np.array([-4]),
    "step": np.array([-1]),
    "low": np.array(0.1, np.float32),
    "high": np.array(0.9, np.float32),
}


def channels_last(front: str) -> ModelProto:
    ends = [node("Transpose", "t0", "t1", perm=[0, 3, 1, 2]), node("Conv", "t1 w", "y")]
    return model([*FRONTS[front], *ends], ("N", 6, 8, 3), CONSTANTS, opset=13)


@pytest.mark.parametrize("front", FRONTS)
def test_channels_last_is_recognized_behind_all_that_keeps_the_axes(front: str, tmp_path: Path) -> None:
    proto = channels_last(front)
    net = Network.load(saved(proto, tmp_path))
    assert net.input_shape == (3, 6, 8)
    x = floats(5, 6, 8, 3)
    np.testing.assert_allclose(net.forward(x, layout="nhwc"), expected(proto, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("front", sorted(set(FRONTS) - {"flip by Gather", "channels cut apart and joined"}))
def test_no_transpose_is_left_to_run(front: str, tmp_path: Path) -> None:
    plan = make_plan(Network.load(saved(channels_last(front), tmp_path)).graph)
    assert not any(n.op.name == "transpose" for n in plan.graph.nodes)


def test_images_take_a_picture_behind_a_pad(tmp_path: Path) -> None:
    rule = Preprocess((6, 8), scale=1 / 255)
    proto = channels_last("pad")
    net = Network.load(saved(proto, tmp_path), preprocess=rule)
    pixels = np.random.default_rng(2).integers(0, 256, (3, 6, 8, 3), np.uint8)
    np.testing.assert_allclose(
        net.forward(pixels), expected(proto, rule(pixels).transpose(0, 2, 3, 1)), rtol=1e-4, atol=1e-4
    )


def test_a_single_channel_is_reshaped_to_the_front(tmp_path: Path) -> None:
    """As tf2onnx writes it: N, H, W, 1 has its elements in the order of N, 1, H, W already."""
    weights = {"to": np.array([-1, 1, 6, 8]), "w": FILTERS[:, :1]}
    proto = model([node("Reshape", "x to", "t"), node("Conv", "t w", "y")], ("N", 6, 8, 1), weights)
    net = Network.load(saved(proto, tmp_path))
    assert net.input_shape == (1, 6, 8)
    x = floats(2, 6, 8, 1)
    np.testing.assert_allclose(net.forward(x, layout="nhwc"), expected(proto, x), rtol=1e-4, atol=1e-4)


def test_branches_that_contradict_each_other_leave_the_axes_as_they_are(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
        node("GlobalAveragePool", "x", "a"),
        node("GlobalAveragePool", "t", "b"),
        node("Concat", "a b", "y", axis=1),
    ]
    proto = model(nodes, ("N", 3, 8, 3))
    net = Network.load(saved(proto, tmp_path))
    x = floats(2, 3, 8, 3)
    np.testing.assert_allclose(net.forward(x, layout="nchw"), expected(proto, x), rtol=1e-4, atol=1e-5)


def test_the_user_decides_where_the_file_is_ambiguous(tmp_path: Path) -> None:
    """A dense network shows nothing about its axes; both readings give the numbers of the file."""
    weights = {"to": np.array([-1, 144]), "fc": floats(144, 5)}
    proto = model([node("Reshape", "x to", "f"), node("MatMul", "f fc", "y")], ("N", 6, 8, 3), weights)
    path, x = saved(proto, tmp_path), floats(2, 6, 8, 3)
    as_it_is = Network.load(path)
    assert as_it_is.input_shape == (6, 8, 3)
    last = Network.load(path, input_layout="nhwc")
    assert last.input_shape == (3, 6, 8)
    np.testing.assert_allclose(as_it_is.forward(x, layout="nchw"), expected(proto, x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(last.forward(x, layout="nhwc"), expected(proto, x), rtol=1e-4, atol=1e-4)
    for rule in (Preprocess((6, 8)), "raw"):
        with pytest.raises(ModelFileError, match=r'channels last, load it with input_layout="nhwc"'):
            Network.load(path, preprocess=rule)
        assert Network.load(path, preprocess=rule, input_layout="nhwc").preprocess is not None
    first = Network.load(saved(channels_last("pad"), tmp_path), input_layout="nchw")
    assert first.input_shape == (6, 8, 3)


@pytest.mark.parametrize("layout", ["NHWC", "", 3])
def test_another_layout_is_refused(layout: object, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, ModelFileError), match="input_layout must be one of 'nchw', 'nhwc'"):
        Network.load(saved(channels_last("pad"), tmp_path), input_layout=layout)


def test_a_layout_of_what_is_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"images of three axes, but the input 'x' has the shape \('N', 7\)"):
        Network.load(saved(model([node("Relu", "x")], ("N", 7)), tmp_path), input_layout="nhwc")


@pytest.mark.parametrize(
    ("sizes", "example"),
    [
        (("N", "h", "w", 3), (3, 224, 224)),
        (("N", None, 8, 3), (3, 224, 8)),
        ((None,) * 4, (3, 224, 224)),
    ],
)
def test_open_sizes_of_channels_last_are_asked_for_as_they_are_given(
    sizes: Sequence[int | str | None], example: tuple[int, ...], tmp_path: Path
) -> None:
    nodes = [node("Transpose", "x", "t", perm=[0, 3, 1, 2]), node("Conv", "t w", "c"), node("GlobalMaxPool", "c", "y")]
    proto = model(nodes, sizes, {"w": FILTERS})
    path = saved(proto, tmp_path)
    with pytest.raises(ModelFileError) as caught:
        Network.load(path)
    assert f"input_shape={example}" in str(caught.value)
    assert f"--input-shape {','.join(map(str, example))}" in str(caught.value)
    net = Network.load(path, input_shape=(3, 9, 8))
    assert net.input_shape == (3, 9, 8)
    x = floats(2, 9, 8, 3)
    np.testing.assert_allclose(net.forward(x, layout="nhwc"), expected(proto, x), rtol=1e-4, atol=1e-4)


# ---- bytes


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_an_input_of_bytes_takes_bytes_as_they_are(layout: str, tmp_path: Path) -> None:
    turn = node("Transpose", "f", "t", perm=[0, 3, 1, 2]) if layout == "nhwc" else node("Identity", "f", "t")
    nodes = [node("Cast", "x", "f", to=TensorProto.FLOAT), turn, node("Conv", "t w", "y")]
    sizes = ("N", 6, 8, 3) if layout == "nhwc" else ("N", 3, 6, 8)
    proto = model(nodes, sizes, {"w": FILTERS}, kind=TensorProto.UINT8)
    path = saved(proto, tmp_path)
    net = Network.load(path)
    assert net.preprocess == Preprocess((6, 8), scale=1.0)
    pixels = np.random.default_rng(3).integers(0, 256, (3, 6, 8, 3), np.uint8)
    x = pixels if layout == "nhwc" else np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(net.forward(pixels), expected(proto, x), rtol=1e-4, atol=1e-2)
    assert Network.load(path, preprocess="tf").preprocess == Preprocess((6, 8), scale=1 / 127.5, mean=(1.0,))


# ---- several inputs and outputs


def two_headed(*more: NodeProto) -> ModelProto:
    nodes = [node("Conv", "x w", "a"), node("Flatten", "a", "features"), node("MatMul", "features d", "scores")]
    proto = model([*nodes, node("Relu", "scores", "y"), *more], ("N", 3, 6, 6), {"w": FILTERS, "d": floats(64, 5)})
    proto.graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, None))
    return proto


def test_one_of_several_outputs_is_named(tmp_path: Path) -> None:
    path, x = saved(two_headed(), tmp_path), floats(4, 3, 6, 6)
    with pytest.raises(
        ModelFileError, match=r"2 outputs: 'y' \(of Relu\), 'features' \(of Flatten\).*--output features"
    ):
        Network.load(path)
    y, features = ReferenceEvaluator(two_headed()).run(None, {"x": x})
    for name, value in (("y", y), ("features", features)):
        result = Network.load(path, output=name).forward(x, layout="nchw")
        np.testing.assert_allclose(result, value, rtol=1e-4, atol=1e-4)


def test_scores_are_suggested_where_the_outputs_are_labels(tmp_path: Path) -> None:
    proto = model([node("Flatten", "x", "scores"), node("TopK", "scores k", "y best")], weights={"k": np.array([3])})
    proto.graph.output.append(helper.make_tensor_value_info("best", TensorProto.INT64, None))
    with pytest.raises(ModelFileError, match=r"'best' \(of TopK\).*for example output='scores'"):
        Network.load(saved(proto, tmp_path))


def test_a_cut_inside_drops_what_comes_behind(tmp_path: Path) -> None:
    """ArgMax is not run; the scores in front of it are."""
    nodes = [node("Flatten", "x", "f"), node("MatMul", "f d", "scores"), node("ArgMax", "scores", "y", axis=1)]
    proto = model(nodes, ("N", 3, 2, 2), {"d": floats(12, 5)})
    path = saved(proto, tmp_path)
    with pytest.raises(UnsupportedError, match="ArgMax"):
        Network.load(path)
    x = floats(2, 3, 2, 2)
    result = Network.load(path, output="scores").forward(x, layout="nchw")
    np.testing.assert_allclose(result, x.reshape(2, 12) @ floats(12, 5), rtol=1e-4, atol=1e-4)


def test_an_output_that_is_none_is_refused_with_those_near_it(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no value is called 'score'.*'y', 'features'; near it: 'scores'"):
        Network.load(saved(two_headed(), tmp_path), output="score")


def test_what_no_output_depends_on_is_not_looked_at(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "y"), node("NonMaxSuppression", "x", "unread")]
    assert len(Network.load(saved(model(nodes), tmp_path)).graph.nodes) == 1


def with_input(proto: ModelProto, name: str, sizes: Sequence[int | str]) -> ModelProto:
    proto.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes))
    return proto


def test_two_inputs_are_said_with_a_way_out_that_works(tmp_path: Path) -> None:
    proto = with_input(model([node("Relu", "x", "r"), node("Add", "r z", "y")]), "z", ["N", 3, 8, 8])
    path = saved(proto, tmp_path)
    with pytest.raises(UnsupportedError) as caught:
        Network.load(path)
    message = str(caught.value)
    assert "2 inputs: 'x' ('N', 3, 8, 8), 'z' ('N', 3, 8, 8)" in message
    script = "\n".join(line.strip() for line in message.splitlines()[1:])
    done = tmp_path / "one-input.onnx"
    exec(script.replace("PATH", repr(str(path))).replace('"one-input.onnx"', repr(str(done))))
    x = floats(2, 3, 8, 8)
    np.testing.assert_array_equal(Network.load(done).forward(x, layout="nchw"), np.maximum(x, 0))
    assert Network.load(path, output="r").input_shape == (3, 8, 8)


def test_an_input_that_nothing_reads_does_not_count(tmp_path: Path) -> None:
    proto = with_input(model([node("Relu", "x", "y")]), "image_shape", ["N", 2])
    assert Network.load(saved(proto, tmp_path)).input_shape == (3, 8, 8)


def test_no_input_at_all(tmp_path: Path) -> None:
    proto = model([node("Relu", "w", "y")], weights={"w": floats(3)})
    with pytest.raises(ModelFileError, match="depends on no input of the file"):
        Network.load(saved(proto, tmp_path))


def test_images_of_other_elements_are_refused_by_name(tmp_path: Path) -> None:
    proto = model([node("Cast", "x", "y", to=TensorProto.FLOAT)], kind=TensorProto.INT64)
    with pytest.raises(
        UnsupportedError, match=r"the input 'x' is not a tensor of floats or bytes.*INT64.*float32 or uint8"
    ):
        Network.load(saved(proto, tmp_path))


# ---- branches


def branch(name: str, nodes: list[NodeProto], output: str) -> GraphProto:
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)])


def squeezing(name: str, of: str, to: str) -> list[NodeProto]:
    """Return what PyTorch's older exporter writes for ``x.squeeze(1)``; branches of several may use the same names."""
    one = branch("then", [node("Squeeze", f"{of} one", "inner"), node("Relu", "inner", "out")], "out")
    other = branch("else", [node("Sign", of, "inner"), node("ArgMax", "inner", "out")], "out")
    return [
        node("Shape", of, f"{name}.shape"),
        node("Gather", f"{name}.shape one", f"{name}.size", axis=0),
        node("Equal", f"{name}.size one", f"{name}.is_one"),
        helper.make_node("If", [f"{name}.is_one"], [to], name=name, then_branch=one, else_branch=other),
    ]


def test_a_branch_that_is_always_taken_is_run(tmp_path: Path) -> None:
    nodes = [*squeezing("If_1", "x", "a"), node("Unsqueeze", "a one", "b"), *squeezing("If_2", "b", "y")]
    proto = model(nodes, ("N", 1, 6, 8), {"one": np.array([1])}, opset=13)
    net = Network.load(saved(proto, tmp_path))
    x = floats(3, 1, 6, 8)
    np.testing.assert_array_equal(net.forward(x, layout="nchw"), np.maximum(x[:, 0], 0))
    assert "a" in net.graph.shapes


def test_channels_last_is_recognized_inside_of_a_branch(tmp_path: Path) -> None:
    one = branch("then", [node("Transpose", "x", "t", perm=[0, 3, 1, 2])], "t")
    other = branch("else", [node("Transpose", "x", "u", perm=[0, 3, 1, 2])], "u")
    nodes = [helper.make_node("If", ["yes"], ["z"], then_branch=one, else_branch=other), node("Conv", "z w", "y")]
    proto = model(nodes, ("N", 6, 8, 3), {"w": FILTERS, "yes": np.array(True)})
    assert Network.load(saved(proto, tmp_path)).input_shape == (3, 6, 8)


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ([node("Sqrt", "x", "c")], "its condition is computed from the images"),
        ([node("Cast", "n", "c", to=TensorProto.BOOL), node("Shape", "c", "d")], "its condition has the shape"),
        ([node("Equal", "n one", "c")], "compares the number of images"),
        ([node("Greater", "n five", "c")], "compares the number of images"),
        ([node("Div", "n five", "d"), node("Cast", "d", "c", to=TensorProto.BOOL)], "divides the number of images"),
        ([node("Max", "n five", "d"), node("Equal", "d five", "c")], "compares the number of images"),
    ],
)
def test_a_branch_that_depends_on_the_images_or_their_number_is_refused(
    condition: list[NodeProto], why: str, tmp_path: Path
) -> None:
    keep, turn = branch("t", [node("Relu", "x", "r")], "r"), branch("e", [node("Neg", "x", "m")], "m")
    nodes = [node("Shape", "x", "s"), node("Gather", "s zero", "n"), *condition]
    nodes.append(helper.make_node("If", ["c"], ["y"], name="if_7", then_branch=keep, else_branch=turn))
    proto = model(nodes, weights={"one": np.array(1), "zero": np.array([0, 0]), "five": np.array(5)})
    with pytest.raises(UnsupportedError, match=why):
        Network.load(saved(proto, tmp_path))


def test_a_number_of_images_may_be_compared_with_what_it_never_is(tmp_path: Path) -> None:
    """As PyTorch writes ``expand(-1, ...)``: sizes that are -1 are replaced, and N is never -1."""
    nodes = [
        *(node("Shape", "x", "s"), node("Equal", "s minus", "e"), node("Where", "e ones s", "t")),
        node("Expand", "x t", "y"),
    ]
    weights = {"minus": np.full(4, -1), "ones": np.ones(4, np.int64)}
    assert Network.load(saved(model(nodes, weights=weights), tmp_path)).output_shape == (3, 8, 8)


# ---- operator sets


@pytest.mark.parametrize("domains", [["", ""], ["", "ai.onnx"], ["ai.onnx"], ["ai.onnx.ml", ""]])
def test_the_operator_set_may_be_stated_under_both_of_its_names(domains: list[str], tmp_path: Path) -> None:
    proto = model([node("Relu", "x", "y")])
    del proto.opset_import[:]
    proto.opset_import.extend(helper.make_opsetid(d, 2 if d == "ai.onnx.ml" else 13) for d in domains)
    assert Network.load(saved(proto, tmp_path)).input_shape == (3, 8, 8)


def test_two_versions_of_the_operator_set_are_refused(tmp_path: Path) -> None:
    proto = model([node("Relu", "x", "y")], opset=13)
    proto.opset_import.append(helper.make_opsetid("ai.onnx", 11))
    with pytest.raises(ModelFileError, match=r"versions \[11, 13\] of the operator set"):
        Network.load(saved(proto, tmp_path))
