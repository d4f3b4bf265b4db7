"""Third-party safetensors files: tensors by name, and no network."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnfast.errors import ModelFileError
from cnnfast.formats import native, tensors
from cnnfast.formats.error_context import error_context, name_of
from cnnfast.formats.model import Model
from cnnfast.formats.model_format import ModelFormat, register
from cnnfast.formats.weights.read import WEIGHT_OPTIONS, WeightOptions, model_of
from cnnfast.ops import Array, Shape

if TYPE_CHECKING:
    from cnnfast.images.preprocess import Preprocess


def read(
    path: str | os.PathLike[str],
    architecture: object = None,
    input_shape: Shape | None = None,
    classes: Sequence[str] | None = None,
    preprocess: Preprocess | str | None = None,
    layout: str = "oihw",
    flatten: str | None = None,
    rename: Mapping[str, str] | str | None = None,
    key: str | None = None,
    ignore_unexpected: bool = False,
) -> Model:
    """Read the weights of a safetensors file into an architecture.

    Parameters
    ----------
    path : path-like
    architecture, input_shape, classes, preprocess, layout, flatten, rename, key, ignore_unexpected
        See `cnnfast.formats.weights.read.Options`; without an architecture only some files are recognized.

    Raises
    ------
    ModelFileError
        If the file is damaged, no architecture is given, or the tensors do not fit it.
    ConfigError
        If an option is not what it may be.
    """
    chosen = architecture, input_shape, classes, preprocess, layout, flatten, rename, key, ignore_unexpected
    options = WeightOptions(*chosen)
    with error_context(path):
        return model_of(load(Path(path), key), options, Path(path), f"safetensors, {name_of(path)}")


def load(path: Path, key: str | None = None) -> dict[str, Array]:
    """Return the tensors of a file, or those whose names begin with a key, without it.

    Raises
    ------
    ModelFileError
        If the file is damaged, or no name begins like that.
    """
    _, arrays = tensors.unpack(tensors.bytes_of(path, least=8), foreign=True)
    prefix = "" if key is None else f"{key}."
    chosen = [name for name in sorted(arrays, key=_natural) if name.startswith(prefix)]
    if key is not None and not chosen:
        raise ModelFileError(
            f"no tensor is called {prefix!r:.80} and more; the names are: {', '.join(list(arrays)[:20])}"
        )
    return {name.removeprefix(prefix): tensors.widened(arrays[name]) for name in chosen}


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts conv2 before conv10: the container sorts its tensors by name, not by layer."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]{1,9})", name)]


def _sniff(path: Path, head: bytes) -> bool:
    length = int.from_bytes(head[:8], "little")
    return 2 <= length <= tensors.MAX_HEADER and head[8:9] == b"{" and not native.FORMAT.sniff(path, head)


FORMAT = register(
    ModelFormat(
        "safetensors", "weights in a third-party safetensors file", (".safetensors",), _sniff, read, WEIGHT_OPTIONS
    )
)
