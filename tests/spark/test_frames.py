"""Data frames of Spark: the bits of one process, a row for every row, and errors before a job starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnfast import CnnfastError, ConfigError, InputError, Network

pytest.importorskip("pyspark", reason="pyspark is not installed: pip install cnnfast[spark]")

from small_networks import small_net
from spark_digests import digests

from cnnfast.arrow import Classifier
from cnnfast.runtime.dispatch import kernels
from cnnfast.spark import classify, read_pictures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning"),
]
HERE = Path(__file__).parent
NAME = "cifar10-cs61c"


def labels(df: Any) -> dict[int, str]:
    return {row["id"]: row["label"] for row in df.select("id", "label").collect()}


def expected(images: np.ndarray, net: Network | None = None) -> dict[int, str]:
    return dict(enumerate((net or Network.load(NAME)).predict(images).tolist()))


# The bits of one process ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found_here(spark: Any, pictures: Path) -> dict[str, str]:
    return digests(spark, pictures)


def test_no_result_depends_on_partitions_batches_or_sources(found_here: dict[str, str]) -> None:
    assert len(found_here) == 6
    assert len(set(found_here.values())) == 1, found_here


@pytest.mark.parametrize("master", ["connect", "local-cluster[2,1,512]"])
def test_no_result_depends_on_the_kind_of_cluster(master: str, pictures: Path, found_here: dict[str, str]) -> None:
    """In a process of its own, which has one kind of session."""
    if master == "connect":
        pytest.importorskip("grpc", reason="Spark Connect is not installed: pip install pyspark[connect]")
    command = [sys.executable, str(HERE.parent / "spark_digests.py"), master, str(pictures)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["trained"] is True
    assert found["digests"] == found_here


def workers() -> list[int]:
    """Return the processes of Python that compute for Spark now: children of its daemon."""
    parents, daemons = {}, set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if b"pyspark.daemon" in command:
            daemons.add(int(folder.name))
    return [pid for pid in daemons if parents[pid] in daemons]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_worker_that_is_killed_is_replaced(spark: Any, packed: Any, images: np.ndarray, tmp_path: Path) -> None:
    killed: list[int] = []
    begun = tmp_path / "begun"
    sign = str(begun)

    def waiting(batches: Any) -> Any:
        """Pass rows on; the first task that is in the middle of its rows waits there to be killed."""
        import os
        import time

        for number, batch in enumerate(batches):
            if number == 2 and not os.path.exists(sign):
                open(sign, "w", encoding="utf-8").close()
                time.sleep(600)
            yield batch

    def kill() -> None:
        end = time.monotonic() + 600
        while not begun.exists() and time.monotonic() < end:
            time.sleep(0.05)
        for pid in workers():
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "10")
    slow = packed.select("id", "content").repartition(2).mapInArrow(waiting, "id long, content binary")
    killer = threading.Thread(target=kill)
    spark.sparkContext.setJobGroup("killed", "")
    killer.start()
    try:
        found = labels(classify(slow, NAME))
    finally:
        killer.join()
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    assert killed
    assert found == expected(images)
    tracker = spark.sparkContext.statusTracker()
    stages = [tracker.getJobInfo(job).stageIds for job in tracker.getJobIdsForGroup("killed")]
    failed = [tracker.getStageInfo(stage).numFailedTasks for ids in stages for stage in ids]
    assert sum(failed) >= 1


def test_two_networks_in_eight_jobs(packed: Any, images: np.ndarray) -> None:
    """Workers are used again by jobs of other networks, so what they keep must be keyed by content."""
    nets = [Network.load(NAME), Network.load("cifar10-resnet")]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda job: labels(classify(packed, nets[job % 2], keep=["id"])), range(8)))
    assert found == [expected(images, nets[job % 2]) for job in range(8)]
    assert found[0] != found[1]


def test_a_model_file_that_changes_between_two_jobs(packed: Any, images: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    Network.load(NAME).save(path)
    assert labels(classify(packed, path, keep=["id"])) == expected(images)
    Network.load("cifar10-resnet").save(path)
    assert labels(classify(packed, path, keep=["id"])) == expected(images, Network.load("cifar10-resnet"))


def test_a_network_that_was_never_in_a_file(packed: Any, images: np.ndarray) -> None:
    net = small_net()
    assert labels(classify(packed, net, keep=["id"])) == expected(_fitted(images, net), net)


def _fitted(images: np.ndarray, net: Network) -> np.ndarray:
    from cnnfast import fit_images

    assert net.preprocess is not None
    return fit_images(images, net.preprocess)


# A row for every row ----------------------------------------------------------------------------------------------


def test_nulls_and_what_is_not_a_picture_are_rows(spark: Any, pictures: Path) -> None:
    good = (pictures / "files" / "000.png").read_bytes()
    rows = [(0, None), (1, b""), (2, b"no picture"), (3, good), (4, good[:50])]
    df = spark.createDataFrame([(i, None if c is None else bytearray(c)) for i, c in rows], "id int, content binary")
    found = {row["id"]: row for row in classify(df.repartition(3), NAME).collect()}
    assert len(found) == len(rows)
    assert found[0]["error"] == "is null"
    assert [found[i]["label"] for i in (0, 1, 2, 4)] == [None] * 4
    assert all(found[i]["error"] for i in (1, 2, 4))
    assert found[3]["error"] is None
    assert found[3]["label"] in Network.load(NAME).classes_


def test_no_rows_and_empty_partitions(packed: Any, images: np.ndarray) -> None:
    assert classify(packed.limit(0), NAME).collect() == []
    few = packed.limit(5).repartition(17)
    assert labels(classify(few, NAME, keep=["id"])) == dict(list(expected(images).items())[:5])


def test_every_odd_picture_is_a_row(spark: Any, shared_data: Path) -> None:
    folder = shared_data / "odd-images"
    found = {row["path"].rpartition("/")[2]: row for row in classify(read_pictures(spark, folder), NAME).collect()}
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(found) == len(files)
    import pyarrow as pa

    batch = pa.record_batch({"content": [path.read_bytes() for path in files]})
    for path, row in zip(files, Classifier(NAME)(batch).to_pylist(), strict=True):
        assert {name: found[path.name][name] for name in row} == row


def test_all_other_columns_are_kept_whatever_their_names(packed: Any) -> None:
    results = classify(packed, NAME, top=2, features=True)
    ranks = ["label_1", "probability_1", "label_2", "probability_2"]
    assert results.columns == ["id", "a.b", "raw", "shorts", *ranks, "features", "error"]
    first = results.orderBy("id").first()
    assert (first["id"], first["a.b"]) == (0, "dot")


# Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "options", "message"),
    [
        ("nope", {}, r"there is no column 'nope'; the columns are: id \(int64\)"),
        ("id", {}, "column 'id' is int64"),
        ("content", {"keep": ["nope"]}, "'nope' cannot be kept"),
        ("content", {"top": 11}, "top must be an integer from 1 to 10"),
        ("shorts", {"pixels": (32, 32, 3)}, "says that it is binary"),
    ],
)
def test_what_cannot_work_fails_before_a_job_starts(packed: Any, column: str, options: Any, message: str) -> None:
    context = packed.sparkSession.sparkContext
    context.setJobGroup(f"refused {message}", "")
    with pytest.raises(CnnfastError, match=message):
        classify(packed, NAME, column, **options)
    assert list(context.statusTracker().getJobIdsForGroup(f"refused {message}")) == []


def test_names_that_spark_does_not_tell_apart(packed: Any) -> None:
    twice = packed.withColumnRenamed("a.b", "Label")
    with pytest.raises(ConfigError, match=r"the columns 'Label' and 'label', which Spark does not tell apart"):
        classify(twice, NAME)
    assert "predicted_label" in classify(twice, NAME, prefix="predicted_").columns


def test_messages_name_the_types_of_columns(spark: Any, pictures: Path) -> None:
    files = read_pictures(spark, pictures / "files")
    with pytest.raises(InputError, match=r"modificationTime \(timestamp\[us, tz=UTC\]\), .*; did you mean 'content'\?"):
        classify(files, NAME, "contents")


def test_a_frame_of_something_else() -> None:
    with pytest.raises(InputError, match="df must be a data frame of Spark, but is 3"):
        classify(3, NAME)


@pytest.fixture
def elsewhere(spark: Any) -> Any:
    """The environment of workers that start from now on."""
    environment = spark.sparkContext.environment
    before = dict(environment)
    yield environment
    environment.clear()
    environment.update(before)


def test_an_executor_without_cnnfast_says_what_to_install(packed: Any, elsewhere: Any, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'cnnfast':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
    )
    elsewhere["PYTHONPATH"] = str(tmp_path)
    with pytest.raises(Exception, match=r"cannot import cnnfast .* install it there: pip install .cnnfast\[arrow\]=="):
        classify(packed, NAME).collect()


@pytest.mark.skipif(not kernels.has_fma(), reason="this CPU has no FMA")
def test_an_executor_without_fused_multiply_add_is_an_error(packed: Any, elsewhere: Any) -> None:
    elsewhere["CNNFAST_ISA"] = "sse2"
    with pytest.raises(Exception, match="its instruction set, sse2, has no fused multiply-add"):
        classify(packed, NAME).collect()


def test_a_counted_answer_does_not_need_all(packed: Any, images: np.ndarray) -> None:
    """Results are an ordinary data frame: Spark groups and counts them."""
    counts = {row["label"]: row["count"] for row in classify(packed, NAME, keep=[]).groupBy("label").count().collect()}
    assert counts == Counter(expected(images).values())
