"""HOW a network runs: each node lowered to kernel steps, every value placed in one arena, weights packed."""

from cnnfast.plan.plan import Plan, make_plan
from cnnfast.plan.step import Step

__all__ = ["Plan", "Step", "make_plan"]
