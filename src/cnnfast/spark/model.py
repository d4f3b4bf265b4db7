"""A network as a stage of a pipeline of ``pyspark.ml``."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import Any

from pyspark.ml import Transformer
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCol
from pyspark.ml.util import DefaultParamsReader, DefaultParamsWriter, MLReadable, MLReader, MLWritable, MLWriter

from cnnfast.errors import ConfigError
from cnnfast.network.network import Network
from cnnfast.spark.frames import classify
from cnnfast.spark.travel import SUFFIX, draft, is_connect

FILE = f"network{SUFFIX}"


class CnnfastModel(Transformer, HasInputCol, MLReadable, MLWritable):
    """Adds the columns of results of `cnnfast.spark.classify` to a data frame; a stage of a Pipeline.

    Saved are the settings as JSON and the network as a model file; nothing is pickled.

    Parameters
    ----------
    network : Network, str or path
        If not a network, what `Network.load` takes.
    inputCol : str
        The column of pictures, which is kept.
    top, probabilities, features, prefix, pixels
        As for `cnnfast.spark.classify`.

    Examples
    --------
    >>> model = CnnfastModel("cifar10-resnet", prefix="predicted_")  # doctest: +SKIP
    >>> PipelineModel([model]).write().overwrite().save("hdfs:///pipeline")  # doctest: +SKIP
    """

    top = Param(Params._dummy(), "top", "how many labels, the most probable first", TypeConverters.toInt)
    probabilities = Param(
        Params._dummy(), "probabilities", "add the probability of each class", TypeConverters.toBoolean
    )
    features = Param(Params._dummy(), "features", "add what the last dense layer reads", TypeConverters.toBoolean)
    prefix = Param(Params._dummy(), "prefix", "of the names of the columns of results", TypeConverters.toString)
    pixels = Param(
        Params._dummy(),
        "pixels",
        "height, width and channels of binary pixels; empty: pictures",
        TypeConverters.toListInt,
    )

    def __init__(
        self,
        network: Network | str | PathLike[str],
        *,
        inputCol: str = "content",
        top: int = 1,
        probabilities: bool = False,
        features: bool = False,
        prefix: str = "",
        pixels: list[int] | tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.network = network if isinstance(network, Network) else Network.load(network)
        self._setDefault(inputCol="content", top=1, probabilities=False, features=False, prefix="", pixels=[])
        self._set(inputCol=inputCol, top=top, probabilities=probabilities, features=features, prefix=prefix)
        self._set(pixels=list(pixels))

    def _transform(self, dataset: Any) -> Any:
        options = {name: self.getOrDefault(name) for name in ("top", "probabilities", "features", "prefix")}
        pixels = self.getOrDefault(self.pixels) or None
        column = self.getInputCol()
        return classify(dataset, self.network, column, keep=dataset.columns, pixels=pixels, **options)

    def write(self) -> MLWriter:
        """Return what saves it: ``write().overwrite().save(path)``."""
        return _ModelWriter(self)

    @classmethod
    def read(cls) -> MLReader:
        """Return what loads it: ``CnnfastModel.load(path)``."""
        return _ModelReader()


class _ModelWriter(MLWriter):
    def __init__(self, model: CnnfastModel) -> None:
        super().__init__()
        self._model = model

    def saveImpl(self, path: str) -> None:
        spark = self.sparkSession
        DefaultParamsWriter.saveMetadata(self._model, path, spark)
        with draft() as local:
            self._model.network.save(local)
            _copy_to(spark, local, os.path.join(path, FILE))


class _ModelReader(MLReader):
    def load(self, path: str) -> CnnfastModel:
        spark = self.sparkSession
        settings = DefaultParamsReader.loadMetadata(path, spark)
        row = spark.read.format("binaryFile").load(os.path.join(path, FILE)).select("content").first()
        if row is None:
            raise ConfigError(f"{path}: has no {FILE}, so this is not a saved CnnfastModel; save it again")
        with draft() as local:
            local.write_bytes(row[0])
            model = CnnfastModel(Network.load(local).by_value())
        model._resetUid(settings["uid"])
        DefaultParamsReader.getAndSetParams(model, settings)
        return model


def _copy_to(spark: Any, local: Path, target: str) -> None:
    """Copy a file of the driver to wherever Spark writes."""
    if is_connect(spark):
        spark.copyFromLocalToFs(str(local), target)
        return
    hadoop = spark._jvm.org.apache.hadoop.fs
    place = hadoop.Path(target)
    place.getFileSystem(spark._jsc.hadoopConfiguration()).copyFromLocalFile(hadoop.Path(local.as_uri()), place)
