"""Text that is taken for a model: web pages, pointers, networks without weights."""

from __future__ import annotations

import re
from collections.abc import Callable

from cnnfast.formats.unread.kind import Kind

LFS = b"version https://git-lfs.github.com/spec/"
"""How a pointer of Git LFS begins."""


def lfs_advice() -> str:
    """Return what a pointer of Git LFS is, and how to get the file."""
    return _LFS.name + _LFS.advice


def _begins(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda head: _text(head).lower().startswith(starts)


def _text(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()


def _json(pattern: bytes) -> Callable[[bytes], bool]:
    """Return what tells JSON objects by a key, or a key and its value, near their beginning."""
    found = re.compile(pattern)
    return lambda head: _text(head).startswith(b"{") and found.search(head) is not None


def _is_openvino(head: bytes) -> bool:
    return _text(head).startswith((b"<?xml", b"<net")) and re.search(rb"<net\s[^>]*version=", head) is not None


def _is_ncnn(head: bytes) -> bool:
    return re.match(rb"7767517\s+\d+\s+\d+\s", head) is not None


def _is_prototxt(head: bytes) -> bool:
    text = re.sub(rb"#[^\n]*", b"", head)
    is_text = b"\0" not in head and re.match(rb"\s*(name|layers?|input|input_dim|net)\s*(:|\{)", text) is not None
    return is_text and re.search(rb'\blayers?\s*\{|\binput_dim\s*:|\bnet\s*:\s*"', text) is not None


_LFS = Kind(
    "a pointer of Git LFS",
    ": the file itself was not fetched. Run `git lfs install && git lfs pull` in the clone, or download the file from "
    "the page of the repository",
    lambda head: head.startswith(LFS),
)

KINDS = (
    _LFS,
    Kind(
        "a web page (HTML)",
        ' and not the file it is about: download the file itself (the link "raw" or "download" of that page)',
        _begins(b"<!doctype html", b"<html", b"<head", b"<!-- "),
    ),
    Kind(
        "the topology of a TensorFlow.js model of layers (its weights are in the .bin files next to it)",
        ": convert it, `tensorflowjs_converter --input_format=tfjs_layers_model --output_format=keras model.json "
        "net.h5`",
        _json(rb'"format"\s*:\s*"layers-model"|"modelTopology"\s*:\s*\{\s*"(class_name|keras_version|model_config)"'),
    ),
    Kind(
        "the graph of a TensorFlow.js model (its weights are in the .bin files next to it)",
        ": convert it, `tfjs_graph_converter model.json saved_model --output_format tf_saved_model`, then "
        "`python -m tf2onnx.convert --saved-model saved_model --output net.onnx`",
        _json(rb'"format"\s*:\s*"graph-model"|"modelTopology"|"weightsManifest"'),
    ),
    Kind(
        "the layers of a Keras model as JSON, without weights",
        ": load both in Keras and save them as one, `model = keras.models.model_from_json(open(PATH).read()); "
        'model.load_weights(WEIGHTS); model.save("net.keras")`',
        _json(rb'^\s*\{\s*"(class_name|module|config)"\s*:(?s:.*)("keras_version"|"registered_name"|"layers"|keras)'),
    ),
    Kind(
        "the symbol of an MXNet network, without weights",
        ": convert it and its .params to ONNX, `mxnet.onnx.export_model(SYMBOL, PARAMS, [(1, 3, 224, 224)])`",
        _json(rb'^\s*\{\s*"nodes"\s*:\s*\[\s*\{\s*"op"'),
    ),
    Kind(
        "a configuration of Hugging Face, without weights",
        ": name the file of weights next to it, model.safetensors or model.onnx",
        _json(rb'"(architectures|model_type|transformers_version|_name_or_path)"\s*:'),
    ),
    Kind(
        "a network of OpenVINO (IR, .xml; its weights are in the .bin file next to it)",
        ", which nothing converts back: take the model it was made from (ONNX, Keras, LiteRT, PyTorch)",
        _is_openvino,
    ),
    Kind(
        "a network of ncnn (.param; its weights are in the .bin file next to it)",
        ", which nothing converts back: take the model it was made from (ONNX, PyTorch)",
        _is_ncnn,
    ),
    Kind(
        "a network of Caffe as text (.prototxt), without weights",
        ": convert both files to ONNX, `python -m caffe2onnx.convert --prototxt net.prototxt --caffemodel "
        "net.caffemodel --onnx net.onnx`",
        _is_prototxt,
    ),
)
