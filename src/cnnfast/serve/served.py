"""The networks of a server by name, each with its batcher, and how their answers look."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

from cnnfast._frozen import frozen
from cnnfast.errors import CnnfastError, ConfigError, PictureError
from cnnfast.network.network import Network
from cnnfast.network.records import ranked
from cnnfast.ops import Array
from cnnfast.serve.batcher import Batcher
from cnnfast.serve.exchange import RequestError
from cnnfast.serve.infer_request import RequestReader
from cnnfast.serve.tensors import binary_text

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a model may be called in an address."""

UNSURE = 0.6
"""An answer whose highest probability is below this is unsure, unless the user sets another bound."""

_ADDRESS = re.compile(r"<[^<>]*( at 0x[0-9a-f]+)[^<>]*>|(/[\w.+-]+){2,}")


@frozen(eq=False)
class ServedModel:
    """A network with its name and its batcher."""

    name: str
    batcher: Batcher
    unsure: float = UNSURE

    @property
    def network(self) -> Network:
        """The network."""
        return self.batcher.network

    @cached_property
    def reader(self) -> RequestReader:
        """Reads requests of the inference protocol."""
        return RequestReader(self.network, self.batcher.judges)

    @cached_property
    def _binary_texts(self) -> list[bytes]:
        return [binary_text(label) for label in self.network.classes_.tolist()]

    def binary_labels(self, numbers: Array) -> bytes:
        """Return the labels of classes, by number, as binary data."""
        texts = self._binary_texts
        return b"".join([texts[number] for number in numbers.ravel().tolist()])

    def answer(self, row: Array, top: int) -> dict[str, Any]:
        """Return the labels of a picture, whether the network is unsure of the first, and whether it is unknown."""
        judged: dict[str, Any] = {}
        if self.batcher.judges:
            row, judged = row[:-1], {"unknown": bool(row[-1])}
        labels = ranked(self.network.classes_, row, top)
        # most networks give one answer, whose highest probability is there already
        highest = labels[0]["probability"] if row.ndim == 1 else row.max(axis=-1).min()
        return {"labels": labels, "unsure": bool(highest < self.unsure), **judged}


class ServedModels:
    """The networks that a server has, the first of which answers where none is named.

    Parameters
    ----------
    models : dict
        Networks by name.
    batcher : callable (name, network) -> Batcher
    unsure : float
    """

    def __init__(self, models: dict[str, Network], batcher: Callable[[str, Network], Batcher], unsure: float) -> None:
        if not models:
            raise ConfigError("there is no model to serve")
        self.unsure = unsure
        for name in models:
            if not isinstance(name, str) or not NAME.fullmatch(name):
                raise ConfigError(
                    f"a model cannot be served as {name!r:.80}: a name has up to 64 letters, digits, '.', '_' and '-', "
                    "and begins with a letter or digit; on the command line NAME=MODEL sets one"
                )
            # an error, where it is unknown which axis has the classes
            _ = models[name].classes_
        self._models = {name: ServedModel(name, batcher(name, net), unsure) for name, net in models.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The names, the first one first."""
        return tuple(self._models)

    @property
    def batchers(self) -> dict[str, Batcher]:
        """The batcher of each model."""
        return {name: model.batcher for name, model in self._models.items()}

    def find(self, name: str | None) -> ServedModel:
        """Return a model by name, the first for None, or raise `RequestError` with 404."""
        if name is None:
            return next(iter(self._models.values()))
        if name not in self._models:
            raise RequestError(404, f"there is no model of that name; there are: {', '.join(self.names)}")
        return self._models[name]


def reason_of(error: CnnfastError) -> str:
    """Return why a picture or an array has no result, without anything about the server itself.

    Examples
    --------
    >>> reason_of(PictureError("<bytes>", "cannot be decoded: <_io.BytesIO object at 0x7f00> is odd"))
    'cannot be decoded: the picture is odd'
    """
    text = error.reason if isinstance(error, PictureError) else str(error)
    return _ADDRESS.sub("the picture", text)[:500]
