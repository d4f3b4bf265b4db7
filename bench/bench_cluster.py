"""Measure images per second of CPU over Arrow and Spark, next to a plain loop: what moving pictures costs.

    python bench/bench_cluster.py --pixels PIXELS.npy --pictures FOLDER

PIXELS are uint8 images (N, 32, 32, 3), FOLDER has photographs. CPU seconds are those of this process and of all that it
has started: the JVM, the daemon and the workers of Python. Every way has one round to warm up; then they take turns,
and the best round counts. Writes bench/results/cluster.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import machine
import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from cnnfast import Network
from cnnfast.arrow import Classifier
from cnnfast.arrow.sources import Source
from cnnfast.images.pictures.files import find_pictures

RESULTS = machine.FOLDER / "results" / "cluster.json"
SIZE = (32, 32, 3)
TICKS = os.sysconf("SC_CLK_TCK")

Ways = dict[str, tuple[int, Callable[[], Any]]]
"""What is measured: how many images, and what runs."""


def tree() -> dict[int, tuple[list[str], bytes]]:
    """Return this process and all that it has started: the fields of /proc/PID/stat and the command line."""
    found, parents = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            found[int(folder.name)] = fields, (folder / "cmdline").read_bytes()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
    inside = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in inside} - inside:
        inside |= more
    return {pid: found[pid] for pid in inside if pid in found}


def cpu_seconds() -> float:
    """Return what the tree has used, those that have ended included."""
    return sum(sum(map(int, fields[11:15])) for fields, _ in tree().values()) / TICKS


def worker_mebibytes() -> float:
    """Return the most memory that a worker of Python has ever had: a child of the daemon."""
    processes = tree()
    daemons = {pid for pid, (_, command) in processes.items() if b"pyspark.daemon" in command}
    peaks = [0.0]
    for pid in daemons:
        if int(processes[pid][0][1]) in daemons:
            status = Path(f"/proc/{pid}/status").read_text()
            peaks.append(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
    return max(peaks)


def measure(ways: Ways, rounds: int) -> dict[str, float]:
    """Return images per second of CPU."""
    best = dict.fromkeys(ways, float("inf"))
    for turn in range(rounds + 1):
        for name, (_, run) in ways.items():
            before = cpu_seconds()
            run()
            used = cpu_seconds() - before
            if turn:
                best[name] = min(best[name], used)
            print(f"{turn or 'warm-up':>8}  {name:45} {ways[name][0] / used:10,.0f}/s", flush=True)
    return {name: round(ways[name][0] / seconds, 1) for name, seconds in best.items()}


def session() -> Any:
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master("local[2]").config("spark.driver.memory", "1g")
    builder = builder.config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    return made


def consume(df: Any) -> None:
    """Compute all of a data frame and keep nothing."""
    df.write.format("noop").mode("overwrite").save()


def plain(net: Network, pixels: np.ndarray, repeat: int) -> None:
    for start in [*range(0, len(pixels), 256)] * repeat:
        net.predict_proba(pixels[start : start + 256], threads=1)


def streamed(path: Path, net: Network, repeat: int, **options: Any) -> None:
    for _ in range(repeat):
        rows = Source(path)
        for _ in Classifier(net, column="content", threads=1, **options).stream(rows.pieces(["content"])):
            pass


def scanned(path: Path, repeat: int) -> None:
    for _ in range(repeat):
        for _ in pyarrow.dataset.dataset(path).scanner(columns=["content"], use_threads=False).to_batches():
            pass


def pixel_ways(spark: Any, folder: Path, pixels: np.ndarray, repeat: int) -> Ways:
    """Return the ways over small images, whose pixels are in Parquet."""
    from pyspark.ml.functions import predict_batch_udf

    from cnnfast.spark import classify, predict_batch_fn

    found: Ways = {}
    sizes = {"cifar10-cs61c": (pixels, repeat), "cifar10-resnet": (pixels[: len(pixels) // 10], 1)}
    for name, (some, times) in sizes.items():
        net, path, count = Network.load(name), folder / f"{name}.parquet", len(some) * times
        raw = pa.table({"content": pa.array([image.tobytes() for image in some])})
        pq.write_table(raw, path, row_group_size=5_000, compression="none", use_dictionary=False)
        table = spark.read.parquet(*[str(path)] * times)
        make = predict_batch_fn(spark, net, probabilities=True, pixels=SIZE)
        udf = predict_batch_udf(make, return_type=make.return_type, batch_size=256)
        for way, run in {
            "plain": partial(plain, net, some, times),
            "reading with pyarrow.dataset alone": partial(scanned, path, times),
            "Arrow, Parquet": partial(streamed, path, net, times, pixels=SIZE),
            "Spark, Parquet": partial(consume, classify(table, net, keep=[], pixels=SIZE, probabilities=True)),
            "Spark, predict_batch_udf": partial(consume, table.select(udf("content"))),
        }.items():
            found[f"{name}: {way}"] = count, run
    few = pixels[:3_000]
    shorts = pa.array(list(few.reshape(len(few), -1)), pa.list_(pa.uint8()))
    pq.write_table(pa.table({"content": shorts}), folder / "shorts.parquet")
    make = predict_batch_fn(spark, "cifar10-cs61c", probabilities=True)
    shapes = [[int(np.prod(SIZE))]]
    udf = predict_batch_udf(make, return_type=make.return_type, batch_size=256, input_tensor_shapes=shapes)
    lists = spark.read.parquet(str(folder / "shorts.parquet")).select(udf("content"))
    found["cifar10-cs61c: Spark, predict_batch_udf on array<short>"] = len(few), partial(consume, lists)
    return found


def picture_ways(spark: Any, folder: Path, files: list[Path]) -> Ways:
    """Return the ways over photographs, as files and packed."""
    from pyspark.ml.functions import predict_batch_udf

    from cnnfast.spark import classify, pack_pictures, predict_batch_fn, read_pictures

    net = Network.load("cifar10-cs61c")
    linked = folder / "photographs"
    linked.mkdir()
    for number, file in enumerate(files):
        (linked / f"{number:06}{file.suffix}").symlink_to(file.resolve())
    paths = sorted(linked.iterdir())
    packed = pack_pictures(read_pictures(spark, linked), folder / "packed.parquet")
    make = predict_batch_fn(spark, net)
    udf = predict_batch_udf(make, return_type=make.return_type, batch_size=256)
    ways: dict[str, Callable[[], Any]] = {
        "files, Network.stream": lambda: list(net.stream(paths, threads=1)),
        "Arrow, Parquet": lambda: streamed(folder / "packed.parquet", net, 1),
        "Spark, Parquet": lambda: consume(classify(packed, net)),
        "Spark, binaryFile": lambda: consume(classify(read_pictures(spark, linked), net)),
        "Spark, predict_batch_udf": lambda: consume(packed.select("path", udf("content"))),
    }
    return {f"photographs: {name}": (len(paths), run) for name, run in ways.items()}


def ratios(rates: dict[str, float]) -> dict[str, float]:
    """Return what is promised: each way against the plain loop, or the stream of files, of its network."""
    found = {}
    for name, rate in rates.items():
        head, _, way = name.partition(": ")
        base = rates.get(f"{head}: plain") or rates.get(f"{head}: files, Network.stream")
        if base and way and rate != base:
            found[name] = round(rate / base, 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=6, help="how often the pixels are read in a round")
    parser.add_argument("--photographs", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    pixels = np.load(args.pixels)
    files = [Path(path) for path in find_pictures([args.pictures])][: args.photographs]
    spark = session()
    with tempfile.TemporaryDirectory() as name:
        ways = pixel_ways(spark, Path(name), pixels, args.repeat) | picture_ways(spark, Path(name), files)
        rates = measure(ways, args.rounds)
        peak = worker_mebibytes()
    result = {
        **machine.facts(),
        "packages": machine.versions(("pyspark", "pyarrow", "pandas", "numpy", "Pillow")),
        "images_per_cpu_second": rates,
        "ratios": ratios(rates),
        "worker_mebibytes": round(peak),
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    spark.stop()


if __name__ == "__main__":
    main()
