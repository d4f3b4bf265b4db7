"""What travels with a network besides its graph, in the metadata of an ONNX file."""

from __future__ import annotations

import json
from typing import Any

import onnx

from cnnfast.errors import ModelFileError
from cnnfast.formats.description import decode_extras, encode_extras
from cnnfast.formats.model import Model

KEY = "cnnfast.model"
"""The entry of the metadata that cnnfast reads back."""

PRODUCER = "cnnfast"


def write_metadata(message: onnx.ModelProto, model: Model) -> None:
    """Put what travels with a model into the metadata of the file.

    Raises
    ------
    ModelFileError
        If it could not be read back: a label that cannot be printed.
    """
    text = json.dumps(encode_extras(model), separators=(",", ":"))
    decode_extras(text)
    entry = message.metadata_props.add()
    entry.key, entry.value = KEY, text


def read_metadata(message: onnx.ModelProto) -> dict[str, Any]:
    """Return what `write_metadata` has written, as arguments of `Model`; nothing of files of other programs.

    Raises
    ------
    ModelFileError
        If it is damaged.
    ConfigError
        If the preprocessing cannot exist.
    """
    texts = [entry.value for entry in message.metadata_props if entry.key == KEY]
    if len(texts) > 1:
        raise ModelFileError(f"its metadata has {len(texts)} entries {KEY!r}")
    return decode_extras(texts[0]) if texts else {}
