"""The list of ATen ops that become ops of cnnfast.

Each entry is a function ``(builder, **arguments)``: the arguments carry the names of ATen's own schema, with all
defaults filled in. It returns what the node returns: `Images`, or a tuple of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from cnnfast.runtime.registry import Registry

Handler = Callable[..., Any]

ATEN: Registry[str, Handler] = Registry("ops of ATen")
"""Every known op by its name in ATen, without ``aten.`` and without the overload."""

HINTS = {
    "baddbmm": "nearest: bmm and add",
    "conv1d": "nearest: conv2d on images of height 1",
    "conv3d": "nearest: conv2d",
    "conv_transpose2d": "nearest: upsample_nearest2d and conv2d",
    "bernoulli": "it is random; the module must not drop anything when it predicts",
    "rand": "it is random",
    "_native_batch_norm_legit": "statistics of the batch; give the batch-norm running statistics (track_running_stats)",
    "index": "nearest: slice, select",
    "gather": "nearest: slice, select",
    "argmax": "return the scores; predict() takes the largest",
    "topk": "return the scores; Network.topk() sorts them",
}
"""What to do instead, where the nearest name would not help."""


aten = ATEN.register
"""Enter a function into `ATEN` under one or several names."""


def nearest(name: str) -> str:
    """Return what comes closest to an op that is not in the list.

    Examples
    --------
    >>> nearest("conv3d")
    'nearest: conv2d'
    """
    if name in HINTS:
        return HINTS[name]
    close = difflib.get_close_matches(name, ATEN, 1, cutoff=0.5)
    return f"nearest that is supported: {close[0]}" if close else "nothing close is supported"
