"""`fit`: trains a network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.data import Dataset
from cnnfast.errors import ConfigError, InputError, OutputError
from cnnfast.graph import Graph
from cnnfast.graph.answers import with_probabilities
from cnnfast.images.preprocess import Preprocess
from cnnfast.network.network import Network
from cnnfast.runtime.arguments import flag, instance, listed, path_of, quoted, text
from cnnfast.runtime.claims import claimed
from cnnfast.runtime.threads import threads_or_default
from cnnfast.train.engine.base import all_but, scores_graph
from cnnfast.train.examples import Examples, check_classes, split
from cnnfast.train.history import Row, history_html
from cnnfast.train.losses import Loss, MeanSquaredError, SigmoidBinaryCrossEntropy, SoftmaxCrossEntropy
from cnnfast.train.parallel.executors import Executor, checked_executor, working
from cnnfast.train.parallel.job import Job
from cnnfast.train.reading import as_examples
from cnnfast.train.recipe import Recipe
from cnnfast.train.sources import AugmentedImages, ExampleSource
from cnnfast.train.stepping import executor_steps
from cnnfast.train.trainer import Trainer
from cnnfast.train.transfer import frozen_features, joined, upper_part, with_graph

Data = Examples | Dataset | tuple[object, object]


@frozen(eq=False)
class FitResult:
    """What `fit` returns.

    Attributes
    ----------
    network : Network
        With the weights of the last epoch, or of the best one with early stopping; it ends in probabilities.
    history : tuple of dict
        One row per epoch; see `cnnfast.train.history`.
    ended : {"finished", "early", "interrupted"}
        All epochs are done, patience has run out, or Ctrl-C: then the network is that of the last finished epoch.
    validation : Examples or None
        The examples that were not learned from.
    """

    network: Network
    history: tuple[Row, ...]
    ended: str
    validation: Examples | None

    def _repr_html_(self) -> str:
        return history_html(self.history, f"cnnfast.train.FitResult: {self.ended}")


def fit(
    net: Network,
    data: Data,
    recipe: Recipe | None = None,
    *,
    validation: float | Data | None = None,
    freeze: str | None = None,
    frozen_params: Iterable[str] = (),
    cache: str | os.PathLike[str] | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    threads: int | None = None,
    progress: bool | None = None,
    report: Callable[[Row], None] | None = None,
    executor: Executor | None = None,
) -> FitResult:
    """Train a network, beginning with the weights it has; it is not changed, a new one is returned.

    The result depends on network, data and recipe only: not on threads, interruptions or an executor.

    Parameters
    ----------
    net : Network
        For fresh weights see `cnnfast.train.initialize`.
    data : Dataset, Examples or (images, labels)
        A data set is read into memory, and its classes are found by name among those of the network. Images are uint8
        or floats (N, H, W, C), or rows (N, F); labels are numbers of classes (N,), or probabilities (N, K).
    recipe : Recipe, optional
        By default ``Recipe()``.
    validation : float, Dataset, Examples or (images, labels), optional
        What is measured after each epoch and not learned from; a number is a fraction of ``data``, the same for each
        class.
    freeze : str, optional
        A layer up to which nothing is trained. Its values are computed once for all images, and for their mirror images
        if the recipe has a `Flip`.
    frozen_params : iterable of str
        Layers, or parameters, that stay as they are while others before and behind them learn; ``*`` matches any
        characters, as in ``"*.scale"``.
    cache : path, optional
        Folder where these values are kept; see `cnnfast.train.feature_cache`.
    run_dir : path, optional
        Folder for history and checkpoint.
    resume : bool
        Continue from the checkpoint in ``run_dir``, if there is one.
    threads : int, optional
        By default `cnnfast.get_num_threads()`.
    progress : bool, optional
        Show bars on stderr, also while data are read and features computed; by default on a terminal and in notebooks.
    report : callable, optional
        Called with the row of every finished epoch.
    executor : Executor, optional
        What computes the parts of each step, such as `cnnfast.train.Processes` or `cnnfast.spark.SparkExecutor`; by
        default this process.

    Returns
    -------
    FitResult

    Raises
    ------
    DataError
        If a class has no image, a label is out of range, or the data has changed since the checkpoint.
    InputError
        If the images do not fit the network.
    ConfigError
        If a setting is out of range, or the recipe has changed since the checkpoint.
    TrainingError
        If the loss is not finite; its ``network`` has the last good weights.
    UnsupportedError
        If the network has an op that cannot be trained, or with an executor a batch-norm over whole batches.

    Examples
    --------
    >>> from cnnfast.layers import Linear
    >>> from cnnfast.train import AdamW
    >>> rows = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    >>> labels = (rows[:, 0] > rows[:, 1]).astype(int)
    >>> net = Network.from_layers([Linear(np.zeros((2, 2)), np.zeros(2))], input_shape=(2,))
    >>> fitted = fit(net, (rows, labels), Recipe(epochs=10, batch=16, optimizer=AdamW(learning_rate=0.1)))
    >>> bool((fitted.network.predict(rows) == labels).mean() > 0.9)
    True
    """
    instance("the first argument", net, Network, "which Network.load or Network.build makes")
    recipe = Recipe() if recipe is None else instance("the recipe", recipe, Recipe, "as in Recipe(epochs=20)")
    flag("resume", resume)
    if progress is not None:
        flag("progress", progress)
    if report is not None and not callable(report):
        raise ConfigError(f"report must be a function of a row of the history, but is {quoted(report)}")
    cache, run_dir = (
        None if folder is None else path_of(name, folder) for name, folder in (("cache", cache), ("run_dir", run_dir))
    )
    freeze = text("freeze", freeze)
    frozen_params = [text("a name in frozen_params", name) or "" for name in listed("frozen_params", frozen_params)]
    if executor is not None:
        executor = checked_executor(executor)
    if resume and run_dir is None:
        raise ConfigError("resume needs run_dir=FOLDER, the folder of the run to continue")
    names = net.class_names
    examples = as_examples(data, "the training images", names, net.preprocess, progress)
    held = _validation(examples, validation, recipe.seed, names, net.preprocess, progress)
    if isinstance(held, tuple):
        examples, held = held
    if recipe.stopping is not None and held is None:
        raise ConfigError("early stopping needs a validation part, but there is none; pass validation=0.1")
    for part in (examples, held):
        if part is not None:
            _check_images(part, net)
    loss = recipe.loss or _default_loss(net, recipe)
    with threads_or_default(threads):
        trainer, job = _trainer(
            net, examples, held, recipe, loss, freeze, frozen_params, cache, run_dir, executor, progress
        )
        classes = trainer.engine.classes if trainer.engine.classes > 1 else 2
        check_classes(examples, classes)
        if held is not None:
            check_classes_of_validation(held, classes)
        with nullcontext() if run_dir is None else _alone_in(Path(run_dir)):
            trainer.begin(resume)
            if executor is None or trainer.ended:
                ended = trainer.run(progress, report)
            else:
                with working(executor, job):
                    ended = trainer.run(progress, report)
    return FitResult(trainer.network(), tuple(trainer.history), ended, held)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Make the folder of a run, in which no other run works meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: the folder of the run cannot be created: {error.strerror}") from error
    with claimed(folder):
        yield


def _trainer(
    net: Network,
    examples: Examples,
    held: Examples | None,
    recipe: Recipe,
    loss: Loss,
    freeze: str | None,
    frozen_params: Iterable[str],
    cache: str | os.PathLike[str] | None,
    run_dir: str | os.PathLike[str] | None,
    executor: Executor | None,
    progress: bool | None,
) -> tuple[Trainer, Job]:
    folder = None if run_dir is None else Path(run_dir)
    graph, source, watched = (
        net.graph,
        AugmentedImages(examples, recipe),
        None if held is None else AugmentedImages(held, recipe),
    )
    parts: list[ExampleSource | None] = [source, watched]
    if freeze is not None:
        kept = None if cache is None else Path(cache)
        plain = Recipe(batch=recipe.batch)
        graph = upper_part(net.graph, freeze)
        parts = [
            frozen_features(net, freeze, examples, recipe, kept, progress),
            None if held is None else frozen_features(net, freeze, held, plain, kept, progress),
        ]
    pixels = net.preprocess.affine() if net.preprocess is not None and freeze is None else None
    assert parts[0] is not None
    job = Job(graph, loss, all_but(graph, loss, frozen_params), pixels, recipe, parts[0])
    # With an executor no images pass through this process.
    engine = job.engine(min(recipe.batch, len(examples)) if executor is None else 1)
    steps = None
    if executor is not None:
        engine.check_divisible()
        steps = executor_steps(engine, parts[0], recipe, executor)

    def finish(trained: Graph) -> Network:
        whole = trained if freeze is None else joined(net.graph, trained)
        if not isinstance(loss, MeanSquaredError):
            whole = with_probabilities(whole)
        return with_graph(net, whole)

    def runner(trained: Graph) -> Network:
        return Network.from_graph(trained, preprocess=net.preprocess if freeze is None else None)

    return Trainer(net, engine, recipe, parts[0], parts[1], finish, runner, folder, steps), job


def _validation(
    examples: Examples,
    validation: float | Data | None,
    seed: int,
    names: tuple[str, ...] | None,
    preprocess: Preprocess | None,
    progress: bool | None,
) -> Examples | tuple[Examples, Examples] | None:
    if validation is None:
        return None
    if isinstance(validation, int | float | np.number) and not isinstance(validation, bool):
        return split(examples, float(validation), seed) if validation else None
    return as_examples(validation, "the validation images", names, preprocess, progress)


def check_classes_of_validation(held: Examples, classes: int) -> None:
    """Raise `DataError` unless the labels of a validation part are classes of the network; some may be missing."""
    present = np.unique(held.numbers)
    if present.min() < 0 or present.max() >= classes:
        check_classes(held, classes)


def _check_images(examples: Examples, net: Network) -> None:
    shape, images = net.input_shape, examples.images
    wanted = (shape[1], shape[2], shape[0]) if len(shape) == 3 else shape
    if images.shape[1:] != wanted:
        hint = "; images.transpose(0, 2, 3, 1) puts the channels last" if images.shape[1:] == shape else ""
        raise InputError(
            f"{examples.name}: the images have the shape (N, {', '.join(map(str, images.shape[1:]))}), but the network "
            f"takes (N, {', '.join(map(str, wanted))}){hint}"
        )
    if images.dtype == np.uint8 and net.preprocess is None:
        raise InputError(
            f"{examples.name}: are bytes, but the network has no preprocessing; build it with "
            "preprocess=cnnfast.Preprocess(...), or give it floats"
        )


def _default_loss(net: Network, recipe: Recipe) -> Loss:
    graph = scores_graph(net.graph, SoftmaxCrossEntropy())
    if graph.shapes[graph.outputs[0]] == (1,):
        return SigmoidBinaryCrossEntropy()
    return SoftmaxCrossEntropy(recipe.label_smoothing)
