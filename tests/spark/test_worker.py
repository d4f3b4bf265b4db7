"""What can be tested of the workers without a cluster."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install cnnfast[arrow]")

import pyarrow as pa
from fresh_python import output_of

from cnnfast import ConfigError, InputError, ModelFileError, Network
from cnnfast.spark import travel, worker
from cnnfast.spark.batches import as_column
from cnnfast.spark.closures import on_executor

THIS = worker.facts()


def test_versions_and_instruction_sets() -> None:
    worker.check(THIS)
    with pytest.raises(ConfigError, match=r"executor .*: has cnnfast .*, but the driver has 9; install one version"):
        worker.check({**THIS, "cnnfast": "9"})
    with pytest.raises(
        ConfigError, match=r"instruction set, \w+, has( no)? fused multiply-add, but that of the driver"
    ):
        worker.check({**THIS, "fuses": not THIS["fuses"]})


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A session whose executors look into the driver's own folder; counts what it is given."""
    session = SimpleNamespace(given=[], session_id="one")
    session.addArtifacts = lambda path, file: session.given.append(path)
    session.sparkContext = SimpleNamespace(applicationId="one", addFile=session.given.append)
    monkeypatch.setattr(travel, "_version", lambda: (4, 0))
    monkeypatch.setattr(travel, "_sent", set())
    monkeypatch.setattr(worker, "received", lambda name: travel._outbox() / name)
    worker.network.cache_clear()
    return session


def test_a_network_is_sent_once_and_known_by_its_hash(sent: Any, tmp_path: Any) -> None:
    net = Network.load("mnist-mlp")
    names = {travel.send_network(sent, given) for given in (net, net, Network.load("mnist-mlp"))}
    assert len(names) == len(sent.given) == 1
    name = names.pop()
    pixels = np.random.default_rng(0).integers(0, 256, (9, 28, 28), np.uint8)
    np.testing.assert_array_equal(worker.network(name).forward(pixels), net.forward(pixels))
    assert worker.network(name) is worker.network(name)
    other = travel.send_network(sent, net.by_value().truncate(net.graph.nodes[-1].name))
    assert other != name
    path = tmp_path / "net.safetensors"
    net.save(path)
    assert travel.send_network(sent, Network.load(path)) == travel.send_network(sent, net.by_value())


def test_a_file_that_is_not_what_was_sent(sent: Any) -> None:
    name = travel.send_network(sent, Network.load("mnist-mlp"))
    other = travel.send_network(sent, Network.load("cifar10-cs61c"))
    content = (travel._outbox() / name).read_bytes()
    (travel._outbox() / name).write_bytes((travel._outbox() / other).read_bytes())
    with pytest.raises(ModelFileError, match="is not the file that the driver has sent"):
        worker.network(name)
    (travel._outbox() / name).write_bytes(content)
    with pytest.raises(ModelFileError, match="states no SHA-256"):
        travel.send_file(sent, Path(__file__))


def test_before_spark_4_files_travel_by_add_file(sent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(travel, "_version", lambda: (3, 5))
    sent.addArtifacts = None
    travel.send_network(sent, Network.load("mnist-mlp"))
    assert len(sent.given) == 1


def test_record_batches_get_their_names_back(sent: Any) -> None:
    name = travel.send_network(sent, Network.load("mnist-mlp"))
    batch = pa.record_batch({"c0": [7], "c1": [None]}).cast(pa.schema({"c0": pa.int64(), "c1": pa.binary()}))
    (result,) = worker.classify_batches(
        [batch], ["id", "x.y"], name, {"column": "x.y", "keep": ["id"], "threads": 1}, THIS
    )
    assert result.to_pylist() == [{"id": 7, "label": None, "probability": None, "error": "is null"}]


def test_the_function_on_the_executor_is_pickled_by_value() -> None:
    cloudpickle = pytest.importorskip("joblib.externals.cloudpickle", reason="joblib is not installed")
    sent = cloudpickle.dumps(on_executor("no_such_package.worker", "run", "1.2"))
    assert b"cnnfast.spark" not in sent
    code = f"import pickle; call = pickle.loads({sent!r})\ntry: call()\nexcept RuntimeError as error: print(error)"
    assert "cannot import cnnfast (No module named 'no_such_package')" in output_of(code)
    assert 'pip install "cnnfast[arrow]==1.2"' in output_of(code)


def test_arrays_of_predict_batch_udf() -> None:
    pictures = np.array([b"x", None], object)
    assert as_column(pictures).to_pylist() == [b"x", None]
    assert as_column(np.array([[0, 70_000, -70_000]])).to_pylist() == [[0, 256, -1]]
    assert as_column(np.zeros((2, 1, 1, 3), np.int16)).to_pylist() == [[0, 0, 0], [0, 0, 0]]
    with pytest.raises(InputError, match="pixels must be integers from 0 to 255, but are float32"):
        as_column(np.zeros((1, 3), np.float32))


def test_what_a_worker_imports_is_light() -> None:
    """A worker lives for a few seconds: it must not import what only the driver needs."""
    code = "import sys, cnnfast.spark.worker; print([m for m in ('pyspark', 'pandas', 'tqdm') if m in sys.modules])"
    assert output_of(code) == "[]"


WITHOUT = """
import sys
sys.modules["pyspark"] = None
from cnnfast import CnnfastError
try:
    from cnnfast.spark import classify
except CnnfastError as error:
    print(error)
"""


def test_without_the_extra_one_line_says_so() -> None:
    assert re.fullmatch(r'cnnfast.spark needs a package .* pip install "cnnfast\[spark\]"', output_of(WITHOUT))
