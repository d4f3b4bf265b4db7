"""The type that engines and the worker share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Way = Callable[[np.ndarray], np.ndarray]
"""Turns uint8 pictures (N, H, W, C) into probabilities (N, K)."""
