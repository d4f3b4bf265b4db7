"""LitServe around ONNX Runtime, with its batching.

python bench/serving/litserve_server.py MODEL.onnx PORT
"""

from __future__ import annotations

import base64
import sys
from typing import Any

import litserve
import numpy as np
from session import Session


class Classify(litserve.LitAPI):
    """Decodes, computes in batches, and answers."""

    def setup(self, device: str) -> None:
        """Load the model, in the process that computes."""
        self.session = Session(sys.argv[1])

    def decode_request(self, request) -> np.ndarray:
        """Return pixels; files come in JSON, as in LitServe's own examples, because a body has to be that or a form."""
        return self.session.decode(base64.b64decode(request["image"]))

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Return a batch."""
        return np.stack(inputs)

    def predict(self, batch: np.ndarray) -> list[dict[str, Any]]:
        """Return the answers of a batch."""
        return self.session.answers(batch)

    def unbatch(self, outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return them one by one."""
        return outputs

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Return one."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Classify(max_batch_size=64, batch_timeout=0.001, api_path="/classify"), accelerator="cpu", devices=1
    )
    server.run(port=int(sys.argv[2]), log_level="critical", generate_client_file=False)
