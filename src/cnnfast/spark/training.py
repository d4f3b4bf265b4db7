"""Training over a cluster of Spark, with the bits of one process: each step is a job of map and reduce."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from cnnfast import __version__
from cnnfast.errors import ConfigError, TrainingError
from cnnfast.network.network import Network
from cnnfast.runtime.arguments import quoted
from cnnfast.runtime.threads import checked
from cnnfast.spark.closures import map_in_arrow, on_executor
from cnnfast.spark.steps import SCHEMA, from_row
from cnnfast.spark.travel import draft, is_connect, send_file
from cnnfast.train import FitResult, Recipe
from cnnfast.train import fit as train
from cnnfast.train.engine.chunks import Partial, pieces
from cnnfast.train.fitting import Data
from cnnfast.train.parallel.executors import MOST_PARTS, checked_parts
from cnnfast.train.parallel.job import Job
from cnnfast.train.parallel.worker import StepTask


class SparkExecutor:
    """Has the chunks of each step computed by the executors of a session of Spark; see `cnnfast.train.fit`.

    The images travel once, as a file that executors map; weights travel with each step. A lost executor is a matter for
    Spark, which computes its part again.

    Parameters
    ----------
    spark : SparkSession
        Classic or Connect.
    parts : int, optional
        Pieces into which the chunks of a step are divided, at most 16; by default as many as tasks can run at once.
    threads : int, optional
        Of each task; by default ``spark.task.cpus``.

    Raises
    ------
    ConfigError
        If ``spark`` is not a session, or a number is out of range.
    """

    def __init__(self, spark: Any, parts: int | None = None, threads: int | None = None) -> None:
        if not hasattr(spark, "range") or not hasattr(spark, "createDataFrame"):
            raise ConfigError(
                f"spark must be a session of Spark, as SparkSession.builder.getOrCreate() returns, not {quoted(spark)}"
            )
        self._spark = spark
        self.parts = _tasks_at_once(spark) if parts is None else checked_parts(parts)
        self.threads = None if threads is None else checked(threads)
        self._name = ""

    def begin(self, job: Job) -> None:
        """Send the job to the executors."""
        with draft() as path:
            job.save(path)
            self._name = send_file(self._spark, path)

    def compute(self, task: StepTask) -> Iterable[Partial]:
        """Return all chunks.

        Raises
        ------
        TrainingError
            If the job of Spark fails.
        """
        parts = pieces(task.total, self.parts)
        function = map_in_arrow(
            on_executor("cnnfast.spark.steps", "compute_pieces", __version__),
            pieces=parts,
            task=task,
            name=self._name,
            threads=self.threads,
        )
        try:
            rows = self._spark.range(0, len(parts), 1, len(parts)).mapInArrow(function, SCHEMA).collect()
        except KeyboardInterrupt:
            raise
        # Spark raises what its executors raised in classes of its own, which differ between classic and Connect.
        except Exception as error:
            raise TrainingError(f"Spark could not compute step {task.step + 1}: {_reason(error)}") from error
        return [from_row(row.asDict()) for row in rows]

    def end(self) -> None:
        """Do nothing: the file stays for the session, and a run that is resumed need not send it again."""


def fit(
    spark: Any,
    net: Network,
    data: Data,
    recipe: Recipe | None = None,
    *,
    parts: int | None = None,
    threads: int | None = None,
    **options: Any,
) -> FitResult:
    """Train a network over Spark; weights and history are bit-identical to those of `cnnfast.train.fit`.

    A step is a job, which takes Spark at least a fifth of a second, so this pays for large batches only:
    ``Recipe(batch=len(images))`` for all images at once. See docs/cluster-training.md.

    Parameters
    ----------
    spark, parts, threads
        As for `SparkExecutor`.
    net, data, recipe, **options
        As for `cnnfast.train.fit`; ``run_dir`` and ``resume`` too.

    Returns
    -------
    FitResult

    Raises
    ------
    UnsupportedError
        If the network has a batch-norm over whole batches.
    CnnfastError
        As for `cnnfast.train.fit`.

    Examples
    --------
    >>> fitted = fit(spark, net, (images, labels), Recipe(batch=len(images)))  # doctest: +SKIP
    """
    return train(net, data, recipe, executor=SparkExecutor(spark, parts, threads), **options)


def _tasks_at_once(spark: Any) -> int:
    if is_connect(spark):
        return MOST_PARTS
    context = spark.sparkContext
    cpus = int(context.getConf().get("spark.task.cpus", "1"))
    return int(max(1, min(MOST_PARTS, context.defaultParallelism // cpus)))


def _reason(error: Exception) -> str:
    """Return the line of a long message that says what happened, and what can be done about a lost worker."""
    text = str(error)
    errors = re.findall(r"^(?:\w+\.)*(\w+Error: .+)$", text, re.MULTILINE)
    reason: str = (errors[-1:] or text.strip().splitlines()[:1] or [type(error).__name__])[0]
    if "worker exited unexpectedly" in text:
        reason += (
            " (a Python worker was lost, perhaps killed for lack of memory; spark.task.maxFailures says how often "
            "Spark tries, and with a master local[N] it is once: local[N,4] tries four times)"
        )
    return reason
