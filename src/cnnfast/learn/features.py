"""What a network knows about picture files: computed once, and kept for the next run by network and file."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from cnnfast._bar import open_bar
from cnnfast._frozen import frozen
from cnnfast.errors import CnnfastError, ConfigError
from cnnfast.graph.feature_layer import feature_layer
from cnnfast.images.looks import LOOK, looks_of
from cnnfast.images.preprocess import UNSAID, Array, Preprocess
from cnnfast.learn.store import FileState, FolderStore, Seen
from cnnfast.learn.views import VIEWS, decoding_of, views_of
from cnnfast.network.identity import identity
from cnnfast.network.network import Network
from cnnfast.network.stream import Answer, Opened, Pipeline, decode, default_batch
from cnnfast.runtime.arguments import one_of
from cnnfast.runtime.threads import get_num_threads

VERSION = 1
"""Of how features are made; another one is another kind of them."""


@frozen(eq=False)
class PictureFeatures:
    """The features of picture files.

    Attributes
    ----------
    paths : list of Path
        The files that could be read.
    features : float32 array (N, F)
        The mean over all views of each.
    looks : uint8 array (N, 256)
        Each picture as 16 by 16 gray pixels.
    failed : list of (Path, CnnfastError)
        The other files.
    computed : int
        How many were not known from an earlier run.
    """

    paths: list[Path]
    features: Array
    looks: Array
    failed: list[tuple[Path, CnnfastError]]
    computed: int


def picture_features(
    paths: Sequence[Path],
    net: Network,
    *,
    views: str = "windows",
    layer: str | None = None,
    cache: Path | None = None,
    shown: bool | None = None,
) -> PictureFeatures:
    """Compute the features of picture files, or find them from an earlier run.

    Parameters
    ----------
    paths : sequence of Path
    net : Network
    views : {"whole", "mirrored", "windows"}
        Over which views of a picture the mean is taken; see `cnnfast.learn.views`.
    layer : str, optional
        Whose values; by default those that the last dense layer reads.
    cache : Path, optional
        Folder where they are kept for the next run, by network, views and file; by default they are not kept.
    shown : bool, optional
        Whether a bar shows the progress; by default on a terminal.

    Raises
    ------
    ConfigError
        If the network has no preprocessing.
    GraphError
        If there is no such layer.

    Examples
    --------
    >>> found = picture_features([Path("missing.png")], Network.load("cifar10-lenet"))
    >>> found.features.shape, str(found.failed[0][1])
    ((0, 84), 'missing.png: no such file')
    """
    one_of("views", views, VIEWS)
    if net.preprocess is None:
        raise ConfigError(f"this network {UNSAID}")
    base = net.truncate(layer or feature_layer(net.graph))
    key = identity(base)
    key.update(repr((VERSION, views)).encode())
    stores: dict[str, FolderStore] = {}
    folders = [os.path.realpath(path.parent) for path in paths]
    states = [FileState.of(path) for path in paths]
    known: dict[int, Seen] = {}
    if cache is not None:
        for i, (folder, state) in enumerate(zip(folders, states, strict=True)):
            if folder not in stores:
                stores[folder] = FolderStore(cache, key.hexdigest(), folder)
            seen = None if state is None else stores[folder].find(state)
            if seen is not None:
                known[i] = seen
    missing = [i for i in range(len(paths)) if i not in known]
    try:
        failed = _compute(base, net.preprocess, views, paths, missing, known, shown)
    finally:  # also what an interrupted run has computed
        _keep(folders, states, [i for i in missing if i in known], known, stores)
    order = sorted(known)
    width = math.prod(base.output_shape)
    return PictureFeatures(
        [paths[i] for i in order],
        np.stack([known[i][0] for i in order]) if order else np.empty((0, width), np.float32),
        np.stack([known[i][1] for i in order]) if order else np.empty((0, LOOK * LOOK), np.uint8),
        failed,
        len(missing) - len(failed),
    )


def _compute(
    base: Network,
    preprocess: Preprocess,
    views: str,
    paths: Sequence[Path],
    missing: Sequence[int],
    known: dict[int, Seen],
    shown: bool | None,
) -> list[tuple[Path, CnnfastError]]:
    """Add the features of the missing pictures to the known ones, and return those that cannot be read."""
    rule, threads = decoding_of(views, preprocess), get_num_threads()

    def load(item: int, opened: Opened | None) -> Answer:
        return decode(paths[item], rule, opened)

    def compute(images: Array) -> Array:
        shown = views_of(images, views, preprocess)
        total = base.forward(shown[0], layout="nhwc", threads=threads)
        for view in shown[1:]:
            total += base.forward(view, layout="nhwc", threads=threads)
        mean = (total / len(shown)).reshape(len(images), -1)
        return np.concatenate([mean, looks_of(images)], axis=1)

    failed: list[tuple[Path, CnnfastError]] = []
    bar = open_bar(len(missing), 0, " images", shown) if missing else None
    pipeline = Pipeline[int](load, compute, default_batch(threads), threads, lambda item: str(paths[item]))
    try:
        with closing(pipeline.run(missing)) as outcomes:
            for item, outcome in outcomes:
                if isinstance(outcome, CnnfastError):
                    failed.append((paths[item], outcome))
                else:
                    values = outcome.astype(np.float32)
                    known[item] = (values[: -LOOK * LOOK], values[-LOOK * LOOK :].astype(np.uint8))
                if bar is not None:
                    bar.update(1)
    finally:
        if bar is not None:
            bar.close()
    return failed


def _keep(
    folders: Sequence[str],
    states: Sequence[FileState | None],
    new: Sequence[int],
    known: dict[int, Seen],
    stores: dict[str, FolderStore],
) -> None:
    by_folder: dict[str, dict[FileState, Seen]] = defaultdict(dict)
    for i in new:
        state = states[i]
        if state is not None:
            by_folder[folders[i]][state] = known[i]
    for folder, seen in by_folder.items():
        if folder in stores:
            stores[folder].add(seen)
