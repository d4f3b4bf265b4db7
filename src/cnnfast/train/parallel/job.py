"""What a worker needs for a whole run, besides the weights of each step: network, images, and what decides their views.

It is written as one file, of cnnfast's own container: nothing in it is executed, it states its SHA-256, and workers of
one machine map it, so that they share its memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast import __version__
from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError, ModelFileError
from cnnfast.formats import Model, description
from cnnfast.formats.digest import read_sealed, write_sealed
from cnnfast.formats.plain_names import with_plain_names
from cnnfast.formats.strict_json import parse
from cnnfast.formats.tensors import MAX_CONTAINERS
from cnnfast.graph import Graph
from cnnfast.ops import Array
from cnnfast.train.augment import AUGMENTATIONS
from cnnfast.train.engine.base import Pixels, trainable_names
from cnnfast.train.engine.chwn import ChwnEngine, make_engine
from cnnfast.train.examples import Examples
from cnnfast.train.losses import LOSSES, Loss
from cnnfast.train.recipe import Recipe, plain
from cnnfast.train.sources import AugmentedImages, ExampleSource, Features

KEY = "cnnfast.job"


@frozen(eq=False)
class Job:
    """A run of training, as far as workers are concerned.

    Attributes
    ----------
    graph : Graph
    loss : Loss
    trained : tuple of str
        The parameters that are trained; a task has their values in this order.
    pixels : (factor, shift), optional
        As for `Engine`.
    recipe : Recipe
        Its seed, batch, augmentations and ``norm_over`` count.
    source : ExampleSource
    """

    graph: Graph
    loss: Loss
    trained: tuple[str, ...]
    pixels: Pixels | None
    recipe: Recipe
    source: ExampleSource

    def engine(self, batch: int, threads: int | None = None) -> ChwnEngine:
        """Return an engine for up to ``batch`` images."""
        return make_engine(
            self.graph,
            self.loss,
            batch,
            threads=threads,
            trainable=self.trained,
            seed=self.recipe.seed % (1 << 32),
            pixels=self.pixels,
            norm_over=self.recipe.norm_over,
        )

    def save(self, path: Path) -> None:
        """Write the job, images included.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        graph = with_plain_names(self.graph)
        names = trainable_names(self.graph)
        arrays = {f"constant/{i}": array for i, array in enumerate(graph.constants.values())}
        arrays["labels"] = _narrow(self.source.examples.labels)
        if isinstance(self.source, Features):
            arrays |= {f"features/{i}": array for i, array in enumerate(self.source.arrays)}
        else:
            arrays["images"] = self.source.examples.images
        if self.pixels is not None:
            arrays |= {"factor": self.pixels[0], "shift": self.pixels[1]}
        recipe = self.recipe
        fields = {
            "cnnfast": __version__,
            "network": json.dumps(description.encode(Model(graph))),
            "constants": list(graph.constants),
            "trained": [names.index(name) for name in self.trained],
            "loss": plain(self.loss),
            "seed": recipe.seed,
            "batch": recipe.batch,
            "augment": plain(recipe.augment),
            "norm_over": recipe.norm_over,
        }
        write_sealed(path, {KEY: json.dumps(fields, separators=(",", ":"))}, arrays)


def load_job(path: Path) -> Job:
    """Read a job, its arrays mapped into memory.

    Raises
    ------
    ModelFileError
        If the file is damaged or not a job.
    ConfigError
        If it is of another version of cnnfast.
    """
    try:
        metadata, arrays = read_sealed(path, mapped=True)
        fields = parse(metadata.get(KEY, "{}"), KEY, MAX_CONTAINERS)
        if not isinstance(fields, dict) or "cnnfast" not in fields:
            raise ModelFileError(f"is not a job: its header lacks {KEY}")
        if fields["cnnfast"] != __version__:
            raise ConfigError(
                f"this worker has cnnfast {__version__}, but the run was begun with {fields['cnnfast']}; install the "
                "same version on both sides"
            )
        return _decoded(fields, arrays)
    except (ModelFileError, OSError) as error:
        raise ModelFileError(f"{path}: cannot be worked on: {error}") from None


def _decoded(fields: Mapping[str, Any], arrays: Mapping[str, Array]) -> Job:
    constants = {name: arrays[f"constant/{i}"] for i, name in enumerate(fields["constants"])}
    graph = description.decode(fields["network"], constants).graph
    names = trainable_names(graph)
    augment = tuple(_made(value, AUGMENTATIONS.values()) for value in fields["augment"])
    recipe = Recipe(
        batch=fields["batch"],
        seed=fields["seed"],
        augment=augment,
        norm_over=fields["norm_over"],
    )
    return Job(
        graph,
        _made(fields["loss"], LOSSES.values()),
        tuple(names[i] for i in fields["trained"]),
        (arrays["factor"], arrays["shift"]) if "factor" in arrays else None,
        recipe,
        _source(arrays, recipe),
    )


def _source(arrays: Mapping[str, Array], recipe: Recipe) -> ExampleSource:
    if "images" in arrays:
        return AugmentedImages(Examples(arrays["images"], arrays["labels"]), recipe)
    features = [arrays[f"features/{i}"] for i in range(2) if f"features/{i}" in arrays]
    return Features(Examples(features[0].reshape(len(features[0]), -1), arrays["labels"]), features, recipe)


def _narrow(labels: Array) -> Array:
    return labels if labels.ndim == 2 else labels.astype(np.int32)


def _made(value: Mapping[str, Any], kinds: Iterable[type]) -> Any:
    """Return the object that `plain` has described."""
    (kind,) = (kind for kind in kinds if kind.__name__ == value["kind"])
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in value.items() if name != "kind"})
