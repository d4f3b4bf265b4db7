"""Networks of other engines, by their first bytes.

Some are protobuf messages, which have no magic number: a row of fields, each a tag (number << 3 | type) and, for what
has a length, that length and as many bytes. What their first fields hold tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable

from cnnfast.formats.unread.kind import Kind

TAKE_THE_SOURCE = ", which nothing converts back: take the model it was made from (ONNX, Keras, PyTorch)"


def _at(place: int, *magics: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magics, place)


def _sized(data: bytes, tag: bytes) -> bytes | None:
    """Return what a field at the start of a message holds, as far as it is there; None if it is another field."""
    if not data.startswith(tag):
        return None
    size = shift = 0
    for place in range(len(tag), min(len(tag) + 5, len(data))):
        size |= (data[place] & 127) << shift
        shift += 7
        if data[place] < 128:
            return data[place + 1 : place + 1 + size]
    return None


def _behind(data: bytes, tag: bytes) -> bytes:
    """Return what follows a field at the start of a message."""
    held = _sized(data, tag) or b""
    return data[data.find(held, len(tag)) + len(held) :] if held else b""


def _is_name(text: bytes | None) -> bool:
    return bool(text) and text is not None and text.isascii() and text.decode("ascii").isprintable()


def _is_saved_model(head: bytes) -> bool:
    """SavedModel: schema version 1 (field 1), then a MetaGraphDef (2) that begins with its MetaInfoDef (1)."""
    graph = _sized(head, b"\x08\x01\x12")
    info = _sized(graph or b"", b"\x0a")
    return info is not None and not _is_core_ml(head)


def _is_core_ml(head: bytes) -> bool:
    """Model: version (field 1), then a description (2) that begins with its inputs (1), each with a name (1)."""
    if len(head) < 3 or head[0] != 8 or not 1 <= head[1] < 64:
        return False
    feature = _sized(_sized(head[2:], b"\x12") or b"", b"\x0a")
    name = _sized(feature or b"", b"\x0a")
    return _is_name(name) and b"\x1a" in (feature or b"")[:300]


def _is_graph_def(head: bytes) -> bool:
    """GraphDef: nodes (field 1), each with a name (1) and an operator (2)."""
    node = _sized(head, b"\x0a")
    return node is not None and _is_name(_sized(node, b"\x0a")) and _is_name(_sized(_behind(node, b"\x0a"), b"\x12"))


def _is_caffe_model(head: bytes) -> bool:
    """NetParameter: a name (field 1), then layers (100, or 2 in older files), each with a name and a type."""
    rest = _behind(head, b"\x0a")
    layer = _sized(rest, b"\xa2\x06") or _sized(rest, b"\x12")
    return _is_name(_sized(head, b"\x0a")) and layer is not None and layer[:1] in (b"\x0a", b"\x12", b"\x22")


def _is_tensorrt(head: bytes) -> bool:
    """Ultralytics puts a length and JSON in front of the engine."""
    length = int.from_bytes(head[:4], "little")
    at = 4 + length if head[4:5] == b"{" else 0
    return head.startswith((b"ptrt", b"ftrt"), at)


KINDS = (
    Kind(
        "a SavedModel of TensorFlow (saved_model.pb, one file of a folder)",
        ": convert its folder, `python -m tf2onnx.convert --saved-model FOLDER --output net.onnx`",
        _is_saved_model,
    ),
    Kind(
        "a Core ML model (.mlmodel)",
        ": take the model it was made from; a neural network, not an ML program, can be converted, "
        "`onnxmltools.convert_coreml(coremltools.models.MLModel(PATH)).SerializeToString()`",
        _is_core_ml,
    ),
    Kind(
        "a frozen graph of TensorFlow (.pb)",
        ": convert it, `python -m tf2onnx.convert --graphdef PATH --inputs INPUT:0 --outputs OUTPUT:0 --output "
        "net.onnx`",
        _is_graph_def,
    ),
    Kind(
        "the weights of a Caffe network (.caffemodel)",
        ": convert them and their .prototxt to ONNX, `python -m caffe2onnx.convert --prototxt net.prototxt "
        "--caffemodel net.caffemodel --onnx net.onnx`",
        _is_caffe_model,
    ),
    Kind(
        "an engine of TensorRT, compiled for one kind of GPU",
        TAKE_THE_SOURCE,
        _is_tensorrt,
    ),
    Kind(
        "a program of ExecuTorch (.pte)",
        ": take the PyTorch module it was made from, `cnnfast.from_torch(module, input_shape)`",
        _at(4, b"ET12", b"ET11"),
    ),
    Kind(
        "a network of PyTorch Mobile (.ptl)",
        ": take the PyTorch module it was made from, `cnnfast.from_torch(module, input_shape)`",
        _at(4, b"PTMF"),
    ),
    Kind("a network in onnxruntime's own format (.ort)", ": take the .onnx file it was made from", _at(4, b"ORTM")),
    Kind("a network of ncnn in its binary form (.param.bin)", TAKE_THE_SOURCE, _at(0, (7767517).to_bytes(4, "little"))),
    Kind("a language model (GGUF), not a network for images", "; cnnfast classifies pictures", _at(0, b"GGUF")),
)
