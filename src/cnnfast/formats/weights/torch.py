"""State dicts of PyTorch: tensors by name, in a pickle that is not allowed to do anything.

Both containers of ``torch.save`` are read: the zip archive of 2020 and later, and the stream before it. The extra
``torch`` is needed; it is imported here only, and reads with ``weights_only=True``.
"""

from __future__ import annotations

import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnfast._optional import needs
from cnnfast.errors import ModelFileError
from cnnfast.formats.blame import blame
from cnnfast.formats.model import Model
from cnnfast.formats.registry import Format, register
from cnnfast.formats.weights.read import Options, model_of
from cnnfast.ops import Array, Shape

if TYPE_CHECKING:
    from cnnfast.preprocess import Preprocess

MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
"""The number that the older container begins with, pickled."""
ZIP = b"PK\x03\x04"
NESTS = ("state_dict", "model_state_dict", "model", "net", "state", "params", "ema")
"""Where training scripts keep the state dict in what they save."""
MOST_MEMBERS = 20_000

WAY_OUT = (
    "load it where its class is defined and call cnnfast.from_torch(module, input_shape), "
    "or save module.state_dict() and read that with architecture=…"
)


def read(
    path: str | os.PathLike[str],
    architecture: object = None,
    input_shape: Shape | None = None,
    classes: Sequence[str] | None = None,
    preprocess: Preprocess | None = None,
    layout: str = "oihw",
    flatten: str | None = None,
    rename: Mapping[str, str] | str | None = None,
) -> Model:
    """Read a state dict of PyTorch into an architecture.

    Parameters
    ----------
    path : path-like
        What ``torch.save(module.state_dict(), path)`` wrote, or a checkpoint that holds a state dict.
    architecture, input_shape, classes, preprocess, layout, flatten, rename
        See `cnnfast.formats.weights.read.Options`; an architecture is needed.

    Raises
    ------
    ModelFileError
        If the file is damaged, holds a pickled module, no architecture is given, or the tensors do not fit it.
    ConfigError
        If an option is not what it may be, or PyTorch is not installed.
    """
    options = Options(architecture, input_shape, classes, preprocess, layout, flatten, rename)
    with blame(path):
        _check_container(Path(path))
        tensors = {name: _array(name, tensor) for name, tensor in _tensors(_unpickled(Path(path)))}
        return model_of(tensors, options, f"PyTorch state dict, {Path(path).name}")


def _check_container(path: Path) -> None:
    """Refuse what `torch.load` would unpack into more memory than the file has bytes, and programs."""
    members = _members(path)
    if members is None:
        return
    names = [member.filename for member in members]
    if any("/code/" in name or name.endswith("/archive_format") for name in names):
        kind = "TorchScript program" if any("/code/" in name for name in names) else "program of torch.export"
        raise ModelFileError(f"it holds a {kind}, which runs code of the file; {WAY_OUT}")
    packed = [m.filename for m in members if m.compress_type != zipfile.ZIP_STORED or m.file_size > m.compress_size]
    if packed:
        raise ModelFileError(f"{packed[0]!r} is compressed, which torch.save never does; it may unpack to any size")
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise ModelFileError("its members together are larger than the file, so they overlap; get it again")


def _members(path: Path) -> list[zipfile.ZipInfo] | None:
    """Return the directory of a zip archive, or None if the file is none."""
    with path.open("rb") as file:
        if file.read(len(ZIP)) != ZIP:
            return None
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, UnicodeDecodeError) as error:
        raise ModelFileError(f"the zip archive is damaged ({error}); get it again") from None
    if len(members) > MOST_MEMBERS:
        raise ModelFileError(f"the zip archive has {len(members)} members; at most {MOST_MEMBERS} are allowed")
    return members


def _unpickled(path: Path) -> object:
    with needs("reading a state dict", "cnnfast[torch]"):
        import torch
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # an open file, because of a path PyTorch goes by the suffix
            with path.open("rb") as file:
                return torch.load(file, map_location="cpu", weights_only=True)
    # a damaged file makes PyTorch raise nearly everything: RuntimeError, EOFError, KeyError, struct.error …
    except Exception as error:
        raise ModelFileError(_refusal(error)) from None


def _refusal(error: Exception) -> str:
    """Return why a pickle was not loaded; PyTorch's own text advises to run what is in it."""
    wanted = re.search(r"GLOBAL (\S+) (?:was not an allowed|whose module)", str(error))
    if wanted:
        return (
            f"it holds more than tensors: its pickle asks for {wanted[1]}, as a pickled module does, "
            f"and loading it would run code that the file chooses; {WAY_OUT}"
        )
    if isinstance(error, pickle.UnpicklingError):
        return f"its pickle is damaged, or holds more than tensors; get it again, or {WAY_OUT}"
    first = str(error).strip().partition("\n")[0]
    return f"PyTorch cannot read it ({type(error).__name__}: {first:.200}); get it again"


def _tensors(content: object) -> Iterator[tuple[str, Any]]:
    """Yield the tensors of a state dict, wherever in a checkpoint it lies."""
    import torch

    for _ in range(4):
        if not isinstance(content, Mapping):
            raise ModelFileError(f"it holds a {type(content).__name__}, not tensors by name; {WAY_OUT}")
        if any(isinstance(value, torch.Tensor) for value in content.values()):
            break
        inner = [key for key in NESTS if isinstance(content.get(key), Mapping)]
        if not inner:
            keys = ", ".join(str(key) for key in list(content)[:20])
            raise ModelFileError(
                f"it holds no state dict: its keys are {keys or 'none'}, none of them {', '.join(NESTS)}"
            )
        content = content[inner[0]]
    assert isinstance(content, Mapping)
    for name, value in content.items():
        if isinstance(value, torch.Tensor):
            yield str(name), value


def _array(name: str, tensor: Any) -> Array:
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise ModelFileError(f"the tensor {name!r} is {tensor.layout} {tensor.dtype}; only plain ones are read")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ModelFileError(
            f"the tensor {name!r} of shape {tuple(tensor.shape)} repeats its elements in place of storing"
        )
    tensor = tensor.detach()
    if tensor.dtype in (torch.bfloat16, torch.float16):
        tensor = tensor.float()
    array: Array = np.ascontiguousarray(tensor.numpy())
    return array


def _sniff(path: Path, head: bytes) -> bool:
    if head[:1] == b"\x80" and MAGIC in head[:32]:
        return True
    if head[:4] != ZIP or not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, UnicodeDecodeError, OSError):
        return b"/data.pkl" in head[:400]
    return any(name.endswith(("/data.pkl", "/archive_format")) or name == "data.pkl" for name in names)


FORMAT = register(Format("torch", "a state dict of PyTorch", (".pth", ".pt", ".th", ".bin", ".ckpt"), _sniff, read))
