"""Between NumPy and Arrow without `pyarrow.array`: the same columns, and pandas is left alone."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install cnnfast[arrow]")

import pyarrow as pa
from fresh_python import output_of

from cnnfast.arrow.arrays import binaries, flags, null_rows, numbers, texts, values_of

COUNTS = [0, 1, 7, 8, 9, 300]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32"])
def test_numbers(count: int, dtype: str) -> None:
    rng = np.random.default_rng(count)
    # every second one, so that they are not next to each other
    values, null = rng.integers(0, 100, 2 * count).astype(dtype)[::2], rng.random(count) < 0.5
    for mask in (None, null):
        made = numbers(values, mask)
        made.validate(full=True)
        assert made.equals(pa.array(values, mask=mask))
    assert flags(null).equals(pa.array(null))


@pytest.mark.parametrize("count", COUNTS)
def test_texts_and_bytes(count: int) -> None:
    rows = [None if n % 3 == 1 else "é" * (n % 5) for n in range(count)]
    made = texts(rows)
    made.validate(full=True)
    assert made.equals(pa.array(rows, pa.string()))
    content = [None if row is None else row.encode() for row in rows]
    assert binaries(content).equals(pa.array(content, pa.binary()))


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("start", [0, 3])
def test_parts_of_columns(count: int, start: int) -> None:
    rows = [None if n % 3 == 1 else n for n in range(start + count + 2)]
    part = pa.array(rows, pa.int16()).slice(start, count)
    assert null_rows(part).tolist() == [row is None for row in rows[start : start + count]]
    whole = pa.array(range(start + count + 2), pa.int64()).slice(start, count)
    assert values_of(whole).tolist() == whole.to_pylist()


LEFT_ALONE = """
import sys
import pyarrow as pa
import pyarrow.parquet as pq
from cnnfast.arrow import Classifier, classify_dataset
from cnnfast.arrow.arrays import binaries, texts
pixels = pa.RecordBatch.from_arrays([binaries([bytes(3072), None, b"x"])], ["content"])
Classifier("cifar10-cs61c", pixels=(32, 32, 3), top=2, probabilities=True, features=True)(pixels)
Classifier("cifar10-cs61c")(pixels)
Classifier("cifar10-cs61c")(pa.RecordBatch.from_arrays([texts(["a.png", None])], ["path"]))
pq.write_table(pa.Table.from_batches([pixels]), sys.argv[1] + "/a.parquet")
classify_dataset(sys.argv[1] + "/a.parquet", "mnist-mlp", sys.argv[1] + "/b.parquet")
print("pandas" in sys.modules)
"""


def test_pandas_is_not_imported(tmp_path: object) -> None:
    """It is 40 MiB of each worker of a cluster, and takes longer to import than a few pictures to classify."""
    pytest.importorskip("pandas", reason="pandas is not installed")
    assert output_of(f"import sys; sys.argv[1:] = [{str(tmp_path)!r}]" + LEFT_ALONE) == "False"
