"""Everything a run needs to go on as if nothing had happened: one safetensors file, replaced after every epoch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast.errors import ConfigError, DataError, ModelFileError
from cnnfast.formats import tensors
from cnnfast.formats.strict_json import parse
from cnnfast.ops import Array

KEY = "cnnfast.checkpoint"
VERSION = 1
MAX_CONTAINERS = 200_000


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state after an epoch.

    Attributes
    ----------
    epoch, step : int
        How many are finished.
    identity : dict
        What must be the same for the run to go on: ``recipe``, ``data`` (a digest) and ``network``.
    history : list of dict
        A row an epoch.
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
        OSError
            If the file cannot be written.
        """
        fields = {"version": VERSION, "epoch": self.epoch, "step": self.step}
        text = json.dumps({**fields, "identity": self.identity, "history": self.history}, separators=(",", ":"))
        tensors.write(path, *tensors.pack({KEY: text}, self.arrays))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; nothing in it is executed.

    Raises
    ------
    ModelFileError
        If the file is damaged or no checkpoint.
    """
    try:
        metadata, arrays = tensors.unpack(np.fromfile(path, np.uint8))
        if KEY not in metadata:
            raise ModelFileError(f"is no checkpoint: its header lacks {KEY}")
        fields = parse(metadata[KEY], KEY, MAX_CONTAINERS)
        if not isinstance(fields, dict) or fields.get("version") != VERSION:
            raise ModelFileError(f"is of another version of checkpoints than {VERSION}; train afresh")
        checkpoint = Checkpoint(fields["epoch"], fields["step"], fields["identity"], fields["history"], arrays)
    except (ModelFileError, KeyError, OSError) as error:
        raise ModelFileError(f"{path}: cannot be resumed: {error}") from None
    return checkpoint


def check_identity(path: Path, then: dict[str, Any], now: dict[str, Any]) -> None:
    """Check that a checkpoint belongs to the present run.

    Raises
    ------
    DataError
        If the data set has changed.
    ConfigError
        If the recipe or the network has changed; the first difference is named.
    """
    if then.get("network") != now["network"]:
        raise ConfigError(f"{path}: was made with another network; train afresh, or with the same architecture")
    old, new = then.get("recipe", {}), now["recipe"]
    for key, value in new.items():
        if old.get(key) != value:
            raise ConfigError(
                f"{path}: was made with {key} = {old.get(key)}, but now it is {value}; only the same recipe continues "
                "with the same bits: say what you said then, or train afresh"
            )
    if then.get("data") != now["data"]:
        raise DataError(
            f"{path}: the data set has changed since the checkpoint: its digest was {then.get('data')!s:.16}…, now it "
            f"is {now['data']:.16}…; restore the images and labels, or train afresh"
        )
