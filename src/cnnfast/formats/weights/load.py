"""`cnnfast.load_weights`: the tensors of a file by name, without a network."""

from __future__ import annotations

import os

from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats import detect
from cnnfast.formats.error_context import error_context
from cnnfast.formats.weights import safetensors, torch
from cnnfast.ops import Array
from cnnfast.runtime.arguments import path_of


def load_weights(path: str | os.PathLike[str], key: str | None = None) -> dict[str, Array]:
    """Read the tensors of a file of PyTorch, which is not needed, or a safetensors file; nothing in it is executed.

    Parameters
    ----------
    path : path-like
        What ``torch.save`` wrote of a state dict or a checkpoint, or a safetensors file.
    key : str, optional
        Where in the file they are: keys of a checkpoint with dots between, or what the names begin with.

    Returns
    -------
    dict of str to array
        Read-only, in the order of the file; bfloat16 and float16 as float32.

    Raises
    ------
    ModelFileError
        If the file is damaged or no file of weights, or holds none there.

    Examples
    --------
    >>> weights = load_weights("net.pth")  # doctest: +SKIP
    >>> weights["fc.weight"].shape  # doctest: +SKIP
    (10, 84)
    """
    if key is not None and not isinstance(key, str):
        raise ConfigError(f'key must be a text such as "model" or "ema.state_dict", but is {key!r:.80}')
    path = path_of("the file of weights", path, ModelFileError)
    entry = detect(path)
    with error_context(path):
        if entry is torch.FORMAT:
            return torch.load(path, key)[0]
        if entry is safetensors.FORMAT or entry.name == "cnnfast":
            return safetensors.load(path, key)
        raise ConfigError(f"is a file of the format {entry.name}, not of weights alone; read it with Network.load")
