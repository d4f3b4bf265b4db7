"""Pictures in the data frames of Spark, classified on its executors with the bits of one process.

>>> labels = classify(spark.read.parquet("pictures"), "cifar10-resnet")  # doctest: +SKIP

Needs ``pip install "cnnfast[spark]"`` and Java 17 on the driver, and the same cnnfast on every executor.

=============  =====================================================================
`frames`       from a data frame with pictures to one with labels
`pictures`     files of pictures as a data frame, and as Parquet
`tuning`       settings of a session that make moving pictures cheaper
`batches`      for `predict_batch_udf`
`model`        a stage of a pipeline of `pyspark.ml`
`training`     `fit`: training by map and reduce; `steps` what it runs on an executor
`travel`       a network or another file reaches each executor once, named by its SHA-256
`closures`     functions that an executor without cnnfast can still unpickle
`worker`       what runs on an executor
=============  =====================================================================
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cnnfast._optional import needs

# Not imported here, because an executor needs only `worker`. A module must not have the name of what is in it.
_HOMES = {
    "CnnfastModel": "model",
    "SETTINGS": "tuning",
    "SparkExecutor": "training",
    "classify": "frames",
    "fit": "training",
    "pack_pictures": "pictures",
    "predict_batch_fn": "batches",
    "read_pictures": "pictures",
}

__all__ = sorted(_HOMES)

if TYPE_CHECKING:
    from cnnfast.spark.batches import predict_batch_fn as predict_batch_fn
    from cnnfast.spark.frames import classify as classify
    from cnnfast.spark.model import CnnfastModel as CnnfastModel
    from cnnfast.spark.pictures import pack_pictures as pack_pictures
    from cnnfast.spark.pictures import read_pictures as read_pictures
    from cnnfast.spark.training import SparkExecutor as SparkExecutor
    from cnnfast.spark.training import fit as fit
    from cnnfast.spark.tuning import SETTINGS as SETTINGS


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'cnnfast.spark' has no attribute {name!r}")
    with needs("cnnfast.spark", "cnnfast[spark]"):
        import_module("pyspark")
        value = getattr(import_module(f"cnnfast.spark.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
