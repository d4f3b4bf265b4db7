"""What runs here: versions, CPU, instruction set, threads, folders, and who decided."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cnnfast import __version__
from cnnfast.runtime import config, shipped
from cnnfast.runtime.arguments import flag, one_of
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.tables import aligned
from cnnfast.runtime.threads import decide, granted

PACKAGES = ("numpy", "Pillow", "tqdm")


def collect_info(peak: bool = False) -> dict[str, Any]:
    """Return what `show_config` prints, as values that JSON can hold.

    Parameters
    ----------
    peak : bool
        Also measure the peak of multiply-adds of one core, which takes about a tenth of a second.

    Examples
    --------
    >>> collect_info()["isa"]["active"] in collect_info()["isa"]["supported"]
    True
    """
    flag("peak", peak)
    threads, thread_rule = decide()
    cpus, cpu_rule = granted()
    result: dict[str, Any] = {
        "versions": {"cnnfast": __version__, "Python": platform.python_version(), **_package_versions()},
        "system": platform.platform(),
        "cpu": cpu_model(),
        "isa": {
            "active": kernels.active_isa(),
            "decided_by": "CNNFAST_ISA" if config.forced_isa() else "the CPU",
            "supported": kernels.supported_isas(),
            "known": kernels.known_isas(),
            "dot_product": kernels.active_dot_product(),
        },
        "build": {"module": Path(kernels.__file__).name, "openmp": kernels.has_openmp()},
        "threads": {"count": threads, "decided_by": thread_rule, "granted": cpus, "granted_by": cpu_rule},
        "cache": str(config.cache_dir()),
        "networks": {"folder": str(shipped.folder()), "names": shipped.list_models(), "default": shipped.DEFAULT},
    }
    if peak:
        result["fma_peak_gflops"] = round(kernels.fma_peak(), 1)
        result["dot_peak_gops"] = round(kernels.dot_peak(), 1)
    return result


def show_config(peak: bool = False, mode: str = "stdout") -> dict[str, Any] | None:
    """Print versions, CPU, instruction set, threads and folders, and who decided them.

    Parameters
    ----------
    peak : bool
        Also measure the peaks of one core: of multiply-adds, and of dot products of bytes.
    mode : {"stdout", "dicts"}
        Print, or return the facts as dictionaries, as ``numpy.show_config`` does.

    Returns
    -------
    dict or None
        With ``mode="dicts"``, values that JSON can hold.

    Examples
    --------
    >>> show_config()
    cnnfast          ...
    instruction set  ...
    >>> sorted(show_config(mode="dicts")["threads"])
    ['count', 'decided_by', 'granted', 'granted_by']
    """
    facts = collect_info(peak)
    if one_of("mode", mode, ("stdout", "dicts")) == "dicts":
        return facts
    print(as_text(facts))
    return None


def as_text(facts: dict[str, Any]) -> str:
    """Return what `collect_info` gave, one fact per line."""
    isa, threads, networks = facts["isa"], facts["threads"], facts["networks"]
    versions = dict(facts["versions"])
    lines = {
        "cnnfast": versions.pop("cnnfast"),
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "system": facts["system"],
        "CPU": facts["cpu"],
        "instruction set": f"{isa['active']}, decided by {isa['decided_by']}",
        "  of this CPU": ", ".join(isa["supported"]),
        "  of this build": ", ".join(isa["known"]),
        "  bytes by": isa["dot_product"],
        "build": facts["build"]["module"] + ("" if facts["build"]["openmp"] else ", without OpenMP: one thread"),
        "threads": f"{threads['count']}, decided by {threads['decided_by']}",
        "  CPUs granted": f"{threads['granted']}, by {threads['granted_by']}",
        "cache": facts["cache"],
        "networks": networks["folder"],
        "  shipped": ", ".join(networks["names"]) or "(none)",
        "  default": networks["default"],
    }
    if "fma_peak_gflops" in facts:
        lines["FMA peak"] = f"{facts['fma_peak_gflops']} GFLOP/s in float32 on one core, measured now"
    if "dot_peak_gops" in facts:
        lines["  of bytes"] = f"{facts['dot_peak_gops']} GOP/s in products of bytes, the same way"
    return "\n".join(aligned(list(lines.items()), left=range(2)))


def cpu_model() -> str:
    """Return the name of the CPU as its maker calls it, as far as the system tells.

    Where a virtual machine says no more than "AMD EPYC", family and model are added: they differ between generations.
    """
    facts = _cpu_facts()
    name = next((facts[key] for key in ("model name", "Model", "cpu model") if key in facts), "")
    if name and "cpu family" in facts and not any(character.isdigit() for character in name):
        return f"{name} (family {facts['cpu family']}, model {facts.get('model', '?')})"
    if name:
        return name
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string")
    return platform.processor() or platform.machine()


def _cpu_facts() -> dict[str, str]:
    """Return what Linux says of the first CPU."""
    try:
        lines = [line.partition(":") for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return {}
    # backwards, so that the first CPU is what remains
    return {key.strip(): value.strip() for key, _, value in reversed(lines)}


def _sysctl(name: str) -> str:
    import subprocess

    try:
        return subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return platform.machine()


def _package_versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "(not installed)"
    return found
