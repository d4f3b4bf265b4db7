"""A network as a stage of a pipeline, and as the function of predict_batch_udf; pictures read and packed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnfast import ConfigError, Network

pytest.importorskip("pyspark", reason="pyspark is not installed: pip install cnnfast[spark]")

from small_networks import small_net

from cnnfast.spark import CnnfastModel, classify, pack_pictures, predict_batch_fn, read_pictures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning"),
]
NAME = "cifar10-cs61c"


def test_a_saved_pipeline_holds_json_and_a_model_file(packed: Any, images: np.ndarray, tmp_path: Path) -> None:
    from pyspark.ml import Pipeline, PipelineModel
    from pyspark.ml.feature import SQLTransformer

    renaming = SQLTransformer(statement="SELECT id, content AS picture FROM __THIS__")
    stage = CnnfastModel(NAME, inputCol="picture", top=2, prefix="p_")
    pipeline = Pipeline(stages=[renaming, stage]).fit(packed)
    before = pipeline.transform(packed).orderBy("id").collect()
    assert [row["p_label_1"] for row in before] == Network.load(NAME).predict(images).tolist()
    pipeline.write().overwrite().save(str(tmp_path / "pipeline"))
    (folder,) = (tmp_path / "pipeline" / "stages").glob("1_*")
    files = [path for path in folder.rglob("*") if path.is_file() and path.name[0] not in "._"]
    kinds = {path.suffix: path for path in files}
    assert set(kinds) == {".txt", ".safetensors"}
    settings = json.loads(kinds[".txt"].read_text())
    assert (settings["class"], settings["paramMap"]["prefix"]) == ("cnnfast.spark.model.CnnfastModel", "p_")
    assert Network.load(kinds[".safetensors"]).classes_.tolist() == Network.load(NAME).classes_.tolist()
    again = PipelineModel.load(str(tmp_path / "pipeline"))
    assert again.stages[1].uid == stage.uid
    assert again.transform(packed).orderBy("id").collect() == before


def test_a_stage_is_tuned_like_any_other(packed: Any) -> None:
    stage = CnnfastModel(small_net(), inputCol="raw", pixels=(32, 32, 3))
    few = packed.limit(3)
    assert "label" in stage.transform(few).columns
    assert "label_2" in stage.transform(few, {stage.top: 2}).columns
    assert stage.transform(few).where("error is null").count() == 3
    with pytest.raises(ConfigError, match="prefix"):
        stage.transform(stage.transform(few))


@pytest.mark.parametrize("column", ["content", "shorts"])
def test_predict_batch_udf(spark: Any, packed: Any, images: np.ndarray, column: str) -> None:
    from pyspark.ml.functions import predict_batch_udf
    from pyspark.sql.functions import col, lit, when

    make = predict_batch_fn(spark, NAME, probabilities=True, features=True)
    shapes = {"shorts": [[32 * 32 * 3]]}.get(column)
    options: dict[str, Any] = {"input_tensor_shapes": shapes} if shapes else {}
    predict = predict_batch_udf(make, return_type=make.return_type, batch_size=77, **options)
    given = packed if shapes else packed.withColumn(column, when(col("id") == 5, lit(None)).otherwise(col(column)))
    rows = {row["id"]: row["r"] for row in given.select("id", predict(column).alias("r")).collect()}
    expected = dict(enumerate(Network.load(NAME).predict(images).tolist()))
    proba, features = Network.load(NAME).predict_proba(images), Network.load(NAME).features(images)
    if not shapes:
        assert (rows[5]["label"], rows[5]["probability"], rows[5]["error"]) == (None, None, "is null")
        assert np.isnan(rows[5]["probabilities"]).all()
        rows.pop(5), expected.pop(5)
    assert {id: row["label"] for id, row in rows.items()} == expected
    assert {row["error"] for row in rows.values()} == {None}
    for id, row in rows.items():
        np.testing.assert_array_equal(np.float32(row["probabilities"]), proba[id])
        np.testing.assert_array_equal(np.float32(row["features"]), features[id])


def test_pictures_are_read_in_few_partitions_and_packed(spark: Any, pictures: Path, tmp_path: Path) -> None:
    files = read_pictures(spark, pictures / "files")
    assert files.rdd.getNumPartitions() == 1
    assert files.count() == 300
    assert read_pictures(spark, pictures / "files", recursive=False, glob="*1.png").count() == 20
    packed = pack_pictures(files, tmp_path / "packed")
    assert packed.columns == ["path", "modificationTime", "length", "content"]
    one, other = (sorted(classify(df, NAME, keep=["path"]).collect()) for df in (files, packed))
    assert one == other
    with pytest.raises(ConfigError, match="mode must be 'error'"):
        pack_pictures(files, tmp_path / "packed", mode="w")
    assert pack_pictures(files.limit(2), tmp_path / "packed", mode="overwrite").count() == 2
