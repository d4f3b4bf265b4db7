"""Dask and Ray Data give the bits of one process; docs/cluster.md shows these calls."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install cnnfast[arrow]")

import pyarrow as pa
import pyarrow.parquet as pq
from picture_tables import encoded, random_images
from small_networks import small_net

from cnnfast.arrow import Classifier

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

OPTIONS = {"column": "content", "keep": ["id"], "probabilities": True, "threads": 1}


@pytest.fixture
def table() -> pa.Table:
    content = encoded(random_images(200)).to_pylist()
    content[7], content[8] = None, b"no picture"
    return pa.table({"id": range(200), "content": content})


@pytest.fixture
def source(table: pa.Table, tmp_path: Path) -> str:
    path = tmp_path / "pictures.parquet"
    pq.write_table(table, path, row_group_size=30)
    return str(path)


def rows(table: pa.Table) -> list[dict[str, object]]:
    return sorted(table.to_pylist(), key=lambda row: row["id"])


def test_dask(table: pa.Table, source: str, tmp_path: Path) -> None:
    dd = pytest.importorskip("dask.dataframe", reason="dask is not installed: pip install cnnfast[dask]")
    import dask

    target = str(tmp_path / "labels")
    classify = Classifier("cifar10-cs61c", **OPTIONS)
    schema = classify.schema(table.schema)
    with dask.config.set(scheduler="processes", num_workers=2):
        pictures = dd.read_parquet(source, columns=["id", "content"], split_row_groups=2)
        labels = pictures.map_partitions(
            lambda frame: classify(frame).to_pandas(), meta=schema.empty_table().to_pandas()
        )
        labels.to_parquet(target, schema=schema)
    assert pictures.npartitions == 4
    assert rows(pq.read_table(target).select(schema.names)) == rows(classify(table))


def test_dask_with_a_network_that_borrows_weights(table: pa.Table, source: str, tmp_path: Path) -> None:
    dd = pytest.importorskip("dask.dataframe", reason="dask is not installed: pip install cnnfast[dask]")
    import dask

    base, head = tmp_path / "base.safetensors", tmp_path / "head.safetensors"
    small_net().save(base)
    small_net(classes=list("efgh")).save(head, borrow=base)
    classify = Classifier(head, **OPTIONS)
    meta = classify.schema(table.schema).empty_table().to_pandas()
    with dask.config.set(scheduler="processes", num_workers=2):
        pictures = dd.read_parquet(source, columns=["id", "content"], split_row_groups=2)
        labels = pictures.map_partitions(lambda frame: classify(frame).to_pandas(), meta=meta).compute()
    found = pa.Table.from_pandas(labels, classify.schema(table.schema), preserve_index=False)
    assert rows(found) == rows(classify(table))


def test_ray(table: pa.Table, source: str, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install cnnfast[ray]")
    import ray.data

    target = str(tmp_path / "labels")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    try:
        pictures = ray.data.read_parquet(source, columns=["id", "content"])
        labels = pictures.map_batches(
            Classifier,
            fn_constructor_args=["cifar10-cs61c"],
            fn_constructor_kwargs=OPTIONS,
            batch_format="pyarrow",
            batch_size=77,
            concurrency=1,
        )
        labels.write_parquet(target)
    finally:
        ray.shutdown()
    assert rows(pq.read_table(target)) == rows(Classifier("cifar10-cs61c", **OPTIONS)(table))
