"""The machine that a pickle is a program for, without a way to import, call or build anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnnfast.errors import ModelFileError
from cnnfast.formats.pickles.inert import Global, Record

MAX_STEPS = 1_000_000
"""A checkpoint of 1,000 tensors with its optimizer takes 100,000; the worst that a million make is 200 MB."""
LONGEST_TEXT = 1 << 16
"""Longer texts are not kept: UTF-8 may take four times as much in memory."""
LONGEST_KEY = 1 << 12
LONGEST_LINE = 1 << 12
USUAL_LINE = 1 << 6
LARGEST_NUMBER = 16
"""Bytes of an integer; the magic number of PyTorch has ten."""

Step = Callable[["Machine"], None]
MARK = object()


class Machine:
    """Runs one pickle of a buffer.

    Parameters
    ----------
    data : memoryview
        Of bytes; the pickle may end before it.
    at : int
        Where it begins.
    persistent : callable (object) -> object
        What stands for an object that is outside the pickle.

    Attributes
    ----------
    at : int
        The next byte.
    stack : list
    memo : dict of int to object
    """

    def __init__(self, data: memoryview, at: int, persistent: Callable[[Any], Any]) -> None:
        self.data, self.at, self.persistent = data, at, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._globals: dict[str, Global] = {}

    def run(self, steps: dict[int, Step]) -> Any:
        """Return what the pickle holds.

        Raises
        ------
        ModelFileError
            If it is damaged, too long, or asks for what no checkpoint needs.
        """
        for _ in range(MAX_STEPS):
            start = self.at
            code = self.take(1)[0]
            if code == ord("."):
                return self.pop()
            step = steps.get(code)
            if step is None:
                raise self.damaged(f"there is no instruction {bytes([code])!r}", start)
            step(self)
        raise ModelFileError(f"its pickle has more than {MAX_STEPS} instructions, far more than weights need")

    def damaged(self, reason: str, at: int | None = None) -> ModelFileError:
        """Return the error for a pickle that makes no sense."""
        return ModelFileError(f"its pickle is damaged at byte {self.at if at is None else at}: {reason}; get it again")

    def take(self, count: int) -> memoryview:
        """Return the next bytes."""
        if count > len(self.data) - self.at:
            raise self.damaged(f"it ends, but {count} bytes should follow")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int, signed: bool = False) -> int:
        """Return an integer of some bytes, the lowest first."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def line(self) -> str:
        """Return the text up to the end of the line."""
        for longest in (USUAL_LINE, LONGEST_LINE):
            text, end, _ = bytes(self.data[self.at : self.at + longest]).partition(b"\n")
            if end:
                break
        else:
            raise self.damaged(f"a line does not end within {LONGEST_LINE} bytes")
        self.at += len(text) + 1
        return text.decode("latin-1")

    def named(self, name: str) -> Global:
        """Return what stands for a class or function: one object, however often it is named."""
        if name not in self._globals:
            self._globals[name] = Global(name)
        return self._globals[name]

    def text(self, count: int) -> str | Record:
        """Return a text of some bytes; of one that is too long only that it is there."""
        raw = self.take(count)
        return Record("str") if count > LONGEST_TEXT else bytes(raw).decode("utf-8", "replace")

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop(self) -> Any:
        """Take a value off the stack."""
        if not self.stack or self.stack[-1] is MARK:
            raise self.damaged("it takes a value from an empty stack")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        """Take all values above the last mark, and the mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is MARK:
                values = self.stack[place + 1 :]
                del self.stack[place:]
                return values
        raise self.damaged("there is no mark")

    @property
    def top(self) -> Any:
        """The value on top."""
        if not self.stack or self.stack[-1] is MARK:
            raise self.damaged("the stack is empty")
        return self.stack[-1]

    def remember(self, place: int) -> None:
        """Keep the value on top under a number."""
        self.memo[place] = self.top

    def recall(self, place: int) -> None:
        """Put what is kept under a number on the stack."""
        if place not in self.memo:
            raise self.damaged(f"nothing was kept as number {place}")
        self.push(self.memo[place])
