"""``cnnfast train … --replay``: new pictures mixed with what the base remembers."""

from __future__ import annotations

import argparse

from cnnfast.cli.progress import log
from cnnfast.errors import ConfigError
from cnnfast.network.network import Network
from cnnfast.runtime.escapes import in_line
from cnnfast.train import Examples, Recipe, feature_cache, replay
from cnnfast.train.replaying import Replay

ELSEWHERE = ("freeze_up_to", "frozen_params", "whiten", "batch_norm", "teacher")
"""Options of `train` that say something about layers that do not learn here, or need the pictures themselves."""


def check(args: argparse.Namespace) -> None:
    """Raise `ConfigError` if other options contradict ``--replay``."""
    if args.base is None:
        raise ConfigError("--replay belongs to --base: a new network remembers nothing")
    for name in ELSEWHERE:
        if getattr(args, name):
            raise ConfigError(f"--replay trains the head alone, on features; leave --{name.replace('_', '-')} out")


def check_base(base: Network, model: str) -> None:
    """Raise `ConfigError` if a network remembers no pictures."""
    if base.remembered is None:
        raise ConfigError(
            f"{model}: remembers no pictures, so --replay has nothing to mix with new ones. First `cnnfast remember "
            f"{model} DATA --out FILE` with the pictures that it was trained on; then --base FILE"
        )


def mixed(base: Network, new: Examples, recipe: Recipe, validation: float) -> Replay:
    """Return what the head of a network learns, and say what that is."""
    made = replay(base, new, recipe, validation=validation, cache=feature_cache())
    names, before = made.head.class_names or (), len(base.classes_)
    added = f"; new classes: {', '.join(map(in_line, names[before:]))}" if len(names) > before else ""
    aside = "" if made.held is None else f", {len(made.held):,} more set aside"
    assert base.remembered is not None
    log(
        f"{_counted(len(new) - len(made.held or ()))}{_repeated(made.repeated[0])}{aside}, and "
        f"{len(base.remembered):,} remembered ones{_repeated(made.repeated[1])}{added}"
    )
    return made


def _counted(count: int) -> str:
    return f"{count:,} new picture{'s' if count != 1 else ''}"


def _repeated(times: int) -> str:
    return f", each {times} times" if times > 1 else ""


def report(made: Replay, head: Network) -> None:
    """Print how many of the remembered pictures are still right."""
    before, after = made.recalled(made.head, len(made.base.classes_)), made.recalled(head)
    count = len(made.base.remembered or ())
    print(f"{after:.2%} of {count:,} remembered pictures right, {before:.2%} before")
