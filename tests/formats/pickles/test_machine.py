"""The machine for pickles: what Python's own pickler writes, in every protocol, and programs that mean harm."""

from __future__ import annotations

import collections
import pickle
import time
from typing import Any

import pytest
from formats.pickles.assembled import text
from systems import posix

from cnnfast.errors import ModelFileError
from cnnfast.formats.pickles.calls import storage_of
from cnnfast.formats.pickles.inert import Global, Record
from cnnfast.formats.pickles.machine import MAX_STEPS, Machine
from cnnfast.formats.pickles.opcodes import STEPS


def run(program: bytes) -> Any:
    return Machine(memoryview(program), 0, storage_of).run(STEPS)


VALUES = [
    *(None, True, False, 0, 1, -1, 255, 256, 65536, -(1 << 31), 1 << 31, 1 << 100, -(1 << 100), 1.5, -0.0, 1e300),
    *("", "name", "größer", "a" * 300, [], [1], [1, 2, [3]], (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    *({}, {"a": 1}, {"a": {"b": [1, (2,)]}, 3: None}, {"x": "x", "y": ["x", "x"]}, list(range(2000))),
    collections.OrderedDict(a=1, b=[2]),
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value!r:.20}")
def test_plain_values(value: object, protocol: int) -> None:
    found = run(pickle.dumps(value, protocol))
    assert found == value
    assert type(found) in (type(value), dict)


def test_what_refers_to_itself() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for protocol in range(6):
        found = run(pickle.dumps(loop, protocol))
        assert found[0] is found


def test_names_are_names() -> None:
    for protocol in range(6):
        found = run(pickle.dumps(pickle.Pickler, protocol))
        assert isinstance(found, Global)
        assert found.name.endswith("ickle.Pickler")
        assert isinstance(run(pickle.dumps(1 + 2j, protocol)), Record)
        assert isinstance(run(pickle.dumps({1, 2}, protocol)), Record)


def test_all_instructions_are_known() -> None:
    import pickletools

    strange = {ord(op.code): op.name for op in pickletools.opcodes if ord(op.code) not in STEPS}
    assert set(strange.values()) == {"EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER", "READONLY_BUFFER", "STOP"}


PROGRAMS = {
    "tuples of tuples as keys": b"}(" + b")" + b"2\x86" * 4000 + b"Nu.",
    "a tuple of tuples of tuples": b")" + b"2\x86" * 100_000 + b".",
    "lists, one in the other": b"](" * 100_000 + b"e" * 100_000 + b".",
    "long keys that are compared": b"}(" + (text("a" * 100_000) + b"N") * 50 + b"u.",
}


PLAIN = b"N0" * 100_000 + b"N."
"""As many instructions as the longest of these, none of them with intent."""


def seconds(program: bytes) -> float:
    """Return the CPU time that a program takes."""
    start = time.process_time()
    run(program)
    return time.process_time() - start


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_that_mean_harm_end_at_once(name: str) -> None:
    """A program without intent is the measure, on a busy machine too; quadratic time would be a thousand times that."""
    assert seconds(PROGRAMS[name]) < 20 * seconds(PLAIN)


@pytest.mark.parametrize(
    ("program", "rule"),
    [
        (b"", "it ends"),
        (b"\x80\x02", "it ends"),
        (b".", "empty stack"),
        (b"(.", "empty stack"),
        (b"t.", "no mark"),
        (b"h\x05.", "nothing was kept as number 5"),
        (b"X\xff\xff\xff\x7fabc.", "2147483647 bytes should follow"),
        (b"\x8d" + b"\xff" * 8 + b"abc.", "bytes should follow"),
        (b"\x8b\xff\xff\xff\x7f.", "bytes should follow"),
        (b"Iabc\n.", "is not an integer"),
        (b"I" + b"9" * 3000 + b"\n.", "is not an integer"),
        (b"I" + b"9" * 5000 + b"\n.", "a line does not end"),
        (b"Fabc\n.", "is not a number"),
        (b"p\xff\n.", "is not a number of a kept value"),
        (b"K\x01K\x02a.", "appends to a int"),
        (b"K\x01K\x02K\x03s.", "sets items of a int"),
        (b"}(K\x01u.", "a key has no value"),
        (b"cos\nsystem\nK\x01R.", "not a tuple"),
        (b"\x82\x01.", "no instruction"),
        (b"Pabc\n.", "no instruction"),
        (b"N0" * (MAX_STEPS // 2 + 1) + b".", "more than 1000000 instructions"),
    ],
)
def test_damage(program: bytes, rule: str) -> None:
    with pytest.raises(ModelFileError, match=rule):
        run(program)


@posix
def test_numbers_of_kept_values_take_no_memory() -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert run(b"Nr\xff\xff\xff\xff0j\xff\xff\xff\xff.") is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000
