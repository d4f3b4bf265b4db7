"""The pictures of a command whose features are needed."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from cnnfast.cli import options
from cnnfast.cli.models import load_in_float
from cnnfast.cli.progress import Failures, log
from cnnfast.errors import PictureError
from cnnfast.images.pictures.files import find_pictures
from cnnfast.images.pictures.skipped import Skipped, no_picture
from cnnfast.learn.features import PictureFeatures, picture_features
from cnnfast.runtime.escapes import as_text
from cnnfast.runtime.threads import threads_or_default
from cnnfast.train import feature_cache


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="pictures, or folders of them")
    options.add_model(parser)
    options.add_preprocess(parser)
    options.add_max_pixels(parser)
    options.add_threads(parser)


def of(args: argparse.Namespace, first: Path | None = None) -> tuple[PictureFeatures, Failures]:
    """Return the features of the pictures, and which cannot be read.

    Parameters
    ----------
    args : Namespace
    first : Path, optional
        Another picture, that comes first.

    Raises
    ------
    DataError
        If there is none.
    """
    found = pictures_of(args.paths)
    if first is not None:
        same = os.path.realpath(first)
        found = [first, *(path for path in found if os.path.realpath(path) != same)]
    net = load_in_float(args.model, args.preprocess, args.decode)
    with threads_or_default(args.threads):
        known = picture_features(found, net, cache=feature_cache())
    return known, failures_of(known)


def pictures_of(paths: Sequence[str]) -> list[Path]:
    """Return the pictures that paths stand for, and print which files are not read.

    Raises
    ------
    DataError
        If there is none.
    """
    skipped = Skipped()
    found = find_pictures(paths, skipped)
    if not found:
        raise no_picture(", ".join(map(as_text, paths)), skipped)
    log(*skipped.lines())
    return found


def failures_of(known: PictureFeatures) -> Failures:
    """Return which pictures have no features."""
    failures = Failures()
    for path, error in known.failed:
        failures.add(str(path), error.reason if isinstance(error, PictureError) else str(error))
    return failures
