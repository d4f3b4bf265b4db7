"""Every example runs from its beginning to its end, on a few images and for one epoch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw plots: pip install cnnfast[plots]")

ROOT = Path(__file__).resolve().parents[1]

EXAMPLES = {
    "cat_or_not": "cifar10",
    "cats_dogs": "catsdogs",
    "cifar10_cnn": "cifar10",
    "mlp_mnist": "mnist",
    "new_head": "catsdogs",
    "spark_cs61c": "cifar10",
}


@pytest.fixture(scope="module")
def cifar10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random images in the form of CIFAR-10."""
    folder = tmp_path_factory.mktemp("cifar10")
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        records = rng.integers(0, 256, (200, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(200) % 10
        records.tofile(folder / name)
    return folder


def test_all_are_listed() -> None:
    scripts = {path.stem for path in (ROOT / "examples").glob("*.py")} - {"showing"}
    assert scripts == set(EXAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if name.startswith("spark"):
        pytest.importorskip("pyspark", reason="pyspark is not installed: pip install cnnfast[spark]")
        if shutil.which("java") is None:
            pytest.skip("there is no java, which Spark needs")
    kind = EXAMPLES[name]
    data = request.getfixturevalue("cifar10") if kind == "cifar10" else request.getfixturevalue("shared_data") / kind
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), str(data), "--epochs", "1", "--limit", "200"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "CNNFAST_CACHE": str(tmp_path / "cache"),
        "CNNFAST_NUM_THREADS": "1",
    }
    run = subprocess.run(
        [*command, "--plots", str(tmp_path)], capture_output=True, text=True, check=False, env=environment
    )
    assert run.returncode == 0, run.stderr
    assert "test images right" in run.stdout
    assert len(list(tmp_path.glob("*-curves.png"))) == len(list(tmp_path.glob("*-confusion.png"))) == 1


def test_every_example_has_its_page() -> None:
    text = "".join(page.read_text() for page in (ROOT / "docs" / "examples").glob("*.md"))
    assert not [name for name in EXAMPLES if f"examples/{name}.py" not in text]
