"""A server as its users have it: a process, at an address, with pictures to send."""

from __future__ import annotations

import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

RNG = np.random.default_rng(19)


def picture(form: str = "PNG", size: tuple[int, int] = (32, 32)) -> bytes:
    """Return a file of noise."""
    file = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (*size, 3)).astype(np.uint8)).save(file, form)
    return file.getvalue()


class Reply(NamedTuple):
    """What a server has answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """What is wrong, of an answer that says nothing else."""
        assert self.headers["content-type"] == "application/json"
        assert list(self.json) == ["error"]
        text: str = self.json["error"]
        assert "Traceback" not in text
        assert not re.search(r"(/\w+){2}|\.py\b", text), "a path"
        return text


class Served:
    """A running ``cnnfast serve``."""

    def __init__(self, *words: object) -> None:
        command = [sys.executable, "-m", "cnnfast", "serve", *map(str, words), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line.startswith("serving "), line + self.process.stderr.read()
        self.port = int(line.rsplit(":", 1)[1])
        self.address = f"127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a request over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        """Send a body."""
        return self.ask("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})

    def connect(self) -> socket.socket:
        """Return a bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def raw(self, data: bytes) -> Reply:
        """Send bytes, and read the answer."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_reply(connection)

    def status(self, name: str) -> int:
        """Return a number of kilobytes or threads from the state of the process."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))

    def files(self) -> int:
        """Return how many files and connections it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def stop(self) -> tuple[int, str]:
        """Let it end, and return its status and what else it has printed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


def read_reply(connection: socket.socket) -> Reply:
    """Read one answer of a connection."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
