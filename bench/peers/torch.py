"""PyTorch: eager and compiled, with channels first and last."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import numpy as np
import torch
from networks import Bench

from peers.to_torch import GraphModule
from peers.ways import Way

PACKAGES = ("torch",)

COMPILE = os.environ.get("CNNFAST_BENCH_COMPILE", "1") == "1"


def prepare(bench: Bench, batch: int, threads: int) -> Mapping[str, Way]:
    """Return the ways of PyTorch; see the package."""
    torch.set_num_threads(threads)
    first, last = GraphModule(bench).eval(), GraphModule(bench).eval().channels_last()
    ways = {"eager": _way(lambda x: first(_planes(x))), "eager, channels last": _way(last)}
    if COMPILE:
        torch._inductor.config.freezing = True
        ways["compiled"] = _way(torch.compile(first))
    return ways


def _planes(pictures: torch.Tensor) -> torch.Tensor:
    """Return the same pictures, stored with channels first."""
    return pictures.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)


def _way(module: Callable[[torch.Tensor], torch.Tensor]) -> Way:
    def run(pictures: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(pictures)).numpy()

    return run
