"""What a call costs besides the network: its overhead, the first label of a process, and what it leaves to others.

Each figure comes from separate processes, because all of them depend on what a process has done before.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

NETWORKS = ("cifar10-resnet", "cifar10-cs61c", "mnist-mlp")
"""Shipped networks whose first label is timed."""

ROUNDS = 15

UNUSUAL = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "PYTHONDONTWRITEBYTECODE")
"""Variables that processes do without: users have compiled modules in their caches."""

OVERHEAD = """
import statistics, time
import numpy as np
from cnnfast import Network
from cnnfast.layers import Relu
net = Network.from_layers([Relu()], (4,))
x, out = np.zeros((1, 4), np.float32), np.empty((1, 4), np.float32)
fast = net.compile(batch=1, threads=1, raw=True)
calls = (lambda: net.forward(x), lambda: net.forward(x, out=out), lambda: fast(x), lambda: fast(x, out))
def micros(call):
    start = time.perf_counter()
    for _ in range(2000):
        call()
    return (time.perf_counter() - start) * 500
rounds = [[micros(call) for call in calls] for _ in range(25)]
print(*map(statistics.median, zip(*rounds)))
"""

LABEL = """
import sys
import cnnfast
net = cnnfast.Network.load(sys.argv[1])
print(net.predict(cnnfast.read_picture(sys.argv[2], net.preprocess))[0])
"""

IDLE = """
import time
import numpy as np
from cnnfast import Network
net, x = Network.load("cifar10-cs61c"), np.zeros((64, 32, 32, 3), np.uint8)
used = []
for _ in range(15):
    net.predict_proba(x, threads=2)
    start, clock = time.process_time(), time.perf_counter()
    time.sleep(0.1)
    used.append((time.process_time() - start) / (time.perf_counter() - clock))
print(sorted(used)[len(used) // 2] * 100)
"""

MATMUL = """
import statistics, time
import numpy as np
from cnnfast import Network
net, x = Network.load("cifar10-cs61c"), np.zeros((64, 32, 32, 3), np.uint8)
a = np.random.default_rng(0).random((768, 768), np.float32)
def matmul():
    start = time.perf_counter()
    a @ a
    return time.perf_counter() - start
def rested(before):
    time.sleep(0.01)
    before()
    return matmul()
ways = (lambda: matmul(), lambda: net.predict_proba(x, threads=2))
for way in ways:
    rested(way)
rounds = [[rested(way) for way in ways] for _ in range(60)]
alone, after = (statistics.median(times) for times in zip(*rounds))
print(after / alone)
"""


def measure_around() -> list[dict[str, Any]]:
    """Return the figures, each with what it is and its unit."""
    names = ("forward(x)", "forward(x, out=y)", "compiled(x)", "compiled(x, y)")
    overheads = map(float, run(OVERHEAD).split())
    rows = [
        entry(f"a call of a network of one ReLU: {name}", value, "µs")
        for name, value in zip(names, overheads, strict=True)
    ]
    rows += first_labels()
    rows.append(entry("CPU time in the 100 ms after a call with 2 threads", float(run(IDLE)), "%"))
    rows.append(entry("NumPy's matrix product right after a call ÷ after another product", float(run(MATMUL)), "x"))
    return rows


def first_labels() -> list[dict[str, Any]]:
    """Return how long a process takes from its start to the label of one PNG, above one that imports NumPy; in turn."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "picture.png")
        pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(picture)
        rounds = [
            [clock("import numpy"), *(clock(LABEL, name, str(picture)) for name in NETWORKS)] for _ in range(ROUNDS)
        ]
    base, *labels = (statistics.median(times) for times in zip(*rounds, strict=True))
    rows = [entry("process start to the end of `import numpy`", base * 1e3, "ms")]
    for name, seconds in zip(NETWORKS, labels, strict=True):
        rows.append(entry(f"  and to the first label of a PNG by {name}: more", (seconds - base) * 1e3, "ms"))
    return rows


def clock(code: str, *arguments: str) -> float:
    """Return the seconds that a process takes."""
    start = time.perf_counter()
    run(code, *arguments)
    return time.perf_counter() - start


def run(code: str, *arguments: str) -> str:
    """Return what code prints in a separate process."""
    own = {name: value for name, value in os.environ.items() if name not in UNUSUAL}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=own).stdout


def entry(what: str, value: float, unit: str) -> dict[str, Any]:
    """Return a row, to three digits."""
    return {"what": what, "value": float(f"{value:.3g}"), "unit": unit}
