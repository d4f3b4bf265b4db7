"""``pytest bench/bench_ops.py``: what it covers, that both tables are there, that figures mean what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bench_ops import bench_cases, images_of, integer_bench_cases, integer_images_of, names_of_ops, seconds_of_kernels
from cases import CASES
from integer_cases import REAL_LAYERS
from kernels.engines import ENGINES, integer_engines
from rows import FLOAT, NAIVE, NUMPY, Row, Table

from cnnfast.ops import OPS
from cnnfast.ops.quantized import QUANTIZED_OPS

pytest.importorskip("pytest_benchmark")

ROOT = Path(__file__).resolve().parents[2]


def bench(*options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "bench/bench_ops.py", *map(str, options)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_registered_op_is_timed() -> None:
    cases = bench_cases()
    assert {case.op.name for case in cases} == set(OPS)
    assert {case for case in CASES if "bench" in case.tags} <= set(cases)
    assert len({case.id for case in cases}) == len(cases)


def test_every_registered_op_of_integers_is_timed() -> None:
    cases = integer_bench_cases()
    assert set().union(*map(names_of_ops, cases)) >= set(QUANTIZED_OPS)
    assert set(REAL_LAYERS) <= set(cases)
    assert len({case.id for case in cases}) == len(cases)
    assert all(16 <= integer_images_of(case) <= 64 for case in cases)


def test_integers_are_related_to_the_peak_of_products_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    ran = bench("-k", "test_integer_op and resnet-64", "--benchmark-json", path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = {entry["params"]["way"]: entry["extra_info"] for entry in json.loads(path.read_text())["benchmarks"]}
    layouts = ("chwn", "nchwc")
    ways = {f"{layout}-{isa}-{dot}": f"{isa}-{dot}" for layout in layouts for isa, dot in integer_engines()}
    assert set(found) == {NUMPY, *ways}
    assert {way: found[way]["isa"] for way in ways} == ways
    for way in ways:
        algorithm = "matrix" if way.startswith("chwn") and way.endswith("-amx") else "direct"
        assert f"conv2d_u8_{way.split('-')[0]}_{algorithm}" in found[way]["kernels"]
    assert all(found[way]["percent_of_peak"] > 0 for way in ways)


def test_a_call_computes_enough_and_not_too_much() -> None:
    for case in bench_cases():
        images = images_of(case)
        assert 16 <= images <= 1024
        assert images & (images - 1) == 0


def test_both_tables_and_the_speed_up_over_naive(tmp_path: Path) -> None:
    """Of an op that channels in the lanes have no kernel for: that way is skipped, and the run is green."""
    path = tmp_path / "results.json"
    ran = bench("-k", "layer_norm-convnext", "--benchmark-json", path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "benchmark 'layer_norm-convnext'" in ran.stdout
    assert "what was measured" in ran.stdout
    assert ran.stdout.index("StdDev") < ran.stdout.index("× naive")
    found = json.loads(path.read_text())["benchmarks"]
    ways = {entry["params"]["way"]: entry for entry in found}
    assert {entry["group"] for entry in found} == {"layer_norm-convnext"}
    assert set(ways) == {NAIVE, NUMPY} | {engine for engine in ENGINES if engine.startswith("chwn-")}
    assert len({entry["extra_info"]["images"] for entry in found}) == 1
    assert ways[NAIVE]["extra_info"]["times_naive"] == 1
    assert all(0 < entry["extra_info"]["percent_of_peak"] < 100 for entry in found)


def test_naive_is_a_word_for_k() -> None:
    ran = bench("-k", "naive", "--collect-only", "-q")
    assert ran.returncode == 0
    chosen = [line for line in ran.stdout.splitlines() if "::" in line]
    assert len(chosen) == len(bench_cases())
    assert all(line.endswith("-naive]") for line in chosen)


def test_nothing_is_timed_where_benchmarks_are_disabled() -> None:
    ran = bench("-k", "relu-image", "--benchmark-disable")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "what was measured" not in ran.stdout


@pytest.mark.parametrize("group", [1, 16])
def test_the_time_of_an_image_is_that_of_a_group_shared_by_its_images(group: int) -> None:
    """Channels in the lanes compute one image at a time, however many lanes there are."""

    def profile(images: list[np.ndarray], results: list[np.ndarray], rounds: int) -> list[float]:
        assert [len(array) for array in [*images, *results]] == [group] * 3
        return [7.0, 2.0, 3.0, 9.0]

    plan = SimpleNamespace(
        lanes=16,
        group=group,
        shapes={"y": (2, 2)},
        graph=SimpleNamespace(outputs=("y",)),
        program=SimpleNamespace(profile=profile),
    )
    assert seconds_of_kernels(plan, [np.zeros((64, 4)), np.zeros((64, 4))]) == 5.0 / group


def test_rows_are_related_to_naive_of_their_subject_and_to_the_peak_of_their_instruction_set() -> None:
    table = Table({"avx2": 100.0, "avx512": 200.0})
    table.add(Row("conv", NAIVE, "avx512", 9.0, 9.0, 8.0, 0))
    facts = table.add(Row("conv", "chwn-avx2", "avx2", 9.0, 9.0, 2.0, 50_000_000_000, threads=2))
    assert facts == {"isa": "avx2", "gflops": 25.0, "percent_of_peak": 12.5, "times_naive": 4.0, "times_float": None}
    table.add(Row("relu", NAIVE, "avx512", 9.0, 9.0, 4.0, 0))
    assert str(table).count("conv") == 1


def test_integers_are_related_to_the_median_of_floats() -> None:
    table = Table({"avx512": 100.0, "avx512-vnni": 400.0})
    floats = table.add(Row("n1", FLOAT, "avx512", 1.0, 9.0, 1.0, 50_000_000_000))
    integers = table.add(Row("n1", "integers", "avx512-vnni", 1.0, 4.0, 1.0, 50_000_000_000))
    assert (floats["percent_of_peak"], floats["times_float"]) == (50.0, 1.0)
    assert (integers["percent_of_peak"], integers["times_float"]) == (12.5, 2.25)


def test_what_vanishes_has_no_speed() -> None:
    table = Table({"avx2": 100.0})
    assert table.add(Row("identity", NAIVE, "avx2", 1.0, 1.0, 0.0, 0))["times_naive"] is None
    assert "identity" in str(table)
