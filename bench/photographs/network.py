"""The network of the comparison: small, so that what is compared is the way from the disk to its input."""

from __future__ import annotations

import dataclasses

import numpy as np

from cnnfast import Network, Preprocess

NAME = "cifar10-cs61c"

BATCH = 64


@dataclasses.dataclass(frozen=True)
class Shipped:
    """A shipped network as `peers.to_onnx` takes it."""

    id: str = NAME

    def network(self) -> Network:
        """Return the network."""
        return Network.load(self.id)

    @property
    def preprocess(self) -> Preprocess:
        """Return its preprocessing."""
        rule = self.network().preprocess
        assert rule is not None
        return rule


class OnnxRuntime:
    """The network in ONNX Runtime: from uint8 (N, H, W, 3) to the number of the label."""

    def __init__(self, threads: int) -> None:
        import onnxruntime
        from peers.to_onnx import onnx_model

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        model = onnx_model(Shipped(), "N", pixels=True).SerializeToString()
        self._session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        return self._session.run(None, {"pixels": pixels})[0].argmax(1)
