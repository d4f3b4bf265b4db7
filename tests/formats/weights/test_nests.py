"""Where in a checkpoint the weights are: found where it can be told, named where it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from formats.pickles.assembled import archive, call, integer, mapping, numbers, sequence, tensor, text, write
from formats.weights.small import safetensors, small_graph, small_state

from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats import Model, load_model
from cnnfast.formats.weights.nests import NESTS
from cnnfast.ops import Array


class File:
    """The parts of a checkpoint, each with its own rows."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}

    def tensor(self, array: Array) -> bytes:
        key = str(len(self.rows))
        self.rows[key] = np.ascontiguousarray(array).tobytes()
        return tensor(key, np.ascontiguousarray(array))

    def state(self, factor: float = 1, prefix: str = "") -> bytes:
        return mapping({prefix + n: self.tensor(a * np.float32(factor)) for n, a in small_state().items()})


@pytest.fixture
def file() -> File:
    return File()


def load(folder: Path, file: File, body: bytes, **options: object) -> Model:
    path = write(folder / "net.ckpt", archive(body, file.rows))
    return load_model(path, architecture=small_graph(), **options)


def factor_of(model: Model) -> float:
    return float(model.graph.constants["conv.weight"].flat[0] / small_state()["conv.weight"].flat[0])


def listed(*items: bytes) -> bytes:
    return b"](" + b"".join(items) + b"e"


@pytest.mark.parametrize("name", NESTS)
def test_known_keys(tmp_path: Path, file: File, name: str) -> None:
    body = mapping({"epoch": integer(1), "best_acc1": file.tensor(numbers(1)), name: file.state(), "loss": b"N"})
    model = load(tmp_path, file, body)
    assert factor_of(model) == 1
    assert model.notes["source"] == f"PyTorch state dict, net.ckpt, key {name!r}"


def test_other_tensors_do_not_hide_it(tmp_path: Path, file: File) -> None:
    others = {
        "best_acc1": file.tensor(np.float32(76.1).reshape(())),
        "rng": file.tensor(np.arange(100, dtype=np.uint8)),
        "mean": file.tensor(numbers(1, 3, 1, 1)),
    }
    assert factor_of(load(tmp_path, file, mapping({**others, "state_dict": file.state()}))) == 1
    optimizer = mapping({"state": mapping({"0": file.tensor(numbers(3))})})
    del others["mean"]
    assert factor_of(load(tmp_path, file, mapping({**others, "optimizer": optimizer, "backbone": file.state()}))) == 1


def test_lists_and_tuples_of_one(tmp_path: Path, file: File) -> None:
    for wrapped in (listed(file.state()), sequence(file.state()), listed(mapping({"model": file.state()}))):
        assert factor_of(load(tmp_path, file, mapping({"state_dict": wrapped}))) == 1
    assert factor_of(load(tmp_path, file, listed(file.state()))) == 1


def test_of_several_the_first_known_one_is_taken_and_noted(tmp_path: Path, file: File) -> None:
    model = load(tmp_path, file, mapping({"state_dict_ema": file.state(2), "state_dict": file.state()}))
    assert factor_of(model) == 1
    assert model.notes["source"].endswith("key 'state_dict', not 'state_dict_ema'")


def test_of_several_unknown_ones_none_is_taken(tmp_path: Path, file: File) -> None:
    body = mapping({"student": file.state(), "teacher": file.state(2)})
    with pytest.raises(ModelFileError, match="several state dicts: 'student', 'teacher'; say which one with key="):
        load(tmp_path, file, body)
    assert factor_of(load(tmp_path, file, body, key="teacher")) == 2


def test_key(tmp_path: Path, file: File) -> None:
    inner = mapping({"ema.v1": mapping({"model": listed(file.state(2), file.state(3))}), "model": file.state()})
    body = mapping({"state_dict": file.state(4, "net."), "saved": inner})
    for key, factor in {"saved.ema.v1.model.0": 2, "saved.ema.v1.model.1": 3, "saved": 1, "state_dict.net": 4}.items():
        model = load(tmp_path, file, body, key=key)
        assert factor_of(model) == factor
        assert f"key {key!r}" in model.notes["source"] or key == "saved"
    for key, rule in {
        "saved.emma": "its keys are: 'ema.v1', 'model'",
        "saved.ema.v1.model.2": "in a list",
    }.items():
        with pytest.raises(ModelFileError, match=f"there is no key '.*'.*{rule}"):
            load(tmp_path, file, body, key=key)
    for strange in ("", 3, b"x"):
        with pytest.raises(ConfigError, match="key must be a text"):
            load(tmp_path, file, body, key=strange)


def test_a_prefix_beside_other_tensors(tmp_path: Path, file: File) -> None:
    names = {f"model.{name}": file.tensor(array) for name, array in small_state().items()}
    others = {"criterion.weight": file.tensor(numbers(4)), "mean": file.tensor(numbers(1, 3, 1, 1))}
    with pytest.warns(UserWarning, match=r"not part of the network are left out: criterion\.weight, mean"):
        model = load(tmp_path, file, mapping({"state_dict": mapping(names | others)}))
    assert factor_of(model) == 1
    assert model.notes["left out"] == "criterion.weight, mean"


def test_several_prefixes(tmp_path: Path, file: File) -> None:
    names = {
        f"{prefix}{n}": file.tensor(a * np.float32(i))
        for i, prefix in enumerate(("model.", "ema.module."), 1)
        for n, a in small_state().items()
    }
    body = mapping({"state_dict": mapping(names)})
    with pytest.raises(ModelFileError, match=r"several prefixes: 'model\.', 'ema\.module\.'; say .* key=\"model\""):
        load(tmp_path, file, body)
    assert factor_of(load(tmp_path, file, body, key="state_dict.ema.module")) == 2


def test_what_is_left_over(tmp_path: Path, file: File) -> None:
    state = {name: file.tensor(array) for name, array in small_state().items()}
    body = mapping(state | {"normalize.mean": file.tensor(numbers(3))})
    with pytest.raises(ModelFileError, match=r"(?s)all that is expected is there.*ignore_unexpected=True.*normalize"):
        load(tmp_path, file, body)
    with pytest.warns(UserWarning, match=r"left out: normalize\.mean"):
        assert load(tmp_path, file, body, ignore_unexpected=True).notes["left out"] == "normalize.mean"
    del state["fc.bias"]
    with pytest.raises(ModelFileError, match=r"(?s)expected, but not in the file:.*fc\.bias"):
        load(tmp_path, file, mapping(state), ignore_unexpected=True)
    with pytest.raises(ConfigError, match="ignore_unexpected must be True or False"):
        load(tmp_path, file, body, ignore_unexpected="yes")


def test_quantized_weights_are_told(tmp_path: Path, file: File) -> None:
    state = small_state() | {"fc.weight": np.ones((4, 30), np.int8)}
    with pytest.raises(ModelFileError, match=r"(?s)fc\.weight \(4, 30\).*must be dequantized first.*\(4, 30\) int8"):
        load(tmp_path, file, mapping({name: file.tensor(array) for name, array in state.items()}))


def test_what_is_no_checkpoint(tmp_path: Path, file: File) -> None:
    module = b"cmine.nets\nNet\n)\x81" + mapping({"training": b"\x89"}) + b"b"
    for body, rule in [
        (module, r"asks for mine\.nets\.Net, as a pickled module does.*cnnfast\.from_torch"),
        (mapping({"epoch": integer(1), "model": module}), r"under 'model': its pickle asks for mine\.nets\.Net"),
        (mapping({"epoch": integer(3)}), r"no state dict: its keys are epoch, .*name that with key="),
        (mapping({}), "its keys are none"),
        (
            mapping({n: call("numpy._core.multiarray._reconstruct", integer(1)) for n in ("fc.weight", "fc.bias")}),
            r"'fc\.weight' is numpy\._core\.multiarray\._reconstruct; make tensors of arrays with torch\.from_numpy",
        ),
        (text("x"), "it holds a str, not tensors by name"),
        (mapping({"state_dict": integer(1)}), "its keys are state_dict"),
    ]:
        with pytest.raises(ModelFileError, match=rule):
            load(tmp_path, file, body)


def test_key_of_safetensors(tmp_path: Path) -> None:
    state = {f"model.{n}": a for n, a in small_state().items()} | {f"ema.{n}": 2 * a for n, a in small_state().items()}
    path = write(tmp_path / "net.safetensors", safetensors(state))
    assert factor_of(load_model(path, architecture=small_graph(), key="ema")) == 2
    with pytest.raises(ModelFileError, match=r"no tensor is called 'emma\.' and more"):
        load_model(path, architecture=small_graph(), key="emma")
