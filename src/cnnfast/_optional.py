"""Packages that cnnfast does without unless something is asked for that needs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cnnfast.errors import ConfigError


@contextmanager
def needs(what: str, install: str) -> Iterator[None]:
    """Turn a failing import into a `ConfigError` that says what to install.

    Examples
    --------
    >>> with needs("reading ONNX files", "cnnfast[onnx]"):
    ...     import no_such_package
    Traceback (most recent call last):
    cnnfast.errors.ConfigError: reading ONNX files needs a package that cannot be imported (No module named ...
    """
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f'{what} needs a package that cannot be imported ({error}); install it: pip install "{install}"'
        ) from error
