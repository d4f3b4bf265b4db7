"""Transfer learning: the lower part of a network is frozen and computed only once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cnnfast._bar import advancing
from cnnfast.errors import ConfigError, GraphError, ModelFileError
from cnnfast.formats import Model
from cnnfast.formats.digest import read_sealed, write_sealed
from cnnfast.graph import Graph
from cnnfast.network.identity import identity
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.runtime import config
from cnnfast.runtime.outputs import remove_unfinished
from cnnfast.train.augment import Flip
from cnnfast.train.examples import Examples
from cnnfast.train.recipe import Recipe
from cnnfast.train.sources import Features

FEATURES = "features"
A_DAY = 86_400.0
PART = 1024
"""Images that are computed between two steps of a bar: many groups for each thread."""


def upper_part(graph: Graph, layer: str) -> Graph:
    """Return the graph behind a layer, whose values become its input.

    Raises
    ------
    GraphError
        If there is no such layer, or some path leads around it.

    Examples
    --------
    >>> upper_part(Network.load("cifar10-cs61c").graph, "flatten_1").inputs
    mappingproxy({'flatten_1': (320,)})
    """
    if layer not in graph.by_name:
        raise GraphError(f"there is no layer {layer!r} to freeze up to; the layers are: {', '.join(graph.by_name)}")
    nodes, reached, around = [], {layer}, set(graph.inputs)
    for node in graph.nodes:
        values = {v for v in node.inputs if v not in graph.constants}
        if node.name != layer and values & reached:
            if values & around:
                raise GraphError(
                    f"{node.name!r} reads {sorted(values & around)} around {layer!r}, so nothing can be frozen there; "
                    "choose a layer that everything passes through"
                )
            nodes.append(node)
            reached.add(node.name)
        elif node.name != layer:
            around.add(node.name)
    used = {v for node in nodes for v in node.inputs}
    constants = {name: array for name, array in graph.constants.items() if name in used}
    if not constants:
        raise GraphError(f"there is nothing to train behind {layer!r}")
    return Graph({layer: graph.shapes[layer]}, tuple(nodes), constants, graph.outputs)


def joined(graph: Graph, upper: Graph) -> Graph:
    """Return the whole graph with the constants of its upper part."""
    return Graph(graph.inputs, graph.nodes, {**graph.constants, **upper.constants}, graph.outputs)


def frozen_features(
    net: Network, layer: str, examples: Examples, recipe: Recipe, cache: Path | None, progress: bool | None = None
) -> Features:
    """Compute the output of the network up to a layer for all images, once, by the fast path of prediction.

    Parameters
    ----------
    cache : Path or None
        Folder where the features of these images are kept for the next run; None keeps nothing.
    progress : bool, optional
        Whether to show a bar; by default on a terminal and in notebooks.

    Raises
    ------
    ConfigError
        If the recipe changes images in other ways than by flipping them.
    """
    unfit = [type(a).__name__ for a in recipe.augment if not isinstance(a, Flip)]
    if unfit or len(recipe.augment) > 1:
        raise ConfigError(
            f"a frozen part is computed once, for each image and its mirror image, so the recipe may only have one "
            f"Flip, but has {', '.join(type(a).__name__ for a in recipe.augment)}; leave the others out"
        )
    base = net.truncate(layer)
    views = [examples.images]
    if recipe.augment and examples.images.ndim == 4:
        views.append(examples.images[:, :, ::-1])
    return Features(examples, [kept(base, view, cache, progress=progress) for view in views], recipe)


def feature_cache() -> Path:
    """Return the folder where features are kept: ``features`` in that of ``CNNFAST_CACHE``."""
    return config.cache_dir() / "features"


def kept(
    net: Network, images: Array, cache: Path | None, probabilities: bool = False, progress: bool | None = None
) -> Array:
    """Return the output of a network for images (N, H, W, C), or its probabilities, from the cache if they are there.

    Parameters
    ----------
    cache : Path or None
        Folder where the result is kept for the next run; None keeps nothing.
    progress : bool, optional
        Whether to show a bar; by default on a terminal and in notebooks.
    """
    if cache is None:
        return _computed(net, images, probabilities, progress)
    file = cache / f"{_key(net, images)}{'-probabilities' * probabilities}.safetensors"
    shape = (len(images), *((*net.answer_shape, len(net.classes_)) if probabilities else net.output_shape))
    if (found := _cached(file, shape)) is not None:
        return found
    computed = _computed(net, images, probabilities, progress)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        remove_unfinished(cache, A_DAY)
        write_sealed(file, {}, {FEATURES: computed})
    except OSError as error:
        warnings.warn(f"computed features could not be saved for the next run: {error}", stacklevel=2)
    return computed


def _computed(net: Network, images: Array, probabilities: bool, progress: bool | None) -> Array:
    compute = net.predict_proba if probabilities else net.forward
    rows: list[Array] = []
    with advancing(len(images), " images", progress, desc="teacher" if probabilities else "features") as advance:
        # no part of a batch changes its results, so it may be computed in parts that a bar counts
        for start in range(0, max(1, len(images)), PART):
            rows.append(compute(images[start : start + PART], layout="nhwc"))
            advance(len(rows[-1]))
    return rows[0] if len(rows) == 1 else np.concatenate(rows)


def _cached(file: Path, shape: tuple[int, ...]) -> Array | None:
    """Return the features in a file, or None where there is none or it is damaged."""
    try:
        _, arrays = read_sealed(file)
    except (OSError, ModelFileError):
        return None
    array = arrays.get(FEATURES)
    return array if array is not None and array.dtype == np.float32 and array.shape == shape else None


def _key(base: Network, images: Array) -> str:
    """Return the digest of everything that the features depend on."""
    total = identity(base)
    total.update(repr((images.dtype, images.shape)).encode())
    total.update(np.ascontiguousarray(images).reshape(-1).view(np.uint8).data)
    return total.hexdigest()


def with_graph(
    net: Network, graph: Graph, notes: Mapping[str, str] | None = None, license: str | None = None
) -> Network:
    """Return a network with another graph, and all else of the first one but for notes and license, if given."""
    return Network(Model(graph, net.preprocess, net.class_names, license or net.license, dict(notes or net.notes)))
