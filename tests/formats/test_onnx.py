"""ONNX files: what a user meets. What each operator computes is the matter of the conformance suite."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="ONNX files are read with the package onnx; install cnnfast[onnx]")

from formats.onnx_small import classifier, model, node, whole
from fresh_python import output_of
from fuzz.limits import limited
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from systems import posix

from cnnfast import Network, Preprocess
from cnnfast.errors import ModelFileError, UnsupportedError
from cnnfast.formats.onnx.sniff import looks_like_onnx
from cnnfast.graph import evaluate
from cnnfast.ops import Softmax, Transpose
from cnnfast.plan import make_plan


def load(folder: Path, proto: ModelProto, **options: object) -> Network:
    path = folder / "net.bin"
    path.write_bytes(proto.SerializeToString())
    return Network.load(path, **options)


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 21])
def test_a_classifier_of_any_operator_set(opset: int, tmp_path: Path) -> None:
    """The reshape goes through Shape, Gather, Unsqueeze and Concat; N stays open."""
    network = load(tmp_path, classifier(opset))
    assert (network.input_shape, network.output_shape) == ((3, 8, 8), (10,))
    assert [n.op.name for n in network.graph.nodes] == [
        *("conv2d", "batch_norm", "relu", "max_pool", "flatten", "linear", "softmax")
    ]
    x = images(5, 3, 8, 8)
    expected = ReferenceEvaluator(classifier(17)).run(None, {"x": x})[0]
    np.testing.assert_allclose(network.forward(x, layout="nchw"), expected, atol=1e-6)


def test_values_carry_the_names_of_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, classifier()).truncate("m").output_shape == (4, 4, 4)


def test_weights_of_half_precision(tmp_path: Path) -> None:
    network, exact = load(tmp_path, classifier(dtype=np.float16)), load(tmp_path, classifier())
    x = images(3, 3, 8, 8)
    np.testing.assert_allclose(network.forward(x, layout="nchw"), exact.forward(x, layout="nchw"), atol=0.02)


def test_the_older_softmax_goes_over_all_axes_behind_its_own(tmp_path: Path) -> None:
    new, old = (load(tmp_path, model([node("Softmax", "x", axis=1)], opset=n)) for n in (13, 11))
    x = images(2, 3, 8, 8)
    flat = evaluate(old.graph, x)["y"]
    np.testing.assert_allclose(flat.sum(axis=(1, 2, 3)), 1)
    np.testing.assert_allclose(evaluate(new.graph, x)["y"].sum(axis=1), np.ones((2, 8, 8)))


def test_channels_last_becomes_channels_first(tmp_path: Path) -> None:
    """As tf2onnx writes it: the input is N, H, W, C, and a dense layer reads what was flattened in that order."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.standard_normal((4, 3, 3, 3)).astype(np.float32), "rows": np.array([-1, 256])}
    weights["fc"] = rng.standard_normal((256, 5)).astype(np.float32)
    nodes = [
        node("Transpose", "x", "nchw", perm=[0, 3, 1, 2]),
        node("Conv", "nchw w", "c", auto_pad="SAME_UPPER"),
        node("Transpose", "c", "nhwc", perm=[0, 2, 3, 1]),
        node("Relu", "nhwc", "r"),
        node("Reshape", "r rows", "flat"),
        node("MatMul", "flat fc", "y"),
    ]
    proto = model(nodes, ("N", 8, 8, 3), weights)
    network = load(tmp_path, proto)
    assert network.input_shape == (3, 8, 8)
    plan = make_plan(network.graph)
    assert not any(isinstance(n.op, Transpose) for n in plan.graph.nodes)
    assert not any("copy" in step.kernel or "gather" in step.kernel for step in plan.steps)
    x = images(3, 8, 8, 3)
    expected = ReferenceEvaluator(proto).run(None, {"x": x})[0]
    np.testing.assert_allclose(network.forward(x, layout="nhwc"), expected, rtol=1e-4, atol=1e-4)


def test_quantized_nodes_run_as_floats_within_their_range(tmp_path: Path) -> None:
    """uint8 with zero point 0 cannot hold what is negative: such a network has no other ReLU."""
    weights = {"s": np.array(0.5, np.float32), "z": np.array(0, np.uint8)}
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y")]
    x = np.array([-3, 0.25, 7, 1000], np.float32).reshape(1, 1, 2, 2)
    result = load(tmp_path, model(nodes, ("N", 1, 2, 2), weights)).forward(x, layout="nchw")
    np.testing.assert_allclose(result.ravel(), [0, 0.25, 7, 127.5])


@pytest.mark.parametrize(
    ("low", "high", "names"),
    [
        (0.0, 6.0, ["clip"]),
        (0.0, None, ["relu"]),
        (None, 1.0, ["minimum"]),
        (-1.0, np.finfo(np.float32).max, ["maximum"]),
        (-np.inf, np.inf, ["identity"]),
        (2.0, 1.0, ["maximum", "minimum"]),
    ],
)
def test_clip_with_one_bound_or_two(low: float | None, high: float | None, names: list[str], tmp_path: Path) -> None:
    bounds = {n: np.array(v, np.float32) for n, v in (("low", low), ("high", high)) if v is not None}
    inputs = ["x", *(name if name in bounds else "-" for name in ("low", "high"))]
    network = load(tmp_path, model([node("Clip", " ".join(inputs))], ("N", 4), bounds))
    assert [n.op.name for n in network.graph.nodes] == names
    x = np.array([[-5, 0, 1.5, 9]], np.float32)
    expected = np.minimum(np.maximum(x, -np.inf if low is None else low), np.inf if high is None else high)
    np.testing.assert_array_equal(network.forward(x), expected)


def test_everything_that_is_not_supported_is_listed_at_once(tmp_path: Path) -> None:
    nodes = [
        node("ConvTranspose", "x w", "a", strides=[2, 2]),
        node("Relu", "a", "b"),
        node("NonZero", "b", "c"),
        node("Softmax", "x", "d", axis=0),
        node("Add", "b d", "y"),
    ]
    with pytest.raises(UnsupportedError) as caught:
        load(tmp_path, model(nodes, weights={"w": np.ones((3, 3, 2, 2), np.float32)}))
    message = str(caught.value)
    assert "cnnfast does not run 2 of its nodes (1 ConvTranspose, 1 Softmax)" in message
    assert "'node_a' (ConvTranspose, strides=[2, 2]) on (N, 3, 8, 8), constant (3, 3, 2, 2)" in message
    assert "nearest: Resize followed by Conv" in message
    assert "'node_d' (Softmax, axis=0)" in message
    assert "counts the images" in message
    assert "2 more behind these are of operators that are run" in message


def test_what_reads_a_value_that_is_not_there_is_no_fault_of_its_own(tmp_path: Path) -> None:
    """`Where` keeps the shape of what it reads, so what comes behind it is looked at, though there is no such node."""
    nodes = [node("Where", "c x x", "w"), node("Flatten", "w", "y")]
    with pytest.raises(UnsupportedError, match=r"one of its nodes \(Where\)") as caught:
        load(tmp_path, model(nodes, weights={"c": np.ones((1, 3, 8, 8), bool)}))
    assert "Flatten" not in str(caught.value)
    assert "KeyError" not in str(caught.value)


def test_nodes_behind_others_are_looked_at_too(tmp_path: Path) -> None:
    """What keeps its shape, whether it is run or not, hides nothing; else the operator at least is looked at."""
    nodes = [node("Sin", "x" if i == 0 else f"s{i - 1}", f"s{i}") for i in range(8)]
    nodes += [
        node("Softmax", "s7", "a", axis=0),
        node("Conv", "a w", "b"),
        node("Einsum", "b", "c", equation="nchw->nc"),
        node("Relu", "c", "d"),
        node("Celu", "d", "e", domain="mine"),
        node("Tile", "e w", "y"),
    ]
    with pytest.raises(UnsupportedError) as caught:
        load(tmp_path, model(nodes, weights={"w": np.ones((3, 5, 2, 2), np.float32)}))
    message = str(caught.value)
    assert "does not run 13 of its nodes (8 Sin, 1 Softmax, 1 Conv, 1 Einsum, 1 mine.Celu, 1 Tile)" in message
    assert "'node_b' (Conv) on (N, 3, 8, 8), constant (3, 5, 2, 2)" in message
    assert "KeyError" not in message
    assert "1 more behind these" in message


def test_a_long_list_is_cut_but_counted(tmp_path: Path) -> None:
    nodes = [node(f"Odd{i}", "x" if i == 0 else f"s{i - 1}", "y" if i == 159 else f"s{i}") for i in range(160)]
    with pytest.raises(UnsupportedError) as caught:
        load(tmp_path, model(nodes))
    message = str(caught.value)
    assert "does not run 160 of its nodes (1 Odd0," in message
    assert "and 148 other kinds" in message
    assert "and 60 more" in message
    assert len(message) < 20_000


def test_open_height_and_width_need_a_shape(tmp_path: Path) -> None:
    proto = model([node("GlobalAveragePool", "x", "g"), node("Flatten", "g")], ("N", 3, "H", "W"))
    with pytest.raises(ModelFileError, match=r"leaves sizes open: \('N', 3, 'H', 'W'\).*input_shape=\(3, 224, 224\)"):
        load(tmp_path, proto)
    assert load(tmp_path, proto, input_shape=(3, 20, 30)).input_shape == (3, 20, 30)
    with pytest.raises(ModelFileError, match=r"input_shape=\(1, 20, 30\) does not fit"):
        load(tmp_path, proto, input_shape=(1, 20, 30))


def with_external(location: str, offset: int = 0, length: int | None = None) -> ModelProto:
    proto = classifier()
    (tensor,) = (t for t in proto.graph.initializer if t.name == "fc")
    entries = {"location": location, "offset": offset, "length": 64 * 40 if length is None else length}
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return proto


def test_external_data_lies_beside_the_model(tmp_path: Path) -> None:
    weights = numpy_helper.to_array(next(t for t in classifier().graph.initializer if t.name == "fc"))
    (tmp_path / "weights.bin").write_bytes(b"1234" + weights.tobytes())
    x = images(2, 3, 8, 8)
    expected = load(tmp_path, classifier()).forward(x, layout="nchw")
    result = load(tmp_path, with_external("weights.bin", 4)).forward(x, layout="nchw")
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("location", ["../outside.bin", "/etc/passwd", "link.bin", "", "folder/../../outside.bin"])
def test_external_data_elsewhere_is_refused(location: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "outside.bin").write_bytes(bytes(64 * 40))
    (home / "link.bin").symlink_to(tmp_path / "outside.bin")
    with pytest.raises(ModelFileError, match="must be in the folder of the model"):
        load(home, with_external(location))


@posix
def test_external_data_behind_the_links_of_the_hugging_face_cache(tmp_path: Path) -> None:
    """The names are links into a folder of contents, each content under its own hash."""
    blobs, folder = tmp_path / "hub" / "blobs", tmp_path / "hub" / "snapshots" / "abc" / "onnx"
    blobs.mkdir(parents=True)
    folder.mkdir(parents=True)
    (blobs / "1111").write_bytes(with_external("net.onnx_data").SerializeToString())
    (blobs / "2222").write_bytes(np.random.default_rng(9).standard_normal(640).astype(np.float32).tobytes())
    (folder / "net.onnx").symlink_to("../../../blobs/1111")
    (folder / "net.onnx_data").symlink_to("../../../blobs/2222")
    assert Network.load(folder / "net.onnx").output_shape == (10,)
    (tmp_path / "secret").write_bytes((blobs / "2222").read_bytes())
    for target in (tmp_path / "secret", "../../../../secret", "net.onnx_data", "../../../blobs", "/dev/zero"):
        (folder / "net.onnx_data").unlink()
        (folder / "net.onnx_data").symlink_to(target)
        with pytest.raises(ModelFileError, match=r"in the folder of the model|not a file|cannot be looked at|missing"):
            Network.load(folder / "net.onnx")


@posix
def test_external_data_beside_the_file_that_a_link_names(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "net.onnx").write_bytes(with_external("weights.bin").SerializeToString())
    (home / "weights.bin").write_bytes(bytes(2560))
    (elsewhere / "link.onnx").symlink_to(home / "net.onnx")
    assert Network.load(elsewhere / "link.onnx").output_shape == (10,)


def test_external_data_that_git_lfs_did_not_fetch(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 2560\n")
    with pytest.raises(ModelFileError, match=r"'fc' is in 'weights.bin', which is a pointer of Git LFS.*git lfs pull"):
        load(tmp_path, with_external("weights.bin"))


@pytest.mark.parametrize(
    "location", ["a/../weights.bin", "..\\outside.bin", "C:\\outside.bin", "\\\\host\\share", "a\0b", "a" * 300]
)
def test_names_of_external_data_that_lead_upwards_or_nowhere(location: str, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(2560))
    with pytest.raises(ModelFileError, match=r"in the folder of the model|cannot be looked at"):
        load(tmp_path, with_external(location))


def test_external_data_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(10))
    with pytest.raises(ModelFileError, match="which has 10; it needs 2560"):
        load(tmp_path, with_external("weights.bin"))
    with pytest.raises(ModelFileError, match="missing"):
        load(tmp_path, with_external("others.bin"))


@pytest.mark.parametrize("shape", [(0, 2**62), (2**31, 2**31, 0), (0,) * 40, (0, -1)])
@pytest.mark.parametrize("name", ["fc", "zero"])
def test_empty_tensors_of_immense_shapes_are_refused(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    proto = classifier()
    (tensor,) = (t for t in proto.graph.initializer if t.name == name)
    tensor.raw_data = b""
    del tensor.dims[:]
    tensor.dims.extend(shape)
    with pytest.raises(ModelFileError, match=rf"tensor '{name}' has the shape \("):
        load(tmp_path, proto)


def test_operator_sets_out_of_range(tmp_path: Path) -> None:
    for opset in (6, 99):
        with pytest.raises(UnsupportedError, match=f"operator set {opset}; 7 to"):
            load(tmp_path, model([node("Relu", "x")], opset=opset))


def test_a_file_is_recognized_by_its_content(tmp_path: Path) -> None:
    assert looks_like_onnx(classifier().SerializeToString()[:4096])
    for other in (b"", b"PK\x03\x04rest", b"\x80\x02}q\x00", b"\x18\x00\x00\x00TFL3", b"\x89HDF\r\n", b'{"layers": 1}'):
        assert not looks_like_onnx(other)
    (tmp_path / "broken").write_bytes(classifier().SerializeToString()[:-50])
    with pytest.raises(ModelFileError, match="damaged"):
        Network.load(tmp_path / "broken")


def test_functions_of_the_file_are_written_out(tmp_path: Path) -> None:
    body = [helper.make_node("Mul", ["a", "a"], ["b"]), helper.make_node("Relu", ["b"], ["c"])]
    function = helper.make_function("mine", "Square", ["a"], ["c"], body, [helper.make_opsetid("", 17)])
    proto = model([helper.make_node("Square", ["x"], ["y"], domain="mine")])
    proto.functions.append(function)
    proto.opset_import.append(helper.make_opsetid("mine", 1))
    x = images(2, 3, 8, 8)
    np.testing.assert_allclose(load(tmp_path, proto).forward(x, layout="nchw"), x * x, rtol=1e-6)


def calling(depth: int, times: int = 2) -> ModelProto:
    """Return a model whose functions each call the one below some times."""
    proto = model([helper.make_node(f"F{depth}", ["x"], ["y"], domain="own")])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    proto.opset_import.append(opsets[1])
    for level in range(depth + 1):
        names = ["a", *(f"v{i}" for i in range(times - 1)), "b"]
        kind, domain = (f"F{level - 1}", "own") if level else ("Relu", "")
        nodes = [helper.make_node(kind, [x], [y], domain=domain) for x, y in pairwise(names)]
        proto.functions.append(helper.make_function("own", f"F{level}", ["a"], ["b"], nodes, opsets))
    return proto


def test_functions_that_call_each_other_deep_are_counted_before_they_are_written_out(tmp_path: Path) -> None:
    assert len(load(tmp_path, calling(3)).graph.nodes) == 16
    with limited(), pytest.raises(ModelFileError, match=f"would become {2**41} nodes; at most 100000"):
        load(tmp_path, calling(40))


def test_functions_that_call_themselves_are_refused(tmp_path: Path) -> None:
    proto = calling(2)
    proto.functions[0].node[0].op_type, proto.functions[0].node[0].domain = "F2", "own"
    with pytest.raises(ModelFileError, match="its function 'F0' calls itself, or others that do"):
        load(tmp_path, proto)


def test_many_results_inputs_and_nodes_are_read_in_bounded_time(tmp_path: Path) -> None:
    row = " ".join(f"s{i}" for i in range(6_000))
    nodes = [node("Split", "x", row, axis=1), node("Sum", row, "v0")]
    nodes += [node("Relu", f"v{i}", f"v{i + 1}" if i + 1 < 6000 else "y") for i in range(6000)]
    with limited():
        assert len(load(tmp_path, model(nodes, ("N", 6_000))).graph.nodes) > 17_000


def test_labels_and_preprocessing_are_given_beside_the_file(tmp_path: Path) -> None:
    options = {"classes": list("abcdefghij"), "preprocess": Preprocess((8, 8), mean=(0.5,), std=(0.25,))}
    network = load(tmp_path, classifier(), **options)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    values = ((pixels / 255 - 0.5) / 0.25).transpose(0, 3, 1, 2).astype(np.float32)
    np.testing.assert_array_equal(network.predict(pixels), network.predict(values, layout="nchw"))
    assert set(network.predict(pixels)) <= set("abcdefghij")


def test_what_is_read_can_be_saved(tmp_path: Path) -> None:
    network = load(tmp_path, classifier())
    network.save(tmp_path / "own.safetensors")
    again = Network.load(tmp_path / "own.safetensors")
    x = images(3, 3, 8, 8)
    np.testing.assert_array_equal(again.forward(x, layout="nchw"), network.forward(x, layout="nchw"))
    assert isinstance(again.graph.nodes[-1].op, Softmax)


def resized(axes: list[int], sizes: list[int], **attributes: str) -> ModelProto:
    """Return a network that resizes its images along some axes."""
    nodes = [node("Resize", "x - - s", mode="nearest", axes=axes, **attributes)]
    return model(nodes, weights={"s": np.array(sizes, np.int64)}, opset=18)


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_a_resize_of_the_channels_alone_changes_nothing(policy: str) -> None:
    assert whole(resized([1], [3], keep_aspect_ratio_policy=policy)).shapes["y"] == (3, 8, 8)


@pytest.mark.parametrize(("axes", "sizes"), [([2, 3], [4]), ([2], [4, 4]), ([2, 2], [4, 6]), ([3, -1], [4, 6])])
def test_sizes_of_a_resize_fit_its_axes(axes: list[int], sizes: list[int]) -> None:
    with pytest.raises(ModelFileError, match="the axes"):
        whole(resized(axes, sizes))


@pytest.mark.parametrize("implementation", ["upb", "python"])
def test_a_name_that_is_not_text_is_an_error_with_either_protobuf(implementation: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(classifier().SerializeToString().replace(b"Conv", b"C\xffnv"))
    code = f"""
from cnnfast.errors import ModelFileError
from cnnfast import Network
try:
    Network.load({str(path)!r})
except ModelFileError as error:
    print(error)
"""
    said = output_of(code, PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=implementation)
    assert said == f"{path}: a name is b'C\\xffnv', which is not UTF-8 text"
