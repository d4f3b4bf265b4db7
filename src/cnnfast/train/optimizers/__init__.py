"""How weights follow their gradients: gradient descent, Adam, AdamW, Muon.

An optimizer is its settings; what it remembers of each weight is kept in arrays of the same shape, the slots, so that a
checkpoint can hold them. To add one, write such a class and list it in `OPTIMIZERS`.
"""

from __future__ import annotations

from cnnfast.train.optimizers.base import Optimizer, Pace, Role, clip_gradients
from cnnfast.train.optimizers.descent import SGD, Adam, AdamW
from cnnfast.train.optimizers.muon import Muon

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Muon", "Optimizer", "Pace", "Role", "clip_gradients"]

OPTIMIZERS: dict[str, type[SGD] | type[Adam] | type[Muon]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "muon": Muon}
"""Every optimizer by the name that the command line knows; tests go through all of them."""
