"""Classifies one table in many ways on one cluster, and prints a SHA-256 of the results of each, and of one process.

Then trains there, and prints whether the weights are those of one process.

    python spark_digests.py MASTER FOLDER

MASTER is what Spark takes, or "connect". FOLDER has ``pictures.parquet`` and the folder ``files`` of the same pictures.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from spark_training import trains

from cnnfast import Network
from cnnfast.arrow import Classifier
from cnnfast.spark import SETTINGS, classify, read_pictures


def session(master: str, **settings: str) -> Any:
    """Return a session with small heaps, whose workers run this Python."""
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.remote("local[2]") if master == "connect" else SparkSession.builder.master(master)
    given = {
        "spark.driver.memory": "1g",
        "spark.executor.memory": "512m",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "4",
        # a machine that does much else must not look like one that was lost
        "spark.network.timeout": "900s",
        "spark.python.authenticate.socketTimeout": "300s",
        **settings,
    }
    for key, value in given.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def digest(rows: list[Any], key: str) -> str:
    """Return a SHA-256 of the probabilities, sorted by what says which row is which."""
    ordered = sorted(rows, key=lambda row: row[key])
    return hashlib.sha256(np.array([row["probabilities"] for row in ordered], np.float32).tobytes()).hexdigest()


def digests(spark: Any, folder: Path) -> dict[str, str]:
    net = Network.load("cifar10-cs61c")
    table = pq.read_table(folder / "pictures.parquet")
    plain = Classifier(net, column="content", keep=["id"], probabilities=True)(table)
    found = {"one process": digest(plain.to_pylist(), "id")}
    packed = spark.read.parquet(str(folder / "pictures.parquet"))
    ways = {"content": {}, "raw": {"pixels": (32, 32, 3)}, "shorts": {}}
    cases = [(1, 10, "content"), (3, 10_000, "raw"), (17, 10, "shorts")]
    for parts, records, column in cases:
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(records))
        results = classify(packed.repartition(parts), net, column, keep=["id"], probabilities=True, **ways[column])
        found[f"Parquet, {column}, {parts} x {records}"] = digest(results.collect(), "id")
    files = classify(read_pictures(spark, str(folder / "files")), net, keep=["path"], probabilities=True)
    found["binaryFile"] = digest(files.collect(), "path")
    spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    for name, value in SETTINGS.items():
        spark.conf.set(name, value)
    found["SETTINGS"] = digest(classify(packed, net, keep=["id"], probabilities=True).collect(), "id")
    for name in SETTINGS:
        spark.conf.unset(name)
    return found


if __name__ == "__main__":
    spark = session(sys.argv[1])
    print(json.dumps({"digests": digests(spark, Path(sys.argv[2])), "trained": trains(spark)}))
    spark.stop()
