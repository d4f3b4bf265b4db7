"""The words of a command, as a shell takes them and as others may see them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))


def command_line(words: Iterable[str]) -> str:
    """Return a command that can be pasted into the shell of this system.

    Examples
    --------
    >>> command_line(["find", "cat", "photos"])
    'find cat photos'
    """
    if os.name == "nt":
        from subprocess import list2cmdline

        return list2cmdline(words)
    return shlex.join(words)


def without_folders(words: Iterable[str]) -> list[str]:
    """Return the words of a command with names of files only: folders tell of the machine and its user.

    Examples
    --------
    >>> without_folders(["train", "/home/me/photos/", "--out=/tmp/net.onnx", "--augment", "cutout=3"])
    ['train', 'photos', '--out=net.onnx', '--augment', 'cutout=3']
    """
    found = []
    for word in words:
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        is_path = any(separator in value for separator in SEPARATORS)
        found.append(option + equals + (Path(value).name if is_path else value))
    return found
