"""``--threshold auto:precision=0.95``: a threshold that is chosen with labeled images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.calibration.thresholds import PRECISION, RECALL, AtThreshold, threshold_for
from cnnfast.cli import options
from cnnfast.cli.labeled import open_labeled
from cnnfast.cli.models import preprocess_of
from cnnfast.cli.progress import Failures, Progress, log
from cnnfast.errors import ConfigError, DataError
from cnnfast.images.preprocess import Array
from cnnfast.network.network import Network
from cnnfast.runtime.threads import threads_or_default

AUTO = "auto:"


@frozen
class Goal:
    """What a threshold is to reach: a precision or a recall of at least a number."""

    name: str
    least: float

    def __str__(self) -> str:
        return f"{AUTO}{self.name}={self.least:g}"


def threshold(text: str) -> float | Goal:
    """Parse a probability, or a goal such as ``auto:precision=0.95``.

    Examples
    --------
    >>> threshold("0.5"), threshold("auto:recall=0.9")
    (0.5, Goal(name='recall', least=0.9))
    """
    if not text.startswith(AUTO):
        return options.probability(text)
    name, _, value = text[len(AUTO) :].partition("=")
    try:
        least = options.probability(value)
    except argparse.ArgumentTypeError:
        least = -1.0
    if name not in (PRECISION, RECALL) or least < 0:
        raise argparse.ArgumentTypeError(
            f"must be a number from 0 to 1, auto:precision=P or auto:recall=P, but is {text!r}"
        )
    return Goal(name, least)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--threshold`` and ``--labeled``."""
    parser.add_argument(
        "--threshold",
        type=threshold,
        default=0.5,
        metavar="P",
        help="pictures with a probability above P are found (default: %(default)s); auto:precision=0.95 or "
        "auto:recall=0.9 is chosen with the images of --labeled",
    )
    parser.add_argument("--labeled", metavar="DATA", help=f"to choose a threshold with: {options.LABELED}")


def decided(args: argparse.Namespace, net: Network, indices: Sequence[int]) -> tuple[float, dict[str, Any]]:
    """Return the threshold, and how it was chosen, for the file of the run.

    Raises
    ------
    ConfigError
        If there is a goal without images, or the other way round.
    DataError
        If no threshold reaches the goal.
    """
    goal: float | Goal = args.threshold
    if not isinstance(goal, Goal):
        if args.labeled is not None:
            raise ConfigError("--labeled is for --threshold auto:precision=P or auto:recall=P")
        return goal, {}
    if args.labeled is None:
        raise ConfigError(f"--threshold {goal} is chosen with labeled images; name them with --labeled DATA")
    dataset = open_labeled(net, args.labeled, "test")
    failures, found, labels = Failures(), [], []
    with threads_or_default(args.threads), Progress(len(dataset)) as progress:
        for batch in dataset.batches(256, preprocess_of(net, args.model)):
            for error in batch.failed:
                failures.add_error(error)
            if len(batch.images) and batch.labels is not None:
                found.append(of_classes(net.predict_proba(batch.images, layout="nhwc"), indices))
                labels.append(batch.labels)
            progress.advance(len(batch.names) + len(batch.failed))
    if not found:
        raise DataError(f"{dataset.name}: none of its images can be read")
    chosen = threshold_for(goal.name, goal.least, np.concatenate(found), np.isin(np.concatenate(labels), indices))
    log(*failures.lines(), f"threshold {chosen.threshold:g}: {_on(chosen)} on {dataset.name}")
    return chosen.threshold, {"threshold_from": {"goal": str(goal), "data": dataset.name, **chosen.to_dict()}}


def of_classes(probabilities: Array, indices: Sequence[int]) -> Array:
    """Return the probability that an image is of one of some classes; the last axis has all classes."""
    if len(indices) == 1:
        single: Array = probabilities[..., indices[0]]
        return single
    together: Array = np.minimum(probabilities[..., list(indices)].sum(axis=-1), np.float32(1))
    return together


def _on(chosen: AtThreshold) -> str:
    rates = chosen.to_dict()
    return ", ".join(
        f"{name} {rates[name]:.1%} (95 % certain: {rates[f'{name}_95'][0]:.1%} to {rates[f'{name}_95'][1]:.1%})"
        for name in (PRECISION, RECALL)
    )
