"""Ctrl-C while the command is still importing: one line at most, and the status of an interrupted program."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

import pytest
from systems import posix

import cnnfast
from cnnfast.__main__ import main

INTERRUPT_AT = """
import runpy, signal, sys

class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == {name!r}:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)

sys.path.insert(0, {source!r})
sys.meta_path.insert(0, Interrupt())
sys.argv[1:] = {words!r}
runpy.run_module("cnnfast", run_name="__main__")
"""
SERVE = ("serve", "cifar10-cs61c", "--port", "0")


def outcome(code: str, hearing: object = signal.default_int_handler) -> subprocess.CompletedProcess[str]:
    """Run code in a new Python, as a job that hears Ctrl-C or ignores it."""
    hear = partial(signal.signal, signal.SIGINT, hearing)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, preexec_fn=hear, check=False)


def interrupted_at(name: str, words: tuple[str, ...]) -> str:
    """Return code that runs a command and gets SIGINT as soon as it imports a module."""
    return INTERRUPT_AT.format(name=name, words=list(words), source=str(Path(cnnfast.__file__).parents[1]))


@posix
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cnnfast.cli", ("info",)),
        ("numpy", ("info",)),
        ("numpy.linalg", SERVE),
        ("cnnfast.errors", ("classify", "x.png")),
        ("cnnfast.cli.serve", SERVE),
        ("uvicorn", SERVE),
        ("uvloop.loop", SERVE),
        ("cnnfast._kernels", SERVE),
    ],
)
def test_ctrl_c_while_modules_are_imported_is_one_line(name, words):
    if words is SERVE:
        pytest.importorskip("uvicorn", reason="the extra serve is not installed")
    run = outcome(interrupted_at(name, words))
    assert (run.stdout, run.stderr) == ("", "cnnfast: interrupted\n")
    # Python ends itself by the signal if exec(), which some modules are made by, was interrupted; shells call both 130
    assert run.returncode in (130, -signal.SIGINT)


@posix
def test_ctrl_c_while_argparse_reads_is_one_line():
    """Interrupted there, argparse raises an error of its own in its place."""
    code = (
        "import signal, sys; from argparse import ArgumentParser as P; from cnnfast.__main__ import main; "
        "P.parse_known_intermixed_args = lambda *_: signal.raise_signal(signal.SIGINT); "
        "P.parse_intermixed_args = P.parse_known_intermixed_args; sys.argv[1:] = ['info']; main()"
    )
    run = outcome(code)
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "cnnfast: interrupted\n")


@posix
def test_ctrl_c_reaches_a_command_that_runs():
    """It catches it itself, if it has something to finish."""
    code = (
        "import signal, sys; import cnnfast.cli.info as info; from cnnfast.__main__ import main\n"
        "def run(args):\n"
        "    try:\n        signal.raise_signal(signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n        print('finished')\n"
        "    return 7\n"
        "info.run = run; sys.argv[1:] = ['info']; sys.exit(main())"
    )
    run = outcome(code)
    assert (run.returncode, run.stdout, run.stderr) == (7, "finished\n", "")


@posix
def test_a_job_in_the_background_does_not_hear_the_ctrl_c_of_its_shell():
    run = outcome(interrupted_at("numpy", ("--version",)), signal.SIG_IGN)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"cnnfast {cnnfast.__version__}\n", "")


@posix
def test_a_second_ctrl_c_while_python_ends_is_silent():
    code = (
        "import atexit, signal, sys; from cnnfast.__main__ import main; sys.argv[1:] = ['--version']; "
        "atexit.register(signal.raise_signal, signal.SIGINT); main()"
    )
    run = outcome(code)
    assert (run.returncode, run.stderr) == (-signal.SIGINT, "")


def test_the_installed_command_is_the_same():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"cnnfast": f"{main.__module__}:{main.__name__}"}
