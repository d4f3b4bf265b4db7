"""Places every value in one arena, so that values which are never alive together share memory."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from cnnfast.plan.step import Step

ALIGNMENT = 16
"""Elements between possible places: in layout nchw 64 bytes, a cache line and the widest vector register."""

MAX_BY_SIZE = 1000
"""Buffers up to which the smaller arena is worth the time of looking at every pair."""


@dataclass(eq=False, repr=False)
class Buffer:
    """Memory that one value needs, or several that share it: an alias, or an operation in place."""

    size: int
    first: int
    last: int
    offset: int = -1


def place(
    steps: Sequence[Step],
    size: Callable[[str], int],
    inputs: Iterable[str],
    outputs: Iterable[str],
    aliases: Mapping[str, str],
) -> tuple[dict[str, int], list[int], int]:
    """Return the place of each value, the place of each step's workspace, and the size of the arena, in elements.

    Parameters
    ----------
    steps : sequence of Step
    size : callable
        Gives the size of a value.
    inputs, outputs : iterable of str
        Values that exist before the first step, and that are read after the last.
    aliases : mapping of str to str
        Values that are another value under a new shape.
    """
    last = _last_uses(steps, outputs, aliases)
    buffers: dict[str, Buffer] = {}
    for name in inputs:
        buffers[name] = Buffer(size(name), -1, last.get(name, -1))
    for index, step in enumerate(steps):
        if step.result in buffers:
            continue
        shared = _free_operand(step, index, size, buffers, aliases) if step.in_place else None
        if shared is None:
            buffers[step.result] = Buffer(size(step.result), index, last.get(step.result, index))
        else:
            shared.last = max(shared.last, last.get(step.result, index))
            buffers[step.result] = shared
    workspaces = [Buffer(step.workspace, index, index) for index, step in enumerate(steps)]
    arena = _assign([*dict.fromkeys(buffers.values()), *workspaces])
    places = {name: buffers[root(name, aliases)].offset for name in (*buffers, *aliases)}
    return places, [workspace.offset for workspace in workspaces], arena


def root(name: str, aliases: Mapping[str, str]) -> str:
    """Return the value whose memory a name stands for."""
    while name in aliases:
        name = aliases[name]
    return name


def _last_uses(steps: Sequence[Step], outputs: Iterable[str], aliases: Mapping[str, str]) -> dict[str, int]:
    last: dict[str, int] = {}
    for index, step in enumerate(steps):
        for name in (*step.reads(), step.result):
            last[root(name, aliases)] = index
    for name in outputs:
        last[root(name, aliases)] = len(steps)
    return last


def _free_operand(
    step: Step, index: int, size: Callable[[str], int], buffers: Mapping[str, Buffer], aliases: Mapping[str, str]
) -> Buffer | None:
    """Return the memory of the first operand if nothing reads it after this step and the result fits exactly."""
    source = step.operands[0]
    if not isinstance(source, str) or size(source) != size(step.result):
        return None
    buffer = buffers[root(source, aliases)]
    return buffer if buffer.last == index else None


def _assign(buffers: Iterable[Buffer]) -> int:
    """Give each buffer an offset that is free for its whole life, and return the end."""
    wanted = []
    for buffer in buffers:
        buffer.offset = 0
        if buffer.size:
            wanted.append(buffer)
    return _by_size(wanted) if len(wanted) <= MAX_BY_SIZE else _by_time(wanted)


def _by_size(buffers: Sequence[Buffer]) -> int:
    """Place the largest buffer first, each as low as possible: a small arena, but every pair is examined."""
    placed: list[Buffer] = []
    end = 0
    for buffer in sorted(buffers, key=lambda b: (-b.size, b.first)):
        offset = 0
        for other in sorted((p for p in placed if _overlap(p, buffer)), key=lambda b: b.offset):
            if offset + buffer.size <= other.offset:
                break
            offset = max(offset, _aligned(other.offset + other.size))
        buffer.offset = offset
        placed.append(buffer)
        end = max(end, offset + buffer.size)
    return _aligned(end)


def _by_time(buffers: Sequence[Buffer]) -> int:
    """Place buffers as they come to life, each in the smallest gap that holds it: n log n."""
    arena = _Gaps()
    alive: list[tuple[int, int, int]] = []
    for buffer in sorted(buffers, key=lambda b: (b.first, -b.size)):
        while alive and alive[0][0] < buffer.first:
            _, offset, size = heappop(alive)
            arena.give_back(offset, size)
        size = _aligned(buffer.size)
        buffer.offset = arena.take(size)
        heappush(alive, (buffer.last, buffer.offset, size))
    return arena.end


class _Gaps:
    """The free places of an arena that grows where none of them is large enough."""

    def __init__(self) -> None:
        self.end = 0
        self._by_size: list[tuple[int, int]] = []
        self._by_start: dict[int, int] = {}
        self._by_end: dict[int, int] = {}

    def take(self, size: int) -> int:
        """Return where a place of this size begins."""
        found = bisect_left(self._by_size, (size, 0))
        if found < len(self._by_size):
            length, start = self._by_size[found]
        else:
            # the arena grows, from its last gap if that reaches to the end
            length = self._by_end.get(self.end, 0)
            start = self.end - length
        if length:
            self._forget(start, length)
        if length > size:
            self._keep(start + size, length - size)
        self.end = max(self.end, start + size)
        return start

    def give_back(self, start: int, size: int) -> None:
        """Free a place, and join it with adjacent gaps."""
        if before := self._by_end.get(start):
            self._forget(start - before, before)
            start, size = start - before, size + before
        if behind := self._by_start.get(start + size):
            self._forget(start + size, behind)
            size += behind
        self._keep(start, size)

    def _keep(self, start: int, size: int) -> None:
        self._by_start[start] = self._by_end[start + size] = size
        insort(self._by_size, (size, start))

    def _forget(self, start: int, size: int) -> None:
        del self._by_start[start], self._by_end[start + size]
        del self._by_size[bisect_left(self._by_size, (size, start))]


def _overlap(a: Buffer, b: Buffer) -> bool:
    return a.first <= b.last and b.first <= a.last


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT
