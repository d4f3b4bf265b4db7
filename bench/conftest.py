"""What the benchmarks under pytest share: a header that says what ran, and one readable table at the end.

    pytest bench/bench_ops.py bench/bench_networks.py

The table of pytest-benchmark itself is left out; its options for saving and comparing work as ever.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))  # so that benchmarks find the modules beside them

import machine
import peak
from rows import Table

TABLE = pytest.StashKey[Table]()


def pytest_configure(config: pytest.Config) -> None:
    config.option.benchmark_quiet = True
    config.stash[TABLE] = Table(peaks=peak.peaks())


def pytest_report_header(config: pytest.Config) -> list[str]:
    peaks = ", ".join(f"{isa} {gflops:.0f}" for isa, gflops in config.stash[TABLE].peaks.items())
    return [machine.as_line(machine.facts()), f"FMA peak of one core in GFLOP/s: {peaks}"]


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    """The table that rows are added to."""
    return request.config.stash[TABLE]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[TABLE].rows:
        terminalreporter.section("what was measured")
        terminalreporter.write_line(str(config.stash[TABLE]))
