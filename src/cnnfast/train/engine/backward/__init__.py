"""Backwards: for each op a rule that emits what passes gradients on."""

from cnnfast.train.engine.backward import conv_linear, elements, moves, norms, pools  # noqa: F401  (each registers its rules)
from cnnfast.train.engine.backward.conv_linear import gradient_halo
from cnnfast.train.engine.backward.rules import LIVE, rule
from cnnfast.train.engine.backward.weights import tile_halo

__all__ = ["LIVE", "gradient_halo", "rule", "tile_halo"]
