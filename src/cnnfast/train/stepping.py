"""The steps of an epoch: in this process, or with an executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cnnfast.ops import Array
from cnnfast.train.engine.chwn import ChwnEngine
from cnnfast.train.parallel.executors import Executor
from cnnfast.train.parallel.worker import StepTask
from cnnfast.train.recipe import Recipe
from cnnfast.train.sources import ExampleSource, batches, epoch_parts

Steps = Callable[[int, int], Iterator[tuple[Array, float, Array]]]
"""From an epoch and the number of its first step: of each step the numbers of the images, the loss and the scores.

When one is asked for, the parameters of the engine must be those after the one before; then its gradients are there.
"""


def local_steps(engine: ChwnEngine, source: ExampleSource, recipe: Recipe) -> Steps:
    """Return what computes steps in this process."""

    def steps(epoch: int, first: int) -> Iterator[tuple[Array, float, Array]]:
        labels = source.examples.labels
        for step, (part, x) in enumerate(batches(source, recipe, epoch), first):
            yield part, *engine.step(x, labels[part], step)

    return steps


def executor_steps(engine: ChwnEngine, source: ExampleSource, recipe: Recipe, executor: Executor) -> Steps:
    """Return what has steps computed by an executor, which has begun the job."""

    def steps(epoch: int, first: int) -> Iterator[tuple[Array, float, Array]]:
        for number, part in enumerate(epoch_parts(recipe, epoch, len(source.examples))):
            weights = tuple(engine.parameters[name] for name in engine.trainable)
            task = StepTask(epoch, number, first + number, len(part), weights)
            yield part, *engine.combine(list(executor.compute(task)), len(part))

    return steps
