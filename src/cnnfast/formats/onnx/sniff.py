"""Tells an ONNX file by its first bytes, without any package.

The file is a protobuf message of type ModelProto (onnx.proto): a row of fields, each a tag (number << 3 | type), then a
varint or a length and that many bytes. ONNX has no magic number, so the fields themselves must make sense.
"""

from __future__ import annotations

VARINT, LENGTH = 0, 2

FIELDS = {1: VARINT, 2: LENGTH, 3: LENGTH, 4: LENGTH, 5: VARINT, 6: LENGTH, 7: LENGTH, 8: LENGTH, 14: LENGTH}
"""Of ModelProto: ir_version, producer name and version, domain, model version, doc, graph, opset, metadata."""
FIELDS |= {20: LENGTH, 25: LENGTH, 26: LENGTH}

IR_VERSION, GRAPH = 1, 7
NAMES = (2, 3, 4)
"""Texts; in SavedModel and Core ML, which begin alike, field 2 is a message, and so begins with a tag."""
NEWEST_IR = 64
"""A generous bound: version 13 is current in 2026."""


def looks_like_onnx(head: bytes) -> bool:
    """Return whether a file that starts with these bytes is an ONNX model.

    Examples
    --------
    >>> looks_like_onnx(bytes([8, 8, 18, 7]) + b"pytorch" + bytes([58, 200, 1]))
    True
    >>> looks_like_onnx(b"PK")
    False
    """
    position, seen = 0, set()
    while position < len(head):
        tag, position = _varint(head, position)
        number, kind = tag >> 3, tag & 7
        if FIELDS.get(number) != kind:
            return False
        value, position = _varint(head, position)
        if position > len(head):
            break
        if number == IR_VERSION and not 1 <= value <= NEWEST_IR:
            return False
        if number in NAMES and value and position < len(head) and head[position] < 32:
            return False
        seen.add(number)
        if kind == LENGTH:
            position += value
    return IR_VERSION in seen or (GRAPH in seen and position >= len(head) > 2)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a number and the position behind it; behind the data if the number is not whole."""
    value = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
    return value, len(data) + 1
