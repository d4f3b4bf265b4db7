"""A separate Python process, for what is decided once per process."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig

import pytest

NEEDS_GIL = pytest.mark.skipif(
    sysconfig.get_config_var("Py_GIL_DISABLED"),
    reason="a Python without a GIL ends every child that C code forks, in PyOS_AfterFork_Child",
)

SETTINGS = (
    *("CNNFAST_ISA", "CNNFAST_NUM_THREADS", "CNNFAST_CACHE", "OMP_NUM_THREADS"),
    *("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"),
)


def run_python(code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new Python with these settings, and without any that this process has."""
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS} | settings
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)


def output_of(code: str, **settings: str) -> str:
    """Return what code prints; an error is one here too."""
    run = run_python(code, **settings)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()
