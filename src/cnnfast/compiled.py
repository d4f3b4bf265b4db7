"""A network made ready for calls that are all alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from cnnfast._dispatch import Entry
from cnnfast._frozen import frozen
from cnnfast._inputs import as_images
from cnnfast._threads import of_call
from cnnfast.errors import ConfigError, InputError
from cnnfast.ops import Array


@frozen
class Settings:
    """What `Network.compile` was told."""

    batch: int
    threads: int
    layout: str | None
    nan: str
    raw: bool


class Compiled:
    """A function from a fixed number of images to their results, made by `Network.compile`.

    It is immutable, may be shared between threads, and can be pickled. Images are NumPy arrays of uint8 or float32; the
    bits of the results are those of `Network.predict_proba` or `Network.forward`.

    Examples
    --------
    >>> from cnnfast import Network
    >>> fast = Network.load("mnist-mlp").compile(batch=2, threads=1)
    >>> result = np.empty((2, 10), np.float32)
    >>> fast(np.zeros((2, 28, 28), np.uint8), out=result) is result
    True
    """

    __slots__ = ("_arguments", "_network", "_run", "_settings")

    _network: Any
    _settings: Settings
    _run: Callable[[object, str | None, bool, int, Array | None], Array | None]
    _arguments: tuple[str | None, bool, int]

    def __init__(self, network: Any, settings: Settings, entry: Entry) -> None:
        values = (
            ("_network", network),
            ("_settings", settings),
            ("_run", entry.run),
            ("_arguments", (settings.layout, settings.nan == "raise", settings.threads)),
        )
        for name, value in values:
            object.__setattr__(self, name, value)

    def __call__(self, images: Array, out: Array | None = None) -> Array:
        """Compute the results of a batch.

        Parameters
        ----------
        images : uint8 or float32 array
            As for `Network.forward`; exactly as many as the function was made for.
        out : float32 array, optional
            Contiguous memory for the result, which is then the array that is returned.

        Raises
        ------
        InputError
            If images or ``out`` do not fit.
        """
        layout, finite, threads = self._arguments
        result = self._run(images, layout, finite, of_call(threads), out)
        return self._explain(images, out) if result is None else result

    def _explain(self, images: object, out: object) -> Array:
        """Find out why an `Entry` has refused; what is only unusual, such as another byte order, runs the long way."""
        settings, network = self._settings, self._network
        (c, h, w) = (*network.input_shape, 1, 1)[:3]
        batch = as_images(images, (c, h, w), settings.layout)
        if len(batch) != settings.batch:
            raise InputError(
                f"this function was compiled for {settings.batch} images a call, but got {len(batch)}; "
                "compile another one, or use predict_proba or forward"
            )
        method = network.forward if settings.raw else network.predict_proba
        result: Array = method(images, layout=settings.layout, nan=settings.nan, threads=settings.threads, out=out)
        return result

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a compiled network is immutable; compile another one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a compiled network is immutable; compile another one")

    def __repr__(self) -> str:
        s = self._settings
        return f"<cnnfast.Compiled {self._network!r}, batch {s.batch}, {s.threads} threads>"

    def __reduce__(self) -> tuple[Any, ...]:
        s = self._settings
        return _compiled, (self._network, s.batch, s.threads, s.layout, s.nan, s.raw)


def _compiled(network: Any, batch: int, threads: int, layout: str | None, nan: str, raw: bool) -> Compiled:
    """Compile again what `Compiled.__reduce__` pickled."""
    made: Compiled = network.compile(batch=batch, threads=threads, layout=layout, nan=nan, raw=raw)
    return made


def checked_batch(batch: object) -> int:
    """Return a batch size as an int, or raise `ConfigError`."""
    if isinstance(batch, bool) or not isinstance(batch, int | np.integer) or batch < 1:
        raise ConfigError(f"batch must be an integer from 1 up, but is {batch!r}")
    return int(batch)
