"""``cnnfast serve`` as it is typed: what is wrong is one line and status 2."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running_server import Served

from cnnfast import Network

pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing.onnx"], "nothing.onnx"),
        (["cifar10-cs61c", "--port", "70000"], "must be a number from 0 to 65535, but is '70000'"),
        (["cifar10-cs61c", "--port", "0", "--host", "no.such.host.invalid"], "cannot listen at no.such.host.invalid"),
        (["cifar10-cs61c", "--port", "0", "--max-bytes", "20X"], "such as 500K, 20M or 1G, but is '20X'"),
        (["cifar10-cs61c", "--port", "0", "--max-bytes", "0"], "such as 500K, 20M or 1G"),
        (["cifar10-cs61c", "--port", "0", "--timeout", "0"], "must be a number above 0"),
        (["cifar10-cs61c", "--port", "0", "--token-file", "missing"], "missing: No such file"),
        (["a=cifar10-cs61c", "a=mnist-mlp", "--port", "0"], "two models have the same name"),
        (["cifar10-cs61c", "--port", "0", "--unsure", "2"], "must be a number from 0 to 1"),
        ([], "the following arguments are required"),
    ],
)
def test_what_is_wrong_is_one_line(run: Callable[..., Any], words: list[str], message: str) -> None:
    status, out, err = run("serve", *words)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_a_port_in_use(run: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, err = run("serve", "cifar10-cs61c", "--port", port)
    assert status == 2
    assert err == (
        f"cnnfast: error: cannot listen at 127.0.0.1, port {port}: {os.strerror(errno.EADDRINUSE)}; "
        "choose others by --host and --port\n"
    )


def test_a_damaged_model(run: Callable[..., Any], tmp_path: Path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"\xff" * 100)
    status, _, err = run("serve", bad, "--port", "0")
    assert (status, err.count("\n")) == (2, 1)


def test_a_name_that_cannot_be_part_of_an_address(run: Callable[..., Any], model: Path, tmp_path: Path) -> None:
    odd = tmp_path / "my cats & dogs.safetensors"
    odd.write_bytes(model.read_bytes())
    status, _, err = run("serve", odd, "--port", "0")
    assert status == 2
    assert "cannot be served as 'my cats & dogs'" in err
    assert "NAME=MODEL sets one" in err


@pytest.mark.parametrize("content", ["", "short", "with a space in it", "a" * 5000, "two\nlines-of-it"])
def test_tokens_that_are_none(run: Callable[..., Any], tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    status, _, err = run("serve", "cifar10-cs61c", "--port", "0", "--token-file", file)
    assert status == 2
    assert "8 to 4096 visible characters" in err
    assert not content or content not in err


def test_a_network_that_takes_no_pictures_is_named(tmp_path: Path) -> None:
    bare = tmp_path / "bare.safetensors"
    Network.from_graph(Network.load("cifar10-lenet").graph).save(bare)
    server = Served("mnist-mlp", bare)
    assert server.process.stderr is not None
    # the next line after that of the address, which may be in Python's buffer already
    assert server.process.stderr.readline().startswith("bare takes values by the inference protocol, and no pictures: ")
    assert server.stop() == (0, "")


def test_without_the_extra() -> None:
    # in another process: modules that are imported a second time would not be those that other tests know
    code = "import sys; sys.modules['uvicorn'] = None; from cnnfast.cli import main; sys.exit(main(['serve', 'm']))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert 'pip install "cnnfast[serve]"' in run.stderr
