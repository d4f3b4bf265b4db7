"""Training over Spark: the weights of one process, for any number of parts, and whatever happens to the workers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark", reason="pyspark is not installed: pip install cnnfast[spark]")

from spark_training import RECIPE, same
from train import bars

import cnnfast.spark.training as training
from cnnfast.errors import ConfigError, TrainingError, UnsupportedError
from cnnfast.spark import SparkExecutor, fit
from cnnfast.train import Recipe
from cnnfast.train import fit as train
from cnnfast.train.engine.chunks import Partial
from cnnfast.train.parallel.worker import StepTask

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning"),
]
DATA = bars.pictures(620, seed=0)


@pytest.mark.parametrize("parts", [1, 2, 5, 16, None])
def test_any_number_of_parts(spark: Any, parts: int | None) -> None:
    net, recipe = bars.network(dropout=True), dataclasses.replace(RECIPE, epochs=1)
    assert same(fit(spark, net, DATA, recipe, parts=parts), train(net, DATA, recipe))


def test_statistics_over_chunks(spark: Any) -> None:
    net, recipe = bars.network(norm=True), dataclasses.replace(RECIPE, norm_over="chunk", epochs=1)
    assert same(fit(spark, net, DATA, recipe), train(net, DATA, recipe))
    with pytest.raises(UnsupportedError, match="norm_over='chunk'"):
        fit(spark, net, DATA, RECIPE)


def test_a_run_that_ends_in_the_middle_is_resumed(spark: Any, tmp_path: Path) -> None:
    class Interrupted(SparkExecutor):
        def compute(self, task: StepTask) -> Iterable[Partial]:
            if task.step == 3:
                raise KeyboardInterrupt
            return super().compute(task)

    net = bars.network()
    first = train(net, DATA, RECIPE, run_dir=tmp_path, executor=Interrupted(spark))
    assert (first.ended, len(first.history)) == ("interrupted", 1)
    assert same(fit(spark, net, DATA, RECIPE, run_dir=tmp_path, resume=True), train(net, DATA, RECIPE))


def killed_once(mark: str, always: bool = False) -> Callable[..., Any]:
    """Return what replaces `on_executor`: the first worker that has something to do ends by SIGKILL."""

    def replacement(*_: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            import os
            import signal

            from cnnfast.spark.steps import compute_pieces

            if always or not os.path.exists(mark):
                open(mark, "w", encoding="utf-8").close()
                os.kill(os.getpid(), signal.SIGKILL)
            return compute_pieces(*arguments, **options)

        return call

    return replacement


def test_a_worker_that_is_killed_is_replaced(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = bars.network()
    monkeypatch.setattr(training, "on_executor", killed_once(str(tmp_path / "killed")))
    fitted = fit(spark, net, DATA, RECIPE, parts=2)
    assert (tmp_path / "killed").exists()
    assert same(fitted, train(net, DATA, RECIPE))


def test_workers_that_are_killed_every_time(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "on_executor", killed_once(str(tmp_path / "killed"), always=True))
    with pytest.raises(TrainingError, match=r"step 1: .*local\[N,4\]"):
        fit(spark, bars.network(), DATA, RECIPE, parts=2)


def test_an_error_of_a_worker_says_what_it_was(spark: Any) -> None:
    class Another(SparkExecutor):
        def compute(self, task: StepTask) -> Iterable[Partial]:
            self._name = "0" * 64 + ".safetensors"
            return super().compute(task)

    with pytest.raises(TrainingError, match=r"step 1: ConfigError: .*0000\.safetensors: the driver has sent this file"):
        train(bars.network(), DATA, Recipe(epochs=1, batch=620), executor=Another(spark))


def test_what_is_not_a_session() -> None:
    with pytest.raises(ConfigError, match="must be a session of Spark"):
        SparkExecutor("local[2]")
