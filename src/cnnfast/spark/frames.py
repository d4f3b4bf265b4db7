"""From a data frame with pictures to one with labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
import pyarrow as pa

from cnnfast import __version__
from cnnfast.arrow import Classifier
from cnnfast.arrow.columns import PATHS
from cnnfast.errors import ConfigError, InputError
from cnnfast.network.network import Network
from cnnfast.runtime.arguments import quoted
from cnnfast.spark.closures import map_in_arrow, on_executor
from cnnfast.spark.travel import send_network
from cnnfast.spark.worker import facts

WORKER = "cnnfast.spark.worker"


def classify(
    df: Any,
    network: Network | str | PathLike[str],
    column: str = "content",
    *,
    keep: Sequence[str] | None = None,
    top: int = 1,
    probabilities: bool = False,
    features: bool = False,
    prefix: str = "",
    pixels: Sequence[int] | None = None,
    threads: int | None = None,
    batch: int | None = None,
) -> Any:
    """Return a data frame with a row of results for each row of ``df``, bit-identical however it is partitioned.

    The network travels to each executor once. Nothing runs before the result is used, but wrong columns are found now.

    Parameters
    ----------
    df : DataFrame
        Of Spark, classic or Connect.
    network : Network, str or path
        If not a network, what `Network.load` takes, on the driver.
    column : str
        Binary: files of pictures, or with ``pixels`` (H, W, C) the pixels themselves; string: paths that every executor
        can open; array of smallint: pixels of exactly the network's size.
    keep : sequence of str, optional
        Columns that are passed through; by default all but the pictures, paths among them.
    top, probabilities, features, prefix, pixels, batch
        As for `cnnfast.arrow.Classifier`.
    threads : int, optional
        Of each task; by default ``spark.task.cpus``.

    Raises
    ------
    InputError
        If the column is missing or of another type.
    ConfigError
        If an argument is outside of its range, or a kept column has the name of a result.

    Examples
    --------
    >>> labels = classify(spark.read.parquet("pictures"), "cifar10-resnet")  # doctest: +SKIP
    >>> labels.write.parquet("labels")  # doctest: +SKIP
    """
    schema = _schema_of(df)
    net = network if isinstance(network, Network) else Network.load(network)
    options: dict[str, Any] = dict(
        column=column,
        top=top,
        probabilities=probabilities,
        features=features,
        prefix=prefix,
        pixels=pixels,
        batch=batch,
    )
    arrow = arrow_schema(schema)
    trial = Classifier(net, threads=threads, **options)
    found = trial.picture_column(arrow)
    if keep is None:
        keep = [name for name in arrow.names if name != found.name or found.kind == PATHS]
    trial = Classifier(net, keep=keep, threads=threads, **options)
    results = probe(trial, arrow)
    fields = {field.name: field for field in schema.fields}
    _check_names(trial.keep, results)
    options |= dict(keep=trial.keep, threads=threads)
    columns = list(dict.fromkeys([*trial.keep, found.name]))
    function = map_in_arrow(
        on_executor(WORKER, "classify_batches", __version__),
        columns=columns,
        name=send_network(df.sparkSession, net),
        options=options,
        driver=facts(),
    )
    # mapInArrow cannot take a name with a dot in it
    plain = df.select(*(df[_spelled(name)].alias(f"c{number}") for number, name in enumerate(columns)))
    return plain.mapInArrow(function, _out_schema(fields, trial.keep, results))


def _schema_of(df: Any) -> Any:
    try:
        return df.sparkSession and df.schema
    except AttributeError as error:
        raise InputError(
            f"df must be a data frame of Spark, but is {quoted(df)}; cnnfast.arrow.Classifier takes other frames"
        ) from error


def arrow_schema(schema: Any) -> Any:
    """Return the Arrow schema of a schema of Spark; an interval stands for what Arrow does not have."""
    from pyspark.sql.pandas.types import to_arrow_type
    from pyspark.sql.types import TimestampType

    fields = []
    for field in schema.fields:
        try:
            # since Spark 4.1 it wants to be told the time zone, which it could not be before
            moment = isinstance(field.dataType, TimestampType)
            kind = pa.timestamp("us", "UTC") if moment else to_arrow_type(field.dataType)
        # types of users and new ones of Spark raise what they like; none of them is a picture
        except Exception:
            kind = pa.month_day_nano_interval()
        fields.append(pa.field(field.name, kind))
    return pa.schema(fields)


def probe(classifier: Classifier, schema: Any) -> Any:
    """Return the schema of results; one image is computed here, so that what cannot work fails before a job starts."""
    results = classifier.schema(schema)
    net = classifier.network
    assert net.preprocess is not None
    net.predict(np.zeros((1, *net.preprocess.size, net.preprocess.channel_count), np.uint8), layout="nhwc")
    return results


def _check_names(keep: Sequence[str], results: Any) -> None:
    """Spark does not distinguish cases."""
    for name, count in Counter(name.lower() for name in results.names).items():
        if count > 1:
            twins = " and ".join(repr(given) for given in results.names if given.lower() == name)
            raise ConfigError(
                f"the result would have the columns {twins}, which Spark does not tell apart; leave one out of "
                "keep, or give the results a prefix, such as prefix='predicted_'"
            )


def _spelled(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def spark_type(results: Any) -> Any:
    """Return the type of Spark for an Arrow schema of results."""
    from pyspark.sql.pandas.types import from_arrow_type
    from pyspark.sql.types import StructField, StructType

    return StructType([StructField(field.name, from_arrow_type(field.type)) for field in results])


def _out_schema(fields: dict[str, Any], keep: Sequence[str], results: Any) -> Any:
    from pyspark.sql.types import StructType

    computed = pa.schema(list(results)[len(keep) :])
    return StructType([*(fields[name] for name in keep), *spark_type(computed).fields])
