"""Measure encoded small pictures over Spark: cnnfast's `classify` next to onnxruntime in predict_batch_udf.

    python bench/bench_cluster_peer.py --pixels PIXELS.npy

PIXELS are uint8 images (N, 32, 32, 3); each becomes a PNG in a column of Parquet. The peer is what Spark's manual leads
to: a function for batches that decodes by Pillow, as cnnfast does, and runs the same network, exported by cnnfast, in
onnxruntime with one thread. Both give a label and its probability. The ways take turns, in the other order in every
second round; what counts is the median of the ratios of each round, of CPU seconds of the whole process tree. Needs the
extra ``onnx`` and onnxruntime besides what bench_cluster.py needs, and writes to the same file of results.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import machine
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench_cluster import RESULTS, compiling_seconds, consume, cpu_seconds, session
from PIL import Image
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql.types import FloatType, StringType, StructField, StructType

from cnnfast import Network
from cnnfast.spark import classify

COUNTS = {"cifar10-cs61c": (10_000, 2), "cifar10-resnet": (1_500, 2)}
"""How many pictures for each network, and how often Spark reads them in a round."""

OURS, PEER, CALLING = "classify", "onnxruntime in predict_batch_udf", "the same without a network"
RETURNS = StructType([StructField("label", StringType()), StructField("probability", FloatType())])


def png(image: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def peer_fn(net: Network, model: bytes | None) -> Callable[[], Any]:
    """Return what predict_batch_udf wants, with all that it needs in its closure; without a model it only decodes."""
    rule = net.preprocess
    assert rule is not None
    scale, names = np.float32(rule.scale), np.array(net.class_names)
    mean, std = (np.array(value, np.float32) for value in (rule.mean, rule.std))

    def make() -> Any:
        import io

        import numpy as np
        from PIL import Image

        if model is not None:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            engine = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            (source,) = engine.get_inputs()

        def predict(contents: np.ndarray) -> dict[str, np.ndarray]:
            pixels = np.stack([np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for content in contents])
            images = (pixels.astype(np.float32) * scale - mean) / std
            if model is None:
                return {"label": names[np.zeros(len(images), int)], "probability": images[:, 0, 0, 0]}
            scores = engine.run(None, {source.name: np.ascontiguousarray(images.transpose(0, 3, 1, 2))})[0]
            return {"label": names[scores.argmax(1)], "probability": scores.max(1)}

        return predict

    return make


def frames(spark: Any, folder: Path, name: str, pixels: np.ndarray) -> dict[str, Any]:
    """Return a data frame for each way, after a check that they agree."""
    net, (count, times) = Network.load(name), COUNTS[name]
    path, exported = folder / f"{name}.parquet", folder / f"{name}.onnx"
    content = pa.array([png(image) for image in pixels[:count]])
    pq.write_table(pa.table({"content": content}), path, row_group_size=5_000, compression="none", use_dictionary=False)
    net.save(exported)
    table = spark.read.parquet(*[str(path)] * times)

    def by_peer(model: bytes | None, rows: Any = table) -> Any:
        udf = predict_batch_udf(peer_fn(net, model), return_type=RETURNS, batch_size=256)
        return rows.select(udf("content").alias("result")).select("result.*")

    few = table.limit(500)
    ours = classify(few, net, keep=[]).drop("error").toPandas()
    theirs = by_peer(exported.read_bytes(), few).toPandas()
    alike = (ours["label"] == theirs["label"]).mean()
    if alike < 0.998:
        raise SystemExit(f"{name}: only {alike:.1%} of the labels are the same")
    return {OURS: classify(table, net, keep=[]), PEER: by_peer(exported.read_bytes()), CALLING: by_peer(None)}


def measure(ways: dict[str, Any], pictures: int, warm: int, rounds: int) -> dict[str, Any]:
    """Return the median rate of each way, and the median, least and greatest ratio of ours to that of the peer."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(warm + rounds):
        order = list(ways) if turn % 2 else list(reversed(ways))
        for name in order:
            before, compiled = cpu_seconds(), compiling_seconds()
            consume(ways[name])
            used, compiled = cpu_seconds() - before, compiling_seconds() - compiled
            if turn >= warm:
                seconds[name].append(used)
            kind = "counted" if turn >= warm else "warm-up"
            print(f"{kind}  {name:40} {pictures / used:10,.0f}/s, compilers {compiled / used:.0%}", flush=True)
    ratios = [theirs / ours for ours, theirs in zip(seconds[OURS], seconds[PEER], strict=True)]
    return {
        "pictures": pictures,
        "rounds": rounds,
        "per_cpu_second": {name: round(pictures / statistics.median(used), 1) for name, used in seconds.items()},
        "ratio": {
            "median": round(statistics.median(ratios), 3),
            "least": round(min(ratios), 3),
            "greatest": round(max(ratios), 3),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=Path, required=True)
    parser.add_argument("--warm", type=int, default=2, help="rounds that do not count")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    pixels, spark = np.load(args.pixels), session()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (count, times) in COUNTS.items():
            ways = frames(spark, Path(folder), name, pixels)
            found[name] = measure(ways, count * times, args.warm, args.rounds)
    spark.stop()
    packages = machine.versions(("pyspark", "pyarrow", "pandas", "numpy", "Pillow", "onnxruntime"))
    results = json.loads(RESULTS.read_text())
    results["encoded"] = {**machine.facts(), "packages": packages, "networks": found}
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results["encoded"], indent=2))


if __name__ == "__main__":
    main()
