"""The offsets of all values of a training step in its three memories, and the program that runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.graph import Graph
from cnnfast.ops import Array, BatchNorm
from cnnfast.plan.memory import place, root
from cnnfast.plan.plan import as_chw, input_strides
from cnnfast.plan.step import Step
from cnnfast.runtime.dispatch import kernels
from cnnfast.train.engine.backward import LIVE
from cnnfast.train.engine.base import Engine
from cnnfast.train.engine.lowering import KEYS, PhaseEnd, TrainingLowering, grad
from cnnfast.train.engine.packing import Packer

TARGETS, LOSS = "targets", "loss"
"""What the values are called that hold the targets and the loss of each image."""


@frozen
class TrainingPlan:
    """One step of training, ready to run.

    Attributes
    ----------
    steps : tuple of Step
    phases : tuple of (first, last)
        Which steps make a phase.
    packers : tuple of Packer
        What fills the memory that the steps read parameters from.
    training : Training
        The steps as the kernels run them.
    flat : array
        The gradients of all parameters but those of batch-norm, one after the other.
    dropouts : tuple of str
    """

    steps: tuple[Step, ...]
    phases: tuple[tuple[int, int], ...]
    packers: tuple[Packer, ...]
    training: Any
    flat: Array
    dropouts: tuple[str, ...]

    def explain(self) -> str:
        """Return a table: the kernel of each step, by phase, and the memory that the plan takes."""
        lines = []
        for number, (first, last) in enumerate(self.phases):
            lines.append(f"phase {number}")
            lines += [f"  {step.node:20} {step.kernel:36} {step.result}" for step in self.steps[first:last]]
        scratch, groups, partial = (size / 2**20 for size in self.training.memory())
        lines.append(f"scratch {scratch:.1f} MiB, activations {groups:.1f} MiB, partial sums {partial:.1f} MiB")
        return "\n".join(lines)


def placed(low: TrainingLowering, engine: Engine, threads: int) -> TrainingPlan:
    """Return the plan of all steps so far."""
    steps, results = low.settled(), (engine.graph.outputs[0], LOSS)
    phases = _phases(low)
    sources = (*engine.graph.inputs, TARGETS, *(f"{KEYS}{i}" for i in range(len(low.dropouts))))
    given, wanted = (*sources, LIVE, LOSS, *low.summed.values()), (*results, *low.summed.values())
    kept = _kept(low, steps, phases) | {root(name, low.aliases) for name in (*given, *results)}

    def size(where: bool) -> Any:
        return lambda v: 0 if v in low.partials or (root(v, low.aliases) in kept) != where else low.size(v)

    scratch, workspaces, a = place(steps, size(False), given, wanted, low.aliases)
    bare = [replace(step, workspace=0) for step in steps]
    own, _, m = place(bare, size(True), given, wanted, low.aliases)
    offsets, p, flat = _partial_offsets(low, a + m)
    for name in {*scratch, *own} - set(low.partials):
        offsets[name] = (a + own[name] if root(name, low.aliases) in kept else scratch[name]) + low.origin(name)
    for index, name in low.second_results.items():
        workspaces[index] = offsets[name]
    program = kernels.Program(
        _program_steps(low, steps, offsets, workspaces),
        max(a + m + p, 1),
        [_input(low, engine.graph, name, offsets) for name in sources],
        [(engine.classes, offsets[results[0]]), (1, offsets[LOSS])],
        kernels.lanes(),
        kernels.lanes(),
    )
    norms = {index: _norm_fields(low, engine, end, offsets) for index, end in enumerate(low.phase_ends)}
    described = [(first, last, norms.get(index)) for index, (first, last) in enumerate(phases)]
    training = kernels.Training(program, described, (a, m, p), flat.size, engine.batch, threads, offsets[LIVE])
    _bind_gradients(low, engine, flat, a + m, offsets)
    return TrainingPlan(tuple(steps), tuple(phases), tuple(low.packers), training, flat, tuple(low.dropouts))


def _phases(low: TrainingLowering) -> list[tuple[int, int]]:
    ends = [end.steps for end in low.phase_ends]
    return list(zip([0, *ends], [*ends, len(low.steps)], strict=True))


def _kept(low: TrainingLowering, steps: list[Step], phases: list[tuple[int, int]]) -> set[str]:
    """Return the values that live in more than one phase; what holds sums is read between two."""
    seen: dict[str, set[int]] = {}
    for number, (first, last) in enumerate(phases):
        for step in steps[first:last]:
            for name in (*step.reads(), step.result):
                seen.setdefault(root(name, low.aliases), set()).add(number)
    return {name for name, numbers in seen.items() if len(numbers) > 1} | {end.sums for end in low.phase_ends}


def _partial_offsets(low: TrainingLowering, start: int) -> tuple[dict[str, int], int, Array]:
    lanes, offsets, end = kernels.lanes(), {}, 0
    for name, size in low.partials.items():
        offsets[name] = start + end
        end += -(-size // lanes)
    return offsets, end, np.zeros(max(end * lanes, 1), np.float32)


def _program_steps(
    low: TrainingLowering, steps: list[Step], offsets: Mapping[str, int], workspaces: list[int]
) -> list[Any]:
    described = []
    for index, (step, workspace) in enumerate(zip(steps, workspaces, strict=True)):
        operands = [offsets[v] if isinstance(v, str) else v for v in step.operands]
        if index in low.shifts:
            operands[0] += low.shifts[index]
        described.append(
            (
                step.kernel,
                dict(step.ints),
                dict(step.floats),
                operands,
                step.arrays(),
                step.tables,
                offsets[step.result],
                workspace,
            )
        )
    return described


def _input(low: TrainingLowering, graph: Graph, name: str, offsets: Mapping[str, int]) -> Any:
    shape = low.shapes[name]
    return (as_chw(shape), offsets[name], *input_strides(low.strides(name), shape)[:2])


def _norm_fields(low: TrainingLowering, engine: Engine, end: PhaseEnd, offsets: Mapping[str, int]) -> dict[str, Any]:
    node = engine.graph.by_name[end.node]
    names = ("scale", "shift", "running_mean", "running_var")
    assert isinstance(node.op, BatchNorm)
    shape = low.shapes[node.name]
    fields: dict[str, Any] = {name: engine.parameters[v] for name, v in zip(names, node.inputs[1:], strict=True)}
    fields |= low.buffers[end.node]
    fields |= dict(backward=end.backward, C=shape[0], count=int(np.prod(shape[1:])), sums=offsets[end.sums])
    fields |= dict(eps=node.op.eps, momentum=engine.momentum)
    return fields | {f"d{k}": engine.gradients.get(v) for k, v in zip(names[:2], node.inputs[1:3], strict=True)}


def _bind_gradients(low: TrainingLowering, engine: Engine, flat: Array, start: int, offsets: Mapping[str, int]) -> None:
    """Make the gradients of an engine views of the sums."""
    for name in engine.trainable:
        if grad(name) in low.partials:
            at = (offsets[grad(name)] - start) * kernels.lanes()
            shape = low.shapes[name]
            engine.gradients[name] = flat[at : at + low.partials[grad(name)]].reshape(shape)
