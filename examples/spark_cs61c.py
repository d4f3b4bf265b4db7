"""Over Spark, as Berkeley's project did it: a linear softmax, a network of two layers and a convolutional one.

python examples/spark_cs61c.py DATA    # a folder with CIFAR-10; --master spark://… for a cluster
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession
from showing import arguments, both_parts, print_row, scores_of, show

from cnnfast import Network, Preprocess
from cnnfast.architectures import build
from cnnfast.layers import Flatten, Linear, Relu
from cnnfast.spark import classify
from cnnfast.spark import fit as spark_fit
from cnnfast.train import Adam, Constant, Examples, Flip, Recipe, fit, fit_scaling, initialize

RATES = (0.0003, 0.001, 0.003, 0.01)


def session(master: str) -> SparkSession:
    """Return a session whose workers run this Python."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master).config("spark.driver.memory", "1g")
    return builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()


def dense(*sizes: int, preprocess: Preprocess, classes: tuple[str, ...]) -> Network:
    """Return a network of dense layers, with ReLU between."""
    layers: list[Any] = [Flatten()]
    for size in (*sizes, len(classes)):
        layers += [Relu(), Linear(size)] if len(layers) > 1 else [Linear(size)]
    drawn = initialize(Network.build(layers, (3, 32, 32)).graph)
    return Network.from_graph(drawn, preprocess=preprocess, classes=classes)


def best_rate(spark: SparkSession, net: Network, training: Examples, epochs: int) -> float:
    """Train a whole network with each of some rates, each run in a process of its own, and return the best rate."""
    shared = spark.sparkContext.broadcast((net.by_value(), training.images, training.labels))

    def accuracy(rate: float) -> float:
        network, images, labels = shared.value
        recipe = Recipe(epochs=epochs, batch=500, optimizer=Adam(learning_rate=rate))
        return fit(network, (images, labels), recipe, validation=0.2, threads=1).history[-1]["val_accuracy"]

    found = spark.sparkContext.parallelize(RATES, len(RATES)).map(accuracy).collect()
    for rate, value in zip(RATES, found, strict=True):
        print(f"grid: learning rate {rate:g}: {value:.2%} of the validation part right")
    return RATES[int(np.argmax(found))]


def features(spark: SparkSession, base: Network, examples: Examples) -> np.ndarray:
    """Return what the last layer of a network but one sees, computed by all executors."""
    rows = pa.table({"id": np.arange(len(examples)), "pixels": [image.tobytes() for image in examples.images]})
    frame = spark.createDataFrame(rows).repartition(16)
    found = classify(frame, base, "pixels", pixels=(32, 32, 3), keep=["id"], features=True).toArrow().sort_by("id")
    return np.stack(found["features"].to_numpy())


def main() -> None:
    """Train and show all three."""
    args = arguments(__doc__ or "", "a folder with CIFAR-10", epochs=60, master="local[*]")
    training, test = both_parts(args.data, None, args.limit)
    preprocess = fit_scaling(training.images, Preprocess(size=(32, 32)))
    assert training.classes is not None
    spark = session(args.master)

    # Each step is a sum over all images, computed by the executors, and one update here.
    full = Recipe(epochs=args.epochs, batch=len(training), optimizer=Adam(learning_rate=0.003), schedule=Constant())
    for name, sizes in (("linear softmax", ()), ("two layers", (200,))):
        net = dense(*sizes, preprocess=preprocess, classes=training.classes)
        fitted = spark_fit(spark, net, training, full)
        print(f"{name}: {scores_of(fitted.network, test).accuracy:.2%} after {args.epochs} steps over all images")

    # Runs that need nothing of one another are where a cluster helps most.
    convolutional = initialize(build("cs61c"))
    net = Network.from_graph(convolutional, preprocess=preprocess, classes=training.classes)
    some = training.take(np.arange(min(len(training), 10_000)))
    rate = best_rate(spark, net, some, max(1, args.epochs // 20))

    # The convolutional network needs more updates: batches of thousands rather than all images.
    recipe = Recipe(epochs=max(1, args.epochs // 4), batch=2500, optimizer=Adam(learning_rate=rate), augment=[Flip()])
    fitted = spark_fit(spark, net, training, recipe, validation=0.1, report=print_row)

    # Below a frozen layer nothing changes: its values are computed once, by all executors; the new head learns here.
    rows, labels = features(spark, fitted.network, training), (training.labels >= 2) & (training.labels <= 7)
    head = Network.build([Linear(2)], (rows.shape[1],), classes=("machine", "animal"))
    head = fit(head, (rows, labels.astype(int)), replace(full, epochs=5, batch=500)).network
    animal = (test.labels >= 2) & (test.labels <= 7)
    right = (head.predict(features(spark, fitted.network, test)) == np.where(animal, "animal", "machine")).mean()
    print(f"animal or machine, a new head on features of the third: {right:.2%} of the test images")
    show(fitted, test, args.plots, "spark-cs61c")
    spark.stop()


if __name__ == "__main__":
    main()
