"""The environment, the instruction set that it forces, and the report that says what runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fresh_python import output_of, run_python

from cnnfast import ConfigError
from cnnfast.runtime import config, info
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.info import as_text, collect_info, cpu_model

LANES = {"sse2": 4, "avx2": 8, "avx512": 16, "neon": 4, "portable": 4}

RUN = """
import hashlib
import numpy as np
import cnnfast
from cnnfast.runtime.dispatch import kernels
from cnnfast.layers import Conv2d, Flatten, Linear, MaxPool, Relu, Softmax
rng = np.random.default_rng(0)
net = cnnfast.Network.from_layers(
    [Conv2d(rng.standard_normal((16, 8, 3, 3)) / 8, padding=1), Relu(), MaxPool(2), Flatten(),
     Linear(rng.standard_normal((9, 576)) / 24), Softmax()], (8, 12, 12))
result = net.forward(rng.standard_normal((21, 8, 12, 12)), layout="nchw")
group = net.explain().splitlines()[-1].split(",")[0]
print(kernels.active_isa(), kernels.lanes(), group.split()[-1], hashlib.sha256(result.tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def forced() -> dict[str, list[str]]:
    """What a small network prints, with each instruction set forced."""
    return {isa: output_of(RUN, CNNFAST_ISA=isa).split() for isa in kernels.supported_isas()}


def test_the_forced_one_really_runs(forced: dict[str, list[str]]) -> None:
    for isa, (active, lanes, group, _) in forced.items():
        assert active == isa
        assert int(lanes) == int(group) == LANES[isa]


def test_the_best_one_runs_by_itself(forced: dict[str, list[str]]) -> None:
    best = kernels.supported_isas()[-1]
    assert output_of(RUN).split() == output_of(RUN, CNNFAST_ISA="").split() == forced[best]


def test_equal_bits_by_every_instruction_set_with_fma_and_others_without(forced: dict[str, list[str]]) -> None:
    """The baseline rounds each product, so that its different bits show that it was the one that ran."""
    fused = {forced[isa][3] for isa in forced if kernels.has_fma(isa)}
    assert len(fused) <= 1
    assert not fused & {forced[isa][3] for isa in forced if not kernels.has_fma(isa)}


def test_an_unknown_one_is_an_error_that_lists_the_known() -> None:
    run = run_python(RUN, CNNFAST_ISA="avx1024")
    assert run.returncode == 1
    message = run.stderr.splitlines()[-1]
    assert message.startswith("cnnfast.errors.ConfigError: CNNFAST_ISA='avx1024': this build knows ")
    assert all(isa in message for isa in kernels.known_isas())


def test_one_that_this_cpu_cannot_run_is_refused() -> None:
    code = """
from unittest.mock import patch
import cnnfast._kernels as kernels
with patch.object(kernels, "supported_isas", lambda: kernels.known_isas()[:1]):
    import cnnfast.runtime.dispatch
"""
    best = kernels.known_isas()[-1]
    if best == kernels.known_isas()[0]:
        pytest.skip("this build has a single instruction set")
    run = run_python(code, CNNFAST_ISA=best)
    assert f"CNNFAST_ISA='{best}': this CPU cannot run it, only {kernels.known_isas()[0]}" in run.stderr


def test_selecting_by_hand() -> None:
    before = kernels.active_isa()
    try:
        for isa in kernels.supported_isas():
            kernels.select_isa(isa)
            assert kernels.active_isa() == isa
        with pytest.raises(ValueError, match="'mmx' is not one of"):
            kernels.select_isa("mmx")
    finally:
        kernels.select_isa(before)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"CNNFAST_CACHE": "/a/b"}, "/a/b"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/cnnfast"),
        ({}, "/home/me/.cache/cnnfast"),
        ({"CNNFAST_CACHE": "", "XDG_CACHE_HOME": ""}, "/home/me/.cache/cnnfast"),
    ],
)
def test_cache_folder(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], expected: str) -> None:
    for name in ("CNNFAST_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    monkeypatch.setattr("sys.platform", "linux")
    assert config.cache_dir() == Path(expected)
    if not settings.get("CNNFAST_CACHE"):
        monkeypatch.setattr("sys.platform", "darwin")
        assert config.cache_dir() == Path("/home/me/Library/Caches/cnnfast")
        monkeypatch.setattr("sys.platform", "win32")
        monkeypatch.setenv("LOCALAPPDATA", "/users/me/local")
        assert config.cache_dir() == Path("/users/me/local/cnnfast/Cache")


def test_report_holds_what_runs_and_who_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNFAST_NUM_THREADS", "3")
    monkeypatch.delenv("CNNFAST_ISA", raising=False)
    facts = collect_info()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["threads"]["count"] == 3
    assert facts["threads"]["decided_by"] == "CNNFAST_NUM_THREADS"
    assert facts["isa"]["active"] == kernels.active_isa()
    assert facts["isa"]["decided_by"] == "the CPU"
    text = as_text(facts)
    for word in (kernels.active_isa(), "3, decided by CNNFAST_NUM_THREADS", cpu_model(), "numpy", facts["cache"]):
        assert word in text
    assert "FMA peak" not in text
    assert "FMA peak" in as_text({**facts, "fma_peak_gflops": 1.0})
    assert "of bytes" in as_text({**facts, "fma_peak_gflops": 1.0, "dot_peak_gops": 1.0})


def test_report_of_a_forced_instruction_set() -> None:
    code = "import cnnfast; cnnfast.show_config()"
    assert "sse2, decided by CNNFAST_ISA" in output_of(code, CNNFAST_ISA="sse2") or "sse2" not in kernels.known_isas()


def test_errors_are_also_the_built_in_ones_that_callers_expect() -> None:
    assert issubclass(ConfigError, ValueError)


def test_the_list_of_variables_is_what_is_read() -> None:
    source = Path(config.__file__).read_text(encoding="utf-8")
    variable = r"[A-Z]+_[A-Z_]+"
    read = set(re.findall(rf'"({variable})"', source))
    assert read == set(re.findall(rf"``({variable})``", config.__doc__ or ""))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"model name": "AMD EPYC", "cpu family": "26", "model": "2"}, "AMD EPYC (family 26, model 2)"),
        ({"model name": "AMD EPYC 9654", "cpu family": "25", "model": "17"}, "AMD EPYC 9654"),
        ({"Model": "Raspberry Pi 5 Model B", "model name": "Cortex-A76"}, "Cortex-A76"),
    ],
)
def test_a_cpu_of_which_the_name_says_little_has_its_family(
    monkeypatch: pytest.MonkeyPatch, facts: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr(info, "_cpu_facts", lambda: facts)
    assert cpu_model() == expected
