"""Which pictures are the same, nearly the same, or of the same kind: by their bytes, looks and features."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.images.looks import ALIKE, LOOK, ROWS, joined, normalized
from cnnfast.learn.features import PictureFeatures
from cnnfast.ops import Array

SAME_LOOK, SAME_FEATURES = 0.8, 0.88
"""What together makes near duplicates of pictures that are cut a little: of 2,000 photographs of cats and dogs 92 % are
found that lost a twentieth at each side, and one of two million pairs is a wrong one."""

ENOUGH = 50
"""Pictures from which on the mean of their features says what is usual among them."""


@frozen
class Twins:
    """Pictures that are the same, or nearly.

    Attributes
    ----------
    paths : tuple of Path
        Two or more; the first is the one that was found first.
    likeness : tuple of float
        Of each to the first one it is like, 1 for the same bytes.
    exact : bool
        Whether all have the same bytes.
    """

    paths: tuple[Path, ...]
    likeness: tuple[float, ...]
    exact: bool


def same_bytes(paths: Sequence[Path]) -> list[tuple[int, int]]:
    """Return pairs of files with the same bytes: each that is not the first of its kind, with the first.

    Only files of one size are read. Those that cannot be read are like no other.
    """
    by_size: dict[int, list[int]] = defaultdict(list)
    for i, path in enumerate(paths):
        try:
            by_size[os.stat(path).st_size].append(i)
        except OSError:
            continue
    found = []
    for members in by_size.values():
        if len(members) < 2:
            continue
        first: dict[bytes, int] = {}
        for i in members:
            try:
                with paths[i].open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").digest()
            except OSError:
                continue
            if first.setdefault(digest, i) != i:
                found.append((first[digest], i))
    return found


def near_pairs(known: PictureFeatures) -> list[tuple[int, int, float]]:
    """Return pairs of near duplicates, with how alike they are, from 0 to 1.

    They look alike, as they are or as mirror images; or look nearly so and have features that are alike.
    """
    looks = normalized(known.looks)
    mirrored = looks.reshape(-1, LOOK, LOOK)[:, :, ::-1].reshape(looks.shape)
    features = directions(known.features) if len(known.paths) >= ENOUGH else np.zeros((len(looks), 1), np.float32)
    found = []
    for start in range(0, len(looks), ROWS):
        part = slice(start, start + ROWS)
        look = looks[part] @ looks[start:].T
        cut = (look >= SAME_LOOK) & (features[part] @ features[start:].T >= SAME_FEATURES)
        look = np.maximum(look, looks[part] @ mirrored[start:].T)
        near = (look >= ALIKE) | cut
        for i, j in zip(*np.nonzero(near), strict=True):
            if j > i:
                found.append((start + int(i), start + int(j), float(look[i, j])))
    return found


def twins(known: PictureFeatures, only_exact: bool = False) -> list[Twins]:
    """Return all groups of pictures that are the same, or nearly; the largest first.

    With ``only_exact``, groups of files with the same bytes, whatever else looks like them.
    """
    exact = same_bytes(known.paths)
    near = [] if only_exact else near_pairs(known)
    likeness = {(i, j): value for i, j, value in near} | dict.fromkeys(exact, 1.0)
    group = joined(likeness, len(known.paths))
    best = np.zeros(len(group))
    for (i, j), value in likeness.items():
        best[i], best[j] = max(best[i], value), max(best[j], value)
    members: dict[int, list[int]] = defaultdict(list)
    for i, first in enumerate(group.tolist()):
        members[first].append(i)
    # all of a group have the same bytes if bytes alone join it
    by_bytes = joined(exact, len(known.paths))
    found = [
        Twins(
            tuple(known.paths[i] for i in group_),
            tuple(float(best[i]) for i in group_),
            len({int(by_bytes[i]) for i in group_}) == 1,
        )
        for group_ in members.values()
        if len(group_) > 1
    ]
    return sorted(found, key=lambda one: -len(one.paths))


def directions(features: Array) -> Array:
    """Return features without what is usual among them, each of length 1, so that products are cosines."""
    values = features.astype(np.float32)
    if len(values) >= ENOUGH:
        values = values - values.mean(axis=0)
    norm: Array = np.sqrt((values**2).sum(axis=1, keepdims=True))
    return values / np.maximum(norm, 1e-6)
