"""What other processes do in tests: functions of a module that they can import however pytest was started."""

from __future__ import annotations

from pathlib import Path

from small_networks import photographs

from cnnfast import Network


def bits(net: Network, start: int, threads: int = 2) -> bytes:
    """Return the results of some photographs."""
    return net.forward(photographs()[start:], threads=threads).tobytes()


def mapped_kilobytes(net: Network) -> dict[str, int]:
    """Return what /proc says about the mapping that holds all weights of a network."""
    places = [array.ctypes.data for array in net.graph.constants.values()]
    lines = Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        if not line.endswith(".safetensors"):
            continue
        low, high = (int(part, 16) for part in line.split()[0].split("-"))
        if all(low <= place < high for place in places):
            fields = (row.split() for row in lines[index + 1 : index + 22])
            return {name.rstrip(":"): int(size) for name, size, *_ in fields if size.isdecimal()}
    return {}
