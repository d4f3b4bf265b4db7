"""The instructions of pickle, protocols 0 to 5, as documented in Python's ``pickletools``."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any

from cnnfast.formats.pickles.calls import called
from cnnfast.formats.pickles.inert import Global, Record
from cnnfast.formats.pickles.machine import LARGEST_NUMBER, LONGEST_KEY, MARK, Machine, Step

STEPS: dict[int, Step] = {}
"""Every instruction by its byte, except those for the registry of extensions and for buffers outside the file."""


def _step(*codes: bytes) -> Callable[[Step], Step]:
    def enter(step: Step) -> Step:
        for code in codes:
            STEPS[code[0]] = step
        return step

    return enter


def _enter_constants() -> None:
    for code, value in ((b"N", None), (b"\x88", True), (b"\x89", False), (b")", ()), (b"(", MARK)):
        STEPS[code[0]] = lambda m, value=value: m.push(value)  # type: ignore[misc]
    for code, empty in ((b"]", list), (b"}", dict)):
        STEPS[code[0]] = lambda m, empty=empty: m.push(empty())  # type: ignore[misc]
    STEPS[b"\x8f"[0]] = lambda m: m.push(Record("set"))


def _enter_sized() -> None:
    """Enter numbers and texts whose sizes precede them, or are fixed."""
    for code, size, signed in ((b"K", 1, False), (b"M", 2, False), (b"J", 4, True)):
        STEPS[code[0]] = lambda m, size=size, signed=signed: m.push(m.number(size, signed))  # type: ignore[misc]
    for code, size in ((b"\x8a", 1), (b"\x8b", 4)):
        STEPS[code[0]] = lambda m, size=size: _integer(m, m.number(size))  # type: ignore[misc]
    # texts of Python 3, and the byte strings of Python 2, which were its names
    for code, size in ((b"X", 4), (b"\x8c", 1), (b"\x8d", 8), (b"T", 4), (b"U", 1)):
        STEPS[code[0]] = lambda m, size=size: m.push(m.text(m.number(size)))  # type: ignore[misc]
    for code, size in ((b"B", 4), (b"C", 1), (b"\x8e", 8), (b"\x96", 8)):
        STEPS[code[0]] = lambda m, size=size: _bytes(m, m.number(size))  # type: ignore[misc]
    for code, size in ((b"q", 1), (b"r", 4)):
        STEPS[code[0]] = lambda m, size=size: m.remember(m.number(size))  # type: ignore[misc]
    for code, size in ((b"h", 1), (b"j", 4)):
        STEPS[code[0]] = lambda m, size=size: m.recall(m.number(size))  # type: ignore[misc]


def _integer(m: Machine, size: int) -> None:
    raw = m.take(size)
    m.push(int.from_bytes(raw, "little", signed=True) if size <= LARGEST_NUMBER else Record("int"))


def _bytes(m: Machine, size: int) -> None:
    m.take(size)
    m.push(Record("bytes"))


_enter_constants()
_enter_sized()


@_step(b"\x80")
def protocol(m: Machine) -> None:
    """State the protocol; its instructions are known or not."""
    m.take(1)


@_step(b"\x95")
def frame(m: Machine) -> None:
    """State how many bytes belong together."""
    m.take(8)


@_step(b"0")
def pop(m: Machine) -> None:
    """Drop a value, or a mark."""
    if m.stack and m.stack[-1] is MARK:
        m.stack.pop()
    else:
        m.pop()


@_step(b"1")
def pop_mark(m: Machine) -> None:
    """Drop all up to the mark."""
    m.pop_to_mark()


@_step(b"2")
def duplicate(m: Machine) -> None:
    """Put the value on top once more."""
    m.push(m.top)


@_step(b"G")
def binary_float(m: Machine) -> None:
    """Eight bytes, the highest first."""
    m.push(struct.unpack(">d", m.take(8))[0])


@_step(b"F")
def text_float(m: Machine) -> None:
    """Read a number in decimal."""
    line = m.line()
    try:
        m.push(float(line))
    except ValueError:
        raise m.damaged(f"{line[:40]!r} is not a number") from None


@_step(b"I", b"L")
def text_integer(m: Machine) -> None:
    """Read an integer in decimal; 00 and 01 are False and True."""
    line = m.line().removesuffix("L")
    if line in ("00", "01"):
        m.push(line == "01")
    elif line.removeprefix("-").isdecimal() and len(line) < 40:
        m.push(int(line))
    else:
        raise m.damaged(f"{line[:40]!r} is not an integer")


@_step(b"V")
def line_of_text(m: Machine) -> None:
    """Read a text of protocol 0."""
    line = m.line()
    try:
        m.push(line.encode("latin-1").decode("raw-unicode-escape"))
    except UnicodeError:
        raise m.damaged(f"{line[:40]!r} is not a text") from None


@_step(b"S")
def quoted_text(m: Machine) -> None:
    """Read a byte string of protocol 0; its escapes are not undone, since no name has any."""
    m.push(m.line().strip("'\""))


@_step(b"\x85", b"\x86", b"\x87")
def small_tuple(m: Machine) -> None:
    """Make a tuple of one, two or three values."""
    values = [m.pop() for _ in range(m.data[m.at - 1] - 0x84)]
    m.push(tuple(values[::-1]))


@_step(b"t")
def marked_tuple(m: Machine) -> None:
    """Make a tuple of all up to the mark."""
    m.push(tuple(m.pop_to_mark()))


@_step(b"l")
def marked_list(m: Machine) -> None:
    """Make a list of all up to the mark."""
    m.push(m.pop_to_mark())


@_step(b"d")
def marked_dict(m: Machine) -> None:
    """Make a dictionary of all up to the mark."""
    result: dict[Any, Any] = {}
    _fill(m, result, m.pop_to_mark())
    m.push(result)


@_step(b"\x91")
def frozen_set(m: Machine) -> None:
    """Stand for a set: it would have to compare its elements."""
    m.pop_to_mark()
    m.push(Record("frozenset"))


@_step(b"a")
def append(m: Machine) -> None:
    """Append one value to a list."""
    value = m.pop()
    _extend(m, [value])


@_step(b"e", b"\x90")
def append_all(m: Machine) -> None:
    """Append all up to the mark to a list, or add them to a set."""
    _extend(m, m.pop_to_mark())


def _extend(m: Machine, values: list[Any]) -> None:
    target = m.top
    if isinstance(target, list):
        target.extend(values)
    elif not isinstance(target, Record):
        raise m.damaged(f"it appends to a {type(target).__name__}")


@_step(b"s")
def set_item(m: Machine) -> None:
    """Put one value into a dictionary."""
    value, key = m.pop(), m.pop()
    _fill(m, m.top, [key, value])


@_step(b"u")
def set_items(m: Machine) -> None:
    """Put all up to the mark into a dictionary, keys and values in turn."""
    values = m.pop_to_mark()
    _fill(m, m.top, values)


def _fill(m: Machine, target: Any, values: list[Any]) -> None:
    if len(values) % 2:
        raise m.damaged("a key has no value")
    if isinstance(target, dict):
        target.update(zip(map(_key, values[::2]), values[1::2], strict=True))
    elif not isinstance(target, Record):
        raise m.damaged(f"it sets items of a {type(target).__name__}")


def _key(value: Any) -> Any:
    """Return a key that is compared quickly: comparing nested tuples can take forever, long texts long."""
    if isinstance(value, str) and len(value) > LONGEST_KEY:
        return Record("str")
    return value if value is None or isinstance(value, str | int | float) else Record("key")


@_step(b"p", b"g")
def text_memo(m: Machine) -> None:
    """Keep or recall a value under a number in decimal."""
    keeps = m.data[m.at - 1] == ord("p")
    line = m.line()
    if not line.isdecimal() or len(line) > 10:
        raise m.damaged(f"{line[:40]!r} is not a number of a kept value")
    (m.remember if keeps else m.recall)(int(line))


@_step(b"\x94")
def memoize(m: Machine) -> None:
    """Keep the value on top under the next number."""
    m.remember(len(m.memo))


@_step(b"c")
def global_by_line(m: Machine) -> None:
    """Name a class or function."""
    m.push(m.named(f"{m.line()}.{m.line()}"))


@_step(b"\x93")
def global_by_stack(m: Machine) -> None:
    """Name a class or function by two texts."""
    name, module = m.pop(), m.pop()
    if not isinstance(name, str) or not isinstance(module, str) or len(name) + len(module) > LONGEST_KEY:
        raise m.damaged("the name of a class is not a text")
    m.push(m.named(f"{module}.{name}"))


@_step(b"i")
def instance_by_line(m: Machine) -> None:
    """Stand for an instance of a named class."""
    name = f"{m.line()}.{m.line()}"
    m.pop_to_mark()
    m.push(Record(name))


@_step(b"o")
def instance_by_stack(m: Machine) -> None:
    """Stand for an instance of a class below its arguments."""
    values = m.pop_to_mark()
    m.push(_made(m, values[0] if values else None, values[1:]))


@_step(b"R", b"\x81")
def reduce(m: Machine) -> None:
    """Stand for what a function returns, or for a new instance."""
    arguments, function = m.pop(), m.pop()
    m.push(_made(m, function, arguments))


@_step(b"\x92")
def new_with_keywords(m: Machine) -> None:
    """Stand for a new instance; keywords have no meaning for any call that is known."""
    _, arguments, function = m.pop(), m.pop(), m.pop()
    m.push(_made(m, function, arguments))


def _made(m: Machine, function: Any, arguments: Iterable[Any] | Any) -> Any:
    if isinstance(function, Global):
        if not isinstance(arguments, tuple | list):
            raise m.damaged(f"the arguments of {function.name:.80} are not a tuple")
        return called(function, tuple(arguments))
    return Record(function.name if isinstance(function, Record) else type(function).__name__)


@_step(b"b")
def build(m: Machine) -> None:
    """Drop what an instance would be filled with; dictionaries and tensors have attributes that nothing needs."""
    m.pop()
    m.top  # noqa: B018  (there must be one)


@_step(b"Q")
def persistent(m: Machine) -> None:
    """Stand for an object that is outside the pickle."""
    m.push(m.persistent(m.pop()))
