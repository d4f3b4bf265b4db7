"""The networks that come with cnnfast."""

from __future__ import annotations

from importlib.util import find_spec
from os import PathLike
from pathlib import Path

from cnnfast.errors import ModelFileError
from cnnfast.runtime.suggest import did_you_mean

DEFAULT = "cifar10-resnet"
"""The network that ``find`` and ``classify`` use where none is named: the most accurate one.

Of floats, because a single picture takes longer in integers.
"""


def folder() -> Path:
    """Return the folder of the shipped networks."""
    # Not by importlib.resources, whose import takes a tenth of the time allowed for a first label.
    spec = find_spec("cnnfast.models")
    if spec is None or not spec.submodule_search_locations:
        # A checkout that is on the path without being installed: only an installation maps the folder into the package.
        return Path(__file__).resolve().parents[3] / "models"
    return Path(spec.submodule_search_locations[0])


def list_models() -> list[str]:
    """Return the names of the networks that come with cnnfast.

    Examples
    --------
    >>> "cifar10-resnet" in list_models()
    True
    """
    return sorted(path.stem for path in folder().glob("*.safetensors"))


def file_of(name: str) -> Path:
    """Return the file of a shipped network; it is not there if no network of that name is shipped.

    Examples
    --------
    >>> file_of("mnist-mlp").is_file()
    True
    """
    return folder() / f"{name}.safetensors"


def name_of(path: str | PathLike[str]) -> str | None:
    """Return the name of the shipped network that a file is, or None.

    Examples
    --------
    >>> name_of(file_of("mnist-mlp"))
    'mnist-mlp'
    """
    given = Path(path)
    return given.stem if given.suffix == ".safetensors" and given.resolve() == file_of(given.stem).resolve() else None


def find(source: str | PathLike[str]) -> Path:
    """Return the file of a shipped network by its name, or the path itself.

    Raises
    ------
    ModelFileError
        If ``source`` is neither.
    """
    path = Path(source)
    try:
        if path.exists():
            return path
    except (OSError, ValueError) as error:
        # a name that is too long, or holds a zero byte
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(f"{source!s:.200}: this cannot be looked for: {reason}") from error
    if str(source) in list_models():
        return file_of(str(source))
    known = list_models()
    hint = did_you_mean(source, known)
    raise ModelFileError(
        f"{source}: there is no such file, and no shipped network of that name"
        f"{f'{hint} Shipped' if hint else '; shipped'} are: {', '.join(known)}"
    )
