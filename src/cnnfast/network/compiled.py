"""A network prepared for calls that are all alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from cnnfast._frozen import frozen
from cnnfast.errors import InputError
from cnnfast.images.arrays import FINITE, NEAR, FindAxes, InputRules, as_images
from cnnfast.ops import Array
from cnnfast.runtime.arguments import whole
from cnnfast.runtime.dispatch import Entry
from cnnfast.runtime.threads import of_call


@frozen
class Settings:
    """What `Network.compile` was told."""

    batch: int
    threads: int
    layout: str | None
    nan_policy: str
    outliers: str
    raw: bool


class Compiled:
    """A function from a fixed number of images to their results, made by `Network.compile`.

    It is immutable, may be shared between threads, and can be pickled. Images are NumPy arrays of uint8 or float32; the
    bits of the results are those of `Network.predict_proba` or `Network.forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnfast import Network
    >>> fast = Network.load("mnist-mlp").compile(batch=2, threads=1)
    >>> result = np.empty((2, 10), np.float32)
    >>> fast(np.zeros((2, 28, 28), np.uint8), out=result) is result
    True
    """

    __slots__ = ("_arguments", "_find_axes", "_network", "_rules", "_run", "_settings")

    _network: Any
    _settings: Settings
    _rules: InputRules
    _find_axes: FindAxes
    _run: Callable[[object, str | None, int, int, Array | None], Array | None]
    _arguments: tuple[str | None, int, int]

    def __init__(self, network: Any, settings: Settings, entry: Entry, rules: InputRules) -> None:
        checks = FINITE * (settings.nan_policy == "raise") + NEAR * (settings.outliers == "raise")
        values = (
            ("_network", network),
            ("_settings", settings),
            ("_rules", rules),
            ("_find_axes", entry.axes),
            ("_run", entry.run),
            ("_arguments", (settings.layout, checks, settings.threads)),
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
        layout, checks, threads = self._arguments
        result = self._run(images, layout, checks, of_call(threads), out)
        return self._explain(images, out) if result is None else result

    def _explain(self, images: object, out: object) -> Array:
        """Find out why an `Entry` has refused; what is only unusual, such as another byte order, takes the long way."""
        settings, network = self._settings, self._network
        batch = as_images(images, self._rules, self._find_axes, settings.layout)
        if len(batch) != settings.batch:
            raise InputError(
                f"this function was compiled for {settings.batch} images per call, but got {len(batch)}; "
                "compile another one, or use predict_proba or forward"
            )
        method = network.forward if settings.raw else network.predict_proba
        policies = {"layout": settings.layout, "nan_policy": settings.nan_policy, "outliers": settings.outliers}
        result: Array = method(images, **policies, threads=settings.threads, out=out)
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
        options = {"batch": s.batch, "threads": s.threads, "layout": s.layout}
        return _compiled, (self._network, {**options, "nan_policy": s.nan_policy, "outliers": s.outliers, "raw": s.raw})


def _compiled(network: Any, options: Mapping[str, Any]) -> Compiled:
    """Compile again what `Compiled.__reduce__` pickled."""
    made: Compiled = network.compile(**options)
    return made


MAX_IMAGES = 1 << 31
"""Of a batch: results of more would not fit into any memory."""


def checked_batch(batch: object) -> int:
    """Return a batch size as an int, or raise `ConfigError`."""
    return whole("batch", batch, least=1, most=MAX_IMAGES)
