"""The plan of a training step: its steps in phases, and a place for every value in three memories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cnnfast._dispatch import kernels
from cnnfast._frozen import frozen
from cnnfast.errors import UnsupportedError
from cnnfast.graph import Graph, Node
from cnnfast.ops import Activation, Array, BatchNorm, Conv2d, Dropout, Fused, Shape
from cnnfast.plan.choose import ALGORITHMS
from cnnfast.plan.lanes import halos
from cnnfast.plan.lanes_layers import LAYERS
from cnnfast.plan.lowering import Site
from cnnfast.plan.memory import place, root
from cnnfast.plan.places import Halo
from cnnfast.plan.plan import as_chw, input_strides
from cnnfast.plan.step import Step
from cnnfast.train.backward_layers import gradient_halo, rule, tile_halo
from cnnfast.train.backward_rules import LIVE
from cnnfast.train.engine import Engine
from cnnfast.train.fusion import endings
from cnnfast.train.lowering import KEYS, Norm, TrainingLowering, grad, numbered_graph
from cnnfast.train.packing import Pack

TARGETS, LOSS = "targets", "loss"


@frozen
class TrainingPlan:
    """One step of training, ready to run.

    Attributes
    ----------
    steps : tuple of Step
    phases : tuple of (first, last)
        Which steps make a phase.
    packs : tuple of Pack
        What fills the parameters of the steps.
    program : Training
    flat : array
        The gradients of all parameters but those of batch-norm, one behind the other.
    dropouts : tuple of str
    """

    steps: tuple[Step, ...]
    phases: tuple[tuple[int, int], ...]
    packs: tuple[Pack, ...]
    program: Any
    flat: Array
    dropouts: tuple[str, ...]

    def explain(self) -> str:
        """Return a table: the kernel of each step, by phase, and the memory that the plan takes."""
        lines = []
        for number, (first, last) in enumerate(self.phases):
            lines.append(f"phase {number}")
            lines += [f"  {step.node:20} {step.kernel:36} {step.result}" for step in self.steps[first:last]]
        scratch, groups, partial = (size / 2**20 for size in self.program.memory())
        lines.append(f"scratch {scratch:.1f} MiB, activations {groups:.1f} MiB, partial sums {partial:.1f} MiB")
        return "\n".join(lines)


def make_training_plan(engine: Engine, threads: int) -> TrainingPlan:
    """Plan the training of an engine's graph.

    Raises
    ------
    UnsupportedError
        If an op or a shape has no kernel; all such nodes are listed.
    """
    low = _lowering(engine)
    (entry,), (output,) = engine.graph.inputs, engine.graph.outputs
    low.clear_halo(entry, entry)
    for node in engine.graph.nodes:
        _forward(low, node, engine)
    reads = (output, TARGETS, LIVE)
    low.rename(grad(output), output)
    low.seconds[len(low.steps)] = LOSS
    low.emit(Site("loss", reads, grad(output)), engine.loss.name, reads, ints=dict(K=engine.classes))
    _backward(low, engine)
    return _placed(low, engine, threads)


def _backward(low: TrainingLowering, engine: Engine) -> None:
    problems = []
    for node in reversed(engine.graph.nodes):
        if node.name in engine.active:
            try:
                rule.apply(low, node.op, Site(node.name, node.inputs, node.name))
            except UnsupportedError as error:
                problems.append(f"{node.name} ({node.op.name}): {error}")
    if problems:
        raise UnsupportedError("no kernel passes gradients back through these nodes:\n  " + "\n  ".join(problems))


def _lowering(engine: Engine) -> TrainingLowering:
    graph = numbered_graph(engine.graph)
    shapes: dict[str, Shape] = dict(graph.shapes)
    shapes |= {TARGETS: (engine.classes,), LIVE: (1,), LOSS: (1,)}
    dropouts = [node.name for node in graph.nodes if isinstance(node.op, Dropout)]
    shapes |= {f"{KEYS}{i}": (1,) for i in range(len(dropouts))}
    shapes |= {grad(v): shapes[v] for v in engine.active}
    low = TrainingLowering(graph, shapes=shapes, layers=LAYERS, active=engine.active, dropouts=dropouts)
    low.endings.update(endings(engine))
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
    ending = low.endings.get(node.name)
    if node.name in low.swallowed:
        return
    if isinstance(node.op, BatchNorm) and engine.trains_statistics(node.name):
        _norm(low, node)
    elif isinstance(node.op, Dropout):
        low.drop(node, node.inputs[0], node.name)
        low.clear_halo(node.name, node.name)
    elif ending is not None:
        op = Fused(node.op, tuple(n.op for n in ending.nodes), len(node.inputs))
        low.forward(op, Site(ending.result, node.inputs, ending.result))
    else:
        low.forward(node.op, Site(node.name, node.inputs, node.name))


def _norm(low: TrainingLowering, node: Node) -> None:
    """Emit a batch-norm that trains: statistics of each image, the end of a phase, and a factor and a shift."""
    x, channels = node.inputs[0], low.shapes[node.name][0]
    sums = f"{node.name}:sums"
    low.shapes[sums] = (channels, 2)
    low.emit(Site(node.name, (x,), sums), "moments", (x,), ints=low.window(x, x))
    low.cut(Norm(node.name, False, sums))
    low.buffers[node.name] = {name: np.zeros((channels, 4), np.float32) for name in ("front", "back")}
    low.normalise(node, low.stored(node.name))


def _placed(low: TrainingLowering, engine: Engine, threads: int) -> TrainingPlan:
    steps, results = low.settled(), (engine.graph.outputs[0], LOSS)
    phases = _phases(low)
    sources = (*engine.graph.inputs, TARGETS, *(f"{KEYS}{i}" for i in range(len(low.dropouts))))
    given = (*sources, LIVE, LOSS)
    kept = _kept(low, steps, phases) | {root(name, low.aliases) for name in (*given, *results)}

    def size(where: bool) -> Any:
        return lambda v: 0 if v in low.partials or (root(v, low.aliases) in kept) != where else low.size(v)

    scratch, workspaces, a = place(steps, size(False), given, results, low.aliases)
    bare = [replace(step, workspace=0) for step in steps]
    own, _, m = place(bare, size(True), given, results, low.aliases)
    places, p, flat = _partial_places(low, a + m)
    for name in {*scratch, *own} - set(low.partials):
        places[name] = (a + own[name] if root(name, low.aliases) in kept else scratch[name]) + low.origin(name)
    for index, name in low.seconds.items():
        workspaces[index] = places[name]
    program = kernels.Training(
        _program_steps(low, steps, places, workspaces),
        max(a + m + p, 1),
        [_input(low, engine.graph, name, places) for name in sources],
        [(engine.classes, places[results[0]]), (1, places[LOSS])],
        kernels.lanes(),
        kernels.lanes(),
    )
    norms = {index: _norm_fields(low, engine, norm, places) for index, (_, norm) in enumerate(low.cuts)}
    described = [(first, last, norms.get(index)) for index, (first, last) in enumerate(phases)]
    program.arrange(described, (a, m, p), flat.size, engine.batch, threads, places[LIVE])
    _bind_gradients(low, engine, flat, a + m, places)
    return TrainingPlan(tuple(steps), tuple(phases), tuple(low.packs), program, flat, tuple(low.dropouts))


def _phases(low: TrainingLowering) -> list[tuple[int, int]]:
    ends = [count for count, _ in low.cuts]
    return list(zip([0, *ends], [*ends, len(low.steps)], strict=True))


def _kept(low: TrainingLowering, steps: list[Step], phases: list[tuple[int, int]]) -> set[str]:
    """Return the values that live in more than one phase; what holds sums is read between two."""
    seen: dict[str, set[int]] = {}
    for number, (first, last) in enumerate(phases):
        for step in steps[first:last]:
            for name in (*step.reads(), step.result):
                seen.setdefault(root(name, low.aliases), set()).add(number)
    return {name for name, numbers in seen.items() if len(numbers) > 1} | {norm.sums for _, norm in low.cuts}


def _partial_places(low: TrainingLowering, start: int) -> tuple[dict[str, int], int, Array]:
    lanes, places, end = kernels.lanes(), {}, 0
    for name, size in low.partials.items():
        places[name] = start + end
        end += -(-size // lanes)
    return places, end, np.zeros(max(end * lanes, 1), np.float32)


def _program_steps(
    low: TrainingLowering, steps: list[Step], places: Mapping[str, int], workspaces: list[int]
) -> list[Any]:
    described = []
    for index, (step, workspace) in enumerate(zip(steps, workspaces, strict=True)):
        operands = [places[v] if isinstance(v, str) else v for v in step.operands]
        if index in low.shifts:
            operands[0] += low.shifts[index]
        described.append(
            (
                step.kernel,
                dict(step.ints),
                dict(step.floats),
                operands,
                step.parameters,
                step.tables,
                places[step.result],
                workspace,
            )
        )
    return described


def _input(low: TrainingLowering, graph: Graph, name: str, places: Mapping[str, int]) -> Any:
    shape = low.shapes[name]
    return (as_chw(shape), places[name], *input_strides(low.strides(name), shape)[:2])


def _norm_fields(low: TrainingLowering, engine: Engine, norm: Norm, places: Mapping[str, int]) -> dict[str, Any]:
    node = engine.graph.by_name[norm.node]
    names = ("scale", "shift", "running_mean", "running_var")
    assert isinstance(node.op, BatchNorm)
    shape = low.shapes[node.name]
    fields: dict[str, Any] = {name: engine.parameters[v] for name, v in zip(names, node.inputs[1:], strict=True)}
    fields |= low.buffers[norm.node]
    fields |= dict(backward=norm.backward, C=shape[0], count=int(np.prod(shape[1:])), sums=places[norm.sums])
    fields |= dict(eps=node.op.eps, momentum=engine.momentum)
    return fields | {f"d{k}": engine.gradients.get(v) for k, v in zip(names[:2], node.inputs[1:3], strict=True)}


def _bind_gradients(low: TrainingLowering, engine: Engine, flat: Array, start: int, places: Mapping[str, int]) -> None:
    """Make the gradients of an engine views of the sums."""
    for name in engine.trainable:
        if grad(name) in low.partials:
            at = (places[grad(name)] - start) * kernels.lanes()
            shape = low.shapes[name]
            engine.gradients[name] = flat[at : at + low.partials[grad(name)]].reshape(shape)
