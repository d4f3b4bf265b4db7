"""Where in a checkpoint the state dict is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cnnfast._frozen import frozen
from cnnfast.errors import ModelFileError
from cnnfast.formats.pickles.inert import Record, StoredTensor

NESTS = (
    *("state_dict", "model_state_dict", "model", "model_state", "net", "net_state_dict", "network", "module", "state"),
    *("params", "weights", "model_weights"),
    *("params_ema", "ema_state_dict", "state_dict_ema", "model_ema", "ema_model", "ema"),
)
"""Where training scripts keep the state dict in what they save; of several the first is taken."""
TRAINING = ("optim", "sched", "scaler", "loss", "criterion")
"""What is kept with it, and may hold tensors too: whatever has one of these in its name."""
DEEPEST = 6
SHOWN = 20

WAY_OUT = (
    "load it where its class is defined and call cnnfast.from_torch(module, input_shape), "
    "or save module.state_dict() and read that with architecture=…"
)


@frozen
class FoundTensors:
    """A state dict of a checkpoint.

    Attributes
    ----------
    named : dict of str to StoredTensor
        Its tensors.
    place : tuple of str
        The keys that lead to it.
    not_taken : list of str
        Other keys that lead to one, and were not taken.
    """

    named: dict[str, StoredTensor]
    place: tuple[str, ...]
    not_taken: list[str]


def state_dict(content: Any, key: str | None = None) -> FoundTensors:
    """Return the state dict of what ``torch.save`` wrote.

    Parameters
    ----------
    content : object
        Of a `cnnfast.formats.pickles.container.Saved`.
    key : str, optional
        Where it is: keys with dots between, or what the names begin with.

    Raises
    ------
    ModelFileError
        If there is none, or it cannot be determined which of several.
    """
    place: tuple[str, ...] = ()
    not_taken: list[str] = []
    if key is not None:
        content, place = _follow(content, key), (key,)
    for _ in range(DEEPEST):
        inner = _inner(content, place)
        if inner is None:
            return FoundTensors(dict(_named(content)), place, not_taken)
        not_taken += [".".join((*place, name)) for name, _ in inner[1:]]
        place, content = (*place, inner[0][0]), inner[0][1]
    raise ModelFileError(f"its state dict is under more than {DEEPEST} keys; name them with key=")


def _inner(content: Any, place: tuple[str, ...]) -> list[tuple[str, Any]] | None:
    """Return what may hold the state dict, the likeliest first, or None where this is one."""
    if isinstance(content, list | tuple) and len(content) == 1:
        return [("0", content[0])]
    if not isinstance(content, Mapping):
        raise ModelFileError(_no_mapping(content, place))
    if known := [(name, content[name]) for name in NESTS if _holds(content.get(name))]:
        return known
    ranks = [len(value.shape) for value in content.values() if isinstance(value, StoredTensor)]
    if max(ranks, default=0) > 1:
        return None
    other = [(name, value) for name, value in content.items() if isinstance(name, str) and _is_other(name, value)]
    if len(other) > 1:
        names = ", ".join(repr(name) for name, _ in other[:SHOWN])
        raise ModelFileError(f"it holds several state dicts: {names}; say which one with key={other[0][0]!r:.80}")
    if other:
        return other
    if ranks or dict(_named(content)):
        return None
    raise ModelFileError(_nothing(content))


def _is_other(name: str, value: Any) -> bool:
    return not any(word in name.lower() for word in TRAINING) and _holds(value)


def _holds(value: Any, depth: int = DEEPEST) -> bool:
    """Return whether something is a state dict, or leads to one."""
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if not isinstance(value, Mapping):
        return False
    if any(isinstance(name, str) and isinstance(inner, StoredTensor) for name, inner in value.items()):
        return True
    return depth > 0 and any(name in NESTS and _holds(inner, depth - 1) for name, inner in _by_text(value))


def _by_text(content: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in content.items() if isinstance(name, str))


def _named(content: Mapping[Any, Any]) -> Iterator[tuple[str, StoredTensor]]:
    for name, value in content.items():
        if isinstance(value, StoredTensor):
            yield str(name), value
        elif isinstance(value, Record) and value.name.startswith(("torch._utils._rebuild", "torch.storage on")):
            raise ModelFileError(f"the tensor {name!r:.80} is made by {value.name:.80}; only plain ones are read")


def _follow(content: Any, key: str) -> Any:
    """Return what is under a key; where there is none, the tensors whose names begin with it."""
    if isinstance(content, list | tuple) and key.partition(".")[0].isdecimal():
        first, _, rest = key.partition(".")
        if int(first) < len(content):
            return _follow(content[int(first)], rest) if rest else content[int(first)]
    if isinstance(content, Mapping):
        for name in sorted((name for name in content if isinstance(name, str)), key=len, reverse=True):
            if key == name:
                return content[name]
            if key.startswith(f"{name}.") and not isinstance(content[name], StoredTensor):
                return _follow(content[name], key[len(name) + 1 :])
        if under := {n[len(key) + 1 :]: v for n, v in _by_text(content) if n.startswith(f"{key}.")}:
            return under
        shown = ", ".join(repr(name)[:80] for name in list(content)[:SHOWN] if isinstance(name, str))
        raise ModelFileError(f"there is no key {key!r:.80}; its keys are: {shown or 'none'}")
    raise ModelFileError(f"there is no key {key!r:.80} in {_kind(content)}")


def _kind(content: Any) -> str:
    return content.name[:200] if isinstance(content, Record) else f"a {type(content).__name__}"


def _no_mapping(content: Any, place: tuple[str, ...]) -> str:
    where = f" under {'.'.join(place)!r:.80}" if place else ""
    if isinstance(content, Record):
        return _pickled(content, where)
    return f"it holds a {type(content).__name__}{where}, not tensors by name; {WAY_OUT}"


def _pickled(record: Record, where: str) -> str:
    return (
        f"it holds more than tensors{where}: its pickle asks for {record.name:.200}, as a pickled module does, "
        f"and making that would run code that the file chooses; {WAY_OUT}"
    )


def _nothing(content: Mapping[Any, Any]) -> str:
    """Return what to say about a mapping without tensors: what is pickled there, or its keys."""
    for name, value in content.items():
        if isinstance(value, Record) and (len(content) == 1 or name in NESTS):
            return _pickled(value, f" under {name!r:.80}")
    objects = {str(key): value.name for key, value in _by_text(content) if isinstance(value, Record)}
    if len(objects) > len(content) // 2:
        name, kind = next(iter(objects.items()))
        arrays = "; make tensors of arrays with torch.from_numpy" if kind.startswith("numpy") else ""
        return f"it holds objects by name, and no tensors: {name!r:.80} is {kind:.200}{arrays}; {WAY_OUT}"
    keys = ", ".join(str(key)[:80] for key in list(content)[:SHOWN] if isinstance(key, str | int))
    return (
        f"it holds no state dict: its keys are {keys or 'none'}, none of them {', '.join(NESTS)}; "
        "if another one leads to it, name that with key="
    )
