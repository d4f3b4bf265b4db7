"""Everything that decides how a network is trained, in one place, so that a checkpoint can hold and compare it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError
from cnnfast.runtime.arguments import check_range, listed, one_of, quoted, set_whole
from cnnfast.train.augment import AUGMENTATIONS, Augmentation
from cnnfast.train.averaging import AVERAGES, Averaging
from cnnfast.train.losses import LOSSES, Loss
from cnnfast.train.optimizers import OPTIMIZERS, AdamW, Optimizer
from cnnfast.train.schedules import SCHEDULES, OneCycle, Schedule

MONITORED = ("val_loss", "val_accuracy")


@frozen
class EarlyStopping:
    """Stop when the validation does not improve for some epochs, and return to the best epoch.

    Parameters
    ----------
    patience : int
        Epochs without an improvement.
    monitor : {"val_loss", "val_accuracy"}
    min_delta : float
        What counts as an improvement.

    Raises
    ------
    ConfigError
        For a value out of range.

    Examples
    --------
    >>> EarlyStopping(patience=1).best_epoch([{"val_loss": 2.0}, {"val_loss": 1.0}, {"val_loss": 1.5}])
    1
    """

    patience: int = 5
    monitor: str = "val_loss"
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        set_whole(self, "patience", 1)
        check_range("min_delta", self.min_delta)
        one_of("monitor", self.monitor, MONITORED)

    def best_epoch(self, history: list[dict[str, Any]]) -> int:
        """Return the index of the epoch that was the last improvement."""
        sign = 1 if self.monitor == "val_loss" else -1
        best = 0
        for epoch, row in enumerate(history):
            if sign * row[self.monitor] < sign * history[best][self.monitor] - self.min_delta:
                best = epoch
        return best

    def ends(self, history: list[dict[str, Any]]) -> bool:
        """Return whether patience has run out."""
        return len(history) - 1 - self.best_epoch(history) >= self.patience


@frozen
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    epochs : int
        How many times all images are seen.
    batch : int
        The largest number of images in a step; an epoch is divided into batches of equal size but for one image.
    optimizer : SGD, Adam, AdamW or Muon
        Weight decay does not apply to biases and batch-norm, unless they have their own optimizer.
    schedule : Constant, StepDecay, Cosine, LinearDecay or OneCycle
    augment : sequence of augmentations
        See `cnnfast.train.augment`; applied in this order.
    loss : Loss, optional
        By default cross-entropy: of a sigmoid for a network with one output, else of a softmax.
    label_smoothing : float
        Label smoothing of the default loss.
    clip_norm : float, optional
        The largest norm of all gradients together.
    averaging : EMA, SWA or Lookahead, optional
        The network is then the average of the weights; statistics of batch-norm are averaged like weights.
    stopping : EarlyStopping, optional
    norm_over : {"batch", "chunk"}
        What batch-norm takes its statistics over: all images of a step, or each of the at most 16 chunks in which they
        are computed, so that an executor can compute them apart. A chunk of few images makes another network of it.
    seed : int
        From 0 to 2**63 - 1; decides order, views, dropout and the part for validation.

    Raises
    ------
    ConfigError
        For a value out of range.

    Examples
    --------
    >>> Recipe(epochs=5).to_dict()["optimizer"]["learning_rate"]
    0.001
    """

    epochs: int = 20
    batch: int = 128
    optimizer: Optimizer = field(default_factory=AdamW)
    schedule: Schedule = field(default_factory=OneCycle)
    augment: tuple[Augmentation, ...] = ()
    loss: Loss | None = None
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    averaging: Averaging | None = None
    stopping: EarlyStopping | None = None
    seed: int = 0
    norm_over: str = "batch"

    def __post_init__(self) -> None:
        for name, minimum in (("epochs", 1), ("batch", 1), ("seed", 0)):
            set_whole(self, name, minimum)
        _check_kind("optimizer", self.optimizer, OPTIMIZERS)
        _check_kind("schedule", self.schedule, SCHEDULES)
        _check_kind("loss", self.loss, LOSSES, optional=True)
        _check_kind("averaging", self.averaging, AVERAGES, optional=True)
        _check_kind("stopping", self.stopping, {"": EarlyStopping}, optional=True)
        one_of("norm_over", self.norm_over, ("batch", "chunk"))
        check_range("label_smoothing", self.label_smoothing, below=1)
        if self.clip_norm is not None:
            check_range("clip_norm", self.clip_norm, above=0)
        object.__setattr__(self, "augment", tuple(listed("augment", self.augment)))
        for augmentation in self.augment:
            if type(augmentation) not in AUGMENTATIONS.values():
                known = ", ".join(cls.__name__ for cls in AUGMENTATIONS.values())
                raise ConfigError(f"an augmentation must be one of {known}, but one is {quoted(augmentation)}")

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as values that JSON can hold."""
        return {field.name: plain(getattr(self, field.name)) for field in dataclasses.fields(self)}


def _check_kind(name: str, value: object, known: Mapping[str, type], optional: bool = False) -> None:
    if type(value) in known.values() or (optional and value is None):
        return
    names = [kind.__name__ for kind in known.values()]
    meant = known[value].__name__ if isinstance(value, str) and value in known else names[0]
    given = f"the class {value.__name__}" if isinstance(value, type) else quoted(value)
    raise ConfigError(f"{name} must be one of {', '.join(names)}, as in {name}={meant}(), but is {given}")


def plain(value: Any) -> Any:
    """Return a setting as values that JSON can hold; of an object its fields, and its class as ``kind``."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"kind": type(value).__name__, **fields}
    return value
