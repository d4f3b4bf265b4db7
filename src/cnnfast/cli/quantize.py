"""``cnnfast quantize MODEL DATA --out FILE``: a network of floats becomes one of eight-bit integers."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast.cli import OK, SOME_FAILED, options
from cnnfast.cli.models import class_names, load_in_float, preprocess_of
from cnnfast.cli.progress import Failures, Progress, log
from cnnfast.data import Dataset, open_dataset
from cnnfast.errors import ConfigError, DataError
from cnnfast.formats.native import check_target
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.quantization.api import quantize
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
        type=options.above_zero,
        metavar="POINTS",
        help="use the labels of DATA: sensitive layers stay in float until no more points of accuracy are lost on it",
    )
    parser.add_argument(
        "--keep-float", action="append", default=[], metavar="LAYER", help="leave this layer in float; may be repeated"
    )
    parser.add_argument("--evaluate", metavar="DATA", help=f"measure both networks with other {options.LABELED}")
    options.add_split(parser)
    options.add_max_pixels(parser)
    options.add_json(parser)
    options.add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Calibrate, write the network, and measure it."""
    target: Path = args.out
    check_target(target)
    if target.exists() and not args.force:
        raise ConfigError(f"{target}: exists already; name another file, or use --force to replace it")
    net = load_in_float(args.model, args.preprocess, args.decode)
    failures = Failures()
    with threads_or_default(args.threads):
        dataset = _opened(net, args.data, "train", with_labels=args.max_loss is not None).part(args.images)
        images, labels = _read(net, args.model, dataset, failures)
        if not len(images):
            raise DataError(f"{dataset.name}: none of its images can be read, and calibration needs some")
        loss = {} if args.max_loss is None else {"labels": labels, "max_loss": args.max_loss}
        if len(images) < FEW:
            log(f"only {len(images)} images: take {FEW} to {ENOUGH} of the kind that the network will see")
        result = quantize(net, images, layout="nhwc", keep_float=args.keep_float, **loss)
        result.network.save(target)
        facts: dict[str, Any] = {
            "file": str(target),
            "bytes": target.stat().st_size,
            "calibration": {
                "images": result.images,
                "agreement": result.agreement,
                "signal_to_noise": result.signal_to_noise,
                "steps": list(result.steps),
            },
            "in_float": dict(result.in_float),
            "layers": {row.layer: row.signal_to_noise for row in result.sensitivities},
        }
        if args.evaluate is not None:
            other = _opened(net, args.evaluate, args.split, with_labels=True)
            facts["evaluation"] = _evaluated(net, result.network, args.model, other, failures)
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
    with Progress(len(dataset)) as progress:
        for batch in dataset.batches(256, preprocess_of(net, model)):
            for error in batch.failed:
                failures.add_error(error)
            images.append(batch.images)
            labels.append(np.full(len(batch.images), -1) if batch.labels is None else batch.labels)
            progress.advance(len(batch.names) + len(batch.failed))
    return np.concatenate(images), np.concatenate(labels)


def _evaluated(net: Network, integers: Network, model: str, dataset: Dataset, failures: Failures) -> dict[str, Any]:
    """Return accuracy and speed of both networks, which take turns, batch by batch."""
    right, seconds, agreeing, total = [0, 0], [0.0, 0.0], 0, 0
    with Progress(len(dataset)) as progress:
        for batch in dataset.batches(1024, preprocess_of(net, model)):
            for error in batch.failed:
                failures.add_error(error)
            progress.advance(len(batch.names) + len(batch.failed))
            if not len(batch.images):
                continue
            found = []
            for index, network in enumerate((net, integers)):
                if total == 0:
                    # the first call plans the network and packs its weights
                    network.predict_proba(batch.images[:64], layout="nhwc")
                start = time.perf_counter()
                found.append(network.predict_proba(batch.images, layout="nhwc").argmax(axis=1))
                seconds[index] += time.perf_counter() - start
                right[index] += int((found[index] == batch.labels).sum())
            agreeing += int((found[0] == found[1]).sum())
            total += len(batch.images)
    if not total:
        raise DataError(f"{dataset.name}: none of its images can be read")
    return {
        "data": dataset.name,
        "images": total,
        "accuracy": {"float": right[0] / total, "integers": right[1] / total},
        "agreement": agreeing / total,
        "images_per_second": {"float": total / seconds[0], "integers": total / seconds[1]},
    }


def _as_text(facts: Mapping[str, Any]) -> str:
    lines = [f"{facts['file']}: {facts['bytes']:,} bytes"]
    if (found := facts.get("evaluation")) is None:
        return lines[0]
    accuracy, speed = found["accuracy"], found["images_per_second"]
    rows = [("", "accuracy", "images/s")]
    rows += [(kind, f"{accuracy[kind]:.2%}", f"{speed[kind]:,.0f}") for kind in ("float", "integers")]
    lines += [f"{found['data']}: {found['agreement']:.2%} of the labels of {found['images']:,} images agree"]
    lines += ["", *aligned(rows)]
    if speed["integers"] <= speed["float"]:
        lines += ["", "integers are not faster on this machine; the network of floats serves it better"]
    return "\n".join(lines)
