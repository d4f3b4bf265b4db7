"""The command itself: statuses, errors, and what is promised of every subcommand."""

from __future__ import annotations

import argparse
import functools
import inspect
import json
import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from systems import posix

import cnnfast
from cnnfast.cli import COMMANDS


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(cnnfast.__file__).parents[1])}


def start(*words: object, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cnnfast", *map(str, words)]
    # jobs in the background, CI's among them, ignore Ctrl-C, and their children inherit that
    hear_ctrl_c = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, preexec_fn=hear_ctrl_c, **options)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_module_with_arguments_and_run(name, run):
    module = import_module(f"cnnfast.cli.{name}")
    assert list(inspect.signature(module.run).parameters) == ["args"]
    result = run(name, "--help")
    assert result.status == 0
    assert COMMANDS[name][1:] in " ".join(result.out.split())


def test_version(run):
    assert run("--version") == (0, f"cnnfast {cnnfast.__version__}\n", "")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "there is not enough memory; --threads 1"),
        (MemoryError("no memory for arenas of 5 bytes"), "not enough memory (no memory for arenas of 5 bytes); --thr"),
        (RuntimeError("can't start new thread"), "the system gives no more threads"),
    ],
)
def test_what_the_system_does_not_give_is_one_line(error, said, run, monkeypatch):
    def fails(args: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr("cnnfast.cli.info.run", fails)
    result = run("info")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert said in result.err


@pytest.mark.parametrize("words", [("find", "cat", ""), ("find", "cat", ".", "--move-to="), ("evaluate", "", "")])
def test_an_empty_argument_is_not_the_current_folder(words, run, tmp_path, monkeypatch):
    """As of a shell whose variable is not set: ``cnnfast find cat "$FOLDER" --move-to "$OTHER"``."""
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert (result.status, result.out) == (2, "")
    assert "is empty; a variable of the shell may be unset" in result.err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("fly",),
        ("find",),
        ("find", "red", "x", "--threshold", "2"),
        ("classify", "x", "--top", "0"),
        ("download", "imagenet"),
        ("classify", "x", "--resum"),
    ],
)
def test_wrong_usage_is_status_2(words, run):
    result = run(*words)
    assert result.status == 2
    assert "error:" in result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("find", "lion", "{album}", "--model", "{model}"), "no class 'lion'; its classes are: red, green, blue"),
        (("find", "red", "{album}/none", "--model", "{model}"), "no such file or folder"),
        (("classify", "{model}", "{album}"), "choose the network with --model"),
        (("classify", "cifar10-resnet", "{album}"), "--model cifar10-resnet chooses the network"),
        (("find", "red", "{album}", "--model", "{album}"), "not a model file"),
        (("find", "red", "{album}", "--model", "{model}", "--resume"), "--out"),
        (("find", "red", "{album}", "--model", "{model}", "--out", "x.xlsx"), "rows are written as .csv or .json"),
        (("find", "red", "{album}", "--model", "{model}", "--report", "x.pdf"), ".png or .html"),
        (("find", "red", "{album}", "--model", "{model}", "--copy-to", "{album}/red"), "is inside"),
        (("find", "red", "{album}", "--model", "{model}", "--out", "{album}/none/x.csv"), "there is no folder"),
        (("classify", "{album}", "--model", "{model}", "--top", "4"), "only 3 classes"),
        (("evaluate", "{model}", "{album}/b"), "no labels"),
        (("evaluate", "{model}", "{album}"), "none of the network's"),
        (("convert", "{model}", "{model}"), "exists already"),
        (("convert", "{model}", "x.keras"), "call it x.safetensors or x.onnx"),
        (("summary", "{album}"), "not a model file"),
    ],
)
def test_a_mistake_of_the_user_is_one_line_and_status_2(words, said, run, album, model):
    result = run(*(word.format(album=album, model=model) for word in words))
    assert result.status == 2
    assert result.err.startswith("cnnfast: error: ")
    assert result.err.count("\n") == 1
    assert said in result.err


@posix
def test_a_closed_pipe_ends_the_run_quietly(tmp_path, model):
    np.save(tmp_path / "many.npy", np.zeros((5000, 4, 4, 3), np.uint8))
    words = ("classify", tmp_path / "many.npy", "--model", model, "--batch", 50)
    with start(*words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_the_speed_is_said_of_runs_that_are_not_over_at_once(album, model, run, tmp_path):
    """The start takes longer than a few images do, so their rate would be that of the start."""
    np.save(tmp_path / "many.npy", np.zeros((100, 4, 4, 3), np.uint8))
    said = run("classify", tmp_path / "many.npy", "--model", model).err
    assert re.search(r"100 classified: \w+ 100; [\d,]+ images/s with", said)
    np.save(tmp_path / "few.npy", np.zeros((99, 4, 4, 3), np.uint8))
    assert "images/s" not in run("classify", tmp_path / "few.npy", "--model", model).err


def test_the_bar_is_shown_on_a_terminal_and_nowhere_else(album, model, run):
    termios = pytest.importorskip("termios", reason="this system has no pseudo-terminals")
    words = ("find", "red", album, "--model", model)
    assert "images/s" not in run(*words).err
    assert "100%" not in run(*words).err
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 120))
    with subprocess.Popen(
        [sys.executable, "-m", "cnnfast", *map(str, words)], env=environment(), stdout=subprocess.DEVNULL, stderr=slave
    ) as process:
        os.close(slave)
        shown = b""
        try:
            while piece := os.read(master, 4096):
                shown += piece
        except OSError:  # How Linux says that the other side has closed.
            pass
        os.close(master)
    assert process.returncode == 1
    assert b"100%" in shown


def test_info_says_who_decided(run, monkeypatch):
    monkeypatch.setenv("CNNFAST_NUM_THREADS", "3")
    assert "3, decided by CNNFAST_NUM_THREADS" in run("info").out
    facts = json.loads(run("info", "--json", "--peak").out)
    assert facts["threads"]["count"] == 3
    assert facts["isa"]["active"] in facts["isa"]["supported"]
    assert facts["fma_peak_gflops"] > 0
    assert facts["dot_peak_gops"] > 0


def test_summary_lists_layers_and_classes(run, model):
    result = run("summary", model, "--explain")
    assert result.status == 0
    assert "linear" in result.out
    assert "classes: red, green, blue" in result.out
    summary = run("summary", "cifar10-cs61c").out
    assert "size (32, 32), channels rgb" in summary
    assert "scale 0.00392157, mean (0.4914, 0.482158, 0.446531)" in summary


def test_convert_writes_what_it_read(run, model, tmp_path):
    target = tmp_path / "copy.safetensors"
    assert run("convert", model, target).status == 0
    assert target.read_bytes() == model.read_bytes()
    assert run("convert", model, target, "--force").status == 0


def test_convert_says_what_rounding_has_changed(run, model, tmp_path):
    target = tmp_path / "small.safetensors"
    result = run("convert", "cifar10-lenet", target, "--dtype", "float16")
    assert result.status == 0
    assert "rounded: 5 tensors to float16, by at most 0.00036 of" in result.out
    assert run("convert", target, target, "--force", "--dtype", "float16").out == result.out
    assert (
        "nothing, all of it is float16" in run("convert", model, tmp_path / "n.safetensors", "--dtype", "float16").out
    )
    assert "call it net.safetensors" in run("convert", model, tmp_path / "net.onnx", "--dtype", "float16").err
    result = run("convert", "cifar10-lenet", target, "--force", "--dtype", "int8")
    assert "rounded: 2 tensors to int8, by at most 0.004 of" in result.out
    assert "rounded: 2 tensors to int8" in run("summary", target).out


@pytest.mark.parametrize(
    "words",
    [
        ("find", "red", "{album}", "--model", "{model}", "--out", "{missing}/rows.csv"),
        ("classify", "{album}", "--model", "{model}", "--report", "{missing}/sheet.png"),
        ("evaluate", "{model}", "{album}", "--report", "{missing}/sheet.html"),
        ("convert", "{model}", "{missing}/net.safetensors"),
        ("train", "{album}", "--architecture", "lenet", "--out", "{missing}/net.safetensors"),
        ("demo", "--report", "{missing}/sheet.png"),
    ],
)
def test_a_missing_folder_is_named_before_any_work(run, album, model, tmp_path, words):
    missing = tmp_path / "not" / "there"
    (album / "b" / "2.png").unlink()
    (album / "a").rename(album / "red")
    (album / "b").rename(album / "blue")
    result = run(*(word.format(album=album, model=model, missing=missing) for word in words))
    assert result.status == 2
    assert f"there is no folder {missing}; make it first" in result.err
    assert len(result.err.splitlines()) == 1


def test_options_may_stand_between_paths(run, album, model):
    apart = run("classify", album / "b" / "0.png", "--model", model, album / "b" / "1.png")
    assert apart.status == 0, apart.err
    assert apart.out == run("classify", album / "b" / "0.png", album / "b" / "1.png", "--model", model).out


@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_eats_what_is_no_value_of_it(command):
    """An option takes one value or none: with one or several, `--option A B` would take the path behind it."""
    parser = argparse.ArgumentParser()
    import_module(f"cnnfast.cli.{command}").add_arguments(parser)
    assert [action.dest for action in parser._actions if action.option_strings and action.nargs not in (None, 0)] == []


@pytest.mark.parametrize("command", ["classify", "find", "evaluate"])
def test_the_limit_of_pixels_holds_for_one_run(command, run, model, tmp_path):
    (tmp_path / "red").mkdir()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "red" / "large.png")
    words = {
        "classify": (tmp_path, "--model", model),
        "find": ("red", tmp_path, "--model", model),
        "evaluate": (model, tmp_path),
    }[command]
    refused = run(command, *words, "--max-pixels", 1199)
    assert "large.png: has 40 x 30 pixels, more than 1199" in refused.err
    assert refused.status != 0
    assert run(command, *words, "--max-pixels", 1200).status == 0
    assert cnnfast.get_max_pixels() == 89_478_485


@posix
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_is_no_error(closed, album, model):
    command = f'exec "$0" -m cnnfast classify "$1" --model "$2" {closed}'
    words = ["sh", "-c", command, sys.executable, str(album / "b" / "0.png"), str(model)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
