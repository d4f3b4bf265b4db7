"""Files that are often taken for models and are not read: each named for what it is, with the way out.

    kind.py       what an entry of these lists is
    texts.py      web pages, pointers of Git LFS, networks as JSON, XML or plain text
    binaries.py   networks of other engines, by their first bytes
    pickles.py    objects of Python; nothing of them is loaded
    archives.py   archives and compressed files, by what they hold
    folders.py    folders, by what is in them

All judge by content; what a file is called is never asked. `what_it_is` is asked when no reader knows a file.
"""

from __future__ import annotations

from pathlib import Path

from cnnfast.formats.unread import archives, binaries, folders, pickles, texts
from cnnfast.formats.unread.kind import Kind
from cnnfast.formats.unread.texts import LFS, lfs_advice

__all__ = ["KINDS", "LFS", "Kind", "lfs_advice", "what_it_is"]

KINDS: tuple[Kind, ...] = (*texts.KINDS, *binaries.KINDS, *pickles.KINDS)
"""Every kind that the first bytes of a file tell."""


def what_it_is(path: Path, head: bytes) -> str | None:
    """Return what a file or folder is and what to do about it, or None if it is of no kind known here.

    Parameters
    ----------
    path : Path
    head : bytes
        The first bytes of the file; empty for a folder.

    Examples
    --------
    >>> what_it_is(Path("net.onnx"), b"")
    'an empty file: its download or copy failed; get it again'
    """
    if path.is_dir():
        return folders.described(path)
    if not head:
        return "an empty file: its download or copy failed; get it again"
    return described(head) or archives.described(path, head, described) or folders.companion(path)


def described(head: bytes) -> str | None:
    """Return what the first bytes of a file tell."""
    return next((f"{kind.name}{kind.advice}" for kind in KINDS if kind.sniff(head)), None)
