"""New pictures for a network that must not forget: their features, mixed with those that it remembers.

Only the head learns, so what the network remembers stays true, and the network that comes of it remembers the new
pictures too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cnnfast import ops
from cnnfast._frozen import frozen
from cnnfast.calibration.scores import SOFTMAX, ending_of
from cnnfast.data import Dataset, find_class
from cnnfast.data.base import of_each_class
from cnnfast.errors import ConfigError, DataError, UnsupportedError
from cnnfast.formats import Model
from cnnfast.formats.remembered import Remembered
from cnnfast.graph import Graph, Node, constant
from cnnfast.graph.feature_layer import feature_layer
from cnnfast.graph.passes.rewrite import fresh_name
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.runtime.arguments import instance
from cnnfast.train.examples import Examples, split
from cnnfast.train.fitting import Data
from cnnfast.train.reading import as_examples
from cnnfast.train.recipe import Recipe
from cnnfast.train.remembering import narrowed
from cnnfast.train.transfer import frozen_features


@frozen(eq=False)
class Replay:
    """What `replay` makes: a head, and features for it to learn from.

    Attributes
    ----------
    base : Network
    head : Network
        From features to the probabilities of all classes, as far as the base knows them.
    examples : Examples
        Features of new pictures and remembered ones, mixed.
    held : Examples or None
        Features of new pictures that were set aside.
    remembered : Remembered
        What the new network will remember.
    repeated : (int, int)
        How often each new and each remembered picture is among the examples.
    """

    base: Network
    head: Network
    examples: Examples
    held: Examples | None
    remembered: Remembered
    repeated: tuple[int, int]

    def finish(self, head: Network) -> Network:
        """Return the whole network with a head that has learned; it has the license and notes of the head."""
        body = self.base.graph.cut([feature_layer(self.base.graph)])
        graph = Graph(
            body.inputs,
            (*body.nodes, *head.graph.nodes),
            {**body.constants, **head.graph.constants},
            head.graph.outputs,
        )
        license = head.license or self.base.license
        return Network(Model(graph, self.base.preprocess, head.class_names, license, head.notes, self.remembered))

    def recalled(self, head: Network, classes: int | None = None) -> float:
        """Return the share of the pictures remembered by the base that a head puts into their class.

        It may choose among all classes, or the first ones only.
        """
        known = _known(self.base)
        found = head.predict_proba(known.features.astype(np.float32))[:, :classes].argmax(axis=1)
        return float((found == known.numbers).mean())


def replay(
    net: Network,
    data: Data,
    recipe: Recipe | None = None,
    *,
    validation: float | None = 0.1,
    cache: Path | None = None,
    progress: bool | None = None,
) -> Replay:
    """Prepare what a network learns from new pictures without forgetting those that it remembers.

    Only the head learns, and it begins with what it knows. Classes of the pictures that the network does not have get
    a place behind those that it has. Of new and of remembered pictures those that are fewer per class are repeated, new
    ones at most ten times, so that a class of one kind weighs about as much as a class of the other.

    Parameters
    ----------
    net : Network
        One that remembers pictures, see `remember`.
    data : Dataset, Examples, or (images, labels)
        New pictures; of a pair, the labels are numbers of classes that the network has.
    recipe : Recipe, optional
        That of the training to come. With its `Flip` each picture is learned as it is and mirrored, which features are
        computed for here; so leave it out there.
    validation : float, optional
        The part of the new pictures that is set aside.
    cache : path, optional
        Folder where features are kept for the next run.
    progress : bool, optional
        As for `load_examples`.

    Raises
    ------
    ConfigError
        If the network remembers nothing, or the recipe changes images in other ways than by flipping them.
    UnsupportedError
        If the network does not end in a dense layer and a softmax, or in a single output.

    Examples
    --------
    >>> from cnnfast.train import fit, remember
    >>> rng = np.random.default_rng(0)
    >>> old, new = (rng.integers(0, 256, (n, 32, 32, 3), np.uint8) for n in (20, 8))
    >>> net = remember(Network.load("cifar10-cs61c"), (old, np.arange(20) % 10))
    >>> mixed = replay(net, Examples(new, np.arange(8) % 2, ("fox", "Cats")), validation=None)
    >>> better = mixed.finish(fit(mixed.head, mixed.examples, Recipe(epochs=1)).network)
    >>> better.classes_[[3, 10]].tolist(), len(better.remembered)
    (['cat', 'fox'], 22)
    """
    instance("the network", net, Network, "such as Network.load(...)")
    recipe = Recipe() if recipe is None else instance("the recipe", recipe, Recipe, "as in Recipe(epochs=20)")
    known = _known(net)
    new = _with_all_classes(net, data, progress)
    assert new.classes is not None
    head = _head(net, new.classes)
    learned, held = (new, None) if not validation else _set_aside(new, validation, recipe.seed)
    layer = feature_layer(net.graph)
    plain, *mirrored = frozen_features(net, layer, learned, recipe, cache, progress).arrays
    features, labels = np.concatenate([plain, *mirrored]), np.tile(learned.labels, 1 + len(mirrored))
    times = _repeats(labels, known.numbers)
    examples = Examples(
        np.concatenate([features.repeat(times[0], 0), known.features.astype(np.float32).repeat(times[1], 0)]),
        np.concatenate([labels.repeat(times[0]), known.numbers.astype(np.int64).repeat(times[1])]),
        new.classes,
        f"{new.name}, and remembered pictures",
    )
    if held is not None:
        held = replace(held, images=frozen_features(net, layer, held, Recipe(), cache, progress).arrays[0])
    return Replay(net, head, examples, held, _extended(known, plain, learned.labels), times)


def _known(net: Network) -> Remembered:
    if net.remembered is None:
        raise ConfigError(
            "the network remembers no pictures, so there is nothing to mix with new ones; `cnnfast remember MODEL DATA "
            "--out FILE` gives it features of the pictures that it was trained on (in Python cnnfast.train.remember)"
        )
    return net.remembered


def _with_all_classes(net: Network, data: Data, progress: bool | None) -> Examples:
    """Return examples whose labels number the classes of the network, and behind them those that it does not have."""
    known = [str(name) for name in net.classes_]
    is_named = isinstance(data, Dataset | Examples)
    examples = as_examples(data, "the new pictures", None if is_named else known, net.preprocess, progress)
    if examples.labels.ndim == 2:
        raise DataError(
            f"{examples.name}: labels must be numbers of classes to be mixed with others, not probabilities"
        )
    names = known if examples.classes is None else list(examples.classes)
    if net.class_names is None and not set(names) <= set(known):
        raise ConfigError(
            f"{examples.name}: has names of classes, but the network has numbers only; `cnnfast convert MODEL OUT "
            "--labels A,B,…` gives it names"
        )
    if int(examples.labels.min()) < 0 or int(examples.labels.max()) >= len(names):
        raise DataError(f"{examples.name}: has the label {examples.labels.max()}, but there are {len(names)} classes")
    places, all_names = np.zeros(len(names), np.int64), list(known)
    for used in np.unique(examples.labels):
        place = find_class(names[used], known)
        places[used] = len(all_names) if place is None else place
        all_names += [] if place is not None else [names[used]]
    return replace(examples, labels=places[examples.labels], classes=tuple(all_names))


def _set_aside(new: Examples, fraction: float, seed: int) -> tuple[Examples, Examples | None]:
    """Divide new pictures; those of a class that has a single one are learned."""
    lonely = np.bincount(new.labels)[new.labels] == 1
    if lonely.all():
        return new, None
    learned, held = split(new.take(np.flatnonzero(~lonely)), fraction, seed)
    alone = new.take(np.flatnonzero(lonely)) if lonely.any() else None
    if alone is None:
        return learned, held
    both = [np.concatenate([getattr(part, name) for part in (learned, alone)]) for name in ("images", "labels")]
    return replace(learned, images=both[0], labels=both[1]), held


def _head(net: Network, names: Sequence[str]) -> Network:
    """Return the head for all classes: rows that the network has, and zeros for classes that it does not have.

    The shift of new classes is the mean of the others. A single score is the difference of two.
    """
    ending, layer = ending_of(net), feature_layer(net.graph)
    last = next(node for node in reversed(net.graph.nodes) if isinstance(node.op, ops.Linear))
    value = ending.scores
    while value != last.name:
        node = ending.graph.by_name.get(value)
        if node is None or not isinstance(node.op, ops.Identity | ops.Flatten | ops.Reshape):
            raise UnsupportedError(
                f"the scores of this network come from {value!r}, not from its last dense layer {last.name!r}, so that "
                "new classes have no place in it"
            )
        value = node.inputs[0]
    weight, *bias = (net.graph.constants[v].astype(np.float64) for v in last.inputs[1:])
    shift = bias[0] if bias else np.zeros(len(weight))
    if ending.count == 1:
        weight, shift = np.vstack([0 * weight, weight]), np.array([0.0, *shift])
    elif ending.kind != SOFTMAX:
        raise UnsupportedError(
            "this network answers each class on its own, by a sigmoid, and a mixture needs a softmax"
        )
    fresh = len(names) - len(weight)
    weight = np.vstack([weight, np.zeros((fresh, weight.shape[1]))])
    shift = np.concatenate([shift, np.full(fresh, shift.mean())])
    taken = net.graph.cut([layer]).shapes
    name = fresh_name(last.name, taken)
    given = {f"{name}.weight": constant(weight), f"{name}.bias": constant(shift)}
    nodes = (Node(name, ops.Linear(), (layer, *given)), Node(f"{name}:softmax", ops.Softmax(), (name,)))
    graph = Graph({layer: net.graph.shapes[layer]}, nodes, given, (nodes[-1].name,))
    return Network(Model(graph, None, tuple(names), net.license))


MOST = 10
"""How often a new picture may be repeated: a few, and perhaps wrong ones, must not weigh as much as a whole class."""


def _repeats(new: Array, known: Array) -> tuple[int, int]:
    """Return how often to take new pictures and remembered ones, so that their classes weigh about the same.

    Examples
    --------
    >>> known = np.repeat(np.arange(8), 100)
    >>> _repeats(np.repeat([8, 9], 2000), known), _repeats(np.array([8, 9]), known)
    ((1, 20), (10, 1))
    """
    ratio = (len(new) / len(np.unique(new))) / (len(known) / len(np.unique(known)))
    return min(MOST, max(1, round(1 / ratio))), max(1, round(ratio))


def _extended(known: Remembered, features: Array, labels: Array) -> Remembered:
    """Return what is remembered with new pictures: per class no more than before, at most half of a known one new."""
    per_class = int(np.bincount(known.numbers).max())
    chosen: list[tuple[Array, Array]] = []
    for number in np.union1d(known.numbers, labels):
        old, new = np.flatnonzero(known.numbers == number), np.flatnonzero(labels == number)
        room = max(per_class - len(old), per_class // 2)
        new = new[of_each_class(np.zeros(len(new), np.int64), room)] if len(new) else new
        old = old[of_each_class(np.zeros(len(old), np.int64), per_class - len(new))] if len(old) else old
        chosen.append((old, new))
    order = [np.concatenate(parts) for parts in zip(*chosen, strict=True)]
    narrow = np.concatenate([known.features[order[0]], narrowed(features[order[1]])])
    numbers = np.concatenate([known.numbers[order[0]], labels[order[1]].astype(np.int32)])
    by_class = numbers.argsort(kind="stable")
    return Remembered(narrow[by_class], numbers[by_class])
