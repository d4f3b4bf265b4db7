"""What ``cnnfast train`` begins with: a network, and the images it is to learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cnnfast import architectures
from cnnfast._frozen import frozen
from cnnfast.cli.models import load_in_float
from cnnfast.cli.progress import Failures, log
from cnnfast.cli.train_replay import check_base
from cnnfast.data import Dataset, match_class, open_dataset
from cnnfast.errors import ConfigError, DataError
from cnnfast.graph.feature_layer import feature_layer
from cnnfast.images.preprocess import DECODES, UNSAID, Preprocess
from cnnfast.network.network import Network
from cnnfast.train import Examples, feature_cache, fit_scaling, initialize, load_examples
from cnnfast.train.replaying import Replay
from cnnfast.train.transfer import kept

Mix = Callable[[Network, Examples], Replay]

CHANNELS = {1: "gray", 3: "rgb"}


@frozen(eq=False)
class TrainSetup:
    """A network before it learns.

    Attributes
    ----------
    net : Network
    examples : Examples
    data : str
        The path that the user named.
    head_from : str or None
        The layer behind which a new head begins.
    columns : (str, str), optional
        Of paths and of labels, where the data are a table.
    replay : Replay, optional
        What the network, then a head, is a part of.
    """

    net: Network
    examples: Examples
    data: str
    head_from: str | None
    columns: tuple[str, str] | None = None
    replay: Replay | None = None

    @property
    def test_name(self) -> str:
        """What the test part is called."""
        return f"the test part of {self.data}"


def begin(
    data: str,
    architecture: str | None,
    base: str | None,
    preprocess_name: str | None,
    decode: str | None,
    size: int | None,
    seed: int,
    start: str,
    failures: Failures,
    columns: tuple[str, str] | None = None,
    mix: Mix | None = None,
) -> TrainSetup:
    """Read the images, and make the network that fits them; with ``mix`` a head that learns them and others.

    Raises
    ------
    ConfigError
        If sizes do not agree, or the base has no preprocessing.
    DataError
        If the data set has no labels or is damaged.
    """
    dataset = open_dataset(data, split="train", columns=columns)
    if base is not None:
        net = load_in_float(base, preprocess_name, decode)
        if net.preprocess is None:
            raise ConfigError(f"{base}: {UNSAID}")
        if size is not None and (size, size) != net.preprocess.size:
            raise ConfigError(f"--size is {size}, but {base} takes {net.preprocess.size}; leave --size out")
        if mix is not None:
            check_base(net, base)
            mixed = mix(net, _load(dataset, net.preprocess, failures))
            return TrainSetup(mixed.head, mixed.examples, data, None, columns, mixed)
        if net.remembered is not None:
            log(f"{base} remembers {net.remembered}, which only --replay uses")
        return replace(_on_top(net, net.preprocess, dataset, data, seed, failures), columns=columns)
    assert architecture is not None
    preprocess = _preprocess(dataset, architecture, size, decode)
    examples = _load(dataset, preprocess, failures)
    if examples.images.dtype == np.uint8:
        preprocess = fit_scaling(examples.images, preprocess)
    graph = architectures.build(architecture, preprocess.shape, examples.class_count)
    net = Network.from_graph(
        initialize(graph, seed, start),
        classes=examples.classes,
        preprocess=preprocess if examples.images.dtype == np.uint8 else None,
    )
    return TrainSetup(net, examples, data, None, columns)


def _on_top(
    net: Network, preprocess: Preprocess, dataset: Dataset, data: str, seed: int, failures: Failures
) -> TrainSetup:
    examples = _load(dataset, preprocess, failures)
    names = examples.classes or tuple(map(str, range(examples.class_count)))
    order = _same_classes(names, [str(name) for name in net.classes_])
    if order is not None:
        labels = np.array(order)[examples.labels]
        return TrainSetup(net, replace(examples, labels=labels, classes=tuple(map(str, net.classes_))), data, None)
    return TrainSetup(net.with_head(names, seed=seed), examples, data, feature_layer(net.graph))


def _same_classes(names: tuple[str, ...], known: list[str]) -> list[int] | None:
    """Return the number of each class among the network's, or None unless they are all of the network's."""
    try:
        order = [match_class(name, known) for name in names]
    except DataError:
        return None
    return order if sorted(order) == list(range(len(known))) else None


def _preprocess(dataset: Dataset, architecture: str, size: int | None, decode: str | None) -> Preprocess:
    """Return the preprocessing of a new network: images keep their size, pictures get that of the architecture."""
    _, height, width = architectures.find(architecture).input_shape
    channels = "rgb"
    if not hasattr(dataset.source, "paths"):
        _, height, width, depth = next(dataset.batches(1)).images.shape
        if depth not in CHANNELS:
            raise DataError(f"{dataset.name}: has images of {depth} channels, but a new network takes 1 or 3")
        channels = CHANNELS[depth]
    return Preprocess(size=(size or height, size or width), channels=channels, decode=decode or DECODES[0])


def _load(dataset: Dataset, preprocess: Preprocess, failures: Failures) -> Examples:
    examples, failed = load_examples(dataset, preprocess)
    for error in failed:
        failures.add_error(error)
    failures.note(dataset.notes)
    return examples


def part_to_test(setup: TrainSetup, net: Network, failures: Failures) -> Examples | None:
    """Return the images of the data set that are there to measure with, if it has such a part."""
    learned = open_dataset(setup.data, split="train", columns=setup.columns)
    try:
        dataset = open_dataset(setup.data, split="test", columns=setup.columns)
    except DataError:
        return None
    if dataset.labels is None or learned.labels is None:
        return None
    if dataset.name == learned.name and np.array_equal(dataset.labels, learned.labels):
        return None
    names = setup.examples.classes
    if names is not None and dataset.classes is not None and dataset.classes != names:
        dataset = open_dataset(setup.data, names, "test", setup.columns)
    size = net.preprocess or Preprocess(size=(net.input_shape[1], net.input_shape[2]))
    return replace(_load(dataset, size, failures), name=setup.test_name)


def taught(examples: Examples, teacher: Network, share: float) -> Examples:
    """Return examples whose labels are mixed with the probabilities of another network.

    Those are the mean over an image and its mirror image (Hinton, Vinyals and Dean 2015), and stay in the cache folder.

    Raises
    ------
    ConfigError
        If the teacher has other classes.
    """
    if len(teacher.classes_) != examples.class_count:
        raise ConfigError(
            f"the teacher knows {len(teacher.classes_)} classes, but the images show {examples.class_count}"
        )
    views = (examples.images, examples.images[:, :, ::-1])
    answers = [kept(teacher, view, feature_cache(), probabilities=True) for view in views]
    truth = np.eye(examples.class_count, dtype=np.float32)[examples.labels]
    soft = np.float32(1 - share) * truth + np.float32(share / 2) * (answers[0] + answers[1])
    return replace(examples, labels=soft)
