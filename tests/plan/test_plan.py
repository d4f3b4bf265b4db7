"""A plan cannot be changed, says why it is as it is, and refuses what it cannot hold."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from kernels.engines import execute
from small_graphs import net

from cnnfast import GraphError
from cnnfast.ops import Conv2d, MaxPool, Relu, Softmax
from cnnfast.plan import make_plan
from cnnfast.plan.plan import as_chw
from cnnfast.runtime.dispatch import kernels


def small_graph():  # type: ignore[no-untyped-def]
    return net(
        ("conv", Conv2d(padding=1), "x", "w"), ("relu", Relu(), "conv"), ("y", MaxPool(2), "relu"), w=(4, 3, 3, 3)
    )


@pytest.mark.parametrize("layout", ["chwn", "nchw"])
def test_nothing_in_a_plan_can_be_changed(layout: str) -> None:
    plan = make_plan(small_graph(), layout)
    with pytest.raises(FrozenInstanceError):
        plan.arena = 0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        plan.steps[0].kernel = "other"  # type: ignore[misc]
    arrays = [a for s in plan.steps for a in (*s.operands, *s.parameters) if isinstance(a, np.ndarray)]
    assert arrays
    assert not any(array.flags.writeable for array in arrays)


def test_running_changes_nothing() -> None:
    graph = small_graph()
    plan = make_plan(graph)
    image = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    (first,) = execute(plan, [image])
    execute(plan, [image * 100])
    np.testing.assert_array_equal(execute(plan, [image])[0], first)
    np.testing.assert_array_equal(execute(make_plan(graph), [image])[0], first)


def test_explain_has_a_line_a_step_with_its_reason() -> None:
    plan = make_plan(small_graph())
    head, *lines, last = plan.explain().splitlines()
    assert head.split() == ["node", "kernel", "result", "why"]
    for line, step in zip(lines, plan.steps, strict=True):
        assert line.startswith(step.node)
        assert step.kernel in line
        assert line.endswith(step.reason)
    assert f"images in a group: {plan.group}" in last
    assert any("relu fused" in line and "max_pool fused" in line for line in lines)


def test_every_kernel_name_says_its_layout() -> None:
    for layout in ("chwn", "nchw"):
        assert all(f"_f32_{layout}_" in step.kernel for step in make_plan(small_graph(), layout).steps)


def test_an_arena_beyond_the_limit_is_refused_before_memory_is_taken() -> None:
    graph = net(("y", Relu(), "x"), ("z", Softmax(), "y"), x=(4, 12000, 12000))
    with pytest.raises(GraphError, match=r"would take .* GiB .* at most 1.0 GiB are allowed"):
        make_plan(graph)
    if kernels.lanes() > 4:
        with pytest.raises(
            GraphError, match=r"images at once would need .* GiB .* no more than 8 GiB can be addressed"
        ):
            make_plan(graph, max_bytes=1 << 50)


def test_shapes_of_any_rank_up_to_three() -> None:
    assert as_chw((5,)) == (5, 1, 1)
    assert as_chw((5, 6)) == (5, 6, 1)
    assert as_chw((5, 6, 7)) == (5, 6, 7)
    with pytest.raises(GraphError, match="more than three axes"):
        as_chw((1, 2, 3, 4))


def test_a_program_refuses_what_does_not_fit() -> None:
    plan = make_plan(small_graph())
    image, result = np.zeros((2, 3, 8, 8), np.float32), np.zeros((2, 64), np.float32)
    plan.program.run([image], [result], 1, None)
    for images, results in (([image[:, :2]], [result]), ([image], [result[:1]]), ([image], [result[:, :9]]), ([], [])):
        with pytest.raises((ValueError, IndexError)):
            plan.program.run(images, results, 1, None)
