"""Measure images per second of CPU over Arrow and Spark, next to a plain loop: what moving pictures costs.

    python bench/bench_cluster.py pixels --pixels PIXELS.npy
    python bench/bench_cluster.py photographs --pictures FOLDER

PIXELS are uint8 images (N, 32, 32, 3), FOLDER has photographs. CPU seconds are those of this process and of all that it
has started: the JVM, the daemon and the workers of Python. The first rounds are not counted, because Java compiles what
it runs for as long as it runs: they end when it has little left to compile. Then the ways take turns, and the best
round of each counts. Each part takes under a minute, and replaces what bench/results/cluster.json holds of it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import machine
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.ml.functions import predict_batch_udf

from cnnfast import Network
from cnnfast.arrow import Classifier
from cnnfast.arrow.sources import Source
from cnnfast.images.pictures.files import find_pictures
from cnnfast.spark import SETTINGS, classify, pack_pictures, predict_batch_fn, read_pictures

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


def compiling_seconds() -> float:
    """Return what the compilers of the JVM have used: CPU of the tree that a longer run would not need again."""
    ticks = 0
    for pid in tree():
        for thread in Path(f"/proc/{pid}/task").glob("*"):
            try:
                name, _, rest = (thread / "stat").read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue
            if name.startswith(("C1 Compiler", "C2 Compiler")):
                ticks += sum(map(int, rest.split()[11:13]))
    return ticks / TICKS


def worker_memory() -> dict[str, int]:
    """Return MiB of the worker of Python, a child of the daemon, that has ever had the most; USS is its alone."""
    processes = tree()
    daemons = {pid for pid, (_, command) in processes.items() if b"pyspark.daemon" in command}
    found = [_memory_of(pid) for pid in daemons if int(processes[pid][0][1]) in daemons]
    return max(found, key=lambda one: one["peak"], default={})


def _memory_of(pid: int) -> dict[str, int]:
    files = [Path(f"/proc/{pid}", name) for name in ("smaps_rollup", "status")]
    lines = "".join(file.read_text(encoding="utf-8") for file in files)
    sizes = {name: int(kib) for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", lines, re.MULTILINE)}
    private = sizes["Private_Clean"] + sizes["Private_Dirty"]
    kibs = {"peak": sizes["VmHWM"], "rss": sizes["Rss"], "pss": sizes["Pss"], "uss": private}
    return {name: kib // 1024 for name, kib in kibs.items()}


def measure(ways: Ways, warm: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Return for each way images per second of CPU, what its first round cost more, and the memory of a worker then."""
    found: dict[str, dict[str, Any]] = {name: {"images": count} for name, (count, _) in ways.items()}
    best = dict.fromkeys(ways, float("inf"))
    for turn in range(warm + rounds):
        for name, (count, run) in ways.items():
            before, compiled = cpu_seconds(), compiling_seconds()
            run()
            used, compiled = cpu_seconds() - before, compiling_seconds() - compiled
            if turn == 0:
                found[name]["first_seconds"] = used
                if memory := worker_memory():
                    found[name]["worker_mebibytes"] = memory
            if turn >= warm and used < best[name]:
                best[name] = used
                found[name]["compiling_share"] = round(compiled / used, 3)
            kind = "warm-up" if turn < warm else "counted"
            print(f"{kind}  {name:40} {count / used:10,.0f}/s, compilers {compiled / used:.0%}", flush=True)
    for name, way in found.items():
        way["per_cpu_second"] = round(way["images"] / best[name], 1)
        way["first_seconds"] = round(way["first_seconds"], 2)
    return found


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


def with_settings(spark: Any, run: Callable[[], Any]) -> None:
    """Run with the settings that cnnfast recommends; all else runs with those of Spark."""
    for name, value in SETTINGS.items():
        spark.conf.set(name, value)
    try:
        run()
    finally:
        for name in SETTINGS:
            spark.conf.unset(name)


def moved(table: Any, columns: Sequence[str]) -> Any:
    """Return a data frame for which pictures are moved to a worker of Python, which does nothing with them."""
    return table.select(*columns).mapInArrow(lambda batches: (batch.slice(0, 0) for batch in batches), table.schema)


def plain(net: Network, pixels: np.ndarray) -> None:
    for start in range(0, len(pixels), 256):
        net.predict_proba(pixels[start : start + 256], threads=1)


def streamed(path: Path, net: Network, **options: Any) -> None:
    rows = Source(path)
    for _ in Classifier(net, column="content", threads=1, **options).stream(rows.pieces(["content"])):
        pass


def pixel_ways(spark: Any, folder: Path, name: str, pixels: np.ndarray, times: int) -> Ways:
    """Return the ways over small images, whose pixels are in Parquet; Spark reads them several times in a round."""
    net, path = Network.load(name), folder / "pixels.parquet"
    raw = pa.table({"content": pa.array([image.tobytes() for image in pixels])})
    pq.write_table(raw, path, row_group_size=5_000, compression="none", use_dictionary=False)
    table = spark.read.parquet(*[str(path)] * times)
    make = predict_batch_fn(spark, net, probabilities=True, pixels=SIZE)
    udf = predict_batch_udf(make, return_type=make.return_type, batch_size=256)
    by_spark = partial(consume, classify(table, net, keep=[], pixels=SIZE, probabilities=True))
    one, all_of_them = len(pixels), len(pixels) * times
    return {
        "one process": (one, partial(plain, net, pixels)),
        "Arrow, Parquet": (one, partial(streamed, path, net, pixels=SIZE)),
        "Spark, SETTINGS": (all_of_them, partial(with_settings, spark, by_spark)),
        "Spark": (all_of_them, by_spark),
        "Spark, moved only": (all_of_them, partial(consume, moved(table, ["content"]))),
        "Spark, predict_batch_fn": (all_of_them, partial(consume, table.select(udf("content")))),
    }


def list_ways(spark: Any, folder: Path, pixels: np.ndarray) -> Ways:
    """Return the way that the manual of predict_batch_udf shows: pixels as arrays of smallint."""
    net = Network.load("cifar10-cs61c")
    shorts = pa.array(list(pixels.reshape(len(pixels), -1)), pa.list_(pa.uint8()))
    pq.write_table(pa.table({"content": shorts}), folder / "shorts.parquet")
    make = predict_batch_fn(spark, net, probabilities=True)
    shapes = [[int(np.prod(SIZE))]]
    udf = predict_batch_udf(make, return_type=make.return_type, batch_size=256, input_tensor_shapes=shapes)
    lists = spark.read.parquet(str(folder / "shorts.parquet")).select(udf("content"))
    return {
        "one process": (len(pixels), partial(plain, net, pixels)),
        "Spark, predict_batch_fn": (len(pixels), partial(consume, lists)),
    }


def picture_ways(spark: Any, folder: Path, files: list[Path], times: int) -> Ways:
    """Return the ways over photographs, as files and packed."""
    net = Network.load("cifar10-cs61c")
    linked = folder / "photographs"
    linked.mkdir()
    for number, file in enumerate(files):
        (linked / f"{number:06}{file.suffix}").symlink_to(file.resolve())
    paths, target = sorted(linked.iterdir()), folder / "packed.parquet"
    pack_pictures(read_pictures(spark, linked), target)
    table = spark.read.parquet(*[str(target)] * times)
    make = predict_batch_fn(spark, net)
    udf = predict_batch_udf(make, return_type=make.return_type, batch_size=256)
    by_spark = partial(consume, classify(table, net))
    one, all_of_them = len(paths), len(paths) * times
    return {
        "one process": (one, lambda: list(net.stream(paths, threads=1))),
        "Arrow, Parquet": (one, partial(streamed, target, net)),
        "Spark, SETTINGS": (all_of_them, partial(with_settings, spark, by_spark)),
        "Spark": (all_of_them, by_spark),
        "Spark, moved only": (all_of_them, partial(consume, moved(table, table.columns))),
        "Spark, binaryFile": (one, lambda: consume(classify(read_pictures(spark, linked), net))),
        "Spark, predict_batch_fn": (all_of_them, partial(consume, table.select("path", udf("content")))),
    }


PARTS: dict[str, Callable[..., Ways]] = {
    "pixels": lambda spark, folder, args: pixel_ways(spark, folder, "cifar10-cs61c", load(args, 20_000), 4),
    "resnet": lambda spark, folder, args: pixel_ways(spark, folder, "cifar10-resnet", load(args, 600), 4),
    "lists": lambda spark, folder, args: list_ways(spark, folder, load(args, 3_000)),
    "photographs": lambda spark, folder, args: picture_ways(spark, folder, photographs(args, 1_500), 2),
}
"""What is measured together."""


def load(args: argparse.Namespace, count: int) -> np.ndarray:
    return np.load(args.pixels)[:count]


def photographs(args: argparse.Namespace, count: int) -> list[Path]:
    return [Path(path) for path in find_pictures([args.pictures])][:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--pixels", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--warm", type=int, default=4, help="rounds that do not count")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if getattr(args, needed := "pictures" if args.part == "photographs" else "pixels") is None:
        parser.error(f"{args.part} needs --{needed}")
    spark = session()
    with tempfile.TemporaryDirectory() as name:
        ways = measure(PARTS[args.part](spark, Path(name), args), args.warm, args.rounds)
    spark.stop()
    packages = machine.versions(("pyspark", "pyarrow", "pandas", "numpy", "Pillow"))
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[args.part] = {**machine.facts(), "packages": packages, "ways": ways}
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results[args.part], indent=2))


if __name__ == "__main__":
    main()
