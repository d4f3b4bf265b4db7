"""What a results file says about where its figures come from."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cnnfast import __version__
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.info import cpu_model

FOLDER = Path(__file__).resolve().parent


def facts() -> dict[str, Any]:
    """Return CPU, instruction set, how it multiplies bytes, commit, time, and the peak of one core, measured now."""
    return {
        "cpu": cpu_model(),
        "isa": kernels.active_isa(),
        "dot_product": kernels.active_dot_product(),
        "fma_peak_gflops": round(kernels.fma_peak(), 1),
        "cnnfast": __version__,
        "commit": commit(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit() -> str:
    """Return the commit of the checkout, marked if files have changed since."""
    command = ["git", "-C", str(FOLDER), "describe", "--always", "--dirty", "--exclude=*"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return the installed version of each package."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "?"
    return found


def as_line(header: dict[str, Any]) -> str:
    """Return what `facts` gave, on one line."""
    return "{cpu} · {isa} · FMA peak {fma_peak_gflops} GFLOP/s a core · commit {commit} · {time}".format(**header)
