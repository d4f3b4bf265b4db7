"""Every error that cnnfast raises on purpose.

A message says what failed, the value seen, the rule, where, and what to do. All of them derive from `CnnfastError`, so
one `except` catches them; each also derives from the built-in error that a caller would have expected.
"""


class CnnfastError(Exception):
    """Base class of every error that cnnfast raises on purpose."""


class GraphError(CnnfastError, ValueError):
    """A network that cannot exist: shapes that do not fit, a cycle, a missing weight, an attribute out of range."""


class UnsupportedError(CnnfastError, NotImplementedError):
    """Something that a file may contain and cnnfast does not run; all of it is listed at once."""


class ModelFileError(CnnfastError, ValueError):
    """A model file that is damaged, truncated, of an unknown version, or not a model file."""


class InputError(CnnfastError, ValueError):
    """An array of images that the network cannot take."""


class PictureError(CnnfastError, OSError):
    """A picture that cannot be read, with its name and the reason."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.path, self.reason)


class OutputError(CnnfastError, OSError):
    """A file that cannot be written where it was wanted."""


class DataError(CnnfastError, ValueError):
    """A data set that is damaged, incomplete or of an unknown kind."""


class ConfigError(CnnfastError, ValueError):
    """A setting (argument, environment variable) outside what it may be."""


class TrainingError(CnnfastError, ArithmeticError):
    """Training that went astray: the loss is no longer a number. ``network`` is the last good one, or None."""

    def __init__(self, message: str, network: object = None) -> None:
        super().__init__(message)
        self.network = network

    def __reduce__(self) -> tuple[type, tuple[str, object]]:
        return type(self), (str(self), self.network)


class BusyError(CnnfastError, RuntimeError):
    """More work than can be taken now: a queue that is full, or one that is being closed."""


class LateError(CnnfastError, TimeoutError):
    """A result that was not there in time; it is not computed any more, or is thrown away."""
