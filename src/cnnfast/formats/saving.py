"""Which files are written: cnnfast's own and ONNX, by the suffix of the name."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

from cnnfast._optional import needs
from cnnfast.errors import ConfigError, OutputError
from cnnfast.formats import native
from cnnfast.formats.model import Model
from cnnfast.formats.narrow import check_dtype
from cnnfast.runtime.mapped import check_not_rewritten
from cnnfast.runtime.outputs import file_behind

Write = Callable[[Model, Path, object, Path | None], None]


def save(
    model: Model, path: str | os.PathLike[str], dtype: object = None, borrow: str | os.PathLike[str] | None = None
) -> None:
    """Write a model file: all of it or nothing, and the same bytes for the same model.

    Parameters
    ----------
    model : Model
    path : path-like
        ``NAME.safetensors`` for cnnfast's own format, ``NAME.onnx`` for ONNX; replaced where it exists.
    dtype : optional
        "float16" for weights in half the bytes, "int8" for a quarter of them, in cnnfast's own format.
    borrow : path-like, optional
        Another file in the same folder, of cnnfast's own format: tensors that it has too are left out.

    Raises
    ------
    ConfigError
        If the name ends otherwise, the package onnx is missing for an ONNX file, or the file takes no dtype or lender.
    UnsupportedError
        If an ONNX file cannot hold an op of the network; all of them are listed.
    ModelFileError
        If the file could not hold the model, see `cnnfast.formats.native.save`.
    OutputError
        If the file cannot be written: there is no such folder, the disk is full, …

    Warns
    -----
    UserWarning
        If the model remembers pictures, which an ONNX file has no place for.
    """
    lender = None if borrow is None else Path(borrow)
    check_target(path := Path(path), dtype, lender)
    _WRITERS[path.suffix.lower()]()(model, path, dtype, lender)


FOREIGN = {
    "Keras": (".h5", ".hdf5", ".keras"),
    "LiteRT": (".tflite",),
    "ONNX Runtime": (".ort",),
    "PyTorch": (".pt", ".pth", ".th", ".bin", ".ckpt", ".pt2"),
    "TensorFlow": (".pb",),
    "NumPy": (".npy", ".npz"),
    "Python": (".pkl", ".pickle", ".joblib"),
    "JSON": (".json",),
}
"""What other names would promise."""


def check_target(path: Path, dtype: object = None, lender: Path | None = None) -> None:
    """Raise `ConfigError` or `OutputError` unless a model file may be written under this name, with these options.

    Examples
    --------
    >>> check_target(Path("net.keras"))
    Traceback (most recent call last):
    cnnfast.errors.ConfigError: net.keras: ... would take this for a file of Keras; call it net.safetensors or net.onnx
    """
    # os.path, because a Path raises where a name is too long
    if os.path.isdir(path):
        raise OutputError(f"{path}: is a folder; name the file in it, for example {path / 'net.safetensors'}")
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        owner = next((owner for owner, suffixes in FOREIGN.items() if suffix in suffixes), None)
        why = f", and others would take this for a file of {owner}" if owner else ""
        # a dot may be part of the name, as in net.v2
        name = path.stem if owner else path.name
        raise ConfigError(
            f"{path}: cnnfast writes its own format, .safetensors, and .onnx{why}; "
            f"call it {name}.safetensors or {name}.onnx"
        )
    if (narrow := check_dtype(dtype)) and suffix != OWN:
        raise ConfigError(
            f"{path}: cnnfast writes ONNX in float32 only; for weights in {narrow} call it {path.stem}{OWN}, "
            "or leave out the dtype"
        )
    if lender is not None and suffix != OWN:
        raise ConfigError(
            f"{path}: an ONNX file holds all of its weights; to borrow those of {lender} call it {path.stem}{OWN}"
        )
    file_behind(path)
    # hours of training must not end with a package that is missing
    _WRITERS[suffix]()


def _own() -> Write:
    return native.save


def _onnx() -> Write:
    with needs("writing ONNX files", "cnnfast[onnx]"):
        from cnnfast.formats.onnx.writing.model import save_onnx

    def write(model: Model, path: Path, dtype: object, lender: Path | None) -> None:
        check_not_rewritten(model.graph.constants.values())
        save_onnx(model, path)
        if model.remembered is not None:
            warnings.warn(
                f"{path}: is written without {model.remembered}: ONNX has no place for what is remembered", stacklevel=4
            )

    return write


OWN = ".safetensors"
_WRITERS: dict[str, Callable[[], Write]] = {OWN: _own, ".onnx": _onnx}
