"""State dicts of PyTorch: tensors by name, in a pickle that is read without running anything.

Both containers of ``torch.save`` are read, by `cnnfast.formats.pickles`; PyTorch is not needed.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnfast.errors import ModelFileError
from cnnfast.formats.error_context import error_context, name_of
from cnnfast.formats.model import Model
from cnnfast.formats.model_format import ModelFormat, register
from cnnfast.formats.pickles.container import DAMAGE, MAGIC, ZIP, opened
from cnnfast.formats.pickles.storages import read_tensors
from cnnfast.formats.weights.nests import WAY_OUT, state_dict
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
    """Read a state dict of PyTorch into an architecture.

    Parameters
    ----------
    path : path-like
        What ``torch.save(module.state_dict(), path)`` wrote, or a checkpoint that holds a state dict.
    architecture, input_shape, classes, preprocess, layout, flatten, rename, key, ignore_unexpected
        See `cnnfast.formats.weights.read.Options`; without an architecture only some files are recognized.

    Raises
    ------
    ModelFileError
        If the file is damaged, holds a pickled module, no architecture is given, or the tensors do not fit it.
    ConfigError
        If an option is not what it may be.
    """
    chosen = architecture, input_shape, classes, preprocess, layout, flatten, rename, key, ignore_unexpected
    options = WeightOptions(*chosen)
    with error_context(path):
        arrays, place = load(Path(path), key)
        return model_of(arrays, options, Path(path), f"PyTorch state dict, {name_of(path)}{place}")


def load(path: Path, key: str | None = None) -> tuple[dict[str, Array], str]:
    """Return the tensors of a state dict, and where in the file they are.

    Raises
    ------
    ModelFileError
        If the file is damaged, a program, or holds no state dict.
    """
    _check_program(path)
    with opened(path) as saved:
        found = state_dict(saved.content, key)
        arrays = read_tensors(found.named.items(), saved.storages, path.stat().st_size)
    place = f", key {'.'.join(found.place)!r:.80}" if found.place else ""
    others = f", not {', '.join(map(repr, found.not_taken))}" if found.not_taken else ""
    return arrays, place + others


def _check_program(path: Path) -> None:
    names = _names(path)
    if any("/code/" in name for name in names):
        raise ModelFileError(
            "it holds a TorchScript program, which runs code of the file. If you trust it: "
            f"cnnfast.from_torch(torch.jit.load({str(path)!r:.200}), input_shape); otherwise {WAY_OUT}"
        )
    if any(name.endswith("/archive_format") for name in names):
        raise ModelFileError(
            "it holds a program of torch.export, which runs code of the file. If you trust it: "
            f"cnnfast.from_torch(torch.export.load({str(path)!r:.200}), input_shape); otherwise {WAY_OUT}"
        )


def _names(path: Path) -> list[str]:
    """Return the members of a zip archive; none if it is not a readable archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (*DAMAGE, OSError):
        return []


def _sniff(path: Path, head: bytes) -> bool:
    if head[:1] == b"\x80" and MAGIC in head[:32]:
        return True
    if head[:4] != ZIP or not path.is_file():
        return False
    names = _names(path)
    if not names:
        return b"/data.pkl" in head[:400]
    return any(name.endswith(("/data.pkl", "/archive_format")) or name == "data.pkl" for name in names)


FORMAT = register(
    ModelFormat(
        "torch", "a state dict of PyTorch", (".pth", ".pt", ".th", ".bin", ".ckpt"), _sniff, read, WEIGHT_OPTIONS
    )
)
