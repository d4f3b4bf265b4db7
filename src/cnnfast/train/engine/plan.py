"""The plan of a training step: forward, loss and backward, in phases."""

from __future__ import annotations

import numpy as np

from cnnfast.errors import UnsupportedError
from cnnfast.graph import Node
from cnnfast.ops import Activation, BatchNorm, Conv2d, Dropout, Fused, Shape
from cnnfast.plan.choose import ALGORITHMS
from cnnfast.plan.chwn.algorithms import LAYERS
from cnnfast.plan.chwn.lowering import halos
from cnnfast.plan.lowering import NodeIO
from cnnfast.plan.memory import root
from cnnfast.plan.offsets import Halo
from cnnfast.train.engine.backward import LIVE, gradient_halo, rule, tile_halo
from cnnfast.train.engine.base import Engine
from cnnfast.train.engine.fusion import epilogues
from cnnfast.train.engine.lowering import KEYS, TrainingLowering, grad
from cnnfast.train.engine.memory import LOSS, TARGETS, TrainingPlan, placed


def make_training_plan(engine: Engine, threads: int) -> TrainingPlan:
    """Plan the training of an engine's graph.

    Raises
    ------
    UnsupportedError
        If an op or a shape has no kernel, or a node reads a trained parameter as a value; all such nodes are listed.
    """
    _check_reads(engine)
    low = _lowering(engine)
    (entry,), (output,) = engine.graph.inputs, engine.graph.outputs
    low.clear_halo(entry, entry)
    fused = {node.name for epilogue in low.epilogues.values() for node in epilogue.nodes}
    for node in engine.graph.nodes:
        if node.name not in fused:
            _forward(low, node, engine)
    reads = (output, TARGETS, LIVE)
    low.rename(grad(output), output)
    low.second_results[len(low.steps)] = LOSS
    low.emit(NodeIO("loss", reads, grad(output)), engine.loss.name, reads, ints=dict(K=engine.classes))
    _backward(low, engine)
    return placed(low, engine, threads)


def _check_reads(engine: Engine) -> None:
    """Check that no node reads a parameter that is trained as if it were an image."""
    problems = [
        f"{node.name} ({node.op.name}): reads {value!r}; freeze it: frozen_params=[{value!r}]"
        for node in engine.graph.nodes
        for index, value in enumerate(node.inputs)
        if value in engine.gradients and node.op.is_data_input(index)
    ]
    if problems:
        raise UnsupportedError(
            "these nodes read as a value what is trained as a parameter of another one:\n  " + "\n  ".join(problems)
        )


def _backward(low: TrainingLowering, engine: Engine) -> None:
    active = [node for node in reversed(engine.graph.nodes) if node.name in engine.active]
    rule.apply_each(low, active, "no kernel passes gradients back through these nodes")


def _lowering(engine: Engine) -> TrainingLowering:
    graph = engine.graph
    shapes: dict[str, Shape] = dict(graph.shapes)
    shapes |= {TARGETS: (engine.classes,), LIVE: (1,), LOSS: (1,)}
    dropouts = [node.name for node in graph.nodes if isinstance(node.op, Dropout)]
    shapes |= {f"{KEYS}{i}": (1,) for i in range(len(dropouts))}
    shapes |= {grad(v): shapes[v] for v in engine.active}
    low = TrainingLowering(
        graph,
        shapes=shapes,
        layers=LAYERS,
        active=engine.active,
        dropouts=dropouts,
        arrays=engine.parameters,
    )
    low.epilogues.update(epilogues(engine))
    for node in graph.nodes:
        if node.name in engine.active:
            for value in node.inputs:
                low.contributions[value] = low.contributions.get(value, 0) + 1
    low.halos.update(halos(graph, ALGORITHMS))
    _gradient_halos(low)
    return low


def _larger(a: Halo | None, b: Halo) -> Halo:
    return b if a is None else tuple(map(max, a, b))  # type: ignore[return-value]


def _gradient_halos(low: TrainingLowering) -> None:
    """Give gradients of convolutions the border that passing them back reads; share memory along activations."""
    graph = low.graph
    for node in graph.nodes:
        if node.name in low.active and isinstance(node.op, Conv2d):
            shapes = [graph.shapes[v] for v in (*node.inputs[:2], node.name)]
            need = gradient_halo(node.op, *shapes) if low.is_active(node.inputs[0]) else (0, 0, 0, 0)
            low.halos[grad(node.name)] = _larger(need, tile_halo(node.op, *shapes[1:]))
    for node in reversed(graph.nodes):
        x = node.inputs[0]
        single = isinstance(node.op, Activation | Dropout) and low.is_active(x) and low.contributions[x] == 1
        if single and len(node.inputs) == 1:
            low.aliases[grad(x)] = grad(node.name)
    for value in list(low.halos):
        base = root(value, low.aliases)
        low.halos[base] = _larger(low.halos.get(base), low.halos[value])
    for value in low.aliases:
        low.halos[value] = low.halos.get(root(value, low.aliases), (0, 0, 0, 0))
    for value in [v for v, halo in low.halos.items() if not any(halo)]:
        del low.halos[value]


def _forward(low: TrainingLowering, node: Node, engine: Engine) -> None:
    epilogue = low.epilogues.get(node.name)
    if isinstance(node.op, BatchNorm) and engine.trains_statistics(node.name):
        _norm(low, node)
    elif isinstance(node.op, Dropout):
        low.drop(node, node.inputs[0], node.name)
        low.clear_halo(node.name, node.name)
    elif epilogue is not None:
        op, result = Fused(node.op, epilogue.ops, len(node.inputs)), low.stored(node.name)
        low.forward(op, NodeIO(result, node.inputs, result))
    else:
        low.forward(node.op, NodeIO(node.name, node.inputs, node.name))


def _norm(low: TrainingLowering, node: Node) -> None:
    """Emit a batch-norm that trains: statistics of each image, the end of a phase, and a factor and a shift."""
    x, channels = node.inputs[0], low.shapes[node.name][0]
    sums = f"{node.name}:sums"
    low.shapes[sums] = (channels, 2)
    low.emit(NodeIO(node.name, (x,), sums), "moments", (x,), ints=low.window(x, x))
    low.end_phase(node.name, False, sums)
    low.buffers[node.name] = {name: np.zeros((channels, 4), np.float32) for name in ("front", "back")}
    low.normalize(node, low.stored(node.name))
