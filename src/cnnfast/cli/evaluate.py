"""``cnnfast evaluate MODEL DATA``: how often is a network right?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnfast.cli import OK, SOME_FAILED, options
from cnnfast.cli.gallery import Gallery
from cnnfast.cli.honesty import Honesty
from cnnfast.cli.labeled import open_labeled
from cnnfast.cli.models import class_index, class_names, load, preprocess_of
from cnnfast.cli.progress import Failures, Progress, log
from cnnfast.data import Batch, Dataset
from cnnfast.errors import InputError
from cnnfast.images.preprocess import Array
from cnnfast.network.stream import prefetched
from cnnfast.report.scores import Scores
from cnnfast.report.tile import Tile
from cnnfast.runtime.outputs import replacing
from cnnfast.runtime.tables import aligned
from cnnfast.runtime.threads import threads_or_default


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="MODEL", help=options.MODEL)
    options.add_preprocess(parser)
    options.add_integers(parser)
    parser.add_argument("data", metavar="DATA", help=options.LABELED)
    options.add_columns(parser)
    parser.add_argument("--class", dest="wanted", metavar="NAME", help="also: how well this class is distinguished")
    parser.add_argument(
        "--threshold",
        type=options.probability,
        default=0.5,
        metavar="P",
        help="an image counts as --class if its probability is above P (default: %(default)s)",
    )
    parser.add_argument(
        "--mirrored", action="store_true", help="take the mean of each image and its mirror image; twice the work"
    )
    parser.add_argument(
        "--limit", type=options.positive, metavar="N", help="only N images, each class in proportion, spread evenly"
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="draw the most confident mistakes and a reliability diagram: an .html page, or .png with .svg next to it",
    )
    options.add_split(parser)
    options.add_max_pixels(parser)
    options.add_json(parser)
    options.add_threads(parser)
    options.add_batch(parser)


def run(args: argparse.Namespace) -> int:
    """Compute the scores and print them."""
    net = load(args.model, args)
    net = net.mirrored() if args.mirrored else net
    names = class_names(net)
    wanted = None if args.wanted is None else class_index(net, args.wanted)
    dataset = open_labeled(net, args.data, args.split, args.columns)
    dataset = dataset if args.limit is None else dataset.part(args.limit)
    scores, failures = Scores(names, wanted, args.threshold), Failures()
    honesty = Honesty(wanted, args.threshold)
    failures.note(dataset.notes)
    gallery = None if args.report is None else Gallery(args.report)
    preprocess = preprocess_of(net, args.model)
    with (
        threads_or_default(args.threads),
        Progress(len(dataset)) as progress,
    ):
        for batch in prefetched(dataset.batches(args.batch or 256, preprocess)):
            for error in batch.failed:
                failures.add_error(error)
            if len(batch.images) and batch.labels is not None:
                probabilities = net.predict_proba(batch.images, layout="nhwc")
                _count(scores, batch, probabilities)
                honesty.add(batch.labels, probabilities)
                if gallery is not None:
                    _draw_mistakes(gallery, batch, probabilities, names, dataset)
            progress.advance(len(batch.names) + len(batch.failed))
    if args.json:
        print(json.dumps({**scores.to_dict(), **honesty.to_dict()}, indent=2))
    else:
        print(as_text(scores, dataset), "", *honesty.lines(None if wanted is None else names[wanted]), sep="\n")
    log(*failures.lines())
    if gallery is not None:
        title = f"{scores.total - scores.right:,} mistakes in {dataset.name}"
        _write_report(args.report, gallery, title, honesty.diagram(Path(args.model).stem))
    return SOME_FAILED if failures.count else OK


def _write_report(report: Path, gallery: Gallery, title: str, diagram: str) -> None:
    """Write the mistakes and the reliability diagram: one page, or a picture with the diagram in a file next to it."""
    if report.suffix.lower() == ".html":
        log(gallery.write(title, figure=diagram))
        return
    log(gallery.write(title))
    diagram_file = report.with_name(f"{report.stem}-reliability.svg")
    with replacing(diagram_file) as file:
        file.write(diagram.encode())
    log(f"reliability diagram: {diagram_file}")


def _count(scores: Scores, batch: Batch, probabilities: Array) -> None:
    assert batch.labels is not None
    bad = np.flatnonzero(np.isnan(probabilities).any(axis=1))
    if bad.size:
        raise InputError(f"{batch.names[bad[0]]}: the network's result is not a number; look at its weights")
    scores.add(batch.labels, probabilities)


def _draw_mistakes(
    gallery: Gallery, batch: Batch, probabilities: Array, names: Sequence[str], dataset: Dataset
) -> None:
    assert batch.labels is not None
    labels = probabilities.argmax(axis=1)
    for i in np.flatnonzero(labels != batch.labels):
        truth = names[batch.labels[i]]
        # A file is drawn as people know it, an image of an array as the network sees it.
        picture = Path(batch.names[i]) if hasattr(dataset.source, "paths") else batch.images[i].copy()
        label = names[labels[i]]
        gallery.add(Tile(picture, batch.names[i], label, float(probabilities[i, labels[i]]), truth=truth))


def as_text(scores: Scores, dataset: Dataset) -> str:
    """Return the scores as tables."""
    parts = [f"{dataset.name}: {scores.right:,} of {scores.total:,} right, accuracy {scores.accuracy:.2%}"]
    parts += ["", *_class_table(scores), "", *_matrix_table(scores)]
    if scores.wanted is not None:
        d = scores.of_wanted()
        parts += [
            "",
            f"{scores.classes[scores.wanted]} with a probability above {scores.threshold:g}: "
            f"TP {d.true_positives:,}  FP {d.false_positives:,}  FN {d.false_negatives:,}  "
            f"precision {d.precision:.2%}  recall {d.recall:.2%}  F1 {d.f1:.2%}",
        ]
    return "\n".join(parts)


def _present(scores: Scores) -> list[int]:
    """Return the classes that occur, as truth or as result."""
    return [i for i in range(len(scores.classes)) if scores.matrix[i].any() or scores.matrix[:, i].any()]


def _class_table(scores: Scores) -> list[str]:
    rows = [("class", "images", "precision", "recall", "F1")]
    for i in _present(scores):
        d = scores.of_class(i)
        images = int(scores.matrix[i].sum())
        rows.append((scores.classes[i], f"{images:,}", f"{d.precision:.2%}", f"{d.recall:.2%}", f"{d.f1:.2%}"))
    return aligned(rows)


def _matrix_table(scores: Scores) -> list[str]:
    shown = _present(scores)
    rows = [("is \\ taken for", *(scores.classes[j] for j in shown))]
    rows += [(scores.classes[i], *(f"{scores.matrix[i, j]:,}" for j in shown)) for i in shown if scores.matrix[i].any()]
    return aligned(rows)
