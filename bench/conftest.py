"""What the benchmarks under pytest share: a header that says what ran, and one readable table at the end.

    pytest bench/bench_ops.py bench/bench_networks.py

The table follows that of pytest-benchmark, whose options for grouping, saving and comparing work as usual.
"""

from __future__ import annotations

import warnings

import machine
import peak
import pytest
from pytest_benchmark.logger import PytestBenchmarkWarning
from rows import Table

collect_ignore_glob = ["peers", "serving", "bench_cluster*.py"]
"""What needs the packages of other engines, or pyspark."""

TABLE = pytest.StashKey[Table]()


COLUMNS = ["min", "median", "mean", "stddev", "rounds"]
"""What pytest-benchmark's table shows unless ``--benchmark-columns`` says otherwise: the whole is 220 letters wide."""


def pytest_configure(config: pytest.Config) -> None:
    # What pytest-benchmark warns of, as that there is nothing to compare with, ends no run.
    warnings.simplefilter("default", PytestBenchmarkWarning)
    config.addinivalue_line("filterwarnings", "default::pytest_benchmark.logger.PytestBenchmarkWarning")
    config.option.benchmark_columns = config.option.benchmark_columns or COLUMNS
    config.stash[TABLE] = Table(peaks=peak.peaks() | peak.dot_peaks())


def pytest_report_header(config: pytest.Config) -> list[str]:
    peaks = ", ".join(f"{isa} {gflops:.0f}" for isa, gflops in config.stash[TABLE].peaks.items())
    return [machine.as_line(machine.facts()), f"peak of one core in GFLOP/s, of bytes in GOP/s: {peaks}"]


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    """The table that rows are added to."""
    return request.config.stash[TABLE]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[TABLE].rows:
        terminalreporter.section("what was measured")
        terminalreporter.write_line(str(config.stash[TABLE]))
