"""The sides of bench_train.py: each trains a network in its own process, and runs only when it is asked to."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
from networks import BENCHES, Bench

from cnnfast.ops import BatchNorm, Softmax
from cnnfast.train.engine.chwn import ChwnEngine
from cnnfast.train.losses import SoftmaxCrossEntropy

RATE, MOMENTUM = 0.001, 0.9

Step = Callable[[], float]
"""Trains on the batch once: forward, backward, update; returns the loss before the update."""


def cnnfast_steps(bench: Bench, batch: int, threads: int) -> dict[str, Step]:
    """Return our way."""
    factor, shift = (np.asarray(v, np.float32) for v in bench.preprocess.affine())
    loss = SoftmaxCrossEntropy()
    engine = ChwnEngine(bench.network().graph, loss, batch, threads=threads, pixels=(factor, shift))
    velocity = {name: np.zeros_like(grad) for name, grad in engine.gradients.items()}
    pictures, labels = bench.pictures(batch).transpose(0, 3, 1, 2), np.arange(batch) % engine.classes
    spare = {name: np.empty_like(grad) for name, grad in engine.gradients.items()}

    def step() -> float:
        value, _ = engine.step(pictures, labels, 0)
        for name, v in velocity.items():
            v *= np.float32(MOMENTUM)
            v += engine.gradients[name]
            engine.parameters[name] -= np.multiply(v, np.float32(RATE), out=spare[name])
        return value

    return {"cnnfast": step}


def torch_steps(bench: Bench, batch: int, threads: int) -> dict[str, Step]:
    """Return PyTorch's ways: eager, with channels last, and compiled."""
    import torch

    torch.set_num_threads(threads)
    torch._dynamo.reset()
    return {
        "eager": _torch_step(bench, batch, "eager"),
        "eager, channels last": _torch_step(bench, batch, "last"),
        "compiled": _torch_step(bench, batch, "compiled"),
    }


def _torch_step(bench: Bench, batch: int, how: str) -> Step:
    import torch
    import torch.nn.functional as F
    from peers.to_torch import apply

    graph = bench.network().graph
    statistics = {v for node in graph.nodes if isinstance(node.op, BatchNorm) for v in node.inputs[3:]}
    weights = {name: torch.from_numpy(array.copy()) for name, array in graph.constants.items()}
    if how == "last":
        weights = {n: w.to(memory_format=torch.channels_last) if w.ndim == 4 else w for n, w in weights.items()}
    trained = [weight.requires_grad_() for name, weight in weights.items() if name not in statistics]
    factor, shift = (torch.from_numpy(v).reshape(-1, 1, 1) for v in bench.preprocess.affine())

    def scores(x: torch.Tensor) -> torch.Tensor:
        values = {next(iter(graph.inputs)): x}
        for node in graph.nodes:
            read = [values[v] if v in values else weights[v] for v in node.inputs]
            if isinstance(node.op, BatchNorm):
                values[node.name] = F.batch_norm(read[0], *read[3:], *read[1:3], True, 0.1, node.op.eps)
            else:
                values[node.name] = read[0] if isinstance(node.op, Softmax) else apply(node, read)
        return values[graph.outputs[0]]

    run = torch.compile(scores, dynamic=False) if how == "compiled" else scores
    optimizer = torch.optim.SGD(trained, lr=RATE, momentum=MOMENTUM)
    pictures = torch.from_numpy(bench.pictures(batch))
    labels = torch.arange(batch) % graph.shapes[graph.outputs[0]][0]

    def step() -> float:
        x = pictures.permute(0, 3, 1, 2).float() * factor + shift
        x = x.contiguous(memory_format=torch.channels_last if how == "last" else torch.contiguous_format)
        optimizer.zero_grad()
        loss = F.cross_entropy(run(x), labels)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


SIDES = {"cnnfast": cnnfast_steps, "torch": torch_steps}


def serve(pipe: Connection, side: str, threads: int) -> None:
    """Answer ("losses", network, batch) and ("time", way, seconds) until the pipe closes."""
    steps: dict[str, Step] = {}
    while True:
        try:
            what, *arguments = pipe.recv()
        except EOFError:
            return
        if what == "losses":
            network, batch = arguments
            steps = SIDES[side](BENCHES[network], batch, threads)
            pipe.send({way: [step() for _ in range(4)] for way, step in steps.items()})
        else:
            way, seconds = arguments
            pipe.send(_times(steps[way], seconds))


def _times(step: Step, seconds: float) -> list[float]:
    times: list[float] = []
    until = time.perf_counter() + seconds
    while not times or time.perf_counter() < until:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times
