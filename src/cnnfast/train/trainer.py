"""The loop over epochs: steps, averages, validation, checkpoints, and how it ends."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast.errors import TrainingError
from cnnfast.graph import Graph, constant
from cnnfast.network.identity import identity
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.runtime.outputs import remove_unfinished
from cnnfast.train import history as files
from cnnfast.train.averaging import State, move
from cnnfast.train.checkpoint import Checkpoint, check_arrays, check_identity, load_checkpoint
from cnnfast.train.engine.base import Engine, trainable_names
from cnnfast.train.engine.chwn import ChwnEngine
from cnnfast.train.history import Row
from cnnfast.train.optimizers import Role, clip_gradients
from cnnfast.train.progress import Bar
from cnnfast.train.recipe import Recipe
from cnnfast.train.sources import ExampleSource
from cnnfast.train.stepping import Steps, local_steps

FINISHED, EARLY, INTERRUPTED = "finished", "early", "interrupted"
"""How training ended."""

Finish = Callable[[Graph], Network]


class Trainer:
    """Trains the parameters of an engine.

    Parameters
    ----------
    start : Network
        What training starts from, with all that it keeps frozen.
    engine : ChwnEngine
    recipe : Recipe
    source : ExampleSource
        What is learned from.
    validation : ExampleSource, optional
        What is measured after every epoch.
    finish : callable
        Makes the network that users see of the engine's graph with new weights.
    runner : callable
        Makes the network that `source` and `validation` can be given to.
    folder : Path, optional
        Where history and checkpoint go.
    steps : Steps, optional
        What computes the steps of an epoch; by default the engine, in this process.
    """

    def __init__(
        self,
        start: Network,
        engine: ChwnEngine,
        recipe: Recipe,
        source: ExampleSource,
        validation: ExampleSource | None,
        finish: Finish,
        runner: Finish,
        folder: Path | None = None,
        steps: Steps | None = None,
    ) -> None:
        self.start = start
        self.engine, self.recipe, self.source, self.validation = engine, recipe, source, validation
        self.finish, self.runner, self.folder = finish, runner, folder
        self.steps = local_steps(engine, source, recipe) if steps is None else steps
        self.history: list[Row] = []
        self.step = 0
        self.parts = {name: recipe.optimizer.part(role) for name, role in roles(engine).items()}
        self.slots = {
            name: {slot: np.zeros_like(engine.parameters[name]) for slot in part.slots}
            for name, (part, _) in self.parts.items()
        }
        self.average: State | None = None if recipe.averaging is None else _copy(engine.parameters)
        self.good = _copy(engine.parameters)
        """The weights after the last finished epoch: averages where there are any."""
        self.best: State | None = None if recipe.stopping is None else _copy(engine.parameters)

    # -- the loop ----------------------------------------------------------------------------------------------------

    def run(self, shown: bool | None, report: Callable[[Row], None] | None) -> str:
        """Train the epochs that are left and return how it ended."""
        bar = Bar(len(self.source.examples), self.recipe.epochs, len(self.history), shown)
        try:
            while not self.ended:
                row = self._epoch(bar)
                bar.finish_epoch()
                self._keep(row)
                if report is not None:
                    with bar.aside():
                        report(row)
        except KeyboardInterrupt:
            if not self.history:
                raise
            return INTERRUPTED
        except TrainingError as error:
            if error.network is None and self.history:
                error.network = self.network()
            raise
        finally:
            bar.close()
        return FINISHED if len(self.history) == self.recipe.epochs else EARLY

    @property
    def ended(self) -> bool:
        """Whether no epoch is left, or patience has run out."""
        stopping = self.recipe.stopping
        return len(self.history) >= self.recipe.epochs or bool(
            stopping is not None and self.history and stopping.ends(self.history)
        )

    def _epoch(self, bar: Bar) -> Row:
        epoch, examples = len(self.history), self.source.examples
        start = time.perf_counter()
        total = hits = seen = 0.0
        steps = -(-len(examples) // self.recipe.batch)
        for number, (part, loss, scores) in enumerate(self.steps(epoch, self.step), 1):
            if not np.isfinite(loss):
                raise self._diverged(loss, epoch)
            rate = self._update(steps, epoch + 1 if number == steps else None)
            seen += len(part)
            total += loss * len(part)
            hits += count_hits(scores, examples.numbers[part])
            bar.step(len(part), total / seen, hits / seen)
        seconds = time.perf_counter() - start
        if not all(np.isfinite(array).all() for array in self.engine.parameters.values()):
            raise self._diverged(total / seen, epoch)
        earlier = self.history[-1]["seconds"] if self.history else 0.0
        return {
            "epoch": epoch + 1,
            "loss": float(total / seen),
            "accuracy": float(hits / seen),
            "rate": float(rate),
            "images_per_second": seen / seconds,
            "seconds": earlier + seconds,
        }

    def _update(self, steps: int, done: int | None) -> float:
        """Change all weights by one step; return the rate."""
        engine, recipe = self.engine, self.recipe
        if recipe.clip_norm is not None:
            clip_gradients(engine.gradients, recipe.clip_norm)
        pace = recipe.schedule.pace(self.step, steps * recipe.epochs, recipe.epochs)
        for name in engine.trainable:
            part, decays = self.parts[name]
            part.update(engine.parameters[name], engine.gradients[name], self.slots[name], pace, decays)
        self.step += 1
        if recipe.averaging is not None and self.average is not None:
            share = recipe.averaging.share(self.step, steps * recipe.epochs, done, recipe.epochs)
            if share is not None:
                move(self.average, engine.parameters, share)
                if recipe.averaging.leads:
                    move(engine.parameters, self.average, 1)
        return recipe.optimizer.learning_rate * pace.rate

    # -- after an epoch ----------------------------------------------------------------------------------------------

    def _keep(self, row: Row) -> None:
        self.good = _copy(self.engine.parameters if self.average is None else self.average)
        if self.validation is not None:
            row |= self._validate(self.validation)
        self.history.append(row)
        if self.recipe.stopping is not None and self.recipe.stopping.best_epoch(self.history) == row["epoch"] - 1:
            self.best = self.good
        if self.folder is not None:
            self._record(self.folder, row)

    def _record(self, folder: Path, row: Row) -> None:
        """Write the checkpoint and the row; a full disk does not end a run, whose weights are still in memory."""
        try:
            self._checkpoint().save(folder / files.CHECKPOINT)
            files.append_row(folder / files.HISTORY, row)
        except OSError as error:
            warnings.warn(
                f"epoch {row['epoch']} could not be saved in {folder}: {error}; training continues, and returns "
                "the weights at its end; until an epoch can be saved, resume would begin after the last one that was",
                stacklevel=2,
            )

    def _validate(self, source: ExampleSource) -> dict[str, float]:
        scores = source.scores(self.runner(self._graph(self.engine.graph, self.good)))
        loss = self.engine.loss
        values = loss.value(scores, loss.targets(source.examples.labels, self.engine.classes))
        count = len(source.examples)
        return {
            "val_loss": float(values.mean(dtype=np.float64)),
            "val_accuracy": count_hits(scores, source.examples.numbers) / count,
        }

    def network(self) -> Network:
        """Return the network with the best weights, or with the last ones without early stopping."""
        best = self.best if self.best is not None and self.history else self.good
        return self.finish(self._graph(self.engine.whole, best))

    def _graph(self, graph: Graph, weights: Mapping[str, Array]) -> Graph:
        return Graph(graph.inputs, graph.nodes, {n: constant(weights[n]) for n in graph.constants}, graph.outputs)

    def _diverged(self, loss: float, epoch: int) -> TrainingError:
        kept = "there are no good weights yet: not one epoch has been finished"
        if self.history:
            where = "the error's attribute `network`" if self.folder is None else str(self.folder / files.CHECKPOINT)
            kept = f"the last good weights, those after epoch {epoch}, are kept in {where}"
        return TrainingError(
            f"training diverged: in epoch {epoch + 1}, step {self.step + 1}, the loss is {loss:g} or a weight is not "
            f"finite; lower the learning rate (it is {self.recipe.optimizer.learning_rate:g}), clip gradients "
            f"(clip_norm=1.0), or look at the scale of the input; {kept}",
            self.network() if self.history else None,
        )

    # -- checkpoints -------------------------------------------------------------------------------------------------

    def identity(self) -> dict[str, Any]:
        """Return what must be unchanged for a checkpoint to be resumed."""
        nodes = repr((dict(self.engine.whole.inputs), self.engine.whole.nodes, self.engine.trainable))
        data = [source.examples.digest() for source in (self.source, self.validation) if source is not None]
        return {
            "recipe": self.recipe.to_dict(),
            "network": hashlib.sha256(nodes.encode()).hexdigest(),
            "start": identity(self.start).hexdigest(),
            "data": hashlib.sha256(" ".join(data).encode()).hexdigest(),
        }

    def begin(self, resume: bool) -> None:
        """Prepare the folder of the run: continue from its checkpoint, or start again."""
        if self.folder is None:
            return
        remove_unfinished(self.folder)
        self._identity = self.identity()
        path = self.folder / files.CHECKPOINT
        if resume and path.exists():
            checkpoint = load_checkpoint(path)
            check_identity(path, checkpoint.identity, self._identity)
            check_arrays(path, checkpoint.arrays, self._arrays())
            self._restore(checkpoint)
        files.write_history(self.folder / files.HISTORY, self.history)

    def _groups(self) -> dict[str, State]:
        """Return all arrays that make up the state, by what they are."""
        groups: dict[str, State] = {"weights": self.engine.parameters}
        for name, slots in self.slots.items():
            for slot, array in slots.items():
                groups.setdefault(slot, {})[name] = array
        if self.average is not None:
            groups["average"] = self.average
        if self.best is not None:
            groups["best"] = self.best
        return groups

    def _arrays(self) -> dict[str, Array]:
        return {f"{group}/{name}": a for group, state in self._groups().items() for name, a in state.items()}

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(len(self.history), self.step, self._identity, self.history, self._arrays())

    def _restore(self, checkpoint: Checkpoint) -> None:
        for group, state in self._groups().items():
            for name, array in state.items():
                array[...] = checkpoint.arrays[f"{group}/{name}"]
        self.history, self.step = list(checkpoint.history), checkpoint.step
        self.good = _copy(self.engine.parameters if self.average is None else self.average)


def roles(engine: Engine) -> dict[str, Role]:
    """Return what each trained parameter does."""
    matrices = [name for name in trainable_names(engine.graph) if engine.parameters[name].ndim > 1]
    known = dict.fromkeys(matrices, Role.HIDDEN) | dict.fromkeys(matrices[-1:], Role.LAST)
    return {name: known.get(name, Role.VECTOR) for name in engine.trainable}


def count_hits(scores: Array, numbers: Array) -> int:
    """Return how many images are put into their class; a single score above 0 means class 1."""
    found = (scores[:, 0] > 0) if scores.shape[1] == 1 else scores.argmax(axis=1)
    return int((found == numbers).sum())


def _copy(state: Mapping[str, Array]) -> State:
    return {name: array.copy() for name, array in state.items()}
