"""Two networks side by side, or a network and the engine that its file was made for: where do they part?

=============  ==========================================================
`sides`        what can be run layer by layer, and a `Network` as one
`engines`      onnxruntime, LiteRT and PyTorch as others
`keras`        Keras
`differences`  which layer of one is which of the other, and how they differ
=============  ==========================================================
"""

from __future__ import annotations

from cnnfast.compare.backends import BOUND, Backend, NetworkBackend
from cnnfast.compare.differences import Comparison, Difference, compare
from cnnfast.compare.engines import ENGINES

__all__ = ["BOUND", "ENGINES", "Backend", "Comparison", "Difference", "NetworkBackend", "compare"]
