"""The arguments of ``cnnfast train`` that make a recipe."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from cnnfast.cli import options
from cnnfast.errors import ConfigError
from cnnfast.runtime.suggest import did_you_mean
from cnnfast.train import AUGMENTATIONS, AVERAGES, OPTIMIZERS, SCHEDULES, EarlyStopping, Recipe
from cnnfast.train.augment import Augmentation
from cnnfast.train.optimizers import Optimizer

SETTINGS = (
    *("learning_rate", "weight_decay", "momentum", "nesterov", "rounds", "sphere"),
    *("head_optimizer", "bias_optimizer"),
)
"""The arguments that are settings of an optimizer."""

BESIDE = {"head_optimizer", "bias_optimizer"}
"""The arguments that name another optimizer."""

CONVERT: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": lambda text: bool(int(text))}
"""What parses a setting, by its type."""


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; the defaults are those of `Recipe`."""
    steps = parser.add_argument_group("how long, and from what")
    steps.add_argument("--epochs", type=options.positive, metavar="N", help="how often all images are seen (20)")
    steps.add_argument(
        "--batch",
        type=options.positive,
        metavar="N",
        help="images per step (128, or a tenth of all if these are fewer)",
    )
    steps.add_argument(
        "--augment", default="", metavar="LIST", help=f"of {', '.join(AUGMENTATIONS)}; as in flip,shift=2,zoom=0.2"
    )
    steps.add_argument("--label-smoothing", type=float, default=0.0, metavar="S", help="label smoothing (0)")
    steps.add_argument(
        "--patience", type=options.positive, metavar="N", help="stop after N epochs without a better validation loss"
    )
    steps.add_argument("--seed", type=int, default=0, metavar="N", help="of all random numbers (0)")
    _add_optimizer(parser.add_argument_group("the optimizer"))


def _add_optimizer(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--optimizer", choices=tuple(OPTIMIZERS), default="adamw", help="default: %(default)s")
    group.add_argument(
        "--learning-rate", type=float, metavar="R", help="learning rate (sgd 0.05, adam and adamw 0.001, muon 0.02)"
    )
    group.add_argument(
        "--schedule",
        metavar="HOW",
        default="one-cycle",
        help=f"one of {', '.join(SCHEDULES)}; as in linear:warmup=0.1 (%(default)s)",
    )
    group.add_argument("--weight-decay", type=float, metavar="D", help="weight decay (adamw 0.01, muon 0.1, others 0)")
    group.add_argument("--momentum", type=float, metavar="M", help="of sgd (0) and muon (0.95)")
    group.add_argument("--nesterov", action="store_true", default=None, help="Nesterov's momentum, for sgd")
    group.add_argument("--rounds", type=options.positive, metavar="N", help="rounds of muon's iteration (5)")
    group.add_argument("--sphere", action="store_true", default=None, help="muon keeps the norm of all weights")
    group.add_argument(
        "--head-optimizer",
        metavar="HOW",
        help="another optimizer for the last layer, as in sgd:learning_rate=0.01,momentum=0.9",
    )
    group.add_argument("--bias-optimizer", metavar="HOW", help="the same for biases and batch-norm")
    group.add_argument("--clip-norm", type=float, metavar="NORM", help="largest norm of the gradients (no limit)")
    group.add_argument(
        "--average", metavar="HOW", help=f"average the weights: one of {', '.join(AVERAGES)}; as in ema:decay=0.99"
    )


LEAST_STEPS, LEAST_BATCH = 10, 8
"""Steps of an epoch, of as many images at least: with one or two, the usual epochs would hardly learn anything."""


def with_enough_steps(recipe: Recipe, images: int) -> Recipe:
    """Return the recipe, with smaller steps where there are few images.

    Examples
    --------
    >>> with_enough_steps(Recipe(), 108).batch, with_enough_steps(Recipe(), 50_000).batch
    (10, 128)
    """
    return dataclasses.replace(recipe, batch=min(recipe.batch, max(LEAST_BATCH, images // LEAST_STEPS)))


def recipe_of(args: argparse.Namespace) -> Recipe:
    """Return the recipe that the arguments stand for.

    Raises
    ------
    ConfigError
        If a value is out of range, or an argument belongs to something that was not chosen.
    """
    given: dict[str, Any] = {key: getattr(args, key) for key in ("epochs", "batch") if getattr(args, key) is not None}
    return Recipe(
        **given,
        optimizer=_optimizer(args),
        schedule=parse_named(args.schedule, SCHEDULES, "schedule"),
        augment=parse_augment(args.augment),
        label_smoothing=args.label_smoothing,
        clip_norm=args.clip_norm,
        averaging=None if args.average is None else parse_named(args.average, AVERAGES, "average"),
        stopping=None if args.patience is None else EarlyStopping(args.patience),
        seed=args.seed,
    )


def _optimizer(args: argparse.Namespace) -> Optimizer:
    kind = OPTIMIZERS[args.optimizer]
    known = {field.name for field in dataclasses.fields(kind)}
    given: dict[str, Any] = {key: value for key in SETTINGS if (value := getattr(args, key)) is not None}
    if wrong := [key for key in given if key not in known]:
        owners = [name for name, other in OPTIMIZERS.items() if wrong[0] in {f.name for f in dataclasses.fields(other)}]
        raise ConfigError(
            f"--{wrong[0].replace('_', '-')} belongs to {' and '.join(owners)}, but the optimizer is {args.optimizer}"
        )
    for key in BESIDE & given.keys():
        given[key] = parse_named(given[key], OPTIMIZERS, "optimizer")
    return kind(**given)


def parse_named(text: str, kinds: Mapping[str, type[Any]], what: str) -> Any:
    """Return the one of some kinds that a text names, such as ``sgd:learning_rate=0.01,momentum=0.9,nesterov=1``.

    Raises
    ------
    ConfigError
        For an unknown name, or a value that is not a number or out of range.

    Examples
    --------
    >>> parse_named("linear:warmup=0.1", SCHEDULES, "schedule")
    LinearDecay(warmup=0.1, floor=0.0, start=0.0)
    """
    name, _, settings = text.partition(":")
    kind = kinds.get(name)
    if kind is None:
        raise ConfigError(f"there is no {what} {name!r}; known: {', '.join(kinds)}{did_you_mean(name, kinds)}")
    types = {field.name: CONVERT.get(str(field.type)) for field in dataclasses.fields(kind)}
    given: dict[str, Any] = {}
    for setting in filter(None, settings.split(",")):
        key, _, value = setting.partition("=")
        convert = types.get(key)
        if convert is None:
            known = ", ".join(key for key, convert in types.items() if convert)
            raise ConfigError(
                f"the {what} {name} has no setting {key!r}; it has: {known or 'none'}{did_you_mean(key, types)}"
            )
        try:
            given[key] = convert(value)
        except ValueError:
            raise ConfigError(f"the setting {key} of {name} must be a number, but is {value!r}") from None
    return kind(**given)


def parse_augment(text: str) -> tuple[Augmentation, ...]:
    """Return the augmentations of a list such as ``flip,shift=2``; the number is the first field of each.

    Raises
    ------
    ConfigError
        For an unknown name, or a value that is not a number or out of range.

    Examples
    --------
    >>> parse_augment("flip,shift=2")
    (Flip(alternate=True), Shift(max_shift=2))
    """
    return tuple(_augmentation(part.strip()) for part in text.split(",") if part.strip())


def _augmentation(part: str) -> Augmentation:
    name, _, value = part.partition("=")
    if name not in AUGMENTATIONS:
        known = ", ".join(AUGMENTATIONS)
        raise ConfigError(f"there is no augmentation {name!r}; known: {known}{did_you_mean(name, AUGMENTATIONS)}")
    kind = AUGMENTATIONS[name]
    if not value:
        return kind()
    field = dataclasses.fields(kind)[0]  # type: ignore[arg-type]
    convert = None if field.type == "bool" else CONVERT.get(str(field.type))
    try:
        if convert is None:
            raise ValueError
        return kind(**{field.name: convert(value)})
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        takes = "no value" if convert is None else f"{field.type} after ="
        raise ConfigError(f"the augmentation {name} takes {takes}, but was given {value!r}") from None
