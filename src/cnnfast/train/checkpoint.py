"""Everything a run needs to continue as if it had never stopped: one safetensors file, replaced after every epoch.

It states its own SHA-256, as model files do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError, DataError, ModelFileError
from cnnfast.formats.digest import read_sealed, write_sealed
from cnnfast.formats.strict_json import parse
from cnnfast.ops import Array

KEY = "cnnfast.checkpoint"
VERSION = 3
MAX_CONTAINERS = 200_000


@frozen(eq=False)
class Checkpoint:
    """The state after an epoch.

    Attributes
    ----------
    epoch, step : int
        How many are finished.
    identity : dict
        What must be unchanged for the run to be resumed: ``recipe``, and digests of ``data``, of ``network``, the
        architecture, and of ``start``, what training started from.
    history : list of dict
        One row per epoch.
    arrays : dict of str to array
        Weights, slots of the optimizer, averages, best weights: float32.
    """

    epoch: int
    step: int
    identity: dict[str, Any]
    history: list[dict[str, Any]]
    arrays: dict[str, Array]

    def save(self, path: Path) -> None:
        """Write it: all of it or nothing.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        fields = {"version": VERSION, "epoch": self.epoch, "step": self.step}
        text = json.dumps({**fields, "identity": self.identity, "history": self.history}, separators=(",", ":"))
        write_sealed(path, {KEY: text}, self.arrays)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; nothing in it is executed.

    Raises
    ------
    ModelFileError
        If the file is damaged or not a checkpoint.
    """
    try:
        metadata, arrays = read_sealed(path)
        if KEY not in metadata:
            raise ModelFileError(f"is not a checkpoint: its header lacks {KEY}")
        fields = parse(metadata[KEY], KEY, MAX_CONTAINERS)
        if not isinstance(fields, dict) or fields.get("version") != VERSION:
            raise ModelFileError(f"is of another version of checkpoints than {VERSION}; start over")
        return Checkpoint(*_checked(fields), arrays)
    except (ModelFileError, OSError) as error:
        raise ModelFileError(f"{path}: cannot be resumed: {error}") from None


def _checked(fields: dict[str, Any]) -> tuple[int, int, dict[str, Any], list[dict[str, Any]]]:
    epoch, step, identity, history = (fields.get(name) for name in ("epoch", "step", "identity", "history"))
    if type(epoch) is not int or type(step) is not int or not 0 <= epoch <= step:
        raise ModelFileError(f"its epoch and step are {epoch!r:.40} and {step!r:.40}; they must count what is finished")
    if not isinstance(identity, dict) or not isinstance(history, list) or len(history) != epoch:
        raise ModelFileError(f"it must have an identity, and a row of history for each of its {epoch} epochs")
    if not all(isinstance(row, dict) and row.get("epoch") == number for number, row in enumerate(history, 1)):
        raise ModelFileError("the rows of its history must count epochs from 1")
    return epoch, step, identity, history


def check_arrays(path: Path, then: Mapping[str, Array], now: Mapping[str, Array]) -> None:
    """Check that a checkpoint has the arrays that a run needs, each of its shape and kind, and no others.

    Raises
    ------
    ModelFileError
        If it does not; the first difference is named.
    """
    for name in sorted(then.keys() ^ now.keys()):
        fault = "lacks the array" if name in now else "has an array that the run does not use:"
        raise ModelFileError(f"{path}: cannot be resumed: it {fault} {name!r}; start over")
    for name, array in now.items():
        if then[name].shape != array.shape or then[name].dtype != array.dtype:
            raise ModelFileError(
                f"{path}: cannot be resumed: {name!r} is {then[name].dtype} of shape {then[name].shape}, but the run "
                f"needs {array.dtype} of shape {array.shape}; start over"
            )


def check_identity(path: Path, then: dict[str, Any], now: dict[str, Any]) -> None:
    """Check that a checkpoint belongs to the present run.

    Raises
    ------
    DataError
        If the data set has changed.
    ConfigError
        If the recipe, the network or its first weights have changed; the first difference is named.
    """
    if then.get("network") != now["network"]:
        raise ConfigError(f"{path}: was made with another network; start over, or use the same architecture")
    if then.get("data") != now["data"]:
        raise DataError(
            f"{path}: the data set has changed since the checkpoint: its digest was {then.get('data')!s:.16}…, now it "
            f"is {now['data']:.16}…; restore the images and labels, or start over"
        )
    old, new = then.get("recipe", {}), now["recipe"]
    for key, value in new.items():
        if old.get(key) != value:
            raise ConfigError(
                f"{path}: was made with {key} = {old.get(key)}, but now it is {value}; only the same recipe gives "
                "bit-identical results: use the earlier one, or train from the start"
            )
    if then.get("start") != now["start"]:
        raise ConfigError(
            f"{path}: was made from a network of other weights or other preprocessing; only the same start gives "
            "bit-identical results: load the earlier network, or train from the start"
        )
