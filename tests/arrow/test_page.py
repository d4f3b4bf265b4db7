"""What docs/arrow.md shows runs, in one process and in several."""

from __future__ import annotations

import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install cnnfast[arrow]")

import pyarrow as pa
import pyarrow.parquet as pq
from picture_tables import encoded, random_images

from cnnfast import Network
from cnnfast.arrow import Classifier

PAGE = Path(__file__).resolve().parents[2] / "docs" / "arrow.md"


def test_the_python_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    code = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)[0]
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "arrow.md", "exec"), {})
    assert pq.read_table("labels.parquet").column_names == ["id", "label", "probability", "error"]
    assert "'label_3', 'probability_3', 'probabilities', 'error'" in capsys.readouterr().out


def test_frames() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    images = random_images(20)
    files = encoded(images).to_pylist()
    classify = Classifier("cifar10-cs61c", keep=["id"])
    labels = classify(pandas.DataFrame({"id": range(20), "content": files})).to_pandas()
    same = polars.from_arrow(classify(polars.DataFrame({"id": range(20), "content": files})))
    expected = Network.load("cifar10-cs61c").predict(images).tolist()
    assert labels["label"].tolist() == same["label"].to_list() == expected


def test_several_processes_give_what_one_gives() -> None:
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    Parallel, delayed = joblib.Parallel, joblib.delayed
    table = pa.table({"id": range(60), "content": encoded(random_images(60))})
    batches = table.to_batches(max_chunksize=13)
    classify = Classifier("cifar10-cs61c", keep=["id"], threads=1)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        by_futures = list(pool.map(classify, batches))
    by_joblib = Parallel(n_jobs=2)(delayed(classify)(batch) for batch in batches)
    expected = classify(table)
    assert pa.Table.from_batches(by_futures).equals(expected)
    assert pa.Table.from_batches(by_joblib).equals(expected)
