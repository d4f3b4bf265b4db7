"""The functions whose meaning is known, none of which is called: what PyTorch writes for tensors, and dictionaries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnfast.errors import ModelFileError
from cnnfast.formats.pickles.inert import Global, Record, Storage, StoredTensor
from cnnfast.formats.tensors import BFLOAT16, MAX_RANK

LARGEST = 1 << 48
KINDS: dict[str, np.dtype[Any]] = {
    "double": np.dtype("<f8"),
    "float": np.dtype("<f4"),
    "half": np.dtype("<f2"),
    "bfloat16": BFLOAT16,
    "long": np.dtype("<i8"),
    "int": np.dtype("<i4"),
    "short": np.dtype("<i2"),
    "char": np.dtype("<i1"),
    "byte": np.dtype("<u1"),
    "bool": np.dtype("?"),
}
"""What the storages of PyTorch are named after."""
DTYPES: dict[str, np.dtype[Any]] = {
    **{f"float{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
    **{f"{sign}int{8 * size}": np.dtype(f"<{sign or 'i'}{size}") for sign in ("", "u") for size in (1, 2, 4, 8)},
    "bfloat16": BFLOAT16,
    "bool": np.dtype("?"),
}
PLAIN = ("torch._tensor.Tensor", "torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")
"""Classes whose instances are tensors and nothing else."""

Call = Callable[..., Any]


def called(function: Global, arguments: tuple[Any, ...]) -> Any:
    """Return what a call stands for: a tensor, a dictionary, or a `Record`.

    Raises
    ------
    ModelFileError
        If a tensor is described as none can be.
    """
    known = CALLS.get(function.name)
    if known is None:
        return Record(function.name)
    try:
        return known(*arguments)
    except ModelFileError:
        raise
    except (TypeError, ValueError):
        raise ModelFileError(
            f"its pickle is damaged: {function.name} has other arguments than PyTorch writes"
        ) from None


def dictionary(*arguments: Any) -> dict[Any, Any]:
    """Return an empty dictionary; of Python 2, one with the pairs that it was made from."""
    result: dict[Any, Any] = {}
    pairs = arguments[0] if arguments and isinstance(arguments[0], list) else []
    for key, value in pairs:
        if isinstance(key, str):
            result[key] = value
    return result


def storage_of(identity: Any) -> Storage | Global | Record:
    """Return the storage that PyTorch refers to by ("storage", class, key, device, elements)."""
    if isinstance(identity, tuple) and identity[:1] == ("module",) and len(identity) > 1:
        # a class, with the source that old files carry along
        return identity[1] if isinstance(identity[1], Global) else Record("module")
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        return Record("persistent")
    _, kind, key, device, count, *view = identity
    if not isinstance(kind, Global) or not isinstance(key, str) or not _is_size(count) or not key:
        raise ModelFileError("its pickle is damaged: it describes a storage as PyTorch does not")
    if device == "meta":
        return Record("torch.storage on the meta device")
    name = kind.name.rpartition(".")[2].removesuffix("Storage").lower()
    first = 0
    if view and view[0] is not None:
        first, count = _view(view[0])
    return Storage(key, KINDS.get(name), kind.name, count, first)


def _view(view: Any) -> tuple[int, int]:
    """Return which part of a storage an old file means, by its first element and their number."""
    if isinstance(view, tuple) and len(view) == 3:
        _, first, count = view
        if _is_size(first) and _is_size(count):
            return first, count
    raise ModelFileError("its pickle is damaged: it describes a part of a storage as PyTorch does not")


def tensor(storage: Any, offset: Any, size: Any, stride: Any, *how: Any) -> StoredTensor | Record:
    """Return a view of a storage."""
    if not isinstance(storage, Storage):
        return _no_storage(storage)
    return _viewed(storage, storage.dtype, storage.kind, offset, size, stride)


def tensor_with_dtype(storage: Any, offset: Any, size: Any, stride: Any, *how: Any) -> StoredTensor | Record:
    """Return a view of a storage of bytes: how PyTorch writes what has no class of storage."""
    if not isinstance(storage, Storage):
        return _no_storage(storage)
    kind = how[2].name if len(how) > 2 and isinstance(how[2], Global) else "unknown"
    return _viewed(storage, DTYPES.get(kind.removeprefix("torch.")), kind, offset, size, stride)


def _no_storage(value: Any) -> Record:
    if isinstance(value, Record):
        return value
    raise ValueError


def _viewed(
    storage: Storage, dtype: np.dtype[Any] | None, kind: str, offset: Any, size: Any, stride: Any
) -> StoredTensor:
    shape, strides = ((part,) if isinstance(part, int) else part for part in (size, stride))
    if not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise ValueError
    if len(shape) != len(strides) or not all(map(_is_size, (offset, *shape, *strides))):
        raise ValueError
    if len(shape) > MAX_RANK:
        raise ModelFileError(f"a tensor of {len(shape)} axes; at most {MAX_RANK} are read")
    return StoredTensor(storage, dtype, kind, offset, shape, strides)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < LARGEST


def parameter(data: Any, *how: Any) -> Any:
    """Return the tensor of a parameter."""
    return data if isinstance(data, StoredTensor | Record) else Record("torch.nn.parameter.Parameter")


def subclass(function: Any, kind: Any, arguments: Any, *state: Any) -> Any:
    """Return a tensor without its extra attributes; if its class is not the plain one, its name."""
    name = kind.name if isinstance(kind, Global) else "torch.Tensor"
    if name not in PLAIN or not isinstance(function, Global) or not isinstance(arguments, tuple):
        return Record(name)
    return CALLS[function.name](*arguments) if function.name in TENSORS else Record(name)


TENSORS: dict[str, Call] = {
    "torch._utils._rebuild_tensor": tensor,
    "torch._utils._rebuild_tensor_v2": tensor,
    "torch._utils._rebuild_tensor_v3": tensor_with_dtype,
    "torch._utils._rebuild_parameter": parameter,
    "torch._utils._rebuild_parameter_with_state": parameter,
}
CALLS: dict[str, Call] = TENSORS | {
    "torch._tensor._rebuild_from_type_v2": subclass,
    "collections.OrderedDict": dictionary,
    "collections.defaultdict": lambda *factory: {},
    "torch.Size": lambda sizes=(): tuple(sizes) if isinstance(sizes, tuple | list) else Record("torch.Size"),
}
