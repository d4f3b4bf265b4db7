"""Errors of a reader, with the file's name in front."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from cnnfast.errors import CnnfastError, ConfigError, GraphError, ModelFileError, UnsupportedError

MAX_MESSAGE = 4000
"""A message may quote a value of the file, and that may be megabytes long."""


@contextmanager
def error_context(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what goes wrong inside into a `ModelFileError` (or `UnsupportedError`) that names the file.

    Examples
    --------
    >>> with error_context("net.json"):
    ...     raise GraphError("node 'conv1': no such weight")
    Traceback (most recent call last):
    cnnfast.errors.ModelFileError: net.json: node 'conv1': no such weight
    """
    try:
        yield
    except UnsupportedError as error:
        raise UnsupportedError(f"{path}: {error}") from error
    except (GraphError, ConfigError, ModelFileError) as error:
        raise ModelFileError(f"{path}: {_short(str(error))}") from error
    except OSError as error:
        raise ModelFileError(f"{path}: the model file cannot be read: {error.strerror or error}") from error


@contextmanager
def net(what: str) -> Iterator[None]:
    """Turn an exception of another making into a `ModelFileError` that says what could not be read.

    It is a net below checks, no replacement for them: what falls into it keeps its cause, and a fuzzer looks for it.

    Examples
    --------
    >>> with net("node 'conv1'"):
    ...     [][0]
    Traceback (most recent call last):
    cnnfast.errors.ModelFileError: node 'conv1' cannot be read: IndexError: list index out of range
    """
    try:
        yield
    except CnnfastError:
        raise
    except Exception as error:
        raise ModelFileError(f"{what} cannot be read: {type(error).__name__}: {str(error)[:200]}") from error


def _short(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}… ({len(message)} characters)"


def name_of(path: str | os.PathLike[str]) -> str:
    r"""Return what a file is called, as text that can be written anywhere: a name need not be text.

    Examples
    --------
    >>> name_of("folder/net-\udce9.h5")
    'net-\\udce9.h5'
    """
    return os.path.basename(os.fspath(path)).encode("utf-8", "backslashreplace").decode()
