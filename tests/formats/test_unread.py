"""Files that are mistaken for models: each is recognized, with a remedy, whatever its name is."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import re
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from cnnfast import Network
from cnnfast.errors import CnnfastError, ModelFileError
from cnnfast.formats import FORMATS
from cnnfast.formats.unread import KINDS, what_it_is
from cnnfast.formats.unread.archives import MAX_DIRECTORY


def field(number: int, content: bytes | int) -> bytes:
    """Return a field of a protobuf message."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def saved_model(size: int = 9000) -> bytes:
    operators = field(1, field(1, b"Conv2D") + bytes(size))
    info = field(2, operators) + field(4, b"serve") + field(5, b"2.15.0")
    return field(1, 1) + field(2, field(1, info) + bytes(50))


def core_ml() -> bytes:
    image = field(1, b"image") + field(3, field(4, field(1, 224) + field(2, 224)))
    return field(1, 4) + field(2, field(1, image) + field(10, field(1, b"labels"))) + field(500, bytes(100))


def graph_def() -> bytes:
    node = field(1, b"input/image") + field(2, b"Placeholder") + field(5, bytes(3))
    return field(1, node) + field(1, field(1, b"conv1/weights") + field(2, b"Const") + bytes(9000))


def caffe_model(layers: int) -> bytes:
    return field(1, b"AlexNet") + field(layers, field(1, b"conv1") + field(2, b"Convolution") + bytes(5000))


def flatbuffer(identifier: bytes) -> bytes:
    return (24).to_bytes(4, "little") + identifier + bytes(100)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"
PROTOTXT = (
    b'# deploy\nname: "CaffeNet"\ninput: "data"\ninput_dim: 1\nlayer {\n  name: "conv1"\n  type: "Convolution"\n}\n'
)
OPENVINO = b'<?xml version="1.0"?>\n<net name="resnet" version="11">\n\t<layers>\n\t\t<layer id="0" name="data">\n'
NCNN = b"7767517\n75 83\nInput            data             0 1 data 0=227 1=227 2=3\n"
TFJS_LAYERS = {"format": "layers-model", "generatedBy": "keras v2.4.0", "modelTopology": {"keras_version": "2.4.0"}}
TFJS_OLD = {"modelTopology": {"keras_version": "2.1.6", "backend": "tensorflow"}, "weightsManifest": []}
TFJS_GRAPH = {"format": "graph-model", "generatedBy": "2.8.0", "modelTopology": {"node": []}}
KERAS_2 = {"class_name": "Sequential", "config": {"name": "s", "layers": []}, "keras_version": "2.4.0"}
KERAS_3 = {"module": "keras", "class_name": "Functional", "config": {"layers": []}, "registered_name": "Functional"}

FILES: dict[str, tuple[bytes, str, str]] = {
    "lfs": (LFS, "a pointer of Git LFS", "git lfs pull"),
    "html": (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "a web page (HTML)", "download the file itself"),
    "html with a mark": (b"\xef\xbb\xbf  <html lang='en'>", "a web page (HTML)", "download the file itself"),
    "empty": (b"", "an empty file", "get it again"),
    "tfjs layers": (json.dumps(TFJS_LAYERS).encode(), "TensorFlow.js model of layers", "tensorflowjs_converter"),
    "tfjs layers, older": (json.dumps(TFJS_OLD).encode(), "TensorFlow.js model of layers", "tensorflowjs_converter"),
    "tfjs graph": (json.dumps(TFJS_GRAPH).encode(), "the graph of a TensorFlow.js model", "tfjs_graph_converter"),
    "keras 2": (json.dumps(KERAS_2, indent=1).encode(), "the layers of a Keras model as JSON", "load_weights"),
    "keras 3": (json.dumps(KERAS_3).encode(), "the layers of a Keras model as JSON", "load_weights"),
    "hugging face": (b'{\n  "architectures": ["ResNetForImageClassification"]}', "Hugging Face", "model.safetensors"),
    "mxnet": (b'{\n  "nodes": [\n    {\n      "op": "null", "name": "data"', "MXNet", "export_model"),
    "openvino": (OPENVINO, "a network of OpenVINO", "it was made from"),
    "ncnn": (NCNN, "a network of ncnn", "it was made from"),
    "ncnn binary": ((7767517).to_bytes(4, "little") + bytes(20), "a network of ncnn", "it was made from"),
    "caffe text": (PROTOTXT, "a network of Caffe as text", "caffe2onnx"),
    "caffe solver": (b'net: "train_val.prototxt"\nbase_lr: 0.01\n', "Caffe", "caffe2onnx"),
    "caffe": (caffe_model(100), "the weights of a Caffe network", "caffe2onnx"),
    "caffe, older": (caffe_model(2), "the weights of a Caffe network", "caffe2onnx"),
    "saved model": (saved_model(), "a SavedModel of TensorFlow", "tf2onnx.convert --saved-model"),
    "small saved model": (saved_model(10), "a SavedModel of TensorFlow", "tf2onnx.convert --saved-model"),
    "graph def": (graph_def(), "a frozen graph of TensorFlow", "tf2onnx.convert --graphdef"),
    "core ml": (core_ml(), "a Core ML model", "onnxmltools.convert_coreml"),
    "tensorrt": (b"ftrt" + bytes(60), "an engine of TensorRT", "it was made from"),
    "tensorrt of ultralytics": (b'\x13\0\0\0{"task":"classify"}ptrt' + bytes(60), "an engine of TensorRT", "made from"),
    "executorch": (flatbuffer(b"ET12"), "a program of ExecuTorch", "cnnfast.from_torch"),
    "torch mobile": (flatbuffer(b"PTMF"), "PyTorch Mobile", "cnnfast.from_torch"),
    "ort": (flatbuffer(b"ORTM"), "onnxruntime's own format", "the .onnx file"),
    "gguf": (b"GGUF\x03\0\0\0" + bytes(40), "a language model", "cnnfast classifies pictures"),
    "pickle": (pickle.dumps({"weights": [1.0]}), "a pickle of Python", "save the network as ONNX"),
    "pickle by name": (b"\x80\x04\x95\x8csklearn.svm._classes\x94", "estimator of scikit-learn", "skl2onnx"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(40), "an archive", "unpack it"),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("name", ["net.onnx", "net.h5", "net", "net.safetensors"])
def test_each_is_named_with_the_way_out(kind: str, name: str, tmp_path: Path) -> None:
    content, what, advice = FILES[kind]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        Network.load(path)
    assert str(caught.value).startswith(f"{path}: this is not a model file that cnnfast reads, but ")
    assert what in str(caught.value)
    assert advice in str(caught.value)


@pytest.mark.parametrize("kind", FILES)
def test_a_kind_hides_no_other(kind: str) -> None:
    """At most one list entry per file, but for those that narrow down a more general one behind them."""
    content = FILES[kind][0][:4096]
    general = ("a pickle of Python", "the graph of a TensorFlow.js model")
    found = [k.name for k in KINDS if k.sniff(content) and not k.name.startswith(general)]
    assert len(found) <= 1


@pytest.mark.parametrize(
    "content",
    [b"\x00" * 64, b"\n", b"\x0a\xff\xff\xff\xff\xff\xff", b"\x08\x01\x12", b"{", b"\x1f\x8b", b"x\x9c", b"PK"],
)
def test_what_is_damaged_or_unknown_is_no_kind(content: bytes, tmp_path: Path) -> None:
    (path := tmp_path / "x").write_bytes(content)
    assert what_it_is(path, content) is None


# ---- the engines' own files, where they are installed


def test_keras_json(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras", reason="Keras writes the file")
    (path := tmp_path / "model.json").write_text(
        keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()]).to_json()
    )
    with pytest.raises(ModelFileError, match="the layers of a Keras model as JSON, without weights"):
        Network.load(path)


@pytest.mark.parametrize("compress", [None, 3, "gzip", "xz"])
def test_estimators_of_sklearn(compress: Any, tmp_path: Path) -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn writes the file")
    joblib = pytest.importorskip("joblib")
    path = tmp_path / "model.joblib"
    model = linear.LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    if compress is None:
        path.write_bytes(pickle.dumps(model))
    else:
        joblib.dump(model, path, compress if isinstance(compress, int) else (compress, 3))
    with pytest.raises(ModelFileError, match=r"a pickled estimator of scikit-learn: .*skl2onnx.to_onnx"):
        Network.load(path)


def test_onnxruntime_format(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime writes the file")
    pytest.importorskip("onnx")
    from formats.onnx_small import classifier

    options = runtime.SessionOptions()
    options.optimized_model_filepath = str(path := tmp_path / "net.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    runtime.InferenceSession(classifier().SerializeToString(), options, providers=["CPUExecutionProvider"])
    with pytest.raises(ModelFileError, match=r"onnxruntime's own format \(.ort\): take the .onnx file"):
        Network.load(path)


# ---- archives


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_zip_is_told_by_what_it_holds(tmp_path: Path) -> None:
    path = zipped(tmp_path / "net.onnx", {"readme.txt": b"", "nets/a.onnx": b"x", "b.tflite": b"y"})
    with pytest.raises(ModelFileError, match=r"a zip archive that holds nets/a.onnx, b.tflite: unpack it, `unzip "):
        Network.load(path)


def test_a_tar_and_compressed_files(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("nets/a.onnx")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"1234"))
    path = tmp_path / "net"
    for content, match in (
        (buffer.getvalue(), r"a tar archive that holds nets/a.onnx: unpack it, `tar xf "),
        (gzip.compress(buffer.getvalue()), r"a compressed archive \(gzip\): unpack it, `tar xf "),
        (lzma.compress(buffer.getvalue()), r"a compressed archive \(xz\)"),
        (bz2.compress(buffer.getvalue()), r"a compressed archive \(bzip2\)|compressed by bzip2"),
        (gzip.compress(b"anything"), r"compressed by gzip: unpack it first"),
        (zlib.compress(LFS), r"compressed by zlib, and inside is a pointer of Git LFS"),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=match):
            Network.load(path)


def test_a_list_of_members_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    size = MAX_DIRECTORY + 1
    end = b"PK\x05\x06" + bytes(8) + size.to_bytes(4, "little") + bytes(6)
    (path := tmp_path / "bomb.zip").write_bytes(b"PK\x03\x04" + bytes(26) + end)
    assert f"whose list of members takes {size} bytes" in str(what_it_is(path, path.read_bytes()))


# ---- folders


@pytest.mark.parametrize(
    ("members", "match"),
    [
        ({"saved_model.pb": b"x", "variables/variables.index": b""}, r"a SavedModel of TensorFlow: .*--saved-model"),
        ({"saved_model.pb": b"x", "keras_metadata.pb": b"y"}, r"a SavedModel of Keras: .*load_model\('"),
        ({"Manifest.json": b'{"itemInfoEntries": {"a": {"author": "com.apple.CoreML"}}}'}, "a package of Core ML"),
        ({"coremldata.bin": b"x"}, "a compiled Core ML model"),
        ({"a.onnx": b"\x08\x08\x12\x07pytorch:\x00", "b.txt": b"words"}, "a folder that holds a.onnx: name one"),
        (
            {"onnx/a.onnx": b"\x08\x08\x12\x07pytorch:\x00", "b.txt": b"w"},
            f"a folder that holds onnx{re.escape(os.sep)}a.onnx: name one",
        ),
        ({"b.txt": b"words", "Manifest.json": b"{}"}, "not a model file that cnnfast knows"),
        ({}, "not a model file that cnnfast knows"),
    ],
)
def test_folders_are_told_by_what_lies_in_them(members: dict[str, bytes], match: str, tmp_path: Path) -> None:
    for name, content in members.items():
        (path := tmp_path / "net" / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "net").mkdir(exist_ok=True)
    with pytest.raises(ModelFileError, match=match):
        Network.load(tmp_path / "net")


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [("net.xml", OPENVINO, "OpenVINO"), ("net.param", NCNN, "ncnn"), ("model.json", b'{"weightsManifest": []}', "js")],
)
def test_bare_weights_are_told_by_the_network_beside_them(
    name: str, content: bytes, match: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    (path := tmp_path / "net.bin").write_bytes(bytes(64))
    with pytest.raises(ModelFileError, match=rf"bare weights next to {name}, which is .*{match}"):
        Network.load(path)


def test_every_format_is_named_where_nothing_is_recognized(tmp_path: Path) -> None:
    (path := tmp_path / "x").write_bytes(b"\x7fELF" + bytes(60))
    with pytest.raises(CnnfastError) as caught:
        Network.load(path)
    assert all(name in str(caught.value) for name in FORMATS)
