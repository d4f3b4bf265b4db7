"""Files of `torch.save` that a stranger might write: checkpoints with odd tensors, and pickles with odd instructions.

Damage to bytes rarely gets past the checksums of the archive; here the containers are whole, and what is wrong is what
the pickle says.
"""

from __future__ import annotations

import itertools
import pickletools
import struct

import numpy as np
from formats.pickles.assembled import (
    STORAGES,
    archive,
    call,
    integer,
    mapping,
    pickled,
    sequence,
    storage,
    stream,
    text,
    view,
)
from formats.weights.small import small_state
from fuzz.random_safetensors import random_options

__all__ = ["random_file", "random_options"]

Rng = np.random.Generator

NAMES = ("state_dict", "model", "ema", "net", "optimizer", "x", "0", "state_dict.model", "é", "", "a" * 5000)
GLOBALS = (
    *("torch._utils\n_rebuild_tensor_v2", "torch._utils\n_rebuild_tensor_v3", "torch._utils\n_rebuild_parameter"),
    *("torch._tensor\n_rebuild_from_type_v2", "torch.nn.parameter\nParameter", "torch\nfloat32", "torch\nSize"),
    *("collections\nOrderedDict", "collections\ndefaultdict", "os\nsystem", "builtins\ngetattr", "torch\nFloatStorage"),
)
SIZES = (0, 1, 2, 3, 30, -1, 2**20, 2**31, 2**40, 2**47, 2**62, 10**18)
KINDS = (*STORAGES.values(), "BFloat16Storage", "ComplexFloatStorage", "QInt8Storage", "UntypedStorage", "")


def _one(rng: Rng, values: tuple) -> object:
    return values[int(rng.integers(len(values)))]


def random_file(rng: Rng, odd: float = 0.1) -> bytes:
    """Return a file; ``odd`` is how much is nonsense."""
    rows: dict[str, tuple[int, bytes]] = {}
    body = _nested(rng, odd, _state(rng, odd, rows))
    if rng.random() < 2 * odd:
        body = _edited(body, rng, odd)
    if rng.random() < odd:
        key = str(int(rng.integers(9)))
        rows[key] = (int(_one(rng, (0, 5, 7))), bytes(int(rng.integers(50))))
    if rng.random() < 0.6:
        order = _one(rng, ("little", "big", None, "middle"))
        return archive(body, {key: row for key, (_, row) in rows.items()}, order)  # type: ignore[arg-type]
    return stream(body, rows, bool(rng.random() < 0.8))


def _state(rng: Rng, odd: float, rows: dict[str, tuple[int, bytes]]) -> bytes:
    prefix = _one(rng, ("", "", "module.", "model."))
    items = {}
    for name, array in small_state().items():
        key = str(len(rows))
        rows[key] = (array.size, array.tobytes())
        items[f"{prefix}{name}"] = _tensor(rng, odd, key, array)
        if rng.random() < odd / 4:
            items[f"more.{name}"] = items[f"{prefix}{name}"]
    return mapping(items)


def _tensor(rng: Rng, odd: float, key: str, array: np.ndarray) -> bytes:
    kind, count, offset = STORAGES[array.dtype.str[1:]], array.size, 0
    shape, strides = list(array.shape), [step // array.itemsize for step in array.strides]
    if rng.random() < odd / 2:
        match int(rng.integers(7)):
            case 0:
                kind = str(_one(rng, KINDS))
            case 1:
                count = int(_one(rng, SIZES))  # type: ignore[call-overload]
            case 2:
                offset = int(_one(rng, SIZES))  # type: ignore[call-overload]
            case 3:
                shape[int(rng.integers(len(shape)))] = int(_one(rng, SIZES))  # type: ignore[call-overload]
            case 4:
                strides[int(rng.integers(len(strides)))] = int(_one(rng, SIZES))  # type: ignore[call-overload]
            case 5:
                shape.append(1)
            case _:
                key = str(_one(rng, ("0", "99", "../0", "", "é")))
    part = (sequence(text("v"), integer(int(rng.integers(4))), integer(int(rng.integers(40)))),)
    made = view(storage(key, kind, count, *(part if rng.random() < odd / 8 else ())), offset, shape, strides)
    if rng.random() < 0.1:
        made = call("torch._utils._rebuild_parameter", made, b"\x88", b"}")
    return made


def _nested(rng: Rng, odd: float, state: bytes) -> bytes:
    for _ in range(int(rng.integers(3)) + int(rng.random() < odd) * int(rng.integers(9))):
        content = {str(_one(rng, NAMES)): integer(7), "args": b"cargparse\nNamespace\n)\x81}b"}
        if rng.random() < odd:
            content["other"] = state
        state = mapping(content | {str(_one(rng, NAMES if rng.random() < odd else NAMES[:4])): state})
        if rng.random() < odd:
            state = b"](" + state + state * (rng.random() < 0.3) + b"e"
    return state


def _edited(body: bytes, rng: Rng, odd: float) -> bytes:
    """Change some instructions of a pickle; what they are is known from Python's own table."""
    program = pickled(body)
    places = [place for _, _, place in pickletools.genops(program) if place is not None]
    steps = [program[here:there] for here, there in itertools.pairwise(places[1:])]
    for _ in range(1 + rng.binomial(20, odd)):
        at = int(rng.integers(len(steps) + 1))
        match int(rng.integers(4)):
            case 0:
                steps.insert(at, _instruction(rng))
            case 1:
                del steps[at : at + 1]
            case 2:
                steps[at:at] = steps[at : at + 1] * int(_one(rng, (1, 2, 300)))  # type: ignore[call-overload]
            case _:
                other = int(rng.integers(len(steps) + 1))
                steps[at : at + 1] = steps[other : other + 1]
    return b"".join(steps)


def _instruction(rng: Rng) -> bytes:
    """Return any instruction, with an argument that fits it or does not."""
    opcode = pickletools.opcodes[int(rng.integers(len(pickletools.opcodes)))]
    code, argument = opcode.code.encode("latin-1"), opcode.arg
    if argument is None:
        return code
    if argument.n >= 0:
        return code + bytes(int(value) for value in rng.integers(0, _one(rng, (2, 256)), argument.n))  # type: ignore[call-overload]
    if code in (b"c", b"i"):
        return code + str(_one(rng, GLOBALS)).encode() + b"\n"
    if argument.n == pickletools.UP_TO_NEWLINE:
        return code + str(_one(rng, ("0", "1", "-5", "1L", "x", "'x'", "1e400", "9" * 50))).encode() + b"\n"
    raw = bytes(int(value) for value in rng.integers(97, 123, int(_one(rng, (0, 1, 5, 300)))))  # type: ignore[call-overload]
    stated = len(raw) if rng.random() < 0.8 else int(_one(rng, (0, 2**31 - 1)))  # type: ignore[call-overload]
    width = {pickletools.TAKEN_FROM_ARGUMENT1: "<B", pickletools.TAKEN_FROM_ARGUMENT8U: "<Q"}.get(argument.n, "<I")
    return code + struct.pack(width, stated & 0xFF if width == "<B" else stated) + raw
