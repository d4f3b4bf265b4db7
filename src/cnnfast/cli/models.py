"""The network of a command, and its classes."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnfast.data import match_class
from cnnfast.errors import ConfigError, DataError, UnsupportedError
from cnnfast.formats import Model, detect
from cnnfast.formats.saving import check_target
from cnnfast.images.preprocess import UNSAID, Preprocess
from cnnfast.network.network import Network
from cnnfast.runtime import shipped
from cnnfast.runtime.paths import in_order
from cnnfast.runtime.suggest import did_you_mean


def load(model: str, args: argparse.Namespace) -> Network:
    """Load the network of a command, with the user's options."""
    net = decoding(Network.load(model, **stated(args)), getattr(args, "decode", None))
    given: str | None = getattr(args, "labels", None)
    return net if given is None else described(net, labels(given), net.preprocess)


def decoding(net: Network, decode: str | None) -> Network:
    """Return a network that has pictures decoded in a way; None is its own way."""
    if decode is None or net.preprocess is None:
        return net
    return described(net, net.class_names, replace(net.preprocess, decode=decode))


def described(net: Network, classes: Sequence[str] | None, rule: Preprocess | None) -> Network:
    """Return a network with other names of classes, or another preprocessing."""
    names = None if classes is None else tuple(classes)
    # features of pictures that were scaled in another way are not those of this network
    is_same = rule == net.preprocess or (
        rule and net.preprocess and replace(rule, decode=net.preprocess.decode) == net.preprocess
    )
    return Network(Model(net.graph, rule, names, net.license, net.notes, net.remembered if is_same else None))


def labels(text: str) -> list[str]:
    """Return the labels of a file, one per line, or of a text with commas.

    Examples
    --------
    >>> labels("cat,dog")
    ['cat', 'dog']
    """
    path = Path(text)
    if not path.is_file():
        if "," not in text and (path.suffix or len(path.parts) > 1):
            raise ConfigError(f"{text}: there is no such file of labels; labels themselves have commas between them")
        return text.split(",")
    try:
        return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: labels must be UTF-8 text: {error.reason} at byte {error.start}") from None


def load_in_float(model: str, preprocess: str | None, decode: str | None) -> Network:
    """Load a network for what integers cannot do: training, and quantizing again."""
    stated_rule = {} if preprocess is None else {"preprocess": preprocess}
    takes_integers = "integers" in detect(shipped.find(model)).options
    return decoding(Network.load(model, **stated_rule, **({"integers": False} if takes_integers else {})), decode)


def stated(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `Network.load` that the user has stated."""
    given = {name: getattr(args, name, None) for name in ("preprocess", "integers")}
    return {name: value for name, value in given.items() if value is not None}


def class_names(net: Network) -> list[str]:
    """Return the classes of a network as text; numbers where it has no names.

    Raises
    ------
    UnsupportedError
        If it gives several answers for each image, or it is unknown which axis has its classes.
    """
    if net.answer_shape:
        raise UnsupportedError(
            f"this network gives answers of shape {net.answer_shape} for each image, and the commands show one; "
            "cnnfast.Network.predict and stream give them all"
        )
    return [str(name) for name in net.classes_]


def class_index(net: Network, name: str) -> int:
    """Return the index of a class that the user names.

    Raises
    ------
    ConfigError
        If there is no such class; the message lists them.
    """
    try:
        return match_class(name, class_names(net))
    except DataError:
        known = class_names(net)
        if net.class_names is None:
            raise ConfigError(
                f"this network has no class {name!r}, only numbers up to {known[-1]}; give the labels with --labels"
            ) from None
        hint = did_you_mean(name, known)
        raise ConfigError(
            f"this network has no class {name!r}{f'{hint} Its' if hint else '; its'} classes are: {', '.join(known)}"
        ) from None


def class_indices(net: Network, names: str) -> tuple[int, ...]:
    """Return the indices of classes that the user names, with commas between them unless they are part of a name.

    Raises
    ------
    ConfigError
        If there is no such class; the message lists them.
    """
    parts = [names] if names in class_names(net) or "," not in names else names.split(",")
    return tuple(dict.fromkeys(class_index(net, part.strip()) for part in parts))


def preprocess_of(net: Network, model: str) -> Preprocess:
    """Return how pictures become the input of a network.

    Raises
    ------
    ConfigError
        If the network does not say.
    """
    if net.preprocess is None:
        raise ConfigError(f"{model}: {UNSAID}")
    return net.preprocess


def digest(model: str) -> str:
    """Return the SHA-256 of a model file, or of all files of a model folder."""
    path = shipped.find(model)
    files = in_order(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    total = hashlib.sha256()
    for file in files:
        total.update(_digest(file))
    return total.hexdigest() if path.is_dir() else _digest(path).hex()


def _digest(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def check_may_write(target: Path, force: bool, dtype: str | None = None, lender: Path | None = None) -> None:
    """Raise an error unless a network may be written there; one that exists is only replaced with ``--force``.

    Raises
    ------
    ConfigError, OutputError
        As `cnnfast.formats.saving.check_target`, or if there is such a file already.

    Examples
    --------
    >>> check_may_write(Path("own.safetensors"), force=False)
    """
    check_target(target, dtype, lender)
    if target.exists() and not force:
        raise ConfigError(f"{target}: exists already; name another file, or use --force to replace it")
