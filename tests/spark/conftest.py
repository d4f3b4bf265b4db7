"""One session of Spark for all tests here, where Spark and Java are installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of 300 pictures, in three columns of different types, and with each as a file."""
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install cnnfast[arrow]")
    import pyarrow as pa
    import pyarrow.parquet as pq
    from picture_tables import encoded, random_images

    folder = tmp_path_factory.mktemp("pictures")
    images = random_images(300)
    np.save(folder / "images.npy", images)
    content = encoded(images)
    raw = pa.array([image.tobytes() for image in images])
    shorts = pa.array([image.ravel() for image in images], pa.list_(pa.uint8()))
    table = pa.table({"id": range(len(images)), "a.b": ["dot"] * 300, "content": content, "raw": raw, "shorts": shorts})
    pq.write_table(table, folder / "pictures.parquet", row_group_size=64)
    (folder / "files" / "inside").mkdir(parents=True)
    for number, file in enumerate(content.to_pylist()):
        place = "files/inside" if number >= 200 else "files"
        (folder / place / f"{number:03}.png").write_bytes(file)
    return folder


@pytest.fixture(scope="session")
def images(pictures: Path) -> np.ndarray:
    return np.load(pictures / "images.npy")


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install cnnfast[spark]")
    if shutil.which("java") is None:
        pytest.skip("there is no java, which Spark needs")
    from spark_digests import session

    # a task may fail once or twice, as on a cluster
    made = session("local[2,4]")
    made.sparkContext.setLogLevel("OFF")
    yield made
    made.stop()


@pytest.fixture
def packed(spark: Any, pictures: Path) -> Any:
    return spark.read.parquet(str(pictures / "pictures.parquet"))
