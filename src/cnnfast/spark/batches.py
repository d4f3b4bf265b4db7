"""The function that ``pyspark.ml.functions.predict_batch_udf`` wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import pyarrow as pa

from cnnfast import __version__
from cnnfast.arrow import Classifier
from cnnfast.errors import ConfigError, InputError
from cnnfast.network.network import Network
from cnnfast.ops import Array
from cnnfast.spark.closures import on_executor, returning
from cnnfast.spark.frames import probe, spark_type
from cnnfast.spark.travel import send_network
from cnnfast.spark.worker import classifier_of, facts

COLUMN = "picture"


def predict_batch_fn(
    spark: Any,
    network: Network | str | PathLike[str],
    *,
    top: int = 1,
    probabilities: bool = False,
    features: bool = False,
    pixels: Sequence[int] | None = None,
    threads: int | None = None,
    batch: int | None = None,
) -> Callable[[], Any]:
    """Return the ``make_predict_fn`` of ``predict_batch_udf``; its attribute ``return_type`` is the other argument.

    For programs that have such functions already; `classify` is faster, because it does not go through pandas. Columns
    are binary (files of pictures, or ``pixels``), or arrays of smallint with the network's height, width and channels.
    Columns of lists must not be null here: a row with an error has NaN in them.

    Parameters
    ----------
    spark : SparkSession
        To whose executors the network travels.
    network, top, probabilities, features, pixels, threads, batch
        As for `classify`.

    Raises
    ------
    ConfigError
        If an argument is outside of its range.

    Examples
    --------
    >>> make = predict_batch_fn(spark, "cifar10-resnet")  # doctest: +SKIP
    >>> predict = predict_batch_udf(make, return_type=make.return_type, batch_size=256)  # doctest: +SKIP
    >>> pictures.select("path", predict("content").alias("result"))  # doctest: +SKIP
    """
    net = network if isinstance(network, Network) else Network.load(network)
    if net.answer_shape:
        raise ConfigError(
            "predict_batch_udf takes one answer for each image, but this network has several; use classify"
        )
    options: dict[str, Any] = dict(top=top, probabilities=probabilities, features=features, pixels=pixels, batch=batch)
    options |= dict(column=COLUMN, threads=threads)
    results = probe(Classifier(net, **options), pa.schema({COLUMN: pa.binary()}))
    call = on_executor("cnnfast.spark.batches", "predict_of", __version__)
    make = returning(call, send_network(spark, net), options, facts())
    make.return_type = spark_type(results)  # type: ignore[attr-defined]  # a function may have attributes
    return make


def predict_of(name: str, options: Mapping[str, Any], driver: Mapping[str, Any]) -> Callable[[Array], dict[str, Array]]:
    """Return, on an executor, the function that classifies an array of pictures."""
    classify = classifier_of(name, options, driver)
    widths = classify.widths()

    def predict(pictures: Array) -> dict[str, Array]:
        results = classify(pa.record_batch({COLUMN: as_column(pictures)}))
        return {name: as_array(results.column(name), widths.get(name)) for name in results.schema.names}

    return predict


def as_column(pictures: Array) -> Any:
    """Return what ``predict_batch_udf`` gives, an array of bytes or of numbers, as a column of Arrow.

    Raises
    ------
    InputError
        If the numbers are not integers.

    Examples
    --------
    >>> as_column(np.array([[0, 255, 300]])).type
    ListType(list<item: int16>)
    """
    if pictures.dtype == object:
        kind = (
            pa.binary() if all(isinstance(one, bytes | bytearray | None) for one in pictures) else pa.list_(pa.int16())
        )
        return pa.array(pictures, kind)
    if pictures.dtype.kind not in "iu":
        raise InputError(f"pixels must be integers from 0 to 255, but are {pictures.dtype}")
    # what is outside of bytes must stay outside
    flat = np.clip(pictures, -1, 256).astype(np.int16).reshape(len(pictures), -1)
    offsets = np.arange(len(flat) + 1, dtype=np.int32) * np.int32(flat.shape[1])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat.ravel()))


def as_array(column: Any, width: int | None) -> Array:
    """Return a column of results as ``predict_batch_udf`` takes it; lists of ``width`` numbers as an array (N, width).

    Examples
    --------
    >>> as_array(pa.array([[0.5, 0.5], None]), 2).tolist()
    [[0.5, 0.5], [nan, nan]]
    """
    if width is None:
        values: Array = column.to_numpy(zero_copy_only=False)
        return values
    values = np.full((len(column), width), np.nan, np.float32)
    values[column.is_valid().to_numpy(zero_copy_only=False)] = column.flatten().to_numpy().reshape(-1, width)
    return values
