"""A small network with named layers, and its weights as other projects would store them."""

from __future__ import annotations

import json

import numpy as np

from cnnfast.graph import Graph
from cnnfast.layers import BatchNorm, Conv2d, Flatten, Linear, MaxPool, Relu, build_graph
from cnnfast.ops import Array


def small_graph() -> Graph:
    """Return conv-bn-relu-pool and a dense layer on images of 2 x 4 x 6, all weights zero."""
    zeros = np.zeros
    layers = [
        Conv2d(zeros((5, 2, 3, 3)), zeros(5), padding=1, name="conv"),
        BatchNorm(zeros(5), zeros(5), zeros(5), zeros(5), name="bn"),
        *(Relu(), MaxPool(2), Flatten()),
        Linear(zeros((4, 30)), zeros(4), name="fc"),
    ]
    return build_graph(layers, (2, 4, 6))


def small_state(seed: int = 0) -> dict[str, Array]:
    """Return weights for it, as PyTorch names and lays them out."""
    rng = np.random.default_rng(seed)
    shapes = {"conv.weight": (5, 2, 3, 3), "conv.bias": (5,), "bn.weight": (5,), "bn.bias": (5,)}
    shapes |= {"bn.running_mean": (5,), "bn.running_var": (5,), "fc.weight": (4, 30), "fc.bias": (4,)}
    state = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    state["bn.running_var"] = abs(state["bn.running_var"]) + np.float32(0.5)
    return state


def safetensors(state: dict[str, Array], metadata: object = None) -> bytes:
    """Return a file as the package safetensors writes it, with the tensors sorted by name."""
    codes = {"f4": "F32", "f8": "F64", "f2": "F16", "i8": "I64"}
    header: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    data = b""
    for name, array in sorted(state.items()):
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": codes[array.dtype.str[1:]], "shape": list(array.shape), "data_offsets": offsets}
        data += array.tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data
