"""``cnnfast quantize MODEL DATA --out FILE``: a network of floats becomes one of eight-bit integers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast.cli import OK, SOME_FAILED, options
from cnnfast.cli.models import check_may_write, class_names, load_in_float, preprocess_of
from cnnfast.cli.progress import Failures, Progress, log
from cnnfast.data import Dataset, open_dataset
from cnnfast.errors import DataError
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.quantization.api import check_floats, quantize
from cnnfast.report.integers import BATCH, SAME_SPEED, LabelCounts, speeds
from cnnfast.runtime.tables import aligned
from cnnfast.runtime.threads import threads_or_default

ENOUGH = 500
"""How many images calibration takes of a larger data set."""

FEW = 100
"""Fewer images than this say too little about the ranges of values."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", help=options.MODEL)
    options.add_preprocess(parser)
    parser.add_argument(
        "data", metavar="DATA", help="images of the kind that the network will see; labels are not needed"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write, NAME.safetensors")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.add_argument(
        "--images", type=options.positive, default=ENOUGH, metavar="N", help="calibrate with N of them (default: 500)"
    )
    parser.add_argument(
        "--max-loss",
        type=options.points,
        metavar="POINTS",
        help="use the labels of DATA: sensitive layers stay in float until no more points of accuracy are lost on it",
    )
    parser.add_argument(
        "--keep-float", action="append", default=[], metavar="LAYER", help="leave this layer in float; may be repeated"
    )
    parser.add_argument("--evaluate", metavar="DATA", help=f"compare both networks over other {options.LABELED}")
    options.add_split(parser)
    options.add_max_pixels(parser)
    options.add_json(parser)
    options.add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Calibrate, write the network, and compare both."""
    target: Path = args.out
    check_may_write(target, args.force)
    net = load_in_float(args.model, args.preprocess, args.decode)
    check_floats(net)
    failures = Failures()
    with threads_or_default(args.threads):
        dataset = _opened(net, args.data, "train", with_labels=args.max_loss is not None).part(args.images)
        # before anything is calibrated: a wrong folder is to be named at once
        other = None if args.evaluate is None else _opened(net, args.evaluate, args.split, with_labels=True)
        images, labels = _read(net, args.model, dataset, failures)
        if not len(images):
            raise DataError(f"{dataset.name}: none of its images can be read, and calibration needs some")
        loss = {} if args.max_loss is None else {"labels": labels, "max_loss": args.max_loss}
        if len(images) < FEW:
            some = "image" if len(images) == 1 else "images"
            log(f"only {len(images)} {some}: take {FEW} to {ENOUGH} of the kind that the network will see")
        result = quantize(net, images, layout="nhwc", keep_float=args.keep_float, **loss)
        result.network.save(target)
        facts: dict[str, Any] = {
            "file": str(target),
            "bytes": target.stat().st_size,
            "bytes_in_float": sum(4 * array.size for array in net.graph.constants.values()),
            "calibration": {
                "images": result.images,
                "agreement": result.agreement,
                "signal_to_noise": result.signal_to_noise,
                "steps": list(result.steps),
            },
            "in_float": dict(result.in_float),
            "layers": {row.layer: row.signal_to_noise for row in result.sensitivities},
        }
        both = {"float": net, "integers": result.network}
        if other is not None:
            facts["evaluation"] = {"data": other.name, **_counts(both, args.model, other, failures).facts()}
        facts["images_per_second"] = speeds(both, images)
    print(json.dumps(facts, indent=2) if args.json else f"{result}\n\n{_as_text(facts)}")
    log(*failures.lines())
    return SOME_FAILED if failures.count else OK


def _opened(net: Network, data: str, split: str, with_labels: bool) -> Dataset:
    names = class_names(net) if net.classes_.dtype.kind == "U" else None
    dataset = open_dataset(data, names if with_labels else None, split)
    if with_labels and dataset.labels is None:
        raise DataError(f"{dataset.name}: has no labels to compare with")
    return dataset


def _read(net: Network, model: str, dataset: Dataset, failures: Failures) -> tuple[Array, Array]:
    """Return the images of a data set, and their labels, -1 where there are none."""
    images, labels = [], []
    failures.note(dataset.notes)
    with Progress(len(dataset)) as progress:
        for batch in dataset.batches(256, preprocess_of(net, model)):
            for error in batch.failed:
                failures.add_error(error)
            images.append(batch.images)
            labels.append(np.full(len(batch.images), -1) if batch.labels is None else batch.labels)
            progress.advance(len(batch.names) + len(batch.failed))
    return np.concatenate(images), np.concatenate(labels)


def _counts(both: Mapping[str, Network], model: str, dataset: Dataset, failures: Failures) -> LabelCounts:
    """Return what becomes of the labels of a data set."""
    counts = LabelCounts()
    failures.note(dataset.notes)
    with Progress(len(dataset)) as progress:
        for batch in dataset.batches(1024, preprocess_of(both["float"], model)):
            for error in batch.failed:
                failures.add_error(error)
            progress.advance(len(batch.names) + len(batch.failed))
            if batch.labels is not None and len(batch.images):
                found = (net.predict_proba(batch.images, layout="nhwc").argmax(axis=1) for net in both.values())
                counts.add(batch.labels, *found)
    if not counts.images:
        raise DataError(f"{dataset.name}: none of its images can be read")
    return counts


def _as_text(facts: Mapping[str, Any]) -> str:
    share = facts["bytes"] / max(facts["bytes_in_float"], 1)
    lines = [f"{facts['file']}: {facts['bytes']:,} bytes, {share:.0%} of {facts['bytes_in_float']:,} for floats"]
    if (found := facts.get("evaluation")) is not None:
        lines += ["", *_about_labels(found)]
    speed = facts["images_per_second"]
    rows: list[tuple[str, ...]] = [("images/s here", "float", "integers", "")]
    for kind, name in (("batch", f"batches of {BATCH}"), ("single", "one at a time")):
        ratio = speed[kind]["integers"] / speed[kind]["float"]
        rows.append((name, *(f"{speed[kind][which]:,.0f}" for which in ("float", "integers")), f"{ratio:.2f} times"))
    lines += ["", *aligned(rows)]
    slow = [n for kind, n in (("batch", "in batches"), ("single", "one at a time")) if not _is_faster(speed[kind])]
    if slow:
        lines += ["", f"on this machine integers are not faster {' or '.join(slow)}: use the network of floats there"]
    return "\n".join(lines)


def _about_labels(found: Mapping[str, Any]) -> list[str]:
    """Return what is said about other images: both accuracies, and whether they differ for certain."""
    changed, gain, within = found["changed"], found["gain"]["accuracy"], found["gain"]["within"]
    rows = [(found["data"], "accuracy", "95 % certain")]
    for kind in ("float", "integers"):
        low, high = found["accuracy_95"][kind]
        rows.append((kind, f"{found['accuracy'][kind]:.2%}", f"{low:.2%} to {high:.2%}"))
    return [
        *aligned(rows),
        f"of {found['images']:,} labels {found['agreement']:.2%} agree: {changed['to_wrong']:,} became wrong, "
        f"{changed['to_right']:,} became right, {changed['between_wrong']:,} were and are wrong",
        f"integers {'gain' if gain >= 0 else 'lose'} {100 * abs(gain):.2f} points, ±{100 * within:.2f}"
        + ("" if abs(gain) > within else ": no certain difference"),
    ]


def _is_faster(speed: Mapping[str, float]) -> bool:
    return speed["integers"] > SAME_SPEED * speed["float"]
