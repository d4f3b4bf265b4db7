"""Measure servers: ours, FastAPI around ONNX Runtime in a thread pool, and LitServe around ONNX Runtime.

    python bench/bench_serve.py --seconds 3 --callers 1 16 64 200

Needs wrk (``apt install wrk``) and ``pip install fastapi litserve onnxruntime``. Each server is a process of its own
with two threads for the network, gets PNG files of 32×32, and takes turns with the others, several rounds, on the same
machine as wrk. Before that its answers are compared with those of `Network.predict_proba`. CPU is what the processes of
the server have used for each request; it means something on a busy machine too, where rates do not.
Writes bench/results/serve.json, where other networks stay as they were.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import machine
import numpy as np
from networks import BENCHES
from serving.pictures import noise, noise_pixels

from cnnfast import Network, read_picture

RESULTS = machine.FOLDER / "results" / "serve.json"
MODELS = ("cifar10-cs61c", "cifar10-resnet", "n5")
"""Shipped networks, and ResNet-20 of `networks.py`."""
SERVERS = ("cnnfast", "fastapi", "litserve")
SHARE = 0.6
CLOSE = 1e-4
"""Of probabilities of another engine."""

KIND = "application/octet-stream"


def free_port() -> int:
    """Return a port that nothing uses now."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        port: int = made.getsockname()[1]
        return port


@contextmanager
def running(server: str, model: str, folder: Path, *more: str) -> Iterator[tuple[str, subprocess.Popen[bytes], float]]:
    """Start a server, and yield its address, its process, and the seconds until it was ready."""
    port = free_port()
    if server == "cnnfast":
        words = ["-m", "cnnfast", "serve", str(folder / f"{model}.safetensors"), "--port", str(port), "--threads", "2"]
        words += more
    else:
        words = [str(machine.FOLDER / "serving" / f"{server}_server.py"), str(folder / f"{model}.onnx"), str(port)]
    begin = time.perf_counter()
    output = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, *words], stdout=output, stderr=output, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    health = "/v2/health/ready" if server == "cnnfast" else "/health"
    try:
        while True:
            try:
                urllib.request.urlopen(address + health, timeout=1).close()
                break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if process.poll() is not None or time.perf_counter() - begin > 60:
                    raise SystemExit(f"{server} did not start") from None
                time.sleep(0.01)
        yield address, process, time.perf_counter() - begin
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def cpu_seconds(group: int) -> float:
    """Return the CPU time of all processes of a session."""
    return sum(int(fields[11]) + int(fields[12]) for fields in processes(group)) / os.sysconf("SC_CLK_TCK")


def memory(group: int) -> int:
    """Return the resident megabytes of all processes of a session."""
    return sum(int(fields[21]) for fields in processes(group)) * os.sysconf("SC_PAGE_SIZE") >> 20


def processes(group: int) -> Iterator[list[str]]:
    """Yield what /proc says of each process of a session, from its state on."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == group:
                yield fields


def post(address: str, body: bytes, kind: str) -> Any:
    """Return the JSON of an answer."""
    with urllib.request.urlopen(urllib.request.Request(address, body, {"Content-Type": kind}), timeout=30) as answer:
        return json.loads(answer.read())


def body_for(server: str, file: bytes) -> bytes:
    """Return what a server gets of a picture."""
    return json.dumps({"image": base64.b64encode(file).decode()}).encode() if server == "litserve" else file


def kind_for(server: str) -> str:
    """Return the type of that."""
    return "application/json" if server == "litserve" else KIND


def check(server: str, address: str, net: Network, files: list[bytes]) -> None:
    """Compare the answers with those of the network."""
    assert net.preprocess is not None
    pixels = np.stack([read_picture(file, net.preprocess) for file in files])
    labels, best = net.topk(pixels, k=1)
    for file, label, probability in zip(files, labels[:, 0], best[:, 0], strict=True):
        answer = post(f"{address}/classify", body_for(server, file), kind_for(server))
        found = answer["labels"][0] if "labels" in answer else answer
        close = 0 if server == "cnnfast" else CLOSE
        if found["label"] != label or abs(np.float32(found["probability"]) - probability) > close:
            raise SystemExit(f"{server} answers {found}, not {label} with {probability}")


def script(folder: Path, name: str, bodies: list[bytes], headers: dict[str, str], pause: int = 0) -> Path:
    """Write what wrk sends, each caller after a pause of some milliseconds."""
    quoted = ["".join(f"\\{byte:03d}" for byte in body) for body in bodies]
    path = folder / f"{name}.lua"
    path.write_text(
        "local bodies = {" + ", ".join(f'"{text}"' for text in quoted) + "}\nlocal at = 0\n"
        "local headers = {" + ", ".join(f'["{key}"] = "{value}"' for key, value in headers.items()) + "}\n"
        "request = function()\n  at = at % #bodies + 1\n"
        '  return wrk.format("POST", nil, headers, bodies[at])\nend\n'
        + (f"delay = function()\n  return {pause}\nend\n" if pause else "")
    )
    return path


UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


def load(url: str, lua: Path, callers: int, seconds: int, group: int) -> dict[str, float]:
    """Let wrk ask, and return rate, latencies in ms, and CPU in µs for each request."""
    command = ["wrk", "-t", "1", "-c", str(callers), "-d", f"{seconds}s", "--latency", "-s", str(lua), url]
    before = cpu_seconds(group)
    begin = time.perf_counter()
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    taken = time.perf_counter() - begin
    used = cpu_seconds(group) - before
    done = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    refused = int(found[1]) if (found := re.search(r"Non-2xx or 3xx responses: (\d+)", text)) else 0
    latency = {
        name: float(value) * UNITS[unit] for name, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s|m)\b", text)
    }
    return {
        "requests_per_s": round(done / taken, 1),
        "refused": refused,
        "p50_ms": round(latency["50"], 2),
        "p99_ms": round(latency["99"], 2),
        "cpu_us": round(used / max(done, 1) * 1e6, 1),
        "memory_mb": memory(group),
    }


def tensors(folder: Path, images: int) -> tuple[Path, Path]:
    """Return what wrk sends to ``/infer``: the same images in binary both ways, and in JSON both ways."""
    pixels = noise_pixels(images)
    stated = {"name": "pixels", "datatype": "UINT8", "shape": list(pixels.shape)}
    size = {"parameters": {"binary_data_size": pixels.nbytes}}
    # as tritonclient asks for it
    head = json.dumps({"inputs": [{**stated, **size}], "parameters": {"binary_data_output": True}}).encode()
    whole = json.dumps({"inputs": [{**stated, "data": pixels.ravel().tolist()}]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": KIND}
    return (
        script(folder, "binary", [head + pixels.tobytes()], headers),
        script(folder, "json", [whole], {"Content-Type": "application/json"}),
    )


def loaded(address: str, files: list[bytes], folder: Path, full: dict[str, float], seconds: int, group: int) -> Any:
    """Let 16 callers pause so long that they ask 0.6 times as often as they could."""
    pause = max(1, round(16e3 / (SHARE * full["requests_per_s"]) - full["p50_ms"]))
    lua = script(folder, "paused", files, {"Content-Type": KIND}, pause)
    return load(f"{address}/classify", lua, 16, seconds, group)


def overloaded(model: str, folder: Path, lua: Path, seconds: int) -> dict[str, float]:
    """Return what 200 callers get of a server with a short queue, and how long health takes meanwhile."""
    with running("cnnfast", model, folder, "--waiting", "64") as (address, process, _), ThreadPoolExecutor(1) as pool:
        asking = pool.submit(load, f"{address}/classify", lua, 200, seconds, process.pid)
        took = []
        while not asking.done():
            time.sleep(0.02)
            begin = time.perf_counter()
            urllib.request.urlopen(f"{address}/v2/health/live", timeout=10).close()
            took.append(1e3 * (time.perf_counter() - begin))
        health = {
            "health_p50_ms": round(statistics.median(took), 2),
            "health_p99_ms": round(float(np.quantile(took, 0.99)), 2),
        }
        return {**asking.result(), **health}


def network(model: str) -> Network:
    """Return a shipped network, or one of `networks.py`."""
    return BENCHES[model].network() if model in BENCHES else Network.load(model)


def measure(model: str, servers: list[str], callers: list[int], rounds: int, seconds: int) -> dict[str, Any]:
    """Measure all servers with one model, in turn."""
    from serving.exported import export

    net, files, rows = network(model), noise(64), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        net.save(folder / f"{model}.safetensors")
        export(net, folder / f"{model}.onnx")
        sent = {
            server: script(
                folder, server, [body_for(server, file) for file in files], {"Content-Type": kind_for(server)}
            )
            for server in servers
        }
        binary, text = tensors(folder, 16)
        runs: dict[tuple[str, str], list[dict[str, float]]] = {}
        ready: dict[str, list[float]] = {}
        for _ in range(rounds):
            for server in servers:
                with running(server, model, folder) as (address, process, took):
                    ready.setdefault(server, []).append(took)
                    check(server, address, net, files[:8])
                    load(f"{address}/classify", sent[server], 16, 1, process.pid)
                    for count in callers:
                        run = load(f"{address}/classify", sent[server], count, seconds, process.pid)
                        runs.setdefault((server, f"PNG, {count} callers"), []).append(run)
                    if server == "cnnfast":
                        url = f"{address}/v2/models/{model}/infer"
                        for what, lua in (
                            ("16 images in binary, 8 callers", binary),
                            ("16 images in JSON, 8 callers", text),
                        ):
                            run = load(url, lua, 8, seconds, process.pid)
                            runs.setdefault((server, what), []).append(run)
                        full = runs[server, "PNG, 16 callers"][-1]
                        run = loaded(address, files, folder, full, seconds, process.pid)
                        runs.setdefault((server, "PNG, 16 callers, 60 % load"), []).append(run)
            if "cnnfast" in servers:
                run = overloaded(model, folder, sent["cnnfast"], seconds)
                runs.setdefault(("cnnfast", "PNG, 200 callers, queue of 64"), []).append(run)
        for (server, what), found in runs.items():
            rows.setdefault(what, {})[server] = {key: statistics.median(run[key] for run in found) for key in found[0]}
        rows["seconds until ready"] = {server: round(min(took), 3) for server, took in ready.items()}
    return rows


def table(model: str, rows: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"\n{model}"
    for what, servers in rows.items():
        for server, row in servers.items():
            if isinstance(row, dict):
                peer = servers.get("fastapi")
                ratio = f"{row['cpu_us'] / peer['cpu_us']:.2f} × FastAPI" if peer else ""
                yield (
                    f"  {what:<32} {server:<9} {row['requests_per_s']:>8,.0f}/s  p50 {row['p50_ms']:>7.2f} ms  "
                    f"p99 {row['p99_ms']:>8.2f} ms  CPU {row['cpu_us']:>7,.0f} µs {ratio:>14}  "
                    f"{row['memory_mb']:>5.0f} MB  refused {row['refused']:.0f}"
                    + (f"  health p50 {row['health_p50_ms']:.1f} ms" if "health_p50_ms" in row else "")
                )
            else:
                yield f"  {what:<32} {server:<9} {row:.2f} s"


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--servers", nargs="+", default=list(SERVERS), choices=SERVERS)
    parser.add_argument("--callers", nargs="+", type=int, default=[1, 16, 64, 200])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    packages = ("uvicorn", "fastapi", "litserve", "onnxruntime")
    header = {**machine.facts(), "load": os.getloadavg()[0], "versions": machine.versions(packages)}
    print(machine.as_line(header), f"· load of the machine before {header['load']:.1f}")
    results = json.loads(args.out.read_text()) if args.out.exists() else {}
    for model in args.models:
        rows = measure(model, args.servers, args.callers, args.rounds, args.seconds)
        print(*table(model, rows), sep="\n", flush=True)
        results[model] = {"machine": header, "rows": rows}
        args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
