"""The programs of a network: made when they are needed; only what runs is kept."""

from __future__ import annotations

from typing import Any

from cnnfast.graph import Graph
from cnnfast.plan.plan import Plan, make_plan
from cnnfast.runtime.mapped import check_not_rewritten


class Programs:
    """The program of a graph for any number of images.

    Groups of images, and images that do not fill a group, read weights in different orders, each several times as
    large as the file where Winograd transforms them. So each kind is packed when it runs first, and the plan, whose
    weights are in float64 where something was folded into them, is dropped afterwards. It is made again, in the same
    way, if the other kind is to run later. Programs ask for their steps under the lock of ``_kernels.planning``.

    Examples
    --------
    >>> from cnnfast import Network
    >>> Programs(Network.load("mnist-mlp").graph).plan().group >= 1
    True
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._latest: Plan | None = None

    def plan(self) -> Plan:
        """Return how the graph runs."""
        return self._latest or make_plan(self._graph)

    def make(self) -> Any:
        """Return the program; it packs no weights yet."""
        plan = self._latest = make_plan(self._graph)
        return plan.program_with(self._small_batch, steps=self._steps)

    def _steps(self) -> list[Any]:
        plan, self._latest = self.plan(), None
        return self._packed(plan)

    def _small_batch(self) -> tuple[Any, float] | None:
        # where the plan is gone, the weights of groups have been packed, and those for images alone may never be
        return self.plan().small_batch_program(self._small_batch_steps)

    def _small_batch_steps(self) -> list[Any]:
        plan, self._latest = self.plan(), None
        assert plan.small_batch is not None
        return self._packed(plan.small_batch)

    def _packed(self, plan: Plan) -> list[Any]:
        steps = plan.packed_steps()
        # after the last time that weights were read
        check_not_rewritten(self._graph.constants.values())
        return steps
