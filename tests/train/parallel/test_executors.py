"""`fit` with an executor gives the weights of `fit` without, bit for bit, whatever happens to its workers."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor as Pool
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from systems import posix
from train import bars
from train.killing import die

import cnnfast
from cnnfast import Network, Preprocess
from cnnfast.architectures import build
from cnnfast.errors import ConfigError, TrainingError, UnsupportedError
from cnnfast.layers import Flatten, Linear
from cnnfast.train import (
    EMA,
    SGD,
    Adam,
    AdamW,
    Cutout,
    FitResult,
    Flip,
    Futures,
    InProcess,
    Lookahead,
    Muon,
    Processes,
    Recipe,
    Shift,
    fit,
    initialize,
)
from cnnfast.train.engine.chunks import Partial
from cnnfast.train.optimizers import Optimizer
from cnnfast.train.parallel import worker
from cnnfast.train.parallel.executors import RETRIES, Executor
from cnnfast.train.parallel.job import Job
from cnnfast.train.parallel.worker import StepTask, compute_piece

RECIPE = Recipe(
    epochs=3,
    batch=150,
    optimizer=AdamW(learning_rate=0.02),
    augment=(Shift(1), Cutout(2)),
    averaging=EMA(0.9),
    clip_norm=1.0,
    label_smoothing=0.1,
    seed=7,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with cnnfast.threads(1):
        yield


def data() -> tuple[np.ndarray, np.ndarray]:
    return bars.pictures(301, seed=0)


def same(one: FitResult, other: FitResult) -> bool:
    def bits(fitted: FitResult) -> object:
        timed = ("seconds", "images_per_second")
        rows = [{k: v for k, v in row.items() if k not in timed} for row in fitted.history]
        return {name: array.tobytes() for name, array in fitted.network.graph.constants.items()}, rows, fitted.ended

    return bits(one) == bits(other)


@pytest.mark.parametrize("parts", [1, 2, 5, 16, 40])
def test_any_number_of_parts(parts: int) -> None:
    net = bars.network(dropout=True)
    expected = fit(net, data(), RECIPE, validation=0.1)
    assert same(fit(net, data(), RECIPE, validation=0.1, executor=InProcess(parts)), expected)


MOMENTUM = SGD(0.05, momentum=0.9)


def test_a_worker_that_computes_chunk_after_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does where a chunk has thousands of images."""
    expected = fit(bars.network(), data(), RECIPE)
    monkeypatch.setattr(worker, "AT_ONCE", 1)
    assert same(fit(bars.network(), data(), RECIPE, executor=InProcess(3)), expected)


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        ("cs61c", MOMENTUM),
        ("cs61c", Adam()),
        ("cs61c", Muon()),
        ("lenet", MOMENTUM),
        ("mlp", Adam()),
        ("softmax", Muon()),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_architectures_and_optimizers(name: str, optimizer: Optimizer) -> None:
    """One step over everything, as full-batch training makes it, and steps of a part."""
    if name == "softmax":
        size, channels = (8, 8), "gray"
        net = Network.build([Flatten(), Linear(10)], (1, 8, 8), preprocess=Preprocess(size=size, channels=channels))
    else:
        graph = initialize(build(name))
        (shape,) = graph.inputs.values()
        gray = len(shape) == 1 or shape[0] == 1
        size, channels = ((28, 28) if gray else (32, 32)), "gray" if gray else "rgb"
        net = Network.from_graph(graph, preprocess=Preprocess(size=size, channels=channels))
    images = np.random.default_rng(1).integers(0, 256, (600, *size, 1 if channels == "gray" else 3), np.uint8)
    if len(net.input_shape) == 1:
        images = (images.reshape(600, -1) / 255).astype(np.float32)
        net = Network.from_graph(net.graph)
    for batch in (600, 250):
        recipe = Recipe(epochs=1, batch=batch, optimizer=optimizer)
        examples = images, np.arange(600) % 10
        assert same(fit(net, examples, recipe, executor=InProcess(5)), fit(net, examples, recipe)), batch


def test_statistics_over_chunks() -> None:
    net, recipe = bars.network(norm=True), dataclasses.replace(RECIPE, norm_over="chunk")
    expected = fit(net, data(), recipe)
    assert same(fit(net, data(), recipe, executor=InProcess(3)), expected)
    assert not same(fit(net, data(), RECIPE), expected)


def test_a_batch_norm_over_whole_batches_is_refused_before_anything_starts() -> None:
    class Unused(InProcess):
        def begin(self, job: Job) -> None:
            raise AssertionError

    with pytest.raises(UnsupportedError, match="norm_over='chunk'"):
        fit(bars.network(norm=True), data(), RECIPE, executor=Unused())
    frozen = fit(bars.network(norm=True), data(), RECIPE, frozen_params=["norm"], executor=InProcess(2))
    assert same(frozen, fit(bars.network(norm=True), data(), RECIPE, frozen_params=["norm"]))


@pytest.mark.parametrize("augment", [(), (Flip(),)], ids=["plain", "mirrored"])
def test_a_new_head_in_threads(augment: tuple[Flip, ...]) -> None:
    """Features travel in place of pictures; several threads of one process work at once."""
    recipe = dataclasses.replace(RECIPE, augment=augment)
    expected = fit(bars.network(), data(), recipe, freeze="pool")
    with ThreadPoolExecutor(3) as pool:
        assert same(fit(bars.network(), data(), recipe, freeze="pool", executor=Futures(pool, 3)), expected)
        assert pool.submit(int).result() == 0, "a pool that was given stays open"


@posix
def test_processes_that_are_killed(tmp_path: Path) -> None:
    executor = Killing(tmp_path / "killed")
    fitted = fit(bars.network(), data(), RECIPE, executor=executor)
    assert (tmp_path / "killed").exists()
    assert executor.started == 2
    assert same(fitted, fit(bars.network(), data(), RECIPE))


class Killing(Processes):
    """Processes that end by SIGKILL in the second step."""

    def __init__(self, mark: Path) -> None:
        super().__init__(2)
        self.mark, self.started, self.steps = mark, 0, 0

    def _start(self) -> Pool:
        self.started += 1
        return super()._start()

    def compute(self, task: StepTask) -> Iterable[Partial]:
        self.steps += 1
        if self.steps == 2:
            assert self._pool is not None
            # One for each process, and before the pieces, so that neither computes one.
            for _ in range(2):
                self._pool.submit(die, self.mark)
        return super().compute(task)


@pytest.mark.slow
def test_a_pool_of_loky() -> None:
    loky = pytest.importorskip("joblib.externals.loky", reason="joblib is not installed: pip install joblib")
    expected = fit(bars.network(), data(), RECIPE)
    executor = Futures(lambda: loky.get_reusable_executor(2), 2)
    assert same(fit(bars.network(), data(), RECIPE, executor=executor), expected)
    assert same(fit(bars.network(), data(), RECIPE, executor=Futures(loky.get_reusable_executor(2), 3)), expected)
    loky.get_reusable_executor().shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")
def test_a_cluster_of_dask() -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed: pip install distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        executor = Futures(client.get_executor(), 5)
        assert same(fit(bars.network(), data(), RECIPE, executor=executor), fit(bars.network(), data(), RECIPE))


def test_runs_that_share_a_pool_keep_each_others_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    read, jobs = worker.load_job, list[Path]()

    def counted(path: Path) -> Job:
        jobs.append(path)
        return read(path)

    monkeypatch.setattr(worker, "load_job", counted)
    with ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(2) as runs:
        both = [runs.submit(fit, bars.network(), data(), RECIPE, executor=Futures(pool, 4)) for _ in range(2)]
        expected = fit(bars.network(), data(), RECIPE)
        assert all(same(run.result(), expected) for run in both)
    # of each run at most one for each thread of the pool
    assert len(jobs) <= 4
    assert len(set(jobs)) == 2


def test_workers_that_are_lost_every_time() -> None:
    class Lost(Killing):
        def compute(self, task: StepTask) -> Iterable[Partial]:
            return Processes.compute(self, task)

        def _start(self) -> Pool:
            self.started += 1
            return Breaking()

    executor = Lost(Path("unused"))
    with pytest.raises(TrainingError, match=f"tried {RETRIES + 1} times: .*__main__"):
        fit(bars.network(), data(), RECIPE, executor=executor)
    assert executor.started == RETRIES + 1
    with pytest.raises(TrainingError, match="a function that makes the pool"):
        fit(bars.network(), data(), RECIPE, executor=Futures(Breaking()))


class Breaking(ThreadPoolExecutor):
    """A pool whose workers are gone."""

    def submit(self, *_: object, **__: object) -> object:  # type: ignore[override]
        from concurrent.futures import BrokenExecutor

        raise BrokenExecutor("gone")


class Interrupted(InProcess):
    """An executor that is interrupted in its sixth step, the last of the second epoch but one."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(4)
        self.error, self.steps, self.ended = error, 0, 0

    def compute(self, task: StepTask) -> Iterable[Partial]:
        self.steps += 1
        if self.steps == 6:
            raise self.error
        return super().compute(task)

    def end(self) -> None:
        self.ended += 1
        super().end()


def test_an_interrupted_run_keeps_what_is_finished_and_is_resumed(tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, averaging=Lookahead(2, 0.5))
    expected = fit(bars.network(), data(), recipe)
    executor = Interrupted(KeyboardInterrupt())
    first = fit(bars.network(), data(), recipe, run_dir=tmp_path, executor=executor)
    assert (first.ended, len(first.history), executor.ended) == ("interrupted", 1, 1)
    lost = TrainingError("lost")
    with pytest.raises(TrainingError, match="lost"):
        fit(bars.network(), data(), recipe, run_dir=tmp_path, resume=True, executor=Interrupted(lost))
    assert isinstance(lost.network, Network), "what is finished comes with the error"
    resumed = fit(bars.network(), data(), recipe, run_dir=tmp_path, resume=True, executor=InProcess(2))
    assert same(resumed, expected)
    without = fit(bars.network(), data(), recipe, run_dir=tmp_path, resume=True)
    assert same(without, expected)


def test_a_job_is_read_back_as_it_was(tmp_path: Path) -> None:
    found: list[Job] = []

    class Noting(InProcess):
        def begin(self, job: Job) -> None:
            found.append(job)
            super().begin(job)

    fit(bars.network(), data(), RECIPE, frozen_params=["conv"], executor=Noting())
    (job,) = found
    job.save(tmp_path / "job.safetensors")
    task = StepTask(1, 0, 3, 101, tuple(job.graph.constants[name] * 1.5 for name in job.trained))
    here = InProcess(1)
    here.begin(job)
    (expected,) = here.compute(task)
    again = compute_piece(tmp_path / "job.safetensors", 1, task, expected.chunks)
    assert [a.tobytes() for a in (again.scores, again.sums)] == [a.tobytes() for a in (expected.scores, expected.sums)]


def test_names_that_a_file_cannot_hold() -> None:
    net = Network.from_layers([Linear(np.zeros((3, 4)), np.zeros(3), name="größe " * 90)], (4,))
    rows = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    recipe = Recipe(epochs=2)
    with ThreadPoolExecutor(1) as pool:
        fitted = fit(net, (rows, np.arange(60) % 3), recipe, executor=Futures(pool))
    assert same(fitted, fit(net, (rows, np.arange(60) % 3), recipe))


@pytest.mark.parametrize("damage", ["missing", "short", "changed"])
def test_a_job_that_is_damaged(damage: str, tmp_path: Path) -> None:
    class Damaged(Futures):
        def begin(self, job: Job) -> None:
            super().begin(job)
            assert self._folder is not None
            path = self._folder / "job.safetensors"
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            path.unlink()
            if damage != "missing":
                path.write_bytes(content if damage == "changed" else content[:-9])

    with ThreadPoolExecutor(1) as pool, pytest.raises(cnnfast.errors.ModelFileError, match="cannot be worked on"):
        fit(bars.network(), data(), RECIPE, executor=Damaged(pool))


@pytest.mark.parametrize(
    ("executor", "message"),
    [(4, "is 4"), (InProcess, "InProcess"), (ThreadPoolExecutor(1), "a pool is wrapped: Futures")],
    ids=["number", "class", "pool"],
)
def test_what_is_not_an_executor(executor: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(bars.network(), data(), RECIPE, executor=executor)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [lambda: InProcess(0), lambda: Processes(True), lambda: Futures(ProcessPoolExecutor)])
def test_arguments_of_executors(wrong: object) -> None:
    with pytest.raises(ConfigError, match="must be"):
        wrong()  # type: ignore[operator]


def test_an_executor_ends_after_an_error_too() -> None:
    class Failing(InProcess):
        ended = threading.Event()

        def compute(self, task: StepTask) -> Iterable[Partial]:
            raise MemoryError

        def end(self) -> None:
            self.ended.set()

    executor = Failing()
    assert isinstance(executor, Executor)
    with pytest.raises(MemoryError):
        fit(bars.network(), data(), RECIPE, executor=executor)
    assert executor.ended.is_set()


@pytest.mark.parametrize("executor", [InProcess(3), Futures(lambda: ThreadPoolExecutor(2), 3)], ids=["here", "pool"])
def test_an_executor_that_works_on_another_run_is_refused(executor: InProcess | Futures) -> None:
    """It would compute the steps of one run with the images of the other."""
    begin = executor.begin

    def begin_another_run(job: Job) -> None:
        executor.begin = begin  # type: ignore[method-assign]
        begin(job)
        with pytest.raises(ConfigError, match=f"this {type(executor).__name__} is at work on another run of fit"):
            fit(bars.network(), data(), RECIPE, executor=executor)

    executor.begin = begin_another_run  # type: ignore[method-assign]
    for examples in (bars.pictures(301, seed=1), data()):
        assert same(fit(bars.network(), examples, RECIPE, executor=executor), fit(bars.network(), examples, RECIPE))
